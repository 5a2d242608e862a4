"""Which recordings a command line names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loaders.io.annotations import TABLE_OF_BEATS
from loaders.io.discovery import find_pairs, find_recordings
from tests.made import write_annotations, write_header
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
