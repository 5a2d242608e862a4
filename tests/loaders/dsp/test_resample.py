"""loaders.dsp.resample: slow waves stay and fast ones go; ends; places at another rate."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from loaders.dsp.resample import MITBIH_FS, positions, ratio, resample


@pytest.mark.parametrize("rate", [120.0, 125.0, 250.0, 360.0, 500.0])
def test_resampling_keeps_a_slow_wave_and_takes_out_what_would_alias(rate: float) -> None:
    seconds = np.arange(3600) / 360
    slow, fast = np.sin(2 * np.pi * 5 * seconds), np.sin(2 * np.pi * 150 * seconds)
    kept, lost = resample(np.stack([slow, fast], axis=1), 360.0, rate).T
    assert len(kept) == pytest.approx(10 * rate, abs=1)
    inner = slice(int(rate), int(9 * rate))
    assert np.abs(kept - np.sin(2 * np.pi * 5 * np.arange(len(kept)) / rate))[inner].max() < 0.01
    if rate < 300:
        assert np.abs(lost[inner]).max() < 0.01


@pytest.mark.parametrize(
    ("fs", "expected"), [(250.0, Fraction(36, 25)), (128.0, Fraction(45, 16)), (360.0, Fraction(1))]
)
def test_the_ratio_of_two_rates(fs: float, expected: Fraction) -> None:
    assert ratio(fs, MITBIH_FS) == expected
    assert ratio(MITBIH_FS, fs) == 1 / expected


def test_the_ratio_of_odd_rates_has_small_terms() -> None:
    odd = ratio(257.3, MITBIH_FS)
    assert odd.denominator <= 1000
    assert float(odd) == pytest.approx(360 / 257.3, rel=1e-6)


def test_a_signal_at_the_rate_asked_for_is_left_alone() -> None:
    signal = np.arange(9, dtype=np.float32)
    assert resample(signal, 360.0, 360.0) is signal


def test_ends_are_held_or_ring_towards_zero() -> None:
    ones = np.ones(1000, dtype=np.float32)
    held, falling = resample(ones, 250.0, 360.0), resample(ones, 250.0, 360.0, ends="constant")
    assert (held.dtype, len(held), len(falling)) == (np.float64, 1440, 1440)
    assert np.abs(held - 1).max() < 1e-3
    assert np.abs(falling[:4] - 1).max() > 0.05 and abs(falling[720] - 1) < 1e-3


def test_places_at_another_rate_are_rounded_and_stay_in_the_signal() -> None:
    found = positions(np.array([0, 1, 2, 3, 100, 359]), 360.0, 120.0, 119)
    assert found.dtype == np.int64
    assert found.tolist() == [0, 0, 1, 1, 33, 118]
