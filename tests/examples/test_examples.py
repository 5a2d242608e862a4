"""The examples run as their first lines say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inference import annotate
from tests.conftest import ROOT
from tests.made import FORBID_TORCH, GAIN, small_record


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
    (checkpoint,) = workplace.glob("ecg_data/*/runs/*/")
    assert run("annotate_signal", checkpoint, workplace / "100")[-1].startswith(f"{len(table)} beats, ")
    assert len(run("annotate_signal", network, workplace / "belt.csv", "250")) > 50


def test_live_stream(workplace: Path) -> None:
    lines = run("live_stream", workplace / "model.onnx", "250", stdin=(workplace / "belt.txt").read_text())
    with pytest.warns(UserWarning, match="no lead MLII"):
        table = annotate(workplace / "belt.csv", 250, workplace / "model.onnx", leads=["ecg"])
    assert [round(float(line.split()[0]) * 250) for line in lines] == table["sample"].tolist()


def test_the_example_for_small_boards_classifies_beats_in_forty_lines(workplace: Path, tmp_path: Path) -> None:
    example = (ROOT / "examples" / "board.py").read_text(encoding="utf-8")
    assert len(example.splitlines()) <= 40
    record = small_record(patient=2)  # one whose beats a simple detector finds
    signal = record.digital[:, 0] / GAIN
    np.savetxt(tmp_path / "signal.csv", signal, fmt="%.3f")
    (tmp_path / "main.py").write_text(FORBID_TORCH + example)
    network = workplace / "model.onnx"
    answer = subprocess.run(
        [sys.executable, str(tmp_path / "main.py"), str(network), str(tmp_path / "signal.csv"), "360"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line.split() for line in answer.stdout.splitlines()]
    times = np.array([float(line[0]) for line in lines])
    true = record.sample[record.symbol != "+"][:-2] / 360
    away = np.abs(times[:, None] - true).min(axis=0)
    assert np.mean(away < 0.05) > 0.9 and abs(len(times) - len(true)) < 0.1 * len(true)
    table = annotate(signal, 360, network)
    nearest = np.abs(times[:, None] - table["time_s"].to_numpy()).argmin(axis=1)
    close = np.abs(times - table["time_s"].to_numpy()[nearest]) < 0.01
    letters, expected = np.array([line[2] for line in lines])[close], table["class"].to_numpy()[nearest][close]
    assert len(set(letters.tolist())) > 1
    assert len(letters) > 0.8 * len(table) and np.mean(letters == expected) > 0.9


def test_every_example_is_run() -> None:
    names = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert names == {"annotate_signal", "board", "live_stream"}
