"""Beats as samples come: when they come out, and that they are those of --predict."""

from __future__ import annotations

import csv
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import resample_poly

from inference.files import AnnotateOptions, annotate_file
from inference.stream import Beat, Stream
from loaders.beats.features.base import FeatureInput
from loaders.beats.features.table import compute
from loaders.beats.input_spec import InputSpec
from loaders.beats.segmenter import SegmentedChunk, Segmenter
from loaders.dsp.chunks import Chunker, iter_chunks
from loaders.io.discovery import Item
from loaders.io.recording import CsvFormat
from loaders.io.wfdb_record import Record, read_wfdb
from tests.conftest import RECORDS, needs_records
from tests.made import Rule, small_record, write_format
from toolbox.utils import UserError


@pytest.fixture(scope="module")
def record() -> Record:
    return small_record(1)


@pytest.fixture(scope="module")
def lead(record: Record) -> np.ndarray:
    """(n,) mV at 360 Hz."""
    return record.signal[:, 0].astype(np.float32)


@pytest.fixture(scope="module")
def beats(lead: np.ndarray) -> list[Beat]:
    """Those of it, streamed."""
    return streamed(lead)


def streamed(
    signal: np.ndarray, fs: float = 360, size: int = 500, network: Rule | None = None, **options: Any
) -> list[Beat]:
    """All beats of a signal that is pushed `size` samples at a time."""
    stream = Stream(network or Rule(), fs, **options)
    beats = [beat for k in range(0, len(signal), size) for beat in stream.push(signal[k : k + size])]
    return beats + stream.finish()


def offline(signal: np.ndarray, fs: float = 360) -> tuple[np.ndarray, np.ndarray]:
    """Samples and probabilities of the beats as --predict finds them in the whole."""
    segmenter = Segmenter(fs, "keep")
    parts = [segmenter.segment(piece) for piece in iter_chunks([signal], Chunker(fs))]
    rows = np.concatenate([part.rows for part in parts])
    return np.concatenate([part.sample for part in parts]), Rule().probabilities(rows)


def matrix(beats: list[Beat]) -> np.ndarray:
    return np.array([beat.probabilities for beat in beats])


# when


@pytest.mark.parametrize("fs", [100, 257, 360, 1000])
def test_every_beat_comes_within_3_s_of_its_r_peak(lead: np.ndarray, fs: int) -> None:
    signal = resample_poly(lead[: 360 * 20], fs, 360)
    stream, late = Stream(Rule(), fs), []
    for count, sample in enumerate(signal, start=1):
        late += [count - 1 - beat.sample for beat in stream.push(sample)]
    assert len(late) > 12 and 2.5 * fs <= min(late) and max(late) <= 3 * fs
    rest = stream.finish()
    assert len(late) + len(rest) == len(offline(signal, fs)[0])
    assert all(len(signal) - beat.sample <= 3.01 * fs for beat in rest)


def test_how_many_samples_come_at_a_time_changes_nothing(lead: np.ndarray) -> None:
    signal = lead[: 360 * 12]
    plain = streamed(signal)
    assert all(streamed(signal, size=size) == plain for size in (1, 7, 90, 3333, 10**6))


def test_memory_does_not_grow(lead: np.ndarray) -> None:
    stream, held = Stream(Rule(), 360), []
    for second in range(75):
        stream.push(lead[360 * (second % 30) : 360 * (second % 30 + 1)])
        held.append(len(pickle.dumps(stream)))  # all that it keeps
    assert max(held) == max(held[:30]) < 40_000  # 24 s of signal are 35 kB


# what


def test_the_beats_are_those_of_the_whole_recording(lead: np.ndarray, beats: list[Beat]) -> None:
    sample, probabilities = offline(lead)
    assert [beat.sample for beat in beats] == sample.tolist()
    same = np.abs(matrix(beats) - probabilities).max(axis=1) < 1e-5
    assert same.mean() > 0.9  # of the others, the next beats had not come
    rr = np.diff(sample) / 360
    assert beats[0].rr is None and np.allclose([beat.rr for beat in beats[1:]], rr)
    assert np.allclose([beat.time for beat in beats], sample / 360)
    names = Stream(Rule(), 360).names
    assert all(beat.letter == names[int(np.argmax(beat.probabilities))] == beat.symbol for beat in beats)


@needs_records
@pytest.mark.parametrize(("name", "late"), [("117", 0), ("207", 8)])
def test_the_beats_of_real_records_are_those_of_the_whole(name: str, late: int) -> None:
    signal = read_wfdb(RECORDS / name).signal[: 360 * 60, 0].astype(np.float32)
    beats = streamed(signal)
    sample, probabilities = offline(signal)
    before_noise = [beat.sample for beat in beats if beat.sample not in sample]  # a stream sees it when it is there
    assert len(before_noise) <= late
    beats = [beat for beat in beats if beat.sample in sample]
    assert [beat.sample for beat in beats] == sample.tolist()
    away = np.abs(matrix(beats) - probabilities).max(axis=1)
    alike = matrix(beats).argmax(1) == probabilities.argmax(1)
    assert np.mean(away < 1e-5) > 0.9 and alike.sum() >= 0.98 * len(beats) - bool(late)  # the one before the noise


@pytest.mark.parametrize("fs", [250, 360])
def test_a_beat_is_as_if_the_recording_had_ended_when_it_came(lead: np.ndarray, fs: int) -> None:
    """So nothing is heard but the past and those 3 s; and all of them are made use of."""
    signal = resample_poly(lead[: 360 * 25], fs, 360).astype(np.float32)
    stream = Stream(Rule(), fs)
    step = fs // 10
    for k in range(0, len(signal), step):
        for beat in stream.push(signal[k : k + step]):
            # the quarter of a second that was complete last: what came behind it is not looked at yet
            heard = (k + step - int(2.75 * fs)) // int(0.25 * fs) * int(0.25 * fs) + int(2.75 * fs)
            sample, probabilities = offline(signal[:heard], fs)
            at = int(np.flatnonzero(sample == beat.sample)[0])
            assert np.allclose(probabilities[at], beat.probabilities, atol=1e-5)
            assert beat.seen == min(len(sample) - 1 - at, 2)


@pytest.mark.parametrize("network", [Rule, lambda: Looker(CAUSAL["no filter, as it is"])], ids=["rows", "windows"])
def test_live_predictions_of_a_file_are_those_of_the_stream(
    network: Callable[[], Rule], record: Record, lead: np.ndarray, tmp_path: Path
) -> None:
    beats = streamed(lead, network=network())
    header = write_format(tmp_path, "r", record.digital, "16")
    summary = annotate_file(Item(header), network(), AnnotateOptions(live=True))
    with open(tmp_path / "r.ecg.csv", newline="") as handle:
        table = list(csv.DictReader(line for line in handle if not line.startswith("# ")))
    assert summary["live"] and [int(row["sample"]) for row in table] == [beat.sample for beat in beats]
    assert [row["class"] for row in table] == [beat.letter for beat in beats]
    written = np.array([[float(row[f"p_{letter}"]) for letter in "NSVFQ"] for row in table])
    assert np.allclose(written, matrix(beats), atol=6e-5)


def test_beats_that_nothing_follows_are_told_as_such(lead: np.ndarray) -> None:
    sample, _ = offline(lead)
    cut = int(sample[20]) + 100
    beats = streamed(lead[:cut])
    ended, probabilities = offline(lead[:cut])
    assert [beat.seen for beat in beats[-3:]] == [2, 1, 0]
    assert [beat.sample for beat in beats] == ended.tolist()
    assert np.allclose(matrix(beats)[-1], probabilities[-1], atol=1e-5)


# signals as they are


def test_gaps_flat_and_saturated_stretches(lead: np.ndarray, beats: list[Beat]) -> None:
    signal = lead.copy()
    signal[5000:6000] = np.nan
    signal[9000:10500] = 0.2
    signal[14000:14400] = 3.0
    stream, streamed_beats, qualities = Stream(Rule(), 360, high=3.0), [], []
    for k in range(0, len(signal), 360):
        streamed_beats += stream.push(signal[k : k + 360])
        qualities += [stream.quality] if not qualities or stream.quality != qualities[-1] else []
    streamed_beats += stream.finish()
    assert qualities == ["", "gap", "", "flat", "", "saturated", ""]
    at = np.array([beat.sample for beat in streamed_beats])
    for start, stop in ((5000, 6000), (9000, 10500), (14000, 14400)):
        assert not ((at >= start - 36) & (at < stop + 36)).any()
    assert sum(beat.rr is None for beat in streamed_beats) == 4
    away = np.abs(at[:, None] - [beat.sample for beat in beats]).min(axis=1)
    assert (away <= 18).sum() >= len(at) - 1  # nothing is streamed_beats that is not there without them


def test_single_missing_samples_are_bridged(lead: np.ndarray, beats: list[Beat]) -> None:
    signal = lead.copy()
    signal[500::1009] = np.nan
    signal[501::1009] = np.inf
    bridged = streamed(signal)
    assert len(bridged) == len(beats)
    assert np.abs([a.sample - b.sample for a, b in zip(bridged, beats, strict=True)]).max() <= 2


def test_units_and_polarity(lead: np.ndarray) -> None:
    signal = lead[: 360 * 12]
    plain = streamed(signal)
    for other, options in ((1000 * signal, {"gain": 1000.0}), (-signal, {"polarity": "invert"})):
        beats = streamed(other, **options)
        assert [beat.sample for beat in beats] == [beat.sample for beat in plain]
        assert np.allclose(matrix(beats), matrix(plain), atol=1e-4)
    assert streamed(signal.tolist()) == plain  # type: ignore[arg-type]


def test_what_a_stream_refuses(lead: np.ndarray) -> None:
    for options, said in (
        ({"fs": 10}, "50 to 20000"),
        ({"fs": 1e6}, "50 to 20000"),
        ({"fs": float("nan")}, "50 to 20000"),
        ({"fs": 360, "gain": 0}, "1 mV"),
        ({"fs": 360, "polarity": "auto"}, "cannot know"),
    ):
        with pytest.raises(UserError, match=said):
            Stream(Rule(), **options)
    stream = Stream(Rule(), 360)
    with pytest.raises(UserError, match=r"shape \(5, 2\)"):
        stream.push(np.zeros((5, 2)))
    with pytest.raises(UserError, match="numbers"):
        stream.push("ten")  # type: ignore[arg-type]
    assert stream.push([]) == [] and stream.finish() == []
    with pytest.raises(UserError, match="finished"):
        stream.push(lead)


# networks of windows


class Looker(Rule):
    """Remembers what it was shown; what it says depends on all of it."""

    def __init__(self, recipe: InputSpec) -> None:
        super().__init__()
        self.input_spec = recipe  # type: ignore[assignment]
        self.rows: list[np.ndarray] = []
        self.features: list[np.ndarray] = []

    def probabilities(self, rows: np.ndarray, features: np.ndarray | None = None) -> np.ndarray:
        self.rows.append(rows)
        self.features.append(np.zeros((len(rows), 0)) if features is None else features)
        seen = np.concatenate([self.rows[-1][:, 0], self.features[-1]], axis=1)
        logits = np.tanh(seen @ np.random.default_rng(0).normal(size=(seen.shape[1], 5)) / 5)
        return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    def shown(self) -> tuple[np.ndarray, np.ndarray]:
        return np.concatenate(self.rows), np.concatenate(self.features)


CAUSAL = {
    "medians": InputSpec("window", 0.3, 0.5, 120.0, 1, "window", 0.0, ("rr_past",), "median"),
    "no filter, as it is": InputSpec("window", 1.5, 1.0, 90.0, 1, "none", 0.0, ("rr_past", "rr")),
    "last beats": InputSpec("window", 0.1, 0.1, 360.0, 1, "window", 0.0, ("rr", "past", "tempo_past"), "median"),
    "last hundred": InputSpec("window", 0.1, 0.1, 360.0, 1, "window", 0.0, ("tempo_memory", "memory"), "median"),
    "high-pass": InputSpec("window", 0.3, 0.5, 360.0, 1, "window", 0.5),
}


@pytest.mark.parametrize("fs", [250, 360])
@pytest.mark.parametrize("name", CAUSAL)
def test_windows_of_a_stream_are_those_of_the_whole_recording(
    name: str, fs: int, record: Record, tmp_path: Path
) -> None:
    """Every beat's row and every number beside it; the next beat's time too, as hearts here beat faster than that."""
    recipe = CAUSAL[name]
    signal = resample_poly(record.signal[:, 0].astype(np.float64), fs, 360)
    live, whole = Looker(recipe), Looker(recipe)
    beats = streamed(signal, fs, 97, live)
    np.savetxt(tmp_path / "r.csv", signal, "%.9f", header="MLII [mV]", comments="")
    annotate_file(Item(tmp_path / "r.csv"), whole, AnnotateOptions(csv=CsvFormat(fs)))
    (rows, features), (all_rows, all_features) = live.shown(), whole.shown()
    assert len(beats) == len(rows) == len(all_rows) > 50
    assert np.abs(rows - all_rows).max() < (0.1 if name == "high-pass" else 1e-3)  # it feels all that comes, a little
    assert features.shape == all_features.shape == (len(beats), recipe.shape()["features"])
    assert np.abs(features - all_features).max(initial=0) < 1e-3


@needs_records
@pytest.mark.parametrize("groups", ["last beats", "last hundred"])
@pytest.mark.parametrize("name", ["117", "208"])
def test_windows_of_real_records_are_those_of_the_whole(name: str, groups: str) -> None:
    recipe = CAUSAL[groups]
    signal = read_wfdb(RECORDS / name).signal[: 360 * 90, 0].astype(np.float64)
    live = Looker(recipe)
    beats = streamed(signal, network=live)
    sample = np.array([beat.sample for beat in beats])
    x, features = recipe.values(recipe.clean(signal[:, None], 360.0), sample, sample / 360)
    rows, shown = live.shown()
    assert np.abs(rows - x).max() < 1e-3
    assert features is not None and np.mean(np.abs(shown - features).max(axis=1) < 1e-3) > 0.98


def test_the_first_beats_have_the_past_that_there_is(lead: np.ndarray) -> None:
    """Their rhythm is told as at the start of a record in training, wherever the stream is cut."""
    live = Looker(CAUSAL["medians"])
    stream = Stream(live, 360)
    first_beats = [beat for k in range(0, 8000, 400) for beat in stream.push(lead[k : k + 400])]
    times = np.array([beat.time for beat in first_beats])
    expected = compute(("rr_past",), FeatureInput(times, np.zeros((1, 1)), np.zeros(0, int), 120.0))
    assert len(times) > 15 and np.allclose(live.shown()[1], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (InputSpec("window", 0.3, 0.5, scale="record"), r"in units of the whole recording.*\(--scale window\)"),
        (InputSpec("window", 0.3, 0.5, leads=2, scale="window"), r"of 2 leads; a stream is one"),
        (
            InputSpec("window", 0.3, 0.5, scale="none", features=("rr", "tempo")),
            r"and tempo, which .* a stream knows rr, rr_past, past",
        ),
        (
            InputSpec("window", 0.3, 2.8, scale="none"),
            r"that depend on 3\.88 s after an R peak; a stream knows 2\.75 s",
        ),
        (InputSpec("window", 30, 0.5, scale="none"), r"that depend on 31\.1 s before an R peak; a stream keeps 20 s"),
    ],
)
def test_windows_that_a_stream_cannot_know(recipe: InputSpec, said: str) -> None:
    with pytest.raises(UserError, match=f"reads windows {said}"):
        Stream(Looker(recipe), 360)


@needs_records
@pytest.mark.parametrize("seconds", [9, 12, 40])
def test_nothing_is_invented_in_silence(seconds: int) -> None:
    lead = read_wfdb(RECORDS / "100").signal[: 60 * 360, 0]
    last = np.concatenate([part.sample for part in _parts(lead)])
    at = int(last[last > 40 * 360][0]) + 200
    noise = np.random.default_rng(0).standard_normal(seconds * 360)
    gap = lead[at] + 0.06 * np.sin(2 * np.pi * 0.3 * np.arange(len(noise)) / 360) + 0.01 * noise
    beats = np.concatenate([part.sample for part in _parts(np.concatenate([lead[:at], gap, lead[at:]]))])
    assert beats.tolist() == np.where(last < at, last, last + len(gap)).tolist()


def _parts(signal: np.ndarray) -> list[SegmentedChunk]:
    """The segmented chunks of a signal that comes live."""
    segmenter = Segmenter(360, "keep")
    return [segmenter.segment(chunk) for chunk in iter_chunks([signal], Chunker(360, live=True))]
