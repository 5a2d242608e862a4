"""loaders.dsp.pacing: beats that a pacemaker started."""

from __future__ import annotations

import numpy as np
import pytest

from loaders.dsp.pacing import AFTER, BEFORE, FS, PacingReader, paced_beats
from loaders.io.wfdb_record import read_wfdb
from tests.conftest import RECORDS, needs_records

COUNT = 60


def beat(spike: bool) -> np.ndarray:
    """A window of a broad QRS complex, after a spike of three samples or not, in mV."""
    at = np.arange(BEFORE + AFTER) - BEFORE
    qrs = np.where(at > 0, 0.9 * np.sin(np.pi * np.clip(at, 0, 50) / 50), 0.0)
    if not spike:
        return 0.9 * np.exp(-0.5 * (at / 6.0) ** 2) - 0.2 * np.exp(-0.5 * ((at - 14) / 5.0) ** 2)
    return qrs + np.interp(at, [-4, -1, 1, 5], [0, 1.2, 1.2, 0])


def windows(spikes: list[bool]) -> np.ndarray:
    noise = 0.01 * np.random.default_rng(0).standard_normal((len(spikes), BEFORE + AFTER))
    return np.stack([beat(spike) for spike in spikes]) + noise


def test_beats_after_spikes_are_paced_where_they_are_the_rule() -> None:
    assert paced_beats(windows([True] * COUNT)).all()
    assert not paced_beats(windows([False] * COUNT)).any()
    mixed = [k % 5 != 4 for k in range(COUNT)]
    assert paced_beats(windows(mixed)).tolist() == mixed
    rare = [k % 5 == 4 for k in range(COUNT)]  # a spike now and then is noise
    assert not paced_beats(windows(rare)).any()


@pytest.mark.parametrize("upright", [1, -1])
def test_the_reader_takes_a_lead_in_chunks(upright: int) -> None:
    signal = upright * np.concatenate([np.zeros(300), *windows([True] * COUNT)])
    peaks = 300 + BEFORE + (BEFORE + AFTER) * np.arange(COUNT)
    reader = PacingReader(FS)
    for start in range(0, len(signal), 2000):
        inside = peaks[(peaks >= start) & (peaks < start + 2000)]
        reader.add(signal[start : start + 2000], inside - start)
    paced = reader.paced(COUNT)
    assert paced.mean() > 0.8 and len(paced) == COUNT


def test_slow_recordings_and_missing_signal_show_nothing() -> None:
    reader = PacingReader(128.0)
    reader.add(np.zeros(1000), np.array([500]))
    assert reader.paced(1).tolist() == [False]
    reader = PacingReader(FS)
    reader.add(np.full(1000, np.nan), np.array([10, 500, 990]))
    assert reader.paced(3).tolist() == [False, False, False]
    assert PacingReader(FS).paced(0).tolist() == []


@needs_records
@pytest.mark.parametrize(("name", "least"), [("102", 0.98), ("104", 0.9), ("107", 0.98), ("217", 0.9)])
def test_paced_records_are_recognized(name: str, least: float) -> None:
    record = read_wfdb(RECORDS / name)
    is_beat = np.isin(record.symbol, list("NVf/Q"))
    sample, symbol = record.sample[is_beat], record.symbol[is_beat]
    reader = PacingReader(record.fs)
    reader.add(record.signal[:, 0], sample)
    paced = reader.paced(len(sample))
    assert paced[symbol == "/"].mean() > least and paced[symbol == "V"].sum() <= 2


@needs_records
@pytest.mark.parametrize("name", ["101", "118", "124", "205"])  # the likest, and bundle branch blocks
def test_other_records_are_not(name: str) -> None:
    record = read_wfdb(RECORDS / name)
    is_beat = np.isin(record.symbol, list("NRAV"))
    reader = PacingReader(record.fs)
    reader.add(record.signal[:, 0], record.sample[is_beat])
    assert not reader.paced(int(is_beat.sum())).any()
