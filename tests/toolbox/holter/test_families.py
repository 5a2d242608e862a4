"""toolbox.holter.families: beats of one shape."""

from __future__ import annotations

import numpy as np

from tests.toolbox.holter.signals import packed
from toolbox.holter.families import NO_FAMILY, find_families
from toolbox.holter.trace import INPUT_FS, CompressedTrace


def beating(times: np.ndarray, kinds: list[str], seconds: float, noise: float = 0.0) -> np.ndarray:
    """(samples,) mV: narrow beats "n", broad and inverted ones "b", narrow ones three times as high "h"."""
    rng = np.random.default_rng(0)
    t = np.arange(round(seconds * INPUT_FS)) / INPUT_FS
    signal = noise * rng.standard_normal(len(t))
    for time, kind in zip(times.tolist(), kinds, strict=True):
        near = slice(max(0, int((time - 0.5) * INPUT_FS)), int((time + 0.5) * INPUT_FS))
        width, height = {"n": (0.012, 1.0), "b": (0.05, -1.0), "h": (0.012, 3.0)}[kind]
        signal[near] += height * np.exp(-0.5 * ((t[near] - time) / width) ** 2)
    return signal


def test_shapes_and_sizes_are_told_apart() -> None:
    times = np.arange(0.5, 299.5, 0.75)
    kinds = ["b" if k % 7 == 3 else "h" if k % 31 == 5 else "n" for k in range(len(times))]
    families, number = find_families(packed(beating(times, kinds, 300, 0.03)), times)
    names = [kinds[number.tolist().index(k)] for k in range(len(families))]
    assert names == ["n", "b", "h"]
    assert [family.count for family in families] == [kinds.count(name) for name in names]
    assert [names[k] for k in number] == kinds
    assert 0.85 < np.ptp(families[0].shape) < 1.1 and families[0].shape.argmax() == 17  # at the R peak


def test_families_go_on_over_hours_in_a_thinned_trace() -> None:
    times = np.arange(0.5, 3 * 3600 - 1, 1.0)
    kinds = ["b" if k % 10 == 0 else "n" for k in range(len(times))]
    families, number = find_families(packed(beating(times, kinds, 3 * 3600)), times)
    assert [family.count for family in families] == [kinds.count("n"), kinds.count("b")]
    assert number.dtype == np.uint8 and number.tolist() == [int(kind == "b") for kind in kinds]


def test_noise_and_missing_samples_are_in_no_family() -> None:
    times = np.arange(0.5, 1199.5, 0.75)
    signal = beating(times, ["n"] * len(times), 1200)
    signal[600 * INPUT_FS :] = 0.3 * np.random.default_rng(1).standard_normal(600 * INPUT_FS)
    signal[100 * INPUT_FS : 110 * INPUT_FS] = np.nan
    families, number = find_families(packed(signal), times)
    assert len(families) <= 20 and families[0].count > 750
    assert (number[(times > 100) & (times < 110)] == NO_FAMILY).all()
    assert (number[times > 601] == NO_FAMILY).mean() > 0.9


def test_no_signal_has_no_families() -> None:
    families, number = find_families(CompressedTrace().finish(), np.array([1.0, 2.0]))
    assert families == [] and number.tolist() == [NO_FAMILY, NO_FAMILY]
