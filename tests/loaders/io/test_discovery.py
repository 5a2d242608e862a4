"""Which recordings a command line names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loaders.io.annotations import TABLE_OF_BEATS
from loaders.io.discovery import find_pairs, find_recordings
from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat
from tests.loaders.io.writers import write
from tests.made import write_annotations, write_format, write_header
from toolbox.utils import UserError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Records (one of two segments), CSV files (one a table of beats), and an EDF file in a folder below."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "below").mkdir(parents=True)
    for name in ("100", "101"):
        (tmp_path / "data" / f"{name}.hea").write_text(f"{name} 1 360 10\n{name}.dat 16 200 0 0 0 0 0 MLII\n")
        (tmp_path / "data" / f"{name}.dat").write_bytes(b"")
    (tmp_path / "data" / "s.hea").write_text("# made\ns/2 1 360 20\n100 10\ns_2 10\n")
    (tmp_path / "data" / "s_2.hea").write_text("s_2 1 360 10\n")
    (tmp_path / "data" / "below" / "night.EDF").write_bytes(b"")
    (tmp_path / "data" / "a.csv").write_text("1\n2\n")
    (tmp_path / "data" / "a.ecg.csv").write_text(f"{TABLE_OF_BEATS},p_N\n")
    (tmp_path / "data" / "notes.md").write_text("nothing")
    return tmp_path / "data"


def names(arguments: list[str], csv: bool = False) -> list[str]:
    items, failed = find_recordings(arguments, csv)
    assert failed == {}
    return [str(item.path) for item in items]


def test_a_folder_gives_all_below_it_but_segments_and_tables(folder: Path) -> None:
    assert names(["data"]) == ["data/101.hea", "data/s.hea", "data/below/night.EDF"]
    assert names(["data"], csv=True) == ["data/101.hea", "data/s.hea", "data/a.csv", "data/below/night.EDF"]
    items, _ = find_recordings(["data"], False)
    assert [str(item.below) for item in items] == [".", ".", "below"]
    assert [item.name for item in items] == ["101", "s", "night"]


def test_any_file_of_a_record_names_it_once(folder: Path) -> None:
    assert names(["data/100", "data/100.hea", "data/100.dat", "data/100.ecg.csv", "data/101.atr"]) == [
        "data/100.hea",
        "data/101.hea",
    ]


def test_patterns_take_what_is_a_recording(folder: Path) -> None:
    assert names(["data/10*"]) == names(["data/10[01]"]) == ["data/100.hea", "data/101.hea"]
    assert names(["data/*"]) == [
        "data/100.hea", "data/101.hea", "data/a.csv", "data/below/night.EDF", "data/s.hea", "data/s_2.hea",
    ]  # fmt: skip
    assert names(["data/**/*.EDF"]) == ["data/below/night.EDF"]


def test_a_file_that_is_named_is_taken_at_its_word(folder: Path) -> None:
    assert names(["data/a.csv"]) == ["data/a.csv"]
    (folder / "x[1].csv").write_text("1\n")
    assert names(["data/x[1].csv"]) == ["data/x[1].csv"]


def test_arguments_that_name_nothing_are_told_why(folder: Path) -> None:
    (folder / "empty").mkdir()
    items, failed = find_recordings(["data/100", "data/none", "data/notes.md", "data/empty", "data/z*"], False)
    assert len(items) == 1
    assert list(failed) == ["data/none", "data/notes.md", "data/empty", "data/z*"]
    assert "data/none.hea" in failed["data/none"]
    assert "no recording" in failed["data/notes.md"]
    assert "--fs" in failed["data/empty"]


def test_files_of_recorders_are_found_where_they_are_ones(folder: Path) -> None:
    digital = np.zeros((720, 2), dtype=np.int16)
    for suffix in (".bdf", ".ish", ".ecg", ".dcm", ".scp", ".mwf", ".xml", ".json", ".mat", ".npy", ".npz", ".csv.gz"):
        write(folder / "below" / f"x{suffix}", digital)
    for name in ("notes.xml", "notes.json", "image.dcm", "100.ecg"):
        (folder / name).write_text("<html>")
    others = [f"data/below/x{each}" for each in (".bdf", ".dcm", ".ecg", ".ish", ".json", ".mwf", ".scp", ".xml")]
    tables = [f"data/below/x{each}" for each in (".csv.gz", ".mat", ".npy", ".npz")]
    assert names(["data"]) == ["data/101.hea", "data/s.hea", "data/below/night.EDF", *others]
    assert names(["data"], csv=True) == [
        "data/101.hea",
        "data/s.hea",
        "data/a.csv",
        "data/below/night.EDF",
        *others,
        *tables,
    ]
    assert names([*others, *tables]) == [*others, *tables]
    assert names(["data/100.ecg"]) == ["data/100.hea"]
    _, failed = find_recordings(["data/notes.xml", "data/image.dcm"], False)
    assert all("is no recording: expected" in reason for reason in failed.values()) and len(failed) == 2
    items, _ = find_recordings(["data/below/x.csv.gz"], False)
    assert [item.name for item in items] == ["x"]


def test_the_samples_of_a_record_in_a_matlab_file_go_by_its_header(folder: Path) -> None:
    for name in ("a0.mat", "b0.mat"):
        (folder / name).write_bytes(bytes(24))
    (folder / "a0.hea").write_text("a0 1 500 10\na0.mat 16+24 1000/mV 16 0 0 0 0 I\n")
    assert names(["data/a0.mat", "data/b0.mat"]) == ["data/a0.hea", "data/b0.mat"]
    assert [name for name in names(["data"], csv=True) if "0." in name] == ["data/a0.hea", "data/b0.mat"]


def test_what_macs_leave_on_other_disks_is_no_recording(folder: Path) -> None:
    for name in ("._100.hea", "._a.csv", "._night.edf", "._x.ish"):
        (folder / name).write_bytes(b"\0\5\x16\7Mac OS X")
    assert names(["data"], csv=True) == ["data/101.hea", "data/s.hea", "data/a.csv", "data/below/night.EDF"]


def test_pipes_and_devices_in_a_folder_do_not_block(folder: Path) -> None:
    blocking = ["data/x.hea", "data/x.edf", "data/x.csv", "data/x.npy"]
    for path in blocking:
        os.mkfifo(path)
    (folder / "x.xml").symlink_to("/dev/zero")  # of a suffix that other files have, too
    assert set(blocking) <= {*names(["data"], csv=True)} and "data/x.xml" not in names(["data"])
    for path in blocking:
        Path(path).unlink()
        Path(path).symlink_to("/dev/zero")
        assert path in names(["data"], csv=True)
        with pytest.raises(UserError, match=r"is no regular file"):
            open_recording(Path(path), CsvFormat(360.0))
        Path(path).unlink()


def test_names_in_upper_case_are_found_and_are_to_be_renamed(tmp_path: Path) -> None:
    write_format(tmp_path, "r", np.zeros((720, 2), dtype=int), "16")
    (tmp_path / "r.hea").rename(tmp_path / "R.HEA")
    (tmp_path / "r.dat").rename(tmp_path / "R.DAT")
    for argument in (tmp_path / "R.HEA", tmp_path / "R.DAT", tmp_path / "R", tmp_path):
        assert names([str(argument)]) == [str(tmp_path / "R.HEA")]
    with pytest.raises(UserError, match=r"R.HEA: names of WFDB files end in lower case: rename it to R.hea"):
        open_recording(tmp_path / "R.HEA", CsvFormat())
    (tmp_path / "R.HEA").rename(tmp_path / "r.hea")
    with pytest.raises(UserError, match=r"r.dat is missing; there is R.DAT: rename it to r.dat"):
        open_recording(tmp_path / "r.hea", CsvFormat())


# records to compare


@pytest.fixture
def annotated(tmp_path: Path) -> Path:
    """Three records with references, the first two with a test annotator beside them."""
    for name in ("a", "b", "c"):
        write_header(tmp_path, name)
        write_annotations(tmp_path, name, "atr", [100, 400, 900], "NVN")
    for name in ("a", "b"):
        write_annotations(tmp_path, name, "ecg", [101, 401, 901], "NNN")
    return tmp_path


def test_a_folder_gives_the_records_that_both_have_annotated(annotated: Path) -> None:
    records, lacking = find_pairs([str(annotated)], "atr", "ecg")
    assert [record.name for record in records] == ["a", "b"] and lacking == ["c"]


def test_records_are_named_by_path_with_or_without_an_ending(annotated: Path) -> None:
    records, _ = find_pairs([str(annotated / "b.hea"), str(annotated / "a")], "atr", "ecg")
    assert [record.name for record in records] == ["b", "a"]


def test_records_can_be_excluded(annotated: Path) -> None:
    records, lacking = find_pairs([str(annotated)], "atr", "ecg", exclude=["a", "c"])
    assert [record.name for record in records] == ["b"] and lacking == []


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (["c"], {}, "c.ecg is missing"),
        (["nobody"], {}, "nobody.atr is missing"),
        (["a", "a"], {}, "a is given twice"),
        (["."], {"exclude": ["z"]}, "--exclude z: no such record"),
        (["."], {"test": "xyz"}, "no annotations NAME.xyz"),
        (["."], {"reference": "xyz"}, "no annotated WFDB record"),
    ],
)
def test_what_cannot_be_compared_is_said(
    annotated: Path, given: list[str], options: dict[str, Any], message: str
) -> None:
    options = {"reference": "atr", "test": "ecg", **options}
    with pytest.raises(UserError, match=message):
        find_pairs([str(annotated / name) for name in given], **options)
