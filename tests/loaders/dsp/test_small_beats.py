"""Small beats between tall ones are found where they come again and again, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from loaders.dsp.noise import NOISY
from loaders.dsp.rpeaks import detect
from loaders.io.annotations import BEATS
from loaders.io.wfdb_record import read_wfdb
from tests.conftest import CASES, RECORDS, needs_cases, needs_records
from tests.loaders.dsp.test_noise import read

FS = 360.0


@needs_cases
def test_sinus_beats_a_tenth_as_high_as_the_ventricular_ones_between_them() -> None:
    record = read_wfdb(CASES / "c00001")
    signal = record.signal[:, 0].astype(np.float64)
    distance = np.abs(detect(signal, record.fs)[:, None] - record.sample)
    assert len(record.sample) == 16 and (distance.min(axis=0) < 0.15 * record.fs).all()
    # The beat that the first sample cuts off is no reference beat.
    assert (distance.min(axis=1) > 0.15 * record.fs).sum() == 1 and distance[0].min() > 0.15 * record.fs
    doubt, noise = read(signal, record.fs)
    assert noise == [] and doubt.max() < NOISY


@needs_records
@pytest.mark.parametrize("name", ["108", "114", "116", "201", "203", "207", "231"])
def test_records_with_waves_between_their_beats_gain_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    record = read_wfdb(RECORDS / name)
    signal = record.signal[: 900 * 360, 0].astype(np.float64)
    got = detect(signal, FS).tolist()
    monkeypatch.setattr("loaders.dsp.rpeaks.add_small_beats", lambda likely, *rest: likely)
    assert got == detect(signal, FS).tolist()
    assert len(got) > 0.95 * (np.isin(record.symbol, list(BEATS)) & (record.sample < 900 * 360)).sum()


def test_pulses_a_tenth_as_high_in_every_interval() -> None:
    at = np.arange(60 * 360) / FS
    times = np.round(np.arange(1.0, 59.0, 0.6) * FS) / FS

    def pulses(heights: np.ndarray) -> np.ndarray:
        return sum(h * np.exp(-0.5 * ((at - t) / 0.012) ** 2) for t, h in zip(times, heights, strict=True))

    tall = np.arange(len(times)) % 2 == 0
    both = detect(pulses(np.where(tall, 1.0, 0.1)), FS)
    assert both.tolist() == np.round(times * FS).astype(int).tolist()
    alone = detect(pulses(np.where(tall, 1.0, 0.0)), FS)
    assert alone.tolist() == np.round(times[tall] * FS).astype(int).tolist()
    rare = detect(pulses(np.where(tall, 1.0, np.where(np.arange(len(times)) % 16 == 5, 0.03, 0.0))), FS)
    assert rare.tolist() == alone.tolist()
