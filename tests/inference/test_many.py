"""Many recordings on a terminal: bars within a recording and over all, and whole lines between them."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from inference.files import AnnotateOptions
from inference.many import annotate_files
from loaders.io.discovery import Item
from tests.made import Rule, small_record, write_format


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
