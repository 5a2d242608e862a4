"""Seconds of signal around beats, to be looked at: from the raw records, the synthetic generator, or a CSV file's row.

A cache holds windows and rows alone, so the signal is read from where the cache was built from: a few hundred samples
of a record's file for each beat. Nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from loaders.beats.table import Beats
from loaders.dsp.resample import ratio, resample
from loaders.io.wfdb_files import calibration, read_samples
from loaders.io.wfdb_header import read_header
from loaders.names import parse_database
from loaders.options import SourceOptions
from loaders.sources import synthetic
from loaders.sources.annotated import ecg_channels
from loaders.sources.database_cache import place_of
from toolbox.utils import UserError

SECONDS = 1.5  # before and after a beat
DRAWN = 120.0  # Hz: 4.8 samples a millimetre on paper
EDGE = 0.2  # s beyond the ends, for the resampling filter
STEP = 0.005  # mV, half of what can be seen on paper
ROW_STEP = 0.002  # of a row that is scaled to [0, 1]


@dataclass(frozen=True)
class Excerpt:
    """The signal around a beat.

    Attributes:
        lead: its name; "" of a row of a CSV file.
        unit: "mV", or "" for a row that is scaled to [0, 1].
        rate: samples per s.
        start: s from the beat to the first sample.
        step: of the values, in the unit.
        values: whole steps, None where there is no signal.
        beats: (s from the beat, class 0..4) of the beats within, itself among them.
        time: s of the beat from the start of the recording; None for a row.
    """

    lead: str
    unit: str
    rate: float
    start: float
    step: float
    values: list[int | None]
    beats: list[tuple[float, int]]
    time: float | None


@dataclass(frozen=True)
class Origin:
    """The places that the records of a run come from.

    Attributes:
        folders: database -> folder; "" for records without a database's name.
        source: the flags of the source.
        first_channel: whether rows are of a record's first channel, whatever it is (Kaggle's).
    """

    folders: Mapping[str, Path]
    source: SourceOptions
    first_channel: bool

    def path(self, record: str) -> Path | None:
        """The path of a record without its extension; None where it is not there."""
        database, _, name = record.rpartition("/")
        folder = self.folders.get(database)
        path = None if folder is None or not name else folder / name
        return path if path is not None and path.with_name(f"{name}.hea").is_file() else None


def folders_of(options: Mapping[str, Any], root: Path) -> dict[str, Path]:
    """The folders that the records of a run lie in, by database; "" for records without a database's name.

    Args:
        options: its flags.
        root: --root-dir.
    """
    if str(options.get("dataset", "")).startswith("synthetic"):
        return {}
    mitdb = Path(options.get("records_dir") or root / "mitdb")
    folders = {"": mitdb}
    for text in (*(options.get("train_on") or ()), *(options.get("test_on") or ())):
        try:
            place = place_of(parse_database(text)[0])
        except UserError:
            continue  # it is not there any more
        usual = mitdb if place.name == "mitdb" else root / place.name
        folders[place.name] = place.folder or usual
    if options.get("test_on"):
        folders.setdefault("mitdb", mitdb)  # --test-on of a run of --split interpatient names its DS1 so
    return folders


def read_excerpts(beats: Beats, rows: np.ndarray, origin: Origin) -> list[Excerpt | None]:
    """The signal around the beats of these rows (n,); None where the recording is not there or cannot be read."""
    read: dict[int, Excerpt | None] = {}
    for record in np.unique(beats.record[rows]).tolist():
        own = rows[beats.record[rows] == record]
        read |= dict(zip(own.tolist(), _of_record(beats, own, record, origin), strict=True))
    return [read[row] for row in rows.tolist()]


def _of_record(beats: Beats, rows: np.ndarray, record: str, origin: Origin) -> list[Excerpt | None]:
    """The excerpts of one record."""
    if not record:
        return [_row(beats, row) for row in rows.tolist()]
    signal: RecordSignal | SyntheticSignal
    try:
        if origin.source.is_synthetic:
            signal = SyntheticSignal(origin.source, record)
        elif (path := origin.path(record)) is not None:
            signal = RecordSignal(path, origin.first_channel and "/" not in record)
        else:
            return [None] * len(rows)
        return [_excerpt(beats, row, signal) for row in rows.tolist()]
    except UserError:
        return [None] * len(rows)


class RecordSignal:
    """The lead of a WFDB record that is shown, read in pieces.

    Args:
        path: without extension.
        first_channel: take the first channel, whatever it is called.

    Raises:
        UserError: the record cannot be read.
    """

    def __init__(self, path: Path, first_channel: bool) -> None:
        self.path, self.header = path, read_header(path)
        names = [str(name) for name in self.header.sig_name]
        self.fs, self.length = float(self.header.fs), int(self.header.sig_len)
        self.channel = 0 if first_channel else ecg_channels(names, self.fs)[0]
        self.lead = names[self.channel]

    def read(self, start: int, stop: int) -> np.ndarray:
        """(stop - start,) mV."""
        first = 0 if self.header.fmt[self.channel] == "8" else start  # differences need all samples before them
        (digital,) = read_samples(self.path, self.header, [self.channel], first, stop)
        gain, baseline = calibration(self.header, self.channel)
        return (digital[start - first :] - baseline) / gain


class SyntheticSignal:
    """The first lead of a synthetic recording, made again."""

    def __init__(self, source: SourceOptions, record: str) -> None:
        number = int(record.removeprefix("syn"))
        recipe = source.synthetic_patients, source.synthetic_minutes, source.synthetic_seed
        self.lead, self.fs, self.signal = synthesized_lead(number, *recipe)
        self.length = len(self.signal)

    def read(self, start: int, stop: int) -> np.ndarray:
        """(stop - start,) mV."""
        return self.signal[start:stop]


@lru_cache(maxsize=24)
def synthesized_lead(number: int, patients: int, minutes: float, seed: int) -> tuple[str, float, np.ndarray]:
    """The name of the first lead of a synthetic recording, its rate in Hz, and (samples,) mV."""
    whole = synthetic.patient_record(number, minutes, np.random.SeedSequence(seed).spawn(patients)[number])
    return whole.leads[0], whole.fs, whole.signal[:, 0].copy()


def _excerpt(beats: Beats, row: int, signal: RecordSignal | SyntheticSignal) -> Excerpt:
    """The signal around one beat of a recording."""
    sample, fs = int(beats.sample[row]), signal.fs
    reach, edge = round(SECONDS * fs), round(EDGE * fs)
    start, stop = max(sample - reach - edge, 0), min(sample + reach + edge, signal.length)
    start += (sample - start) % ratio(fs, DRAWN).denominator  # so that the beat itself is a sample of the drawing
    drawn = resample(signal.read(start, stop), fs, DRAWN)
    times = np.arange(round(2 * SECONDS * DRAWN)) / DRAWN - SECONDS
    at = np.round((times + (sample - start) / fs) * DRAWN).astype(int)
    inside = (at >= 0) & (at < len(drawn))
    steps = np.rint(drawn[np.clip(at, 0, len(drawn) - 1)] / STEP).astype(int)
    values = [value if there else None for value, there in zip(steps.tolist(), inside.tolist(), strict=True)]
    return Excerpt(signal.lead, "mV", DRAWN, -SECONDS, STEP, values, _neighbours(beats, row, fs), sample / fs)


def _neighbours(beats: Beats, row: int, fs: float) -> list[tuple[float, int]]:
    """The beats within the excerpt; the beat alone where the table lacks others of its record (Kaggle's two files)."""
    near = np.array([row])
    if beats.time is not None:
        window = np.arange(max(row - 20, 0), min(row + 21, len(beats)))  # in order of record and time
        near = window[beats.record[window] == beats.record[row]]
    offsets = (beats.sample[near].astype(np.int64) - int(beats.sample[row])) / fs
    inside = np.abs(offsets) <= SECONDS
    pairs = zip(offsets[inside].tolist(), beats.y[near][inside].tolist(), strict=True)
    return [(round(offset, 3), int(label)) for offset, label in pairs]


def _row(beats: Beats, row: int) -> Excerpt:
    """A row of a CSV file, without the zeros behind it; it begins at its beat."""
    values = np.rint(beats.x[row].reshape(-1)[: int(beats.length[row])] / ROW_STEP).astype(int)
    return Excerpt("", "", DRAWN, 0.0, ROW_STEP, values.tolist(), [(0.0, int(beats.y[row]))], None)
