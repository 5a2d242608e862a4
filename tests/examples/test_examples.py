"""The examples run as their first lines say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from inference import annotate
from tests.conftest import ROOT


def run(name: str, *arguments: str | Path, stdin: str = "") -> list[str]:
    """The lines that an example prints."""
    answer = subprocess.run(
        [sys.executable, "-m", f"examples.{name}", *map(str, arguments)],
        cwd=ROOT, input=stdin, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.splitlines()


def test_annotate_signal(workplace: Path) -> None:
    network = workplace / "model.onnx"
    *lines, last = run("annotate_signal", network, workplace / "100.hea")
    table = annotate(workplace / "100.hea", classifier=network)
    assert [line.split()[2] for line in lines] == table["class"].tolist()
    assert last.startswith(f"{len(table)} beats, ") and "%" in last
    (checkpoint,) = workplace.glob("ecg_data/*/runs/*")
    assert run("annotate_signal", checkpoint, workplace / "100")[-1].startswith(f"{len(table)} beats, ")
    assert len(run("annotate_signal", network, workplace / "belt.csv", "250")) > 50


def test_live_stream(workplace: Path) -> None:
    lines = run("live_stream", workplace / "model.onnx", "250", stdin=(workplace / "belt.txt").read_text())
    with pytest.warns(UserWarning, match="no lead MLII"):
        table = annotate(workplace / "belt.csv", 250, workplace / "model.onnx", leads=["ecg"])
    assert [round(float(line.split()[0]) * 250) for line in lines] == table["sample"].tolist()


def test_every_example_is_run_by_a_test() -> None:
    names = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert names == {"annotate_signal", "live_stream", "board"}  # board: tests/toolbox/export/test_onnx_file.py
