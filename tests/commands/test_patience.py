"""--patience: a training that no longer improves ends by itself, and resumes as if it never had been stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import commander
from tests.commands.test_compare import refused
from tests.toolbox.runs.test_resume import equal, without_times
from toolbox.logger import Experiment
from toolbox.reports.console import stop_line
from toolbox.runs.checkpoint import load_checkpoint
from toolbox.utils import read_json

# A rate at which no weight moves: after the first epoch no score improves.
STILL = "--dataset synthetic --synthetic-patients 4 --synthetic-minutes 2 --model-name cnn1d_3 --device cpu".split()
STILL += "--precision fp32 --lr 1e-30 --weight-decay 0 --ema 0".split()


def trained(root: Path, *words: str) -> dict[str, Any]:
    """The result of a training, or of a resume, below `root`."""
    return commander.main([*words, "--root-dir", str(root)])


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a run that stopped after epoch 3 of 9."""
    root = tmp_path_factory.mktemp("stopped")
    trained(root, *STILL, "--epochs", "9", "--patience", "2")
    return root


def run_of(root: Path) -> Path:
    """The only run below `root`."""
    (path,) = root.glob("synthetic/runs/*/")
    return path


def assert_equal_ends(whole: Path, resumed: Path) -> None:
    """The latest states and the logs of two runs are the same, to the bit."""
    states = [without_times(load_checkpoint(run_of(root) / "checkpoint.pth.tar")) for root in (whole, resumed)]
    for key in states[0]:
        assert equal(states[0][key], states[1][key]), key
    logs = [without_times(read_json(run_of(root) / "logger.json")) for root in (whole, resumed)]
    assert logs[0] == logs[1]


def test_it_stops_after_so_many_epochs_without_a_better_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    result = trained(tmp_path, *STILL, "--epochs", "9", "--patience", "2")
    assert result["epoch"] == 3 and result["best"]["epoch"] == 1
    log = Experiment.from_json(f"{result['run']}/logger.json").logged
    assert [len(log["train"]), len(log["val"])] == [3, 3]
    assert log["stopped"] == {"epoch": 3, "epochs": 9, "patience": 2, "best": result["best"]}
    score = log["val"][0]["macro_f1"]
    line = f"stopped early, after epoch 3 of 9: 2 epochs without a better macro F1 than that of epoch 1: {score:.4f}"
    assert line == stop_line(log["stopped"]) and line in capsys.readouterr().out.splitlines()
    page = (Path(result["run"]) / "report.html").read_text()  # it is drawn and can be tested like any other
    assert "epochs trained: 3 of 9, stopped early: 2 without a better macro F1" in page
    assert trained(tmp_path, "--test")["epoch"] == 1


def test_a_resumed_run_stops_where_one_that_was_never_interrupted_does(stopped: Path, tmp_path: Path):
    trained(tmp_path, *STILL, "--epochs", "2", "--patience", "2")
    assert trained(tmp_path, "--resume", "latest", "--epochs", "9")["epoch"] == 3  # the counter is 1 after epoch 2
    assert_equal_ends(stopped, tmp_path)


def test_more_patience_continues_as_if_it_had_been_there_from_the_start(tmp_path: Path, capsys):
    whole, root = tmp_path / "whole", tmp_path / "extended"
    trained(whole, *STILL, "--epochs", "4", "--patience", "3")
    trained(root, *STILL, "--epochs", "4", "--patience", "2")
    before = (run_of(root) / "checkpoint.pth.tar").read_bytes()
    capsys.readouterr()
    trained(root, "--resume", "latest")
    said = capsys.readouterr().out
    assert "has finished epoch 3 of 4, 2 without a better macro F1; more --patience extend it" in said
    assert (run_of(root) / "checkpoint.pth.tar").read_bytes() == before
    assert trained(root, "--resume", "latest", "--patience", "3")["epoch"] == 4
    log = read_json(run_of(root) / "logger.json")["logged"]
    assert "stopped" not in log and [entry["epoch"] for entry in log["val"]] == [1, 2, 3, 4]
    assert_equal_ends(whole, root)


def test_every_seed_of_an_experiment_stops_by_itself(tmp_path: Path):
    result = trained(tmp_path, *STILL, "--epochs", "9", "--patience", "1", "--seeds", "2", "--monitor", "loss")
    logs = [read_json(tmp_path / "synthetic" / "runs" / name / "logger.json")["logged"] for name in result["runs"]]
    assert [log["stopped"]["epoch"] for log in logs] == [2, 2]
    assert len(result["val"]["loss"]["values"]) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--patience", "2", "--monitor", "last"], "--patience 2 does nothing with --monitor last"),
        (["--patience", "-1"], "expected a whole number of at least 0"),
    ],
)
def test_mistakes_are_one_line(capsys, monkeypatch, words: list[str], message: str):
    assert message in refused(capsys, monkeypatch, *STILL, *words)
