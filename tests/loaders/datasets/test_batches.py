"""loaders.datasets.batches: order, pruning, sampling, limits; resumed in mid-epoch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from loaders.datasets.batches import Batches, check_descriptors
from loaders.datasets.dataset import ECGLoader, ECGLoader_bin
from tests.loaders.rows import rows
from toolbox.utils import UserError

COUNTS = [40, 10, 20, 5, 8]


def ids(batches: Batches) -> list[int]:
    return [number for batch in batches for number in batch.ids.tolist()]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def dataset() -> ECGLoader:
    return ECGLoader(rows(np.repeat(range(5), COUNTS)))


def test_without_a_generator_rows_come_in_order(dataset: ECGLoader) -> None:
    batches = Batches(dataset, 32)
    assert len(batches) == 3
    assert [len(batch.y) for batch in batches] == [32, 32, 19]
    assert ids(batches) == ids(batches) == list(range(83))


def test_with_a_generator_each_pass_is_another_order_of_all_rows(dataset: ECGLoader) -> None:
    batches = Batches(dataset, 32, generator())
    first, second = ids(batches), ids(batches)
    assert sorted(first) == sorted(second) == list(range(83))
    assert first != second
    again = Batches(dataset, 32, generator())
    assert (ids(again), ids(again)) == (first, second)
    assert ids(Batches(dataset, 32, generator(1))) != first


def test_after_the_first_pass_known_rows_are_left_out(dataset: ECGLoader) -> None:
    batches = Batches(dataset, 16, generator(), prune=0.6)
    assert sorted(ids(batches)) == list(range(83))  # nothing is known of any yet
    hard = [3, 40, 82]
    batches.record_losses(torch.arange(83), torch.tensor([9.0 if number in hard else 0.1 for number in range(83)]))
    first, second = ids(batches), ids(batches)
    for taken in (first, second):
        assert len(taken) == len(set(taken)) == 33  # 40 % of 83
        assert set(hard) <= set(taken)
    assert set(first) != set(second)
    assert len(batches) == 3
    assert [batches.rows(first) for first in (True, False)] == [83, 33]


def test_more_unknown_rows_than_a_pass_has_room_for(dataset: ECGLoader) -> None:
    batches = Batches(dataset, 16, generator(), prune=0.9)
    batches.record_losses(torch.arange(83), torch.arange(83.0))
    taken = ids(batches)
    assert len(taken) == 8
    assert min(taken) > 41  # all above the mean
    assert taken != sorted(taken)


def test_rows_that_are_not_known_are_spread_over_the_pass() -> None:
    """Batches of one kind alone would pull the weights and the running statistics to and fro."""
    batches = Batches(ECGLoader(rows(np.zeros(4000, dtype=np.int64))), 100, generator(), prune=0.5)
    batches.record_losses(torch.arange(4000), (torch.arange(4000) % 4 == 0).float())
    shares = [(batch.ids % 4 == 0).float().mean().item() for batch in batches]
    assert len(shares) == 20
    assert sum(shares) == pytest.approx(10)  # 1,000 hard rows among 2,000
    assert 0.3 < min(shares) <= max(shares) < 0.7


def test_losses_are_noted_by_the_rows_numbers(dataset: ECGLoader) -> None:
    part = ECGLoader(dataset.beats, np.array([2, 5, 30, 80]))
    batches = Batches(part, 2, generator(), prune=0.5)
    batches.record_losses(torch.tensor([80, 2]), torch.tensor([0.5, 0.25]))
    assert batches.losses is not None
    assert batches.losses.tolist() == [0.25, math.inf, math.inf, 0.5]
    unsorted = Batches(ECGLoader(dataset.beats, np.array([30, 2, 80, 5])), 2, generator(), prune=0.5)
    unsorted.record_losses(torch.tensor([80, 2, 30]), torch.tensor([0.5, 0.25, 0.75]))
    assert unsorted.losses is not None
    assert unsorted.losses.tolist() == [0.75, 0.25, 0.5, math.inf]
    plain = Batches(part, 2, generator())
    plain.record_losses(torch.tensor([80, 2]), torch.tensor([0.5, 0.25]))
    assert plain.losses is None


def test_rows_stay_with_their_labels_and_numbers(dataset: ECGLoader) -> None:
    for batch in Batches(dataset, 16, generator()):
        assert batch.x[:, 0, 0].long().tolist() == batch.ids.tolist()
        assert batch.y.tolist() == dataset.beats.y[batch.ids].tolist()


@pytest.mark.parametrize("drawn", ["in order", "shuffled", "sampled", "few", "augmented"])
def test_the_order_is_the_same_with_any_number_of_workers(dataset: ECGLoader, drawn: str) -> None:
    def made(workers: int) -> Batches:
        order = None if drawn == "in order" else generator()
        weights = dataset.sample_weights("equal") if drawn == "sampled" else None
        augment = "light" if drawn == "augmented" else "none"
        limit = 2 if drawn == "few" else None
        return Batches(dataset, 16, order, weights, workers=workers, limit=limit, augment=augment)

    alone, helped = made(0), made(2)
    for _ in range(2):  # the second pass too
        one, other = list(alone), list(helped)
        assert len(one) == len(other) == len(alone)
        for mine, theirs in zip(one, other, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(mine[:3], theirs[:3], strict=True))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("drawn", ["shuffled", "sampled", "augmented", "mixed"])
def test_a_pass_that_is_broken_off_anywhere_goes_on_alike(
    dataset: ECGLoader, drawn: str, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loaders.datasets.batches.CHUNK", 32)  # two batches at once
    weights = dataset.sample_weights("equal") if drawn == "sampled" else None
    augment = {"augmented": "light", "mixed": "strong"}.get(drawn, "none")
    mixup = 0.4 if drawn == "mixed" else 0.0

    def made() -> Batches:
        return Batches(dataset, 16, generator(), weights, workers=workers, augment=augment, mixup=mixup)

    undisturbed = made()
    passes = [list(undisturbed), list(undisturbed)]
    for done in (1, 2, 3, 5):
        first, second = made(), made()
        given = iter(first)
        for _ in range(done):
            next(given)
        second.resume_at(first.begun, first.generator.get_state(), done)
        for whole, rest in ((passes[0][done:], list(second)), (passes[1], list(second))):
            assert len(whole) == len(rest)
            for one, other in zip(whole, rest, strict=True):
                assert all(torch.equal(a, b) for a, b in zip(one[:3], other[:3], strict=True))
                assert one.share == other.share and (one.other is None or one.other.equal(other.other))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_leave_the_global_generators_alone(dataset: ECGLoader, workers: int) -> None:
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    ids(Batches(dataset, 32, generator(), workers=workers))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.random.get_state()[1].tolist() == numpy_before


@pytest.mark.parametrize(
    ("kind", "weighing", "shares"),
    [
        (ECGLoader, "equal", [0.2] * 5),
        (ECGLoader, "importance", [1 / 7.5, 2 / 7.5, 2 / 7.5, 2 / 7.5, 0.5 / 7.5]),
        (ECGLoader_bin, "equal", [0.5, 0.5]),
        (ECGLoader_bin, "importance", [1 / 3, 2 / 3]),
    ],
)
def test_a_sampler_draws_classes_in_their_shares(kind: type[ECGLoader], weighing: str, shares: list[float]) -> None:
    data = kind(rows(np.repeat(range(5), [4000, 200, 500, 100, 300])))
    batches = Batches(data, 512, generator(), data.sample_weights(weighing))
    drawn = torch.cat([batch.y for batch in batches])
    assert len(drawn) == len(data)  # a pass is as long as without
    found = torch.bincount(drawn, minlength=len(shares)) / len(drawn)
    assert found.tolist() == pytest.approx(shares, abs=0.03)
    numbers = ids(batches)
    assert len(set(numbers)) < len(numbers)  # with replacement
    assert numbers != ids(batches)


def test_a_sampler_never_draws_a_row_of_no_weight() -> None:
    data = ECGLoader(rows([0, 1] * 50))
    weights = torch.tensor([0.0, 1.0])[data.labels()]
    assert set(torch.cat([batch.y for batch in Batches(data, 10, generator(), weights)]).tolist()) == {1}


def test_a_limit_picks_rows_from_all_over_the_file() -> None:
    data = ECGLoader(rows(np.repeat(range(5), [600, 100, 100, 100, 100])))
    batches = Batches(data, 10, limit=4)
    assert len(batches) == 4
    numbers = ids(batches)
    assert numbers == [k * 25 for k in range(40)]
    assert set(data.beats.y[numbers]) == {0, 1, 2, 3, 4}  # files are sorted by label


def test_a_limit_ends_a_shuffled_pass(dataset: ECGLoader) -> None:
    batches = Batches(dataset, 16, generator(), limit=2)
    assert len(batches) == 2
    numbers = ids(batches)
    assert len(set(numbers)) == 32
    assert numbers == ids(Batches(dataset, 16, generator()))[:32]


def test_a_limit_beyond_the_rows_changes_nothing(dataset: ECGLoader) -> None:
    assert ids(Batches(dataset, 16, limit=100)) == list(range(83))
    assert len(Batches(dataset, 16, limit=100)) == 6


def test_workers_that_could_open_no_files_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda kind: (40, 4096))
    with pytest.raises(UserError, match=r"^2 workers need \d+ open files, and this process may have 40; "):
        check_descriptors(2)
    monkeypatch.setattr("resource.getrlimit", lambda kind: (-1, -1))  # no limit
    check_descriptors(1000)
