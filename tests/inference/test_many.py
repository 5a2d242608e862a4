"""annotate_files: one that fails does not stop the others; processes, machines, bars on a terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.files import AnnotateOptions
from inference.many import annotate_files
from loaders.io.discovery import Item
from loaders.io.wfdb_record import Record
from tests.made import Rule, several_recordings, small_record, write_format
from toolbox.utils import UserError


@pytest.fixture(scope="module")
def record() -> Record:
    return small_record()


@pytest.fixture
def several(tmp_path: Path) -> list[Item]:
    return several_recordings(tmp_path)


@pytest.mark.parametrize("processes", [0, 2])
def test_one_that_fails_does_not_stop_the_others(
    several: list[Item], tmp_path: Path, processes: int, capfd: pytest.CaptureFixture[str]
) -> None:
    result = annotate_files(
        several, {"none": "no recording none"}, Rule(), AnnotateOptions(out=tmp_path / "out"), processes
    )
    assert sorted(Path(name).name for name in result["recordings"]) == ["r0.hea", "r2.hea", "r3.hea"]
    assert len(result["failed"]) == 3
    output = capfd.readouterr()
    assert len([line for line in output.err.splitlines() if line.startswith("failed: ")]) == 3
    assert "r1.dat has 1000 bytes" in output.err and "would overwrite those of" in output.err
    assert all(f"r{k}: " in output.out for k in (0, 2, 3)) and "Traceback" not in output.err
    written = {path.name for path in (tmp_path / "out").iterdir()}
    endings = ("", ".csv", ".episodes.csv", ".hours.csv", ".html", ".json")
    assert written == {"summary.csv", "index.html"} | {f"r{k}.ecg{end}" for k in (0, 2, 3) for end in endings}


def test_machines_share_the_recordings(
    several: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shares = []
    monkeypatch.setenv("WORLD_SIZE", "3")
    for rank in range(3):
        monkeypatch.setenv("RANK", str(rank))
        result = annotate_files(several[:4], {}, Rule(), AnnotateOptions(out=tmp_path / "out"), 0)
        shares.append({Path(name).stem for name in [*result["recordings"], *result["failed"]]})
    assert shares == [{"r0", "r3"}, {"r1"}, {"r2"}]
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert notes == [
        f"note: share {k} of 3: {n} of 4 recordings (by RANK and WORLD_SIZE)" for k, n in ((1, 2), (2, 1), (3, 1))
    ]
    monkeypatch.setenv("RANK", "3")
    with pytest.raises(UserError, match="RANK is '3', WORLD_SIZE '3'"):
        annotate_files(several[:4], {}, Rule(), AnnotateOptions(out=tmp_path / "out"), 0)


def test_when_all_fail_it_is_an_error(several: list[Item], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"r1\.dat has 1000 bytes"):
        annotate_files(several[1:2], {}, Rule(), AnnotateOptions(), 0)
    with pytest.raises(UserError, match="all 2 failed"):
        annotate_files(several[1:2], {"x": "no x"}, Rule(), AnnotateOptions(), 0)


def test_folders_keep_their_shape_in_the_output(record: Record, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_format(tmp_path / "in" / name, "r", record.digital[:12000], "16")
    items = [Item(tmp_path / "in" / name / "r.hea", Path(name)) for name in ("a", "b")]
    result = annotate_files(items, {}, Rule(), AnnotateOptions(out=tmp_path / "out"), 0)
    assert result["failed"] == {}
    assert (tmp_path / "out" / "a" / "r.ecg").is_file() and (tmp_path / "out" / "b" / "r.ecg").is_file()


def test_an_error_of_ours_is_told_with_where_it_came_from(
    record: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(Rule):
        def probabilities(self, *rows: Any) -> np.ndarray:
            raise ZeroDivisionError("a bug")

    header = write_format(tmp_path, "r", record.digital, "16")
    result = annotate_files([Item(header)], {}, Broken(), AnnotateOptions(), 0)
    assert "ZeroDivisionError: a bug" in result["failed"][str(header)] and "Traceback" in capsys.readouterr().err
    assert result["recordings"] == {}


# bars


class Terminal(io.StringIO):
    """Standard error of someone who looks at it."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    """Two recordings, and a third that cannot be read."""
    for name in ("a", "b"):
        write_format(tmp_path, name, small_record(0.3).digital, "16")
    (tmp_path / "c.hea").write_text("c 1 360 1000\nc.dat 16 200 0 0 0 0 0 MLII\n")
    return [Item(tmp_path / f"{name}.hea") for name in "abc"]


@pytest.mark.parametrize("processes", [0, 2])
def test_bars_on_a_terminal(
    items: list[Item], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], processes: int
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    annotate_files(items, {}, Rule(), AnnotateOptions(), processes)
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == ["a", "b"]
    written = terminal.getvalue()
    assert re.search(r"recordings: +0%\|.*\| 0/3 \[", written)
    assert bool(re.search(r"\ra: +0%\|.*\| 0/18 s \[", written)) == (processes == 0)
    assert re.search(r"(^|[\r\n])failed: .*c\.dat is missing\n", written)


def test_no_bars_elsewhere(items: list[Item], capsys: pytest.CaptureFixture[str]) -> None:
    annotate_files(items[:2], {}, Rule(), AnnotateOptions(), 0)
    output = capsys.readouterr()
    assert output.err == "" and output.out.count("\n") == 2
