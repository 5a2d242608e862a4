"""loaders.dsp.resample: slow waves stay, fast ones go, and all recordings join to the same samples."""

from __future__ import annotations

import numpy as np
import pytest

from loaders.dsp.resample import resample


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
