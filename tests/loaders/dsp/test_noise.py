"""Noise in a lead: marked where beats cannot be trusted, and only there, whatever the chunks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb
from scipy.signal import butter, sosfilt

from loaders.dsp.chunks import Chunker, iter_chunks
from loaders.dsp.noise import NOISY, WINDOW, LeadReader, doubt_per_beat
from loaders.dsp.quality import BadInterval, merge_intervals
from loaders.io.wfdb_record import read_wfdb
from loaders.sources.synthetic import patient_record
from tests.conftest import CASES, RECORDS, needs_cases, needs_records


def read(
    signal: np.ndarray, fs: float = 360.0, live: bool = False, span: tuple[float, float] | None = None
) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Doubt of each second (live: of each quarter), and (start, stop) in s of the noise of the chunks themselves."""
    reader, doubt, noise = LeadReader(live), [], []
    for chunk in iter_chunks([signal.astype(np.float32)], Chunker(fs, live=live, span=span)):
        reading = reader.read(chunk)
        doubt.append(reading.doubt)
        for interval in reading.noise:
            start, stop = chunk.to_own(np.clip([interval.start, interval.stop], chunk.start, chunk.stop)).tolist()
            noise += [BadInterval(start, stop, "noise")] if stop > start else []
    return np.concatenate(doubt), [(one.start / fs, one.stop / fs) for one in merge_intervals(noise)]


def lead(path: Path, number: int = 0) -> np.ndarray:
    return wfdb.rdrecord(str(path)).p_signal[:, number]


@pytest.fixture(scope="module")
def noisy() -> np.ndarray:
    """Two minutes of record 100 with noise as high as its beats from 40 to 80 s."""
    signal = read_wfdb(RECORDS / "100").signal[: 120 * 360, 0].astype(np.float64)
    signal[40 * 360 : 80 * 360] += np.random.default_rng(0).normal(0, 1, 40 * 360)
    return signal


@needs_records
def test_noise_is_marked_where_it_is(noisy: np.ndarray) -> None:
    doubt, noise = read(noisy)
    assert len(doubt) == 120 and doubt.dtype == np.float32
    assert doubt[:30].max() == 0 and doubt[90:].max() < 0.05 and doubt[45:75].min() > 0.3
    assert np.array(noise) == pytest.approx(np.array([(40, 80)]), abs=5)


@needs_records
def test_a_live_lead_marks_it_some_seconds_later(noisy: np.ndarray) -> None:
    _, noise = read(noisy, live=True)
    assert 40 <= noise[0][0] <= 46 and 80 <= noise[-1][1] <= 92
    assert sum(stop - start for start, stop in noise) > 35


@needs_cases
@pytest.mark.parametrize("span", [(60.0, 20.0), (137.0, 20.0)])
def test_chunks_give_the_doubt_and_the_noise_of_the_whole(span: tuple[float, float]) -> None:
    signal = lead(CASES / "118e06")[280 * 360 : 700 * 360]
    doubt, noise = read(signal)
    assert len(noise) == 2
    parts, stretches = read(signal, span=span)
    assert stretches == noise and parts == pytest.approx(doubt, abs=1e-6)


@needs_records
@pytest.mark.parametrize("name", ["100", "106", "119", "201", "221", "231"])
def test_no_beats_of_clean_records_are_noise(name: str) -> None:
    _, noise = read(read_wfdb(RECORDS / name).signal[:, 0])
    assert sum(stop - start for start, stop in noise) <= 0.02 * 1805


@needs_cases
def test_the_noise_stress_test() -> None:
    _, noise = read(lead(CASES / "118e06"))
    inside = np.zeros(1806, dtype=bool)
    for start, stop in noise:
        inside[round(start) : round(stop)] = True
    stirred = (np.arange(1806) >= 300) & ((np.arange(1806) - 300) % 240 < 120)
    assert inside[stirred].mean() > 0.85 and inside[~stirred].mean() < 0.04
    assert sum(stop - start for start, stop in read(lead(CASES / "118e24"))[1]) < 0.02 * 1806


@needs_cases
def test_fibrillation_is_doubtful_from_its_start_to_its_end() -> None:
    doubt, noise = read(lead(CASES / "cu01"), 250.0)
    assert doubt[:205].max() < NOISY and doubt[220:500].min() > 0.15 and np.median(doubt[220:]) > 0.7
    assert np.array(noise) == pytest.approx(np.array([(214, 508)]), abs=6)


def test_nothing_but_noise_is_noise_throughout() -> None:
    signal = np.random.default_rng(0).normal(0, 2, 60 * 360)
    assert read(signal)[1] == [(0, 60)]
    ((start, stop),) = read(signal, live=True)[1]
    assert start < 4 and stop == 60


@needs_records
@pytest.mark.parametrize("height", [0.02, 0.002, 0.0])
def test_silence_is_no_noise(height: float) -> None:
    """The detector's unit follows the noise down, but what is far lower than beats is not doubted."""
    record = read_wfdb(RECORDS / "100")
    at = int(record.sample[record.sample > 60 * 360][0]) + 200
    noise = height * np.random.default_rng(1).standard_normal(30 * 360)
    signal = record.signal[: 120 * 360, 0]
    doubt, marked = read(np.concatenate([signal[:at], signal[at] + noise, signal[at:]]))
    assert marked == [] and doubt.max() < NOISY


def test_beats_that_the_ends_cut_off_are_no_noise() -> None:
    at = np.arange(30 * 250) / 250
    pulses = np.exp(-0.5 * (((at + 0.5) % 1 - 0.5) / 0.02) ** 2)
    doubt, noise = read(pulses, 250.0)
    assert noise == [] and doubt.max() < NOISY


def test_doubts_are_divided_by_the_beats_of_the_ten_seconds_around() -> None:
    counts = np.zeros((2, 40))
    counts[0, 20] = 3.0
    counts[1] = 1.0
    doubt = doubt_per_beat(counts)
    assert doubt[16:26].tolist() == pytest.approx([3 / WINDOW] * WINDOW) and doubt.sum() == pytest.approx(3)
    counts[1] = 0.5  # counts as one a second
    assert doubt_per_beat(counts)[20] == pytest.approx(3 / WINDOW)
    counts[1] = 2.0
    assert doubt_per_beat(counts)[20] == pytest.approx(3 / (2 * WINDOW))


@needs_records
def test_doubts_count_less_where_the_rhythm_is_regular(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some noise on record 100: its beats can be read, and the network says what it doubts besides."""
    signal = read_wfdb(RECORDS / "100").signal[: 120 * 360, 0].astype(np.float64)
    motion = butter(2, (1, 10), "bandpass", fs=360, output="sos")
    noise = sosfilt(motion, np.random.default_rng(1).standard_normal(40 * 360))
    signal[40 * 360 : 80 * 360] += 0.13 * noise / noise.std()
    doubt, shut = read(signal)
    assert shut == [] and doubt.max() < NOISY
    monkeypatch.setattr("loaders.dsp.noise.WHERE_REGULAR", 1.0)
    doubt, shut = read(signal)
    assert sum(stop - start for start, stop in shut) > 10 and doubt.max() > NOISY


@needs_records
@pytest.mark.parametrize("kind", [0.0, np.nan], ids=["flat", "missing"])
@pytest.mark.parametrize("name", ["119", "213"])
def test_after_a_flat_stretch_beats_are_no_noise(name: str, kind: float) -> None:
    signal = read_wfdb(RECORDS / name).signal[: 120 * 360, 0]
    at = 60 * 360
    doubt, noise = read(np.concatenate([signal[:at], np.full(20 * 360, kind), signal[at:]]))
    assert noise == [] and doubt.max() < NOISY


def test_a_synthetic_patient_can_be_read() -> None:
    record = patient_record(6, 5, np.random.SeedSequence(1))
    for number in (0, 1):
        assert sum(stop - start for start, stop in read(record.signal[:, number])[1]) < 0.05 * 300
