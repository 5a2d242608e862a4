"""Changes of rows: each does what it says and no more, and the same generator gives the same."""

from __future__ import annotations

import types

import pytest
import torch
from torch import Tensor

from loaders.beats.input_spec import InputGeometry
from loaders.datasets.augment import AMPLITUDE, AUGMENTATIONS, STRETCH, change, light
from loaders.datasets.batches import Batches
from loaders.datasets.dataset import Batch
from loaders.names import AUGMENTATION_NAMES, PRESETS, SIZES, parse_augment
from toolbox.utils import UserError

WINDOW = InputGeometry(origin=60, rate=120.0, middle=0.0, columns=3, tempo=(0, 2))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(count: int = 400, leads: int = 2) -> tuple[Tensor, Tensor]:
    """Windows of noise that is nowhere zero, and features."""
    x = torch.randn(count, leads, 150, generator=generator(1))
    return x + 0.01 * x.sign(), torch.randn(count, 6, generator=generator(2))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_change_is_drawn_from_the_generator_and_keeps_shapes(name: str) -> None:
    x, features = rows()
    one, again, other = (change(x, features, {name: 0.5}, generator(seed), WINDOW) for seed in (3, 3, 4))
    assert one[0].equal(again[0]) and one[1].equal(again[1])
    assert not (one[0].equal(other[0]) and one[1].equal(other[1]))
    assert one[0].shape == x.shape and one[1].shape == features.shape
    assert torch.isfinite(one[0]).all()
    assert change(x, None, {name: 0.5}, generator(3), WINDOW)[1] is None


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_change_of_size_0_changes_nothing(name: str) -> None:
    x, features = rows(20)
    changed, numbers = change(x, features, {name: 0.0}, generator(), WINDOW)
    inner = slice(1, -1)  # what is moved loses its last sample
    assert torch.allclose(changed[..., inner], x[..., inner], atol=1e-6) and numbers.equal(features)


@pytest.mark.parametrize("name", [name for name in AUGMENTATIONS if name not in ("droprr", "tempo")])
def test_padding_stays_zero_and_features_stay_as_they_are(name: str) -> None:
    x, features = rows(50)
    x[..., 100:] = 0
    changed, numbers = change(x, features, {name: 0.1}, generator(), InputGeometry())
    kept = changed[..., 140:] if name in ("stretch", "shift") else changed[..., 100:]
    assert (kept == 0).all() and numbers.equal(features)


def test_amplitude_and_inversion_by_channel() -> None:
    x, _ = rows()
    gain = change(x, None, {"amplitude": 0.3}, generator(), WINDOW)[0] / x
    assert (gain.amax(dim=2) - gain.amin(dim=2)).max() < 1e-4  # one for each channel
    assert 0.7 <= gain.min() < 0.75 and 1.25 < gain.max() <= 1.3
    sign = change(x, None, {"invert": 0.25}, generator(), WINDOW)[0] / x
    assert set(sign.unique().tolist()) == {-1.0, 1.0}
    assert (sign[..., 0] < 0).float().mean().item() == pytest.approx(0.25, abs=0.06)
    unit = change(x.abs().clamp(max=1), None, {"invert": 1.0}, generator(), InputGeometry())[0]
    assert torch.allclose(unit, 1 - x.abs().clamp(max=1))


def test_stretch_leaves_the_peak_where_it_is_and_shift_moves_it() -> None:
    time = torch.arange(150) / 120
    x = torch.exp(-(((time - 0.5) / 0.03) ** 2)).expand(100, 1, 150) + 1e-3  # a peak at sample 60
    stretched = change(x, None, {"stretch": 0.3}, generator(), WINDOW)[0]
    assert (stretched.argmax(dim=2) == 60).all()
    width = (stretched > 0.5).sum(dim=2).float()
    plain = (x > 0.5).sum(dim=2).float()
    assert width.min() < plain.min() < width.max()
    shifted = change(x, None, {"shift": 0.1}, generator(), WINDOW)[0].argmax(dim=2)  # up to 12 samples
    assert 48 <= shifted.min() < 52 and 68 < shifted.max() <= 72


def test_wander_is_slow_and_noise_is_not() -> None:
    x = torch.full((200, 1, 600), 1e-3)
    slow = change(x, None, {"wander": 1.0}, generator(), WINDOW)[0] - x
    fast = change(x, None, {"noise": 1.0}, generator(), WINDOW)[0] - x
    power = [part.squeeze(1).double().mul(torch.hann_window(600)).std(dim=0) for part in (slow, fast)]
    assert all(part.max() > 0.1 for part in power)
    steps = [part.diff(dim=2).abs().max() for part in (slow, fast)]
    assert steps[0] < 2 * torch.pi * 0.7 / 120 < steps[1]
    assert slow.abs().max() <= 1


def test_dropping() -> None:
    x, features = rows()
    _, numbers = change(x, features, {"droprr": 0.3}, generator(), WINDOW)
    gone = (numbers == 0).all(dim=1)
    assert gone.float().mean().item() == pytest.approx(0.3, abs=0.07) and numbers[~gone].equal(features[~gone])
    dropped = (change(x, features, {"droplead": 0.3}, generator(), WINDOW)[0] == 0).all(dim=2)
    assert dropped.float().mean().item() == pytest.approx(0.3, abs=0.07)
    alone = x[:, :1]
    assert change(alone, None, {"droplead": 1.0}, generator(), WINDOW)[0].equal(alone)


def test_tempo_shifts_all_intervals_of_a_row_alike() -> None:
    x, features = rows(2000)
    same, numbers = change(x, features, {"tempo": 0.15}, generator(), WINDOW)  # two beats of three features each
    shift = (numbers - features).view(-1, 2, 3)
    assert same.equal(x) and (shift[..., 1] == 0).all()
    assert torch.allclose(shift[:, :1, :1].expand(-1, 2, 1), shift[..., :1], atol=1e-6)
    assert torch.allclose(shift[..., 0], shift[..., 2], atol=1e-6)
    assert shift[:, 0, 0].std().item() == pytest.approx(0.15, rel=0.1)
    assert abs(shift[:, 0, 0].mean().item()) < 0.02
    assert change(x, features, {"tempo": 0.15}, generator(), InputGeometry())[1].equal(
        features
    )  # no intervals among them


def test_names_of_changes() -> None:
    assert parse_augment("none") == parse_augment("light") == {}
    assert parse_augment("strong") == PRESETS["strong"] and parse_augment("strong")["invert"] == SIZES["invert"]
    assert parse_augment("noise:0.05+invert+droprr:0.3") == {"noise": 0.05, "invert": SIZES["invert"], "droprr": 0.3}
    assert tuple(SIZES) == tuple(AUGMENTATIONS) == AUGMENTATION_NAMES


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stong", "did you mean 'strong'"),
        ("noise+inverted", "did you mean 'invert'"),
        ("strong+invert", "'strong' stands alone"),
        ("noise:2", "expected a size from 0 to 1"),
        ("noise:x", "expected a size from 0 to 1"),
        ("", "known: none, light, strong"),
    ],
)
def test_wrong_names_are_told(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        parse_augment(text)


class Rows:
    """What Batches needs of a dataset: rows that say their own number and class."""

    frame = WINDOW

    def __init__(self, count: int) -> None:
        self.x = torch.arange(count, dtype=torch.float32).repeat_interleave(150).view(count, 1, 150)
        self.y = torch.arange(count) % 3
        self.rows = torch.arange(count)

    def __len__(self) -> int:
        return len(self.y)

    def shape(self) -> dict[str, int]:
        return {"in_channels": 1, "length": 150}

    def batch(self, positions: Tensor) -> Batch:
        return Batch(self.x[positions], self.y[positions], positions, self.x[positions, 0, :2])


def test_mixup_mixes_rows_features_and_labels_alike() -> None:
    data = Rows(96)
    shares = []
    for batch in Batches(data, 32, generator(), mixup=0.4):  # type: ignore[arg-type]
        assert batch.other is not None and 0 <= batch.share <= 1
        partner = (batch.x[:, 0, 0] - batch.share * batch.ids) / (1 - batch.share)
        if batch.share < 0.99:
            assert (partner.round().long() % 3).equal(batch.other)
        assert batch.features[:, 1].equal(batch.x[:, 0, 1])
        assert (data.y[batch.ids]).equal(batch.y)
        shares.append(batch.share)
    assert len(set(shares)) == 3
    assert all(batch.other is None for batch in Batches(data, 32, mixup=0.4))  # type: ignore[arg-type]  # in order: a test
    assert all(batch.other is None for batch in Batches(data, 32, generator()))  # type: ignore[arg-type]


def test_light_keeps_padding_and_draws_from_its_generator() -> None:
    x = torch.zeros(16, 1, 187)
    x[:, :, :100] = torch.rand(16, 1, 100) + 0.1
    one, again = (light(x, torch.Generator().manual_seed(3)) for _ in range(2))
    other = light(x, torch.Generator().manual_seed(4))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert one.shape == x.shape and not torch.equal(one, x)
    assert (one[:, :, int(100 / (1 - STRETCH)) + 2 :] == 0).all()
    assert (light(torch.zeros_like(x), torch.Generator()) == 0).all()


def test_light_stretches_and_scales_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = types.SimpleNamespace(value=1.0)
    monkeypatch.setattr(torch, "rand", lambda *shape, generator: torch.full(shape, (fixed.value + 1) / 2))
    monkeypatch.setattr(torch, "randn", lambda shape, generator: torch.zeros(shape))
    ramp = torch.arange(1, 188, dtype=torch.float32).view(1, 1, -1)
    faster = light(ramp, torch.Generator())  # drawn at its highest: 10 % faster, 10 % higher
    at = torch.arange(187) * (1 + STRETCH)
    inside = at < 186
    torch.testing.assert_close(faster[0, 0, inside], (1 + at[inside]) * (1 + AMPLITUDE))
    assert (faster[0, 0, ~inside] == 0).all()
