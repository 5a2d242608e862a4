"""A reader of the output that goes away (`| head -1`) does not end a training."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import commander
from tests.conftest import ROOT
from toolbox.utils import outliving_readers, read_json

FLAGS = "--dataset synthetic --synthetic-patients 2 --synthetic-minutes 1 --model-name cnn1d_3 --device cpu".split()


def run_without_reader(root: Path, words: list[str], streams: str) -> int:
    """The exit code of a command whose output (and perhaps stderr) nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        error = writing if streams == "both" else subprocess.DEVNULL
        words = [sys.executable, "commander.py", *words, "--root-dir", str(root)]
        return subprocess.run(words, cwd=ROOT, stdout=writing, stderr=error, check=False).returncode
    finally:
        os.close(writing)


@pytest.mark.parametrize("streams", ["output", "both"])
def test_a_training_goes_on_and_is_saved(tmp_path: Path, streams: str) -> None:
    assert run_without_reader(tmp_path, [*FLAGS, "--epochs", "2", "--verbose"], streams) == 0
    (run,) = tmp_path.glob("synthetic/runs/*/")
    assert [entry["epoch"] for entry in read_json(run / "logger.json")["logged"]["val"]] == [1, 2]
    assert (run / "report.html").is_file()
    assert run_without_reader(tmp_path, ["--test"], streams) == 0
    assert (run / "pred" / "test_results_ep2.json").exists() or (run / "pred" / "test_results_ep1.json").exists()


def test_so_does_an_experiment(tmp_path: Path) -> None:
    assert run_without_reader(tmp_path, [*FLAGS, "--epochs", "1", "--seeds", "2"], "both") == 0
    (experiment,) = tmp_path.glob("synthetic/runs/*.json")
    assert len(read_json(experiment)["runs"]) == 2


def test_what_is_read_is_as_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with outliving_readers():
        print("first", flush=True)
        print("second", file=sys.stderr)
    assert capsys.readouterr() == ("first\n", "second\n")
    assert commander.main([*FLAGS, "--epochs", "1", "--root-dir", str(tmp_path)])["epoch"] == 1
    assert capsys.readouterr().out.startswith("run ")
