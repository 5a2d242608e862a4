"""Which recordings a command line names."""

from __future__ import annotations

from pathlib import Path

import pytest

from loaders.io.annotations import TABLE_OF_BEATS
from loaders.io.discovery import find_recordings


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
