"""The median of the samples around each is scipy's, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from loaders.dsp import median_filter as module
from loaders.dsp.median_filter import SMALLEST, median_filter


@pytest.mark.parametrize("size", [9, 37, 73, 217, 257])
@pytest.mark.parametrize("digits", [1, 6])  # many samples of one height, and hardly two
def test_a_long_signal_has_the_medians_of_scipy(size: int, digits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE", 1 << 14)  # more than one piece
    signal = np.random.default_rng(size).normal(size=2 * SMALLEST + 77).round(digits).astype(np.float32)
    expected = ndimage.median_filter(signal, size, mode="nearest")
    assert np.array_equal(median_filter(signal, size), expected)
    double = median_filter(signal.astype(np.float64), size)
    assert double.dtype == np.float64 and np.array_equal(double, expected)


def test_what_needs_double_precision_and_what_is_short_or_missing_is_filtered_by_scipy() -> None:
    signal = np.random.default_rng(0).normal(size=SMALLEST + 1)  # float64
    missing = signal.astype(np.float32)
    missing[700] = np.nan
    for one in (signal, signal[:100], missing):
        expected = ndimage.median_filter(one, 73, mode="nearest")
        assert np.array_equal(median_filter(one, 73), expected, equal_nan=True)
    assert np.array_equal(median_filter(signal, 5), ndimage.median_filter(signal, 5, mode="nearest"))
