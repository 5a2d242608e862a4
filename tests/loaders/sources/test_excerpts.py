"""loaders.sources.excerpts: the signal around beats is that of the recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loaders.beats.input_spec import InputSpec
from loaders.beats.segment_record import rows_of
from loaders.beats.table import Beats
from loaders.io.wfdb_record import Record, write_wfdb
from loaders.options import SourceOptions
from loaders.sources.excerpts import DRAWN, SECONDS, STEP, Origin, folders_of, read_excerpts
from loaders.sources.synthetic import synthesize

SOURCE = SourceOptions(dataset="synthetic", synthetic_patients=2, synthetic_minutes=1.0)
SPEC = InputSpec("window", 0.1, 0.1)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return list(synthesize(2, 1.0, 0))


@pytest.fixture(scope="module")
def beats(records: list[Record]) -> Beats:
    return Beats.join(rows_of(record, SPEC) for record in records)


def expected(record: Record, sample: int, lead: int = 0) -> np.ndarray:
    """The record's own samples at the excerpt's times, without the filter of the resampling."""
    times = sample / record.fs - SECONDS + np.arange(round(2 * SECONDS * DRAWN)) / DRAWN
    return np.interp(times, np.arange(len(record.digital)) / record.fs, record.signal[:, lead])


def test_a_synthetic_recording_is_made_again(records: list[Record], beats: Beats) -> None:
    rows = np.array([5, len(beats) - 30])
    for row, excerpt in zip(rows.tolist(), read_excerpts(beats, rows, Origin({}, SOURCE, False)), strict=True):
        record = records[int(beats.record[row].removeprefix("syn"))]
        assert excerpt is not None
        assert (excerpt.lead, excerpt.unit, excerpt.rate, excerpt.start) == ("MLII", "mV", DRAWN, -SECONDS)
        assert excerpt.time == pytest.approx(beats.sample[row] / record.fs)
        drawn = np.array(excerpt.values, dtype=float) * STEP
        assert np.corrcoef(drawn, expected(record, int(beats.sample[row])))[0, 1] > 0.99


def test_the_beats_around_are_told_with_their_classes(beats: Beats) -> None:
    (excerpt,) = read_excerpts(beats, np.array([20]), Origin({}, SOURCE, False))
    assert excerpt is not None
    near = np.flatnonzero(
        (beats.record == beats.record[20]) & (np.abs(beats.sample - beats.sample[20]) <= SECONDS * 360)
    )
    offsets = [(int(beats.sample[k]) - int(beats.sample[20])) / 360 for k in near]
    assert [offset for offset, _ in excerpt.beats] == pytest.approx(offsets, abs=1e-3)
    assert [label for _, label in excerpt.beats] == beats.y[near].tolist() and 0.0 in [
        offset for offset, _ in excerpt.beats
    ]
    (alone,) = read_excerpts(replace(beats, time=None), np.array([20]), Origin({}, SOURCE, False))
    assert alone is not None and alone.beats == [(0.0, int(beats.y[20]))]  # the table lacks others


def test_a_record_is_read_from_its_file_in_the_lead_that_networks_read(tmp_path: Path, records: list[Record]) -> None:
    record = records[0]
    swapped = replace(
        record, name="100", leads=["V5", "MLII"], digital=record.digital[:, ::-1].copy(), symbol=record.symbol[1:],
        sample=record.sample[1:], aux=[],
    )  # fmt: skip
    write_wfdb(swapped, tmp_path)
    beats = rows_of(swapped, SPEC)
    real = SourceOptions(dataset="ecg", records_dir=str(tmp_path))
    folders = folders_of({"dataset": "ecg", "records_dir": str(tmp_path)}, Path("ecg_data"))
    first, last = read_excerpts(beats, np.array([0, len(beats) - 1]), Origin(folders, real, first_channel=False))
    assert first is not None and last is not None and first.lead == "MLII"
    assert first.values[0] is None and first.values[-1] is not None  # the recording begins within it
    assert last.values[-1] is None and last.values[0] is not None
    there = np.array([value is not None for value in first.values])
    drawn = np.array([value or 0 for value in first.values])[there] * STEP
    assert np.corrcoef(drawn, expected(swapped, int(beats.sample[0]), lead=1)[there])[0, 1] > 0.99
    (kaggle,) = read_excerpts(beats, np.array([9]), Origin(folders, real, first_channel=True))
    assert kaggle is not None and kaggle.lead == "V5"


def test_a_record_that_went_away_has_no_excerpt(tmp_path: Path, beats: Beats) -> None:
    real = SourceOptions(dataset="ecg")
    assert read_excerpts(beats, np.array([0, 1]), Origin({"": tmp_path}, real, False)) == [None, None]
    (tmp_path / "syn00.hea").write_text("damaged")
    assert read_excerpts(beats, np.array([0]), Origin({"": tmp_path}, real, False)) == [None]


def test_a_row_of_a_csv_file_is_drawn_itself() -> None:
    x = np.zeros((2, 187), dtype=np.float32)
    x[1, :3] = [1.0, 0.5, 0.25]
    none = np.full(2, "")
    beats = Beats(x, np.array([0, 3]), np.array([187, 3], dtype=np.int16), none, none, np.full(2, -1), none)
    (row,) = read_excerpts(beats, np.array([1]), Origin({}, SourceOptions(), True))
    assert row is not None
    assert (row.lead, row.unit, row.start, row.beats, row.time) == ("", "", 0.0, [(0.0, 3)], None)
    assert [value * row.step for value in row.values if value is not None] == pytest.approx([1.0, 0.5, 0.25], abs=0.002)


def test_folders_of_databases(tmp_path: Path) -> None:
    own = tmp_path / "my"
    own.mkdir()
    folders = folders_of({"dataset": "ecg", "train_on": ["svdb:dev"], "test_on": [str(own), "mitdb:ds2"]}, tmp_path)
    assert folders == {"": tmp_path / "mitdb", "svdb": tmp_path / "svdb", "my": own, "mitdb": tmp_path / "mitdb"}
    assert folders_of({"dataset": "synthetic"}, tmp_path) == {}
