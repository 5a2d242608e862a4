"""Quality of a signal, its pieces at 360 Hz, and the beats that are read off them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import wfdb
from scipy.signal import resample_poly

import loaders.dsp.chunks
from loaders.beats.segmenter import LeadSegmenter, segment_chunk
from loaders.beats.table import cut_kaggle_rows, extend_peaks, kaggle_beats
from loaders.dsp.chunks import Chunk, Chunker, bridged, iter_chunks
from loaders.dsp.quality import BadInterval, fill_gaps, find_bad_intervals, merge_intervals, polarity
from loaders.dsp.resample import MITBIH_FS, ratio, resample
from loaders.dsp.rpeaks import detect
from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat
from loaders.io.wfdb_record import Record, read_wfdb
from loaders.sources.synthetic import patient_record
from tests.conftest import RECORDS, needs_records
from tests.made import write_format


@pytest.fixture(scope="module")
def record() -> Record:
    made = patient_record(0, 3, np.random.SeedSequence(5))
    beats = np.flatnonzero(made.symbol != "+")
    return replace(made, sample=made.sample[beats], symbol=made.symbol[beats])


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.2, n).astype(np.float32)


# quality


def test_gaps_flat_and_saturated_stretches_are_found_to_the_sample() -> None:
    signal = noise(36000)
    signal[3600:5000] = np.nan
    signal[10000:11500] = 0.3
    signal[20000:20100] = 2.5
    assert find_bad_intervals(signal, 360, -2.5, 2.5) == [
        BadInterval(3600, 5000, "gap"),
        BadInterval(10000, 11500, "flat"),
        BadInterval(20000, 20100, "saturated"),
    ]


def test_what_is_short_is_no_stretch() -> None:
    signal = noise(36000)
    signal[3600:3615] = np.nan  # 0.04 s
    signal[10000:10700] = 0.3  # 1.9 s
    signal[20000:20030] = 2.5  # the top of a QRS complex that is clipped
    assert find_bad_intervals(signal, 360, -2.5, 2.5) == []
    assert np.isfinite(fill_gaps(signal)).all()
    assert np.allclose(fill_gaps(np.array([0, np.nan, np.nan, 3])), [0, 1, 2, 3])


def test_stretches_that_leave_too_little_between_are_one() -> None:
    signal = noise(36000)
    signal[500:2000] = np.nan
    signal[2400:3000] = np.nan
    signal[35500:35600] = np.nan
    assert find_bad_intervals(signal, 360) == [BadInterval(0, 3000, "gap"), BadInterval(35500, 36000, "gap")]
    assert find_bad_intervals(np.full(3600, np.nan), 360) == [BadInterval(0, 3600, "gap")]
    assert merge_intervals([BadInterval(0, 10, "gap"), BadInterval(10, 20, "gap"), BadInterval(30, 40, "flat")]) == [
        BadInterval(0, 20, "gap"),
        BadInterval(30, 40, "flat"),
    ]


def test_a_lead_that_is_upside_down_is_recognized(record: Record) -> None:
    signal = record.signal[:, 0]
    height, inverted = polarity(signal, record.sample, 360)
    assert height > 0.3 and not inverted
    assert polarity(-signal, record.sample, 360) == (-height, True)
    assert polarity(signal, record.sample[:0], 360) == (0.0, False)


@needs_records
def test_no_first_lead_of_mit_bih_is_taken_for_upside_down_and_most_negated_ones_are() -> None:
    turned, negated = [], []
    for name in ("100", "103", "108", "114", "117", "119", "203", "207", "213", "217", "222", "228"):
        record = read_wfdb(RECORDS / name)
        signal = record.signal[:216000, 0]
        beats = record.sample[record.sample < 216000]
        turned += [name] if polarity(signal, beats, 360)[1] else []
        negated += [name] if polarity(-signal, beats, 360)[1] else []
    assert turned == []
    assert set(negated) >= {"100", "103", "108", "117", "119", "213", "222"}


# pieces


@pytest.mark.parametrize("fs", [100.0, 128.0, 250.0, 257.0, 360.0, 500.0, 1000.0])
def test_pieces_join_to_the_whole_signal_resampled(fs: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaders.dsp.chunks, "LENGTH", 20.0)
    signal = np.cumsum(noise(round(fs * 90))).astype(np.float32)
    found = list(iter_chunks(np.array_split(signal, 13), Chunker(fs)))
    assert len(found) >= 4
    joined = np.concatenate([piece.signal[piece.start : piece.stop] for piece in found])
    whole = resample(signal, fs, MITBIH_FS).astype(np.float32)
    assert len(joined) == len(whole) == np.ceil(len(signal) * MITBIH_FS / fs)
    assert np.array_equal(joined, whole)
    inside = resample_poly(signal.astype(np.float64), ratio(fs, MITBIH_FS).numerator, ratio(fs, MITBIH_FS).denominator)
    assert np.allclose(whole[4000:-4000], inside[4000:-4000], atol=1e-4 * np.ptp(signal))
    assert sum(piece.own for piece in found) == len(signal)
    for piece in found:
        at = np.arange(piece.start, piece.stop, 97)
        assert np.abs(piece.from_own(piece.to_own(at)) - at).max() <= np.ceil(MITBIH_FS / fs / 2)


def test_rates_without_a_small_ratio_do_not_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaders.dsp.chunks, "LENGTH", 30.0)
    fs = 499.98
    signal = np.zeros(round(fs * 200), dtype=np.float32)
    marks = np.arange(5000, len(signal) - 5000, 9999)
    signal[marks[:, None] + np.arange(-3, 4)] = 1
    found = []
    for piece in iter_chunks([signal], Chunker(fs)):
        inside = piece.signal[piece.start : piece.stop]
        tops = piece.start + np.flatnonzero((inside > 0.5) & (np.diff(inside, prepend=0) > 0.3))
        found += piece.to_own(tops[np.diff(tops, prepend=-100) > 10]).tolist()
    assert len(found) == len(marks)
    assert np.abs(np.array(found) + 3 - marks).max() <= 3


def test_a_resampled_sine_stays_what_it_is() -> None:
    seconds = np.arange(2500) / 250
    there = np.arange(3600) / 360
    found = resample(np.sin(2 * np.pi * 7 * seconds), 250, MITBIH_FS)
    assert np.allclose(found[100:-100], np.sin(2 * np.pi * 7 * there)[100:-100], atol=5e-3)


def whole_piece(signal: np.ndarray, bad: list[BadInterval]) -> Chunk:
    return Chunk(signal, 0, len(signal), bad, 0, 1.0, len(signal))


def test_bad_stretches_are_bridged_for_the_detector() -> None:
    signal = np.ones(1000, dtype=np.float32)
    signal[:100], signal[300:400], signal[500:] = 9, 9, 3
    found = bridged(whole_piece(signal, [BadInterval(0, 100, "flat"), BadInterval(300, 400, "flat")]))
    assert (found[:500] == 1).all() and (found[500:] == 3).all()


def test_rows_are_those_of_training(record: Record) -> None:
    beats = kaggle_beats(record)
    signal, sample = record.signal[:, 0], record.sample
    kept, rows, begins = segment_chunk(whole_piece(signal, []), signal, sample, 0)
    assert np.array_equal(kept, np.arange(len(sample)))
    assert begins.tolist() == [True] + [False] * (len(kept) - 1)
    same = len(beats.x) - 1  # the last but one is followed by the end there, by the next beat's time here
    assert np.allclose(rows[:same], beats.x[:same], atol=1e-5)


def test_beats_on_both_sides_of_a_bad_stretch_know_nothing_of_each_other(record: Record) -> None:
    signal, sample = record.signal[:, 0], record.sample
    bad = [BadInterval(20000, 24000, "gap")]
    kept, rows, begins = segment_chunk(whole_piece(signal, bad), signal, sample, 0)
    lost = (sample >= 20000 - 36) & (sample < 24000 + 36)
    assert np.array_equal(kept, np.flatnonzero(~lost))
    assert sample[kept][begins].tolist() == [sample[0], sample[sample >= 24036][0]]
    other = signal.copy()
    other[20000:24000] = 7
    assert np.array_equal(segment_chunk(whole_piece(other, bad), other, sample, 0)[1], rows)


def test_a_beat_that_stands_alone_has_a_row() -> None:
    assert extend_peaks(np.array([100])).tolist() == [100, 388, 676]
    assert extend_peaks(np.array([0, 300, 620, 920])).tolist() == [0, 300, 620, 920, 1220, 1520]
    x, length = cut_kaggle_rows(np.arange(500.0), extend_peaks(np.array([490])), np.array([0]))
    assert length.tolist() == [4] and x[0, :5].tolist() == [0, np.float32(1 / 3), np.float32(2 / 3), 1, 0]


# reading


def parts_of(path: Path, peaks: str = "detect", polarity: str = "auto") -> tuple[list, LeadSegmenter]:
    recording = open_recording(path, CsvFormat())
    reading = LeadSegmenter(recording, 0, peaks, polarity)
    return list(reading), reading


def test_no_beat_is_lost_or_found_twice_between_pieces(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digital = record.digital - 1024
    header = write_format(tmp_path, "r", digital, "16", 200)
    whole = detect(record.signal[:, 0], MITBIH_FS)
    found = {}
    for seconds in (11.0, 17.0, 1200.0):
        monkeypatch.setattr(loaders.dsp.chunks, "LENGTH", seconds)
        parts, reading = parts_of(header)
        found[seconds] = np.concatenate([part.sample for part in parts])
        assert reading.samples == len(digital)
        assert sum(int(part.begins.sum()) for part in parts) == 1
        assert np.diff(found[seconds]).min() > 72
        assert len(found[seconds]) == len(whole)
        assert np.abs(found[seconds] - whole).max() <= 2
        assert np.array_equal(np.concatenate([part.shown for part in parts]), (digital[:, 0] / 200).astype(np.float32))


def test_given_beats_keep_their_samples(record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaders.dsp.chunks, "LENGTH", 13.0)
    header = write_format(tmp_path, "r", record.digital - 1024, "16", 200, fs=500)
    wfdb.wrann("r", "atr", record.sample, record.symbol, write_dir=str(tmp_path))
    parts, _ = parts_of(header, "atr")
    assert np.array_equal(np.concatenate([part.sample for part in parts]), record.sample)


def test_a_lead_that_is_upside_down_gives_the_same_rows(record: Record, tmp_path: Path) -> None:
    rows = {}
    for name, sign in (("up", 1), ("down", -1)):
        header = write_format(tmp_path, name, sign * (record.digital - 1024), "16", 200)
        wfdb.wrann(name, "atr", record.sample, record.symbol, write_dir=str(tmp_path))
        parts, reading = parts_of(header, "atr")
        rows[name] = np.concatenate([part.rows for part in parts])
        assert reading.inverted == (sign < 0)
        assert np.sign(reading.height) == sign and reading.in_millivolts
    assert np.allclose(rows["up"], rows["down"], atol=1e-6)
    kept, reading = parts_of(tmp_path / "down.hea", "atr", "keep")
    assert not reading.inverted
    assert not np.allclose(np.concatenate([part.rows for part in kept]), rows["up"], atol=0.1)
