"""annotate: a table of the beats of a signal or of a recording file, the same beats as --predict's."""

from __future__ import annotations

import csv
import json
from datetime import time
from pathlib import Path

import edfio
import numpy as np
import pandas as pd
import pytest
from scipy.signal import resample_poly

from inference import annotate
from inference.files import AnnotateOptions, annotate_file
from inference.signal_recording import signal_recording
from loaders.beats.input_spec import InputSpec
from loaders.io.discovery import Item
from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat
from loaders.io.wfdb_record import Record
from tests.made import GAIN, Rule, small_record, write_format
from toolbox.utils import UserError, read_json


@pytest.fixture(scope="module")
def record() -> Record:
    return small_record()


@pytest.fixture(scope="module")
def signal(record: Record) -> np.ndarray:
    """(samples, 2) mV at 360 Hz."""
    return record.digital / GAIN


@pytest.fixture(scope="module")
def header(record: Record, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_format(tmp_path_factory.mktemp("record"), "r", record.digital, "16")


def written_table(header: Path, classifier: Rule, options: AnnotateOptions) -> list[dict[str, str]]:
    """The table that --predict writes."""
    annotate_file(Item(header), classifier, options)
    with open((options.out or header.parent) / f"{header.stem}.ecg.csv", newline="") as handle:
        return list(csv.DictReader(line for line in handle if not line.startswith("# ")))


class Windows(Rule):
    """Names beats by windows of two leads."""

    input_spec = InputSpec("window", 0.3, 0.5, 120.0, 2, features=("rr",))  # type: ignore[assignment]

    def probabilities(self, rows: np.ndarray, features: np.ndarray | None = None) -> np.ndarray:
        assert features is not None
        scores = np.exp(np.tanh(np.column_stack([rows[:, :, ::40].reshape(len(rows), -1), features])[:, :5]))
        return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("classifier", [Rule(), Windows()], ids=["rows", "windows"])
def test_the_beats_of_a_file_and_of_its_signal_are_those_of_predict(
    header: Path, signal: np.ndarray, tmp_path: Path, classifier: Rule
) -> None:
    rows = written_table(header, classifier, AnnotateOptions(out=tmp_path))
    for table in (annotate(header, classifier=classifier), annotate(signal, 360, classifier, leads=["MLII", "V1"])):
        assert list(table.columns) == ["time_s", "sample", "rr_s", "class", "symbol", *(f"p_{k}" for k in "NSVFQ")]
        assert len(table) == len(rows) > 50
        assert table["sample"].tolist() == [int(row["sample"]) for row in rows]
        assert table["class"].tolist() == [row["class"] for row in rows] == table["symbol"].tolist()
        for name in ("time_s", "rr_s", *(f"p_{k}" for k in "NSVFQ")):
            written = np.array([float(row[name] or "nan") for row in rows])
            assert np.allclose(table[name], written, atol=5.1e-5, equal_nan=True)
        assert {key: table.attrs[key] for key in ("lead", "fs", "unit", "inverted", "warnings", "skipped")} == {
            "lead": "MLII", "fs": 360.0, "unit": "mV", "inverted": False, "warnings": [], "skipped": [],
        }  # fmt: skip
        assert table.attrs["classifier"] == "rule"
    assert annotate(signal.tolist(), 360, classifier)["sample"].equals(table["sample"])


def test_one_lead_is_a_row_of_samples_of_any_rate(signal: np.ndarray) -> None:
    table = annotate(signal[:, 0], 360, Rule())
    assert table.attrs["lead"] == "column 0" and table.attrs["recording"] == "signal"
    other = annotate(resample_poly(signal[:, 0], 250, 360), 250, Rule())
    assert len(other) == len(table) and np.median(np.abs(other["time_s"] - table["time_s"])) < 0.005
    assert other.attrs["fs"] == 250


def test_the_lead_by_name_or_position(signal: np.ndarray, header: Path) -> None:
    table = annotate(header, classifier=Rule(), lead="V1")
    assert table.attrs["lead"] == "V1"
    assert annotate(signal, 360, Rule(), lead=1)["sample"].equals(table["sample"])
    with pytest.warns(UserWarning, match="no lead MLII, which the model was trained on; took V5 of V5, V1"):
        annotate(signal, 360, Rule(), leads=["V5", "V1"])


def test_missing_samples_are_skipped_and_listed(signal: np.ndarray) -> None:
    spoilt = signal[:, 0].copy()
    spoilt[6000:8000], spoilt[15000:17000], spoilt[20000] = np.nan, 0.2, np.inf
    table = annotate(spoilt, 360, Rule())
    assert [kind for *_, kind in table.attrs["skipped"]] == ["gap", "flat"]
    assert np.allclose(table.attrs["skipped"][0][:2], [6000 / 360, 8000 / 360])
    assert not table["sample"].between(6000, 7999).any() and table["rr_s"].isna().sum() == 3


def test_a_lead_that_is_upside_down_or_in_another_unit_warns(signal: np.ndarray) -> None:
    with pytest.warns(UserWarning, match="signal: QRS complexes of .* mV: the signal is not in mV"):
        table = annotate(1000 * signal[:, 0], 360, Rule())
    assert table.attrs["unit"] == "QRS height" and len(table.attrs["warnings"]) == 1
    table = annotate(-signal[:, 0], 360, Rule(), polarity="invert")
    assert table.attrs["inverted"] and table["sample"].equals(annotate(signal[:, 0], 360, Rule())["sample"])


def test_csv_files(signal: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "belt.csv"
    pd.DataFrame({"hr": 60.0, "chest": signal[:, 0]}).to_csv(path, index=False)
    with pytest.warns(UserWarning, match="no lead MLII"):
        table = annotate(str(path), 360, Rule(), leads=["chest"])
    assert table.attrs["lead"] == "chest" and table["sample"].equals(annotate(signal[:, 0], 360, Rule())["sample"])
    rows = written_table(path, Rule(), AnnotateOptions(csv=CsvFormat(360.0, ("chest",))))
    assert table["sample"].tolist() == [int(row["sample"]) for row in rows]


def test_beats_of_an_annotation_file(header: Path, record: Record) -> None:
    table = annotate(header, classifier=Rule())
    annotate_file(Item(header), Rule(), AnnotateOptions(annotator="own"))
    assert annotate(header, classifier=Rule(), peaks="own")["sample"].equals(table["sample"])


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (lambda x: x, {"fs": None}, "fs is missing"),
        (lambda x: x, {"fs": 20}, "fs=20: expected the samples per second of an ECG, 50 to"),
        (lambda x: x, {"fs": float("nan")}, "fs=nan"),
        (lambda x: x[:500], {}, "500 samples at 360 Hz: expected at least 2 s"),
        (lambda x: x[:0], {}, "0 samples at 360 Hz"),
        (lambda x: x.T, {}, r"shape \(2, \d+\): expected \(samples, leads\); turn it by signal\.T"),
        (lambda x: x[None], {}, r"shape \(1, \d+, 2\): expected"),
        (lambda x: ["a", "b"], {}, "not an array of real numbers in mV"),
        (lambda x: x, {"leads": ["I"]}, r"leads=\['I'\]: expected 2 different names"),
        (lambda x: x, {"lead": "V9"}, "signal has no lead V9; it has: column 0, column 1"),
        (lambda x: x, {"lead": 2}, "lead=2: expected a position from 0 to 1"),
        (lambda x: x, {"polarity": "up"}, "polarity='up': expected 'auto', 'keep' or 'invert'"),
        (lambda x: x, {"peaks": "atr"}, "peaks='atr': expected 'detect'"),
        (lambda x: x, {"classifier": "no/run"}, "no checkpoint no/run"),
    ],
)
def test_signals_that_cannot_be_annotated(signal: np.ndarray, change, options, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        annotate(change(signal), **{"fs": 360, "classifier": Rule(), **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("empty", [np.zeros_like, lambda x: np.full_like(x, np.nan)], ids=["flat", "missing"])
def test_a_signal_without_a_beat_is_an_empty_table_and_a_warning(signal: np.ndarray, empty) -> None:
    with pytest.warns(UserWarning, match="signal: no heartbeat could be read: 90.0 s no signal or asystole"):
        table = annotate(empty(signal), 360, Rule())
    assert len(table) == 0 and list(table.columns) == list(annotate(signal, 360, Rule()).columns)
    assert [(start, stop) for start, stop, _ in table.attrs["skipped"]] == [(0, len(signal) / 360)]


def test_files_that_cannot_be_annotated(header: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no recording .*none"):
        annotate(tmp_path / "none", classifier=Rule())
    with pytest.raises(UserError, match=r"fs=250: .*r\.hea states 360 Hz; leave out fs="):
        annotate(header, 250, Rule())
    with pytest.raises(UserError, match="names its leads itself"):
        annotate(header, classifier=Rule(), leads=["MLII"])
    with pytest.raises(UserError, match="annotate takes one"):
        annotate(header.parent, classifier=Rule())
    (tmp_path / "x.csv").write_text("1\n2\n")
    with pytest.raises(UserError, match="sampling rate"):
        annotate(tmp_path / "x.csv", classifier=Rule())


def test_how_long_a_recording_is(header: Path, signal: np.ndarray, tmp_path: Path) -> None:
    """Progress is shown in these seconds."""
    length = len(signal) / 360
    assert open_recording(header, CsvFormat()).seconds == pytest.approx(length)
    assert signal_recording(signal, 360, None).seconds == pytest.approx(length)
    samples = np.rint(1000 * signal[: 360 * 30, 0]).astype(np.int16)
    limits = {"physical_range": (-32768, 32767), "digital_range": (-32768, 32767)}
    edf = edfio.EdfSignal.from_digital(samples, 360, label="ECG II", physical_dimension="uV", **limits)
    edfio.Edf([edf]).write(tmp_path / "r.edf")
    assert open_recording(tmp_path / "r.edf", CsvFormat()).seconds == 30
    (tmp_path / "r.csv").write_text("1\n2\n")
    assert open_recording(tmp_path / "r.csv", CsvFormat(360.0)).seconds is None


def test_the_clock_and_the_episodes_of_a_recording(header: Path, signal: np.ndarray) -> None:
    summary = annotate_file(Item(header), Rule(), AnnotateOptions(annotator="clock"))
    own = annotate(header, classifier=Rule())
    assert (
        own.attrs["start"] is None and own.attrs["hours"] == summary["hours"] and summary["hours"][0]["clock"] is None
    )
    listed = read_json(header.with_suffix(".clock.json"))["episodes"]
    assert own.attrs["episodes"] == listed and listed
    night = annotate(header, classifier=Rule(), start="2020-03-02T22:15")
    assert (night.attrs["start"], night.attrs["hours"][0]["clock"]) == ("2020-03-02T22:15:00", "2020-03-02T22:15:00")
    day = annotate(signal, 360, Rule(), start=time(6, 30))
    assert (day.attrs["start"], day.attrs["hours"][0]["clock"]) == ("06:30:00", "06:30:00")
    for wrong in ("half past six", "2020-13-02T22:15", "25:00"):
        with pytest.raises(UserError, match=f"start='{wrong}': expected \"2020-03-02T22:15:00\""):
            annotate(signal, 360, Rule(), start=wrong)


def test_corrections_of_a_person(header: Path, signal: np.ndarray, tmp_path: Path) -> None:
    table = annotate(header, classifier=Rule())
    at = table["sample"].tolist()
    changes = [
        {"action": "name", "sample": at[2], "to": "F"}, {"action": "delete", "sample": at[4]},
        {"action": "insert", "sample": (at[6] + at[7]) // 2, "to": "V"},
    ]  # fmt: skip
    content = {"format": 1, "recording": "r", "fs": 360, "samples": len(signal), "annotator": "ecg", "changes": changes}
    file = tmp_path / "r.corrections.json"
    file.write_text(json.dumps(content))
    expected = [*at[:4], *at[5:7], (at[6] + at[7]) // 2, *at[7:]]
    for source in (
        {"recording": header, "corrections": file}, {"recording": header, "corrections": [tmp_path]},
        {"recording": signal, "fs": 360, "corrections": [str(file)]},
    ):  # fmt: skip
        corrected = annotate(classifier=Rule(), **source)
        assert corrected["sample"].tolist() == expected
        assert corrected["class"][2] == "F" and corrected["class"][6] == "V" and np.isnan(corrected["p_N"][6])
    with pytest.raises(
        UserError, match=r"r\.corrections\.json: corrections of 32400 samples at 360 Hz, recording r has 21600"
    ):
        annotate(signal[: 360 * 60], 360, Rule(), corrections=file)
    file.write_text(json.dumps({**content, "recording": "another"}))
    with pytest.raises(UserError, match="corrections of recording another, which is not among those to annotate"):
        annotate(header, classifier=Rule(), corrections=file)
