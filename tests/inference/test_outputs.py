"""Files of annotated recordings: nothing that is not as it was written is overwritten; what is finished is known."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb

from inference.files import AnnotateOptions, annotate_file
from inference.many import annotate_files
from inference.outputs import ABANDONED
from loaders.io.discovery import Item, find_recordings
from loaders.io.recording import CsvFormat
from tests.made import GAIN, Rule, small_record, write_format
from toolbox.utils import UserError
from toolbox.utils.temporary import lock

NAMES = ["r.ecg", "r.ecg.csv", "r.ecg.episodes.csv", "r.ecg.hours.csv", "r.ecg.json", "r.ecg.html", "r.ecg.png"]
PNG = AnnotateOptions(png=True)


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recording and its files, a picture among them."""
    folder = tmp_path_factory.mktemp("annotated")
    header = write_format(folder, "r", small_record(0.3).digital, "16")
    annotate_file(Item(header), Rule(), PNG)
    assert {path.name for path in folder.iterdir()} == {"r.hea", "r.dat", *NAMES}
    return folder


@pytest.fixture
def folder(annotated: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(annotated, tmp_path / "copy"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def refusal(folder: Path, options: AnnotateOptions = PNG, version: str = "1") -> str:
    """The message of a refusal that changes nothing."""
    before = contents(folder)
    with pytest.raises(UserError) as caught:
        annotate_file(Item(folder / "r.hea"), Rule(version), options)
    assert contents(folder) == before and "\n" not in str(caught.value)
    return str(caught.value)


# files of others


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", [b"of somebody else\n", b"", b"{}\n", b"[1, 2]", b"time,MLII\n0,1\n"])
def test_a_file_of_somebody_else_is_kept(tmp_path: Path, name: str, content: bytes) -> None:
    write_format(tmp_path, "r", small_record(0.3).digital, "16")
    (tmp_path / name).write_bytes(content)
    message = refusal(tmp_path)
    assert message == f"{tmp_path / name} exists and is not of --predict; take another --annotator or --out"
    if name == "r.ecg.png":  # nobody wants a picture
        annotate_file(Item(tmp_path / "r.hea"), Rule(), AnnotateOptions())
        assert (tmp_path / name).read_bytes() == content
    annotate_file(Item(tmp_path / "r.hea"), Rule(), replace(PNG, annotator="own"))
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize("kind", ["folder", "link", "link to nowhere"])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_file_is_kept(folder: Path, tmp_path: Path, name: str, kind: str) -> None:
    (folder / name).unlink()
    if kind == "folder":
        (folder / name).mkdir()
    else:
        if kind == "link":
            (tmp_path / "victim").write_bytes(b"of somebody else")
        (folder / name).symlink_to(tmp_path / "victim")
    assert "is kept" in (said := refusal(folder, version="2")) or "is not of --predict" in said
    assert not (tmp_path / "victim").exists() or (tmp_path / "victim").read_bytes() == b"of somebody else"


def test_a_recording_that_is_called_like_an_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The ECG of r as CSV has a natural name; both are recordings of one command, in any order."""
    record = small_record(0.3)
    write_format(tmp_path, "r", record.digital, "16")
    ecg = "MLII\n" + "".join(f"{value / GAIN:.3f}\n" for value in record.digital[:, 0])
    (tmp_path / "r.ecg.csv").write_text(ecg)
    options = AnnotateOptions(csv=CsvFormat(360.0))
    for arguments in ([str(tmp_path)], [str(tmp_path / "r.ecg.csv"), str(tmp_path / "r")]):
        items, failed = find_recordings(arguments, csv=True)
        result = annotate_files(items, failed, Rule(), options, 0)
        assert (tmp_path / "r.ecg.csv").read_text() == ecg
        assert list(result["recordings"]) == [str(tmp_path / "r.ecg.csv")]  # its own are called r.ecg.ecg and so on
        assert "r.ecg.csv is a recording of this command, and kept" in result["failed"][str(tmp_path / "r.hea")]
    capsys.readouterr()
    with pytest.raises(UserError, match=r"r\.ecg\.csv exists and is not of --predict"):
        annotate_files([Item(tmp_path / "r.hea")], {}, Rule(), options, 0)
    items, failed = find_recordings([str(tmp_path)], csv=True)
    assert annotate_files(items, failed, Rule(), replace(options, annotator="own"), 0)["failed"] == {}


# corrected and damaged ones


def correct(folder: Path) -> bytes:
    """Correct the fifth beat, as a reader does, by wfdb's own writer."""
    annotation = wfdb.rdann(str(folder / "r"), "ecg")
    annotation.symbol[4] = "V" if annotation.symbol[4] != "V" else "N"
    wfdb.wrann("r", "ecg", annotation.sample, annotation.symbol, fs=360, write_dir=str(folder))
    return (folder / "r.ecg").read_bytes()


OTHERS = [
    (AnnotateOptions(png=True), "1"),
    (AnnotateOptions(), "1"),
    (AnnotateOptions(), "2"),
    (AnnotateOptions(lead="V1"), "1"),
    (AnnotateOptions(polarity="keep", png=True), "3"),
    (AnnotateOptions(live=True), "1"),
]


@pytest.mark.parametrize(("options", "version"), OTHERS)
def test_a_corrected_annotation_is_kept_whatever_is_asked_for(
    folder: Path, options: AnnotateOptions, version: str
) -> None:
    corrected = correct(folder)
    message = refusal(folder, options, version)
    assert "r.ecg is not as --predict wrote it: it was changed since (corrected?)" in message
    assert "take another --annotator or --out" in message and (folder / "r.ecg").read_bytes() == corrected
    annotate_file(Item(folder / "r.hea"), Rule(version), replace(options, out=folder / "out"))
    assert (folder / "out" / "r.ecg").is_file()
    (folder / "r.ecg").unlink()  # as the message says
    assert "done_before" not in annotate_file(Item(folder / "r.hea"), Rule(version), options)


DAMAGES: list[Callable[[bytes], bytes]] = [
    lambda content: b"", lambda content: content[:-1], lambda content: content + b"\n", lambda content: content[:20],
    lambda content: bytes([content[0] ^ 1]) + content[1:],
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("damage", range(len(DAMAGES)))
def test_done_before_believes_hashes_only(folder: Path, name: str, damage: int) -> None:
    assert annotate_file(Item(folder / "r.hea"), Rule(), PNG)["done_before"]
    content = DAMAGES[damage]((folder / name).read_bytes())
    (folder / name).write_bytes(content)
    if name == "r.ecg.json" and content.endswith((b"}", b"}\n\n")):  # the same values
        assert annotate_file(Item(folder / "r.hea"), Rule(), PNG)["done_before"]
    elif name == "r.ecg.json":
        assert "is not" in refusal(folder)
    else:
        assert f"{name} is not as --predict wrote it" in refusal(folder)


@pytest.mark.draws
@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_was_deleted_is_made_again(folder: Path, name: str) -> None:
    expected = contents(folder)
    (folder / name).unlink()
    if name == "r.ecg.json":
        assert "r.ecg exists and is not of --predict" in refusal(folder)
        return
    assert "done_before" not in annotate_file(Item(folder / "r.hea"), Rule(), PNG)
    assert contents(folder).keys() == expected.keys()
    assert {k: v for k, v in contents(folder).items() if k != "r.ecg.json"} == {
        k: v for k, v in expected.items() if k != "r.ecg.json"
    }


def values_of(value: Any) -> list[Any]:
    return [None, 3, -1.5, "text", [], {}, True, [[1, 2, 3]], {"all": None}, "\x1b[31m"]


def test_a_summary_with_any_value_edited_is_refused(folder: Path) -> None:
    path = folder / "r.ecg.json"
    whole = json.loads(path.read_text())
    tried = 0
    for key in whole:
        for value in [*values_of(whole[key]), "gone"]:
            if value == whole[key] or (key, value) == ("sha256", "gone"):  # without, it is of an older version
                continue
            edited = {**whole, key: value}
            if value == "gone":
                del edited[key]
            path.write_text(json.dumps(edited))
            assert "is not" in refusal(folder, AnnotateOptions()) and "is not" in refusal(folder, PNG, "2")
            tried += 1
    assert tried > 250
    path.write_text(json.dumps(whole))
    assert annotate_file(Item(folder / "r.hea"), Rule(), PNG)["done_before"]


def test_of_several_an_edited_summary_stops_its_own_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = [Item(write_format(tmp_path, name, small_record(0.3).digital, "16")) for name in "abc"]
    annotate_files(items[:1], {}, Rule(), AnnotateOptions(), 0)
    summary = json.loads((tmp_path / "a.ecg.json").read_text())
    (tmp_path / "a.ecg.json").write_text(json.dumps({**summary, "burden": None, "beats": []}))
    result = annotate_files(items, {}, Rule(), AnnotateOptions(), 0)
    assert list(result["failed"]) == [str(tmp_path / "a.hea")] and len(result["recordings"]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.draws
def test_a_picture_of_before_is_drawn_anew(folder: Path) -> None:
    picture = (folder / "r.ecg.png").read_bytes()
    summary = annotate_file(Item(folder / "r.hea"), Rule(), AnnotateOptions(lead="V1"))
    assert "r.ecg.png" in summary["outputs"] and (folder / "r.ecg.png").read_bytes() != picture
    assert annotate_file(Item(folder / "r.hea"), Rule(), AnnotateOptions(lead="V1"))["done_before"]


# files of older versions, whose summaries name no digests


@pytest.fixture
def old(folder: Path) -> Path:
    summary = json.loads((folder / "r.ecg.json").read_text())
    del summary["sha256"]
    (folder / "r.ecg.json").write_text(json.dumps({**summary, "fingerprint": "0" * 64}, indent=1) + "\n")
    annotation = wfdb.rdann(str(folder / "r"), "ecg")
    beats = np.array([symbol != "+" for symbol in annotation.symbol])  # no rhythms, and no tables of episodes and hours
    symbols = np.array(annotation.symbol)[beats]
    wfdb.wrann("r", "ecg", annotation.sample[beats], symbols, fs=360, write_dir=str(folder))
    for table in ("episodes", "hours"):
        (folder / f"r.ecg.{table}.csv").unlink()
    return folder


def test_files_of_an_older_version_are_renewed(old: Path) -> None:
    assert "done_before" not in annotate_file(Item(old / "r.hea"), Rule(), PNG)
    assert annotate_file(Item(old / "r.hea"), Rule(), PNG)["done_before"]


@pytest.mark.parametrize("change", ["symbol", "sample", "more", "fewer", "note", "no table", "other table"])
def test_an_annotation_of_an_older_version_that_was_corrected_is_kept(old: Path, change: str) -> None:
    annotation = wfdb.rdann(str(old / "r"), "ecg")
    samples, symbols, notes = annotation.sample.tolist(), annotation.symbol, [""] * len(annotation.sample)
    if change == "symbol":
        symbols[3] = "V" if symbols[3] != "V" else "S"
    elif change == "sample":
        samples[3] += 1
    elif change == "more":
        samples, symbols, notes = [*samples, samples[-1] + 1], [*symbols, "N"], [*notes, ""]
    elif change == "fewer":
        samples, symbols, notes = samples[:-1], symbols[:-1], notes[:-1]
    elif change == "note":
        notes[2] = "looked at"
    elif change == "no table":
        (old / "r.ecg.csv").unlink()
    else:
        (old / "r.ecg.csv").write_text("a,b\n1,2\n")
    if "table" not in change:
        wfdb.wrann("r", "ecg", np.array(samples), symbols, aux_note=notes, fs=360, write_dir=str(old))
    assert "is not as --predict wrote it" in refusal(old, AnnotateOptions(), "2")


@pytest.mark.parametrize("name", ["r.ecg.html", "r.ecg.png", "r.ecg.csv"])
def test_other_files_in_the_place_of_an_older_version_s_are_kept(old: Path, name: str) -> None:
    (old / name).write_bytes(b"<html>of somebody else")
    assert "is not as --predict wrote it" in refusal(old)


# processes that are killed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("before", [False, True])
def test_killed_at_any_moment_the_next_run_goes_on_and_leaves_nothing(tmp_path: Path, before: bool) -> None:
    header = write_format(tmp_path, "r", small_record(0.3).digital, "16")
    if before:
        annotate_file(Item(header), Rule(), AnnotateOptions())
    rename, kills = Path.replace, 0
    for moment in range(1, 12):
        process = os.fork()
        if process == 0:
            calls = [0]

            def counted(path: Path, target: Any, calls: list[int] = calls, moment: int = moment) -> Path:
                calls[0] += 1
                if calls[0] == moment:
                    os._exit(9)
                return rename(path, target)

            Path.replace = counted  # type: ignore[method-assign, assignment]
            annotate_file(Item(header), Rule(f"killed {moment}"), AnnotateOptions())
            os._exit(0)
        _, status = os.waitpid(process, 0)
        kills += os.waitstatus_to_exitcode(status) == 9
        if not before and moment < 6:
            assert not (tmp_path / "r.ecg.json").exists()
        annotate_file(Item(header), Rule(f"after {moment}"), AnnotateOptions())
        names = {path.name for path in tmp_path.iterdir()}
        tables = {"r.ecg.csv", "r.ecg.episodes.csv", "r.ecg.hours.csv"}
        assert names == {"r.hea", "r.dat", "r.ecg", *tables, "r.ecg.json", "r.ecg.html"}
        assert annotate_file(Item(header), Rule(f"after {moment}"), AnnotateOptions())["done_before"]
        if not before:
            for path in tmp_path.glob("r.ecg*"):
                path.unlink()
    assert kills >= 8


def test_leftovers_go_when_nobody_holds_them_and_never_another_s(folder: Path) -> None:
    gone = [".r.ecg.0123456789ab.tmp", ".r.ecg.csv.0123456789ab.tmp", ".r.ecg.json.0123456789ab.tmp"]
    kept = [
        ".r2.ecg.0123456789ab.tmp",
        ".r.ecg.ecg.0123456789ab.tmp",
        ".r.ecg.notes.tmp",
        ".s.ecg.csv.0123456789ab.tmp",
    ]
    for name in (*gone, *kept, ".r.ecg.html.ffffffffffff.tmp"):
        (folder / name).write_bytes(b"half")
        if not name.endswith("ffffffffffff.tmp"):
            os.utime(folder / name, (time.time() - ABANDONED - 60,) * 2)
    held, another = (folder / f".predict-{hashlib.sha256(name).hexdigest()[:16]}" for name in (b"r.ecg", b"r2.ecg"))
    for path in (held, another):
        path.mkdir()
        (path / "r.ecg").touch()
    descriptor = os.open(held, os.O_RDONLY)
    assert lock(descriptor)
    with pytest.raises(UserError, match=r"r\.ecg is being written by another process; if there is none, delete .*pred"):
        annotate_file(Item(folder / "r.hea"), Rule("2"), AnnotateOptions())
    os.close(descriptor)
    annotate_file(Item(folder / "r.hea"), Rule("2"), AnnotateOptions())
    left = {path.name for path in folder.iterdir() if path.name.startswith(".")}
    assert left == {*kept, ".r.ecg.html.ffffffffffff.tmp", another.name}


def test_what_cannot_be_written_is_named_by_its_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, *_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("inference.files.write_page", full)
    assert refusal(folder, AnnotateOptions(), "2") == f"{folder / 'r.ecg.html'}: No space left on device"
