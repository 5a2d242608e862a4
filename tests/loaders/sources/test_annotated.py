"""loaders.sources.annotated: beats of records of other rates, leads, gains and symbols."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import wfdb

from loaders.beats.input_spec import InputSpec
from loaders.beats.segment_record import rows_of
from loaders.beats.table import Beats
from loaders.io.wfdb_record import MOST_BEYOND, read_wfdb
from loaders.sources.annotated import ecg_channels, read_annotated
from loaders.sources.databases.base import CLASSES
from tests.loaders.annotated_records import person, write
from toolbox.utils import UserError

WINDOW = InputSpec("window", 0.2, 0.4, 120.0, 2, "record", 0.5, ("rr", "tempo"))
ROW = InputSpec(features=("rr",))


def likeness(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n,) correlation of each row of `a` with that of `b`."""
    a, b = (each.reshape(len(each), -1) - each.reshape(len(each), -1).mean(axis=1, keepdims=True) for each in (a, b))
    return (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))


def read(path: Path, spec: InputSpec, classes: dict[str, int] | None = None) -> Beats:
    beats, _ = read_annotated(path, spec, classes or CLASSES)
    assert beats is not None
    return beats


@pytest.mark.parametrize("spec", [WINDOW, ROW], ids=["window", "row"])
def test_mitbih_is_read_as_ever(tmp_path: Path, spec: InputSpec) -> None:
    path = write(person(1), tmp_path, "100")
    ours, theirs = read(path, spec), rows_of(read_wfdb(path), spec)
    for name, values in theirs.arrays().items():
        assert np.array_equal(ours.arrays()[name], values), name


@pytest.mark.parametrize("fs", [128.0, 250.0, 257.0, 1000.0])
@pytest.mark.parametrize("spec", [WINDOW, ROW], ids=["window", "row"])
def test_a_record_of_another_rate_gives_the_same_rows(tmp_path: Path, spec: InputSpec, fs: float) -> None:
    record = person(1, fs)
    theirs = rows_of(replace(person(1), name="p"), spec)
    ours = read(write(record, tmp_path, "p"), spec)
    assert ours.x.shape == theirs.x.shape
    assert np.array_equal(ours.y, theirs.y)
    assert np.median(likeness(ours.x, theirs.x)) > 0.98
    np.testing.assert_allclose(ours.time, theirs.time, atol=0.5 / fs + 1e-9)
    np.testing.assert_allclose(ours.sample, ours.time * fs, atol=1e-6)  # in the record's own samples
    gap = np.abs(ours.features - theirs.features)
    assert np.median(gap, axis=0).max() < 0.03


def test_the_leads_are_those_of_an_ecg_with_ii_first(tmp_path: Path) -> None:
    assert ecg_channels(["ABP", "V5", "II"], 250) == [2, 1]
    assert ecg_channels(["ECG1", "ECG2"], 128) == [0, 1]
    assert ecg_channels(["V5", "MLII"], 360) == [1, 0]
    assert ecg_channels(["x", "y"], 360) == [0, 1]
    record = person(1, leads=("V5", "II"))
    turned = replace(record, leads=["II", "V5"], digital=record.digital[:, ::-1])
    ours, theirs = read(write(record, tmp_path, "a"), WINDOW), read(write(turned, tmp_path, "b"), WINDOW)
    assert np.array_equal(ours.x, theirs.x)


def test_too_few_leads_and_odd_rates_are_refused(tmp_path: Path) -> None:
    record = person(1)
    one = replace(
        record, leads=["II"], digital=record.digital[:, :1], gain=record.gain[:1], baseline=record.baseline[:1]
    )
    with pytest.raises(UserError, match=r"has 1 lead\(s\), --leads asks for 2"):
        read(write(one, tmp_path, "one"), WINDOW)
    path = write(record, tmp_path, "slow")
    for extension in ("hea", "atr"):
        path.with_suffix(f".{extension}").unlink()
    write(person(1, 40.0), tmp_path, "slow")
    with pytest.raises(UserError, match="has 40 samples per second; an ECG takes 50 to 20,000"):
        read(path, WINDOW)


def test_a_header_without_a_gain_is_noted_and_changes_no_row_in_units_of_the_beat(tmp_path: Path) -> None:
    known, facts = read_annotated(write(person(1), tmp_path, "known"), WINDOW, CLASSES)
    unknown, noted = read_annotated(write(person(1), tmp_path, "unknown", no_gain=True), WINDOW, CLASSES)
    assert (facts["uncalibrated"], noted["uncalibrated"]) == (False, True)
    assert known is not None and unknown is not None
    np.testing.assert_allclose(unknown.x, known.x, atol=1e-4)


def beyond(folder: Path, count: int) -> Path:
    """A record with `count` annotations behind its last sample."""
    record = person(1)
    path = write(record, folder, "r")
    sample = np.append(record.sample, len(record.digital) + np.arange(count))
    symbols = [*record.symbol.tolist(), *"N" * count]
    wfdb.wrann("r", "atr", sample, symbol=symbols, fs=360, write_dir=str(folder))
    return path


def test_an_annotation_behind_the_end_is_left_out_and_counted(tmp_path: Path) -> None:
    record = person(1)
    assert len(record.sample) * MOST_BEYOND > 1
    beats, facts = read_annotated(beyond(tmp_path, 1), WINDOW, CLASSES)
    assert facts["beyond"] == 1
    assert beats is not None and np.array_equal(beats.x, read(write(record, tmp_path, "whole"), WINDOW).x)


def test_many_of_them_are_of_another_signal(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"annotations from sample \d+ to \d+, the signal has 43200$"):
        read_annotated(beyond(tmp_path, 9), WINDOW, CLASSES)


def test_symbols_that_mitbih_lacks_are_beats_and_own_ones_may_be_named(tmp_path: Path) -> None:
    record = person(1)
    symbols = np.array(record.symbol)
    symbols[1:6] = list("Bnr?x")
    path = write(replace(record, symbol=symbols), tmp_path, "r")
    beats = read(path, ROW)
    assert dict(zip(beats.symbol.tolist(), beats.y.tolist(), strict=True)).items() >= {
        "B": 0, "n": 0, "r": 2, "?": 4
    }.items()  # fmt: skip
    assert "x" not in beats.symbol
    own = read(path, ROW, {**CLASSES, "n": 1, "x": 1})
    assert len(own) == len(beats) + 1
    assert own.y[np.isin(own.symbol, ["n", "x"])].tolist() == [1, 1]


def test_a_record_without_beats_is_none(tmp_path: Path) -> None:
    record = person(1)
    path = write(replace(record, symbol=np.full(len(record.symbol), "~")), tmp_path, "r")
    beats, facts = read_annotated(path, ROW, CLASSES)
    assert beats is None and facts["name"] == "r"
