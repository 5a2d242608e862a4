"""Beats that only the sharp parts of a signal show, and noise, whose sharp parts show none."""

from __future__ import annotations

import numpy as np
import pytest
import wfdb

from loaders.dsp.rpeaks import read_peaks
from loaders.dsp.sharp_beats import settle_by_sharp_parts
from tests.conftest import CASES, RECORDS, needs_cases, needs_records


@needs_cases
def test_192_beats_a_minute_between_t_waves_as_high_are_all_found() -> None:
    record, marks = wfdb.rdrecord(str(CASES / "c00080")), wfdb.rdann(str(CASES / "c00080"), "atr")
    reading = read_peaks(record.p_signal[:, 0], 500.0)
    nearest = np.abs(marks.sample[:, None] - reading.peaks) / 500
    assert len(reading.peaks) == len(marks.sample) == 32 and nearest.min(axis=1).max() < 0.06
    assert len(reading.doubts) == 0


def untouched(signal: np.ndarray, fs: float, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a signal has the same beats without a second look at its sharp parts."""
    own = read_peaks(signal, fs)
    monkeypatch.setattr("loaders.dsp.rpeaks.settle_by_sharp_parts", lambda likely, *_: likely)
    other = read_peaks(signal, fs)
    assert len(own.doubts) > 20  # there is something to settle
    return np.array_equal(own.peaks, other.peaks) and np.array_equal(own.doubts, other.doubts)


@pytest.mark.parametrize("height", [2.0, 0.1])
def test_noise_shows_no_rhythm(height: float, monkeypatch: pytest.MonkeyPatch) -> None:
    assert untouched(np.random.default_rng(0).normal(0, height, 300 * 360), 360.0, monkeypatch)


@needs_cases
@needs_records
def test_electrode_motion_shows_no_rhythm(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy, clean = (wfdb.rdrecord(str(at)).p_signal[:, 0] for at in (CASES / "118e06", RECORDS / "118"))
    since = np.arange(len(clean)) / 360 - 300
    assert untouched((noisy - clean)[(since >= 0) & (since % 240 < 120)], 360.0, monkeypatch)


@needs_cases
def test_fibrillation_shows_no_rhythm(monkeypatch: pytest.MonkeyPatch) -> None:
    assert untouched(wfdb.rdrecord(str(CASES / "cu01"), sampfrom=214 * 250).p_signal[:, 0], 250.0, monkeypatch)


def test_a_signal_without_doubts_is_left_as_it_is() -> None:
    likely = np.where(np.arange(600) % 30 == 15, 0.99, 0.01)
    assert settle_by_sharp_parts(likely, np.zeros(1800), 90, 3, lambda _: np.zeros(600)) is likely
