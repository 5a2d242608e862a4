"""loaders.datasets.dataset: rows, labels, neighbours, class and sample weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from loaders.beats.table import Beats
from loaders.datasets.dataset import ECGLoader, ECGLoader_bin
from tests.loaders.rows import rows


def test_items_are_rows_of_the_split(beats: dict[str, Beats]) -> None:
    chosen = np.array([3, 1, 50])
    data = ECGLoader(beats["train"], chosen)
    assert len(data) == 3
    batch = data.batch(torch.tensor([2, 0]))
    assert batch.x.shape == (2, 1, 187)
    assert (batch.x.dtype, batch.y.dtype, batch.ids.dtype) == (torch.float32, torch.int64, torch.int64)
    assert batch.ids.tolist() == [50, 3]
    assert np.array_equal(batch.x[:, 0].numpy(), beats["train"].x[[50, 3]])
    assert batch.y.tolist() == beats["train"].y[[50, 3]].tolist()
    one = data[1]
    assert (one.x.shape, one.ids.tolist()) == ((1, 1, 187), [1])
    assert data.labels().tolist() == beats["train"].y[chosen].tolist()


def test_all_rows_unless_some_are_named(beats: dict[str, Beats]) -> None:
    data = ECGLoader(beats["test"])
    assert data.batch(torch.arange(len(data))).ids.tolist() == list(range(len(beats["test"])))
    assert data.class_counts().tolist() == np.bincount(beats["test"].y, minlength=5).tolist()


def test_two_classes_fold_four_into_one() -> None:
    beats = rows([0, 1, 2, 3, 4, 0])
    data = ECGLoader_bin(beats)
    assert data.labels().tolist() == [0, 1, 1, 1, 1, 0]
    assert data.class_names == ("Normal", "Abnormal")
    assert data.num_classes == 2
    assert data.class_counts().tolist() == [2, 4]
    assert data.batch(torch.tensor([4])).y.tolist() == [1]
    assert beats.y.tolist() == [0, 1, 2, 3, 4, 0]  # the cache's labels are left alone
    assert ECGLoader(beats).num_classes == 5


COUNTS = [40, 10, 20, 5, 8]


@pytest.mark.parametrize(
    ("kind", "weighing", "expected"),
    [
        (ECGLoader, "equal", [1 / 40, 1 / 10, 1 / 20, 1 / 5, 1 / 8]),
        (ECGLoader, "effective", [(1 - 0.999) / (1 - 0.999**n) for n in (40, 10, 20, 5, 8)]),
        (ECGLoader, "importance", [1 / 40, 2 / 10, 2 / 20, 2 / 5, 0.5 / 8]),
        (ECGLoader_bin, "equal", [1 / 40, 1 / 43]),
        (ECGLoader_bin, "importance", [1 / 40, 2 / 43]),
    ],
)
def test_class_weights(kind: type[ECGLoader], weighing: str, expected: list[float]) -> None:
    data = kind(rows(np.repeat(range(5), COUNTS)))
    weights = data.class_weights(weighing)
    assert weights.dtype == torch.float32
    assert weights.tolist() == pytest.approx(expected)
    assert torch.equal(data.sample_weights(weighing), weights[data.labels()])


def test_effective_numbers_lie_between_no_balance_and_equal() -> None:
    """Cui et al. 2019: at beta 0 all classes weigh the same, towards 1 as the inverse of their rows."""
    data = ECGLoader(rows(np.repeat(range(5), COUNTS)))
    assert data.class_weights("effective", 0.0).tolist() == [1.0] * 5
    near, equal = data.class_weights("effective", 1 - 1e-9), data.class_weights("equal")
    assert torch.allclose(near / near.sum(), equal / equal.sum(), rtol=1e-5)


@pytest.mark.parametrize("weighing", ["equal", "importance"])
def test_an_absent_class_weighs_nothing(weighing: str) -> None:
    weights = ECGLoader(rows([0, 0, 2, 4])).class_weights(weighing)
    assert weights[[1, 3]].tolist() == [0, 0]
    assert torch.isfinite(weights).all()
    assert ECGLoader_bin(rows([0, 0])).class_weights(weighing).tolist() == pytest.approx([0.5, 0])


def test_class_weights_are_those_of_the_rows_in_use() -> None:
    data = ECGLoader(rows([0, 0, 0, 1, 1]), np.array([0, 3, 4]))
    assert data.class_weights("equal").tolist() == pytest.approx([1, 0.5, 0, 0, 0])


# neighbours


def beats_of(records: list[str], features: bool = True, window: bool = True) -> Beats:
    n = len(records)
    x = (
        np.arange(n * 6, dtype=np.float32).reshape(n, 2, 3) + 1
        if window
        else np.arange(n * 3, dtype=np.float32).reshape(n, 3) + 1
    )
    numbers = np.arange(n * 2, dtype=np.float32).reshape(n, 2) + 1 if features else None
    names = np.array(records)
    return Beats(x, np.arange(n) % 4, np.full(n, 3), names, names, np.arange(n), np.full(n, "N"), numbers)


def test_neighbours_come_in_order_and_end_with_the_record() -> None:
    beats = beats_of(["a", "a", "a", "b"])
    dataset = ECGLoader(beats, np.array([0, 1, 3]), neighbours=1)
    batch = dataset.batch(torch.tensor([0, 1, 2]))
    nothing, x = np.zeros((2, 3), np.float32), beats.x
    expected = [[nothing, x[0], x[1]], [x[0], x[1], x[2]], [nothing, x[3], nothing]]
    assert np.array_equal(batch.x.numpy(), np.array(expected).reshape(3, 6, 3))
    assert batch.features is not None
    assert batch.features.tolist() == [[0, 0, 1, 2, 3, 4], [1, 2, 3, 4, 5, 6], [0, 0, 7, 8, 0, 0]]
    assert batch.ids.tolist() == [0, 1, 3] and batch.y.tolist() == [0, 1, 3]
    assert dataset.shape() == {"in_channels": 6, "length": 3, "features": 2, "beats": 3}


def test_neighbours_of_rows_of_one_lead() -> None:
    dataset = ECGLoader(beats_of(["a"] * 4, features=False, window=False), neighbours=1)
    batch = dataset.batch(torch.tensor([3]))
    assert batch.x.tolist() == [[[7, 8, 9], [10, 11, 12], [0, 0, 0]]] and batch.features is None
    assert dataset.shape() == {"in_channels": 3, "length": 3, "features": 0, "beats": 3}
