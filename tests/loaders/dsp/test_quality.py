"""Flat stretches of a signal, wherever they begin."""

from __future__ import annotations

import numpy as np
import pytest

from loaders.dsp.quality import FLAT, find_bad_intervals


@pytest.mark.parametrize("fs", [128.0, 250.0, 360.0])
@pytest.mark.parametrize("begin", [1000, 1001, 1179, 1180, 1359, 1360])
@pytest.mark.parametrize("longer", [-1, 0, 1])
def test_a_stretch_of_just_two_seconds_is_found_at_any_place(fs: float, begin: int, longer: int) -> None:
    size = round(FLAT[0] * fs)
    signal = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    signal[begin : begin + size + longer] = 0.3 + np.linspace(0, 0.9 * FLAT[1], size + longer)
    flat = [(one.start, one.stop) for one in find_bad_intervals(signal, fs) if one.kind == "flat"]
    assert flat == ([] if longer < 0 else [(begin, begin + size + longer)])
