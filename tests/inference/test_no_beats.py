"""Recordings in which no heartbeat can be read: they are annotated, and every file says what they show instead."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from playwright.sync_api import Browser

from commander import main
from inference.files import AnnotateOptions
from inference.lines import annotate_lines
from inference.many import annotate_files
from inference.recording import annotate_lead
from inference.signal_recording import signal_recording
from loaders.io.discovery import Item
from loaders.io.recording import CsvFormat
from tests.browser import needs_chromium, opened
from tests.conftest import CASES, RECORDS, needs_cases, needs_records
from tests.made import Rule, small_record, write_annotations, write_format
from toolbox.utils import read_json

FLUTTER, NOISE, SILENT = "ventricular flutter or fibrillation", "noise, not judged", "no signal or asystole"
SECONDS = 60
SIGNALS = {  # what each shows, and how much of it could be judged
    "noise": (NOISE, 0.0), "quiet": (SILENT, 0.0), "flat": (SILENT, 0.0), "flutter": (FLUTTER, 1.0),
}  # fmt: skip
DANGERS = {
    NOISE: "; noise can hide ventricular flutter or fibrillation: look at the signal",
    SILENT: "; a lead that is off looks like asystole: look at the patient",
    FLUTTER: "",
}


def signal_of(name: str) -> np.ndarray:
    """(n,) mV at 360 Hz."""
    t = np.arange(SECONDS * 360) / 360
    noise = np.random.default_rng(0).standard_normal(len(t))
    return {
        "noise": noise,
        "quiet": 0.04 * np.sin(2 * np.pi * 0.3 * t) + 0.004 * noise,
        "flat": np.zeros(len(t)),
        "flutter": 0.6 * np.sin(2 * np.pi * (4 * t + 0.3 * np.sin(t))) * (1 + 0.3 * np.sin(0.7 * t)),
    }[name]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two leads of each of SIGNALS, and a recording with beats."""
    folder = tmp_path_factory.mktemp("silent")
    for name in SIGNALS:
        digital = np.rint(1000 * np.column_stack([signal_of(name), 0.8 * signal_of(name)])).astype(np.int64)
        write_format(folder, name, np.clip(digital, -32768, 32767), "16", gain=1000)
    write_format(folder, "beats", small_record().digital, "16")
    return folder


@pytest.fixture(scope="module")
def out(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What --predict makes of them."""
    out = tmp_path_factory.mktemp("out")
    items = [Item(folder / f"{name}.hea") for name in (*SIGNALS, "beats")]
    assert annotate_files(items, {}, Rule(), AnnotateOptions(out=out), 0)["failed"] == {}
    return out


@pytest.mark.parametrize("name", SIGNALS)
def test_the_summary_and_the_tables_say_what_there_is(out: Path, name: str) -> None:
    kind, usable = SIGNALS[name]
    summary = read_json(out / f"{name}.ecg.json")
    assert summary["beats"] == {"all": 0, "N": 0, "S": 0, "V": 0, "F": 0, "Q": 0}
    assert summary["rate_per_min"] == {"mean": None, "min": None, "max": None} and summary["unit"] == "mV"
    episode = {"kind": kind, "start": 0.0, "stop": 60.0, "first": None, "last": None, "beats": 0, "rate": None}
    assert summary["episodes"] == [episode]
    assert summary["without_beats"]["longest"] == {"kind": kind, "start": 0.0, "seconds": 60.0}
    assert summary["without_beats"]["seconds"] == {
        **dict.fromkeys(["pause", SILENT, "no beats found but the signal moves", FLUTTER, NOISE], 0), kind: 60.0,
    }  # fmt: skip
    assert summary["signal_quality"]["usable"] == usable
    assert summary["warnings"] == [f"no heartbeat could be read: 60.0 s {kind}{DANGERS[kind]}"]
    assert summary["polarity"] == {"qrs": 0.0, "inverted": False}
    assert summary["hrv"]["intervals"] == 0 and summary["extremes"]["longest_rr"] is None
    assert (summary["totals"]["beats"]["all"], summary["totals"]["judged"]) == (0, usable)

    lines = (out / f"{name}.ecg.csv").read_text().splitlines()
    assert lines[-1] == "time_s,sample,rr_s,class,p_N,p_S,p_V,p_F,p_Q"
    assert lines[1].startswith(f"# warning: no heartbeat could be read: 60.0 s {kind}")
    (row,) = csv.DictReader((out / f"{name}.ecg.episodes.csv").open())
    assert (row["kind"], row["start"], row["stop"], row["first"], row["last"]) == (kind, "0.0", "60.0", "", "")
    hours = list(csv.DictReader((out / f"{name}.ecg.hours.csv").open()))
    assert [(hour["hour"], hour["beats"], float(hour["judged"])) for hour in hours] == [
        ("1", "0", usable), ("all", "0", usable),
    ]  # fmt: skip


@pytest.mark.parametrize("name", SIGNALS)
def test_the_annotation_file_holds_no_beat(out: Path, name: str) -> None:
    marks = wfdb.rdann(str(out / name), "ecg")
    written = list(zip(marks.sample.tolist(), marks.symbol, marks.aux_note, strict=True))
    if SIGNALS[name][0] == FLUTTER:
        text = (2, '"', "no heartbeat could be read")
        assert written == [(0, "[", ""), (1, "+", "(VFL"), text, (21600, "]", "")]
    else:  # a text between the two would end the shutdown
        assert written == [(0, "~", ""), (21600, "~", "")] and (marks.subtype & 0x30).tolist() == [0x30, 0]


def test_a_signal_that_is_neither_noise_nor_still_has_a_note(tmp_path: Path) -> None:
    t = np.arange(20 * 360) / 360
    digital = np.rint(1000 * np.column_stack([0.05 * np.sin(2 * np.pi * 0.2 * t)] * 2)).astype(np.int64)
    header = write_format(tmp_path, "wave", digital, "16", gain=1000)
    annotate_files([Item(header)], {}, Rule(), AnnotateOptions(), 0)
    marks = wfdb.rdann(str(tmp_path / "wave"), "ecg")
    assert (marks.symbol, marks.aux_note) == (['"'], ["no heartbeat could be read"])
    assert [one["kind"] for one in read_json(tmp_path / "wave.ecg.json")["episodes"]] == [SILENT]


def test_the_folder_and_the_page_put_it_first(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (out / "summary.csv").open() as handle:
        rows = {row["recording"]: row for row in csv.DictReader(line for line in handle if line[0] != "#")}
    assert {name: row["beats"] for name, row in rows.items()} | {"beats": "0"} == dict.fromkeys(rows, "0")
    assert rows["flat"]["warnings"].startswith("no heartbeat could be read: 60.0 s no signal or asystole")
    index = (out / "index.html").read_text()
    places = [index.index(f'href="{name}.ecg.html"') for name in ("flutter", "flat", "noise", "beats")]
    assert places == sorted(places)
    for name, (kind, _) in SIGNALS.items():
        page = (out / f"{name}.ecg.html").read_text()
        assert "<b>None</b>no heartbeat could be read" in page and f"<b>60.0 s</b>{kind}" in page
    noise = (out / "noise.ecg.html").read_text()
    assert 'class="bad noise"' in noise and 'class="bad noise"' not in (out / "flat.ecg.html").read_text()


def test_the_exit_code_is_0_and_a_line_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("commands.predict.load_classifier", lambda args: Rule())
    for live in ([], ["--live"]):
        result = main(["--predict", str(folder / "noise"), "--out", str(tmp_path / f"out{len(live)}"), *live])
        assert result["failed"] == {} and len(result["recordings"]) == 1
        said = capsys.readouterr()
        assert "noise: lead" in said.out and "0 beats, longest without a beat" in said.out
        (line,) = (line for line in said.err.splitlines() if line.startswith("warning: noise: "))
        assert line.startswith("warning: noise: no heartbeat could be read: ")


def test_an_annotation_file_without_beats_is_scored(
    folder: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("noise", "flutter"):
        (tmp_path / f"{name}.hea").write_bytes((folder / f"{name}.hea").read_bytes())
        (tmp_path / f"{name}.ecg").write_bytes((out / f"{name}.ecg").read_bytes())
        write_annotations(tmp_path, name, "atr", list(range(360, 21600, 360)), ["N"] * 59)
    result = main(["--score", str(tmp_path), "--score-start", "0"])
    shut = {name: one["shutdown_s"] for name, one in result["records"].items()}
    assert shut["noise"] == pytest.approx(60, abs=1) and shut["flutter"] == 0
    assert result["records"]["flutter"]["scores"]["QRS"]["Se"] == 0.0
    beats_as_reference = main(["--score", str(tmp_path), "--ref-annotator", "ecg", "--test-annotator", "atr",
                               "--score-start", "0"])  # fmt: skip
    assert beats_as_reference["gross"]["scores"]["QRS"]["Se"] is None


def test_a_stream_of_it_ends_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    lines = io.StringIO("".join(f"{value:.4f}\n" for value in signal_of("flat")))
    counts = annotate_lines(lines, io.StringIO(), Rule(), CsvFormat(360.0), None, "keep")
    assert counts == {"samples": 21600, "beats": 0}
    said = "warning: no heartbeat could be read in 60.0 s of standard input (flat at its end)"
    assert said in capsys.readouterr().err


def summary_of(signal: np.ndarray, fs: float) -> dict[str, Any]:
    return annotate_lead(signal_recording(signal.astype(np.float32), fs, None), 0, Rule()).beats.summary()


@needs_cases
@pytest.mark.parametrize("start", [214, 230, 400])
def test_fibrillation_from_the_first_second_needs_no_beat_before(start: int) -> None:
    record = wfdb.rdrecord(str(CASES / "cu01"), sampfrom=start * 250)
    summary = summary_of(record.p_signal[:, 0], 250)
    assert [one["kind"] for one in summary["episodes"]] == [FLUTTER]
    assert summary["without_beats"]["seconds"][FLUTTER] == pytest.approx(record.sig_len / 250, abs=0.01)
    assert summary["signal_quality"]["noise_s"] == 0 and summary["beats"]["all"] == 0


@needs_records
def test_flutter_cut_out_of_207_is_flutter() -> None:
    record = wfdb.rdrecord(str(RECORDS / "207"), sampfrom=1541 * 360, sampto=1638 * 360)
    seconds = summary_of(record.p_signal[:, 0], 360)["without_beats"]["seconds"]
    assert seconds[FLUTTER] >= 90 and seconds[FLUTTER] + seconds[NOISE] == pytest.approx(97, abs=0.5)


@needs_cases
@needs_records
def test_noise_alone_is_no_fibrillation() -> None:
    """Electrode motion as it was recorded: what 118e06 holds more than 118, in its noisy minutes."""
    noisy, clean = (wfdb.rdrecord(str(at)).p_signal[:, 0] for at in (CASES / "118e06", RECORDS / "118"))
    since = np.arange(len(clean)) / 360 - 300
    motion = (noisy - clean)[(since >= 0) & (since % 240 < 120)]
    seconds = summary_of(motion, 360)["without_beats"]["seconds"]
    assert seconds[FLUTTER] == 0 and seconds[NOISE] == pytest.approx(len(motion) / 360, abs=0.01)


@needs_chromium
def test_the_page_works_without_a_beat(browser: Browser, out: Path, tmp_path: Path) -> None:
    with opened(browser, out / "noise.ecg.html") as page:
        page.wait_for_selector("html[data-ready=yes]")
        assert page.locator("#status").text_content() == "No heartbeat could be read."
        row = page.locator("#episode-rows tr")
        assert row.count() == 1 and row.locator(".badge.noise").text_content() == "~"
        page.keyboard.press("n")  # to the next stretch, as there is no beat
        assert page.locator("#status").text_content().startswith("0:00:00.00 · no beat here")
        page.keyboard.press("v")  # inserts one
        with page.expect_download() as download:
            page.click("[data-correct=list]")
        (change,) = json.loads(Path(download.value.path()).read_text())["changes"]
        assert (change["action"], change["to"]) == ("insert", "V")
