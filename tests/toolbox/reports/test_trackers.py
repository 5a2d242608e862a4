"""toolbox.reports.trackers: one interface, failures that harm nothing, and each package on its local store."""

from __future__ import annotations

import importlib.util
import inspect
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

import commander
from args import parse_args
from commands.trackers import final_scores, hyperparameters, score_names, texts_about, tracker_names
from toolbox.options import TRACKER_NAMES
from toolbox.reports.null_logger import NullLogger
from toolbox.reports.trackers import TRACKERS, check_packages, open_trackers
from toolbox.reports.trackers.facts import Memory, RunFacts
from toolbox.reports.trackers.guarded import Guarded, Several
from toolbox.reports.trackers.numbers import Numbers
from toolbox.runs.folders import Run
from toolbox.utils import UserError, read_json

SMALL = "--dataset synthetic --synthetic-patients 4 --synthetic-minutes 2 --model-name cnn1d_3 --device cpu".split()
METHODS = [name for name in vars(NullLogger) if not name.startswith("_")]


def needs(*names: str) -> pytest.MarkDecorator:
    """Skip a test where the package of a tracker is not installed (requirements-trackers.txt; .ci/run has them)."""
    missing = [name for name in names if importlib.util.find_spec(TRACKERS[name][0]) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {missing}: pip install -r requirements-trackers.txt")


def facts(folder: Path) -> RunFacts:
    """A run of two flags in ROOT/ecg/runs/NAME."""
    path = folder / "ecg" / "runs" / "ecg_mlp_1"
    path.mkdir(parents=True, exist_ok=True)
    return RunFacts(path, "wide", ["paper"], {"note": "hello"}, {"model_name": "mlp", "lr": 0.5})


class Recording(Numbers):
    """Keeps what it is sent."""

    def __init__(self, facts: RunFacts) -> None:
        super().__init__(facts, Memory(facts, "recording"))
        self.sent: list[tuple[dict[str, float], str, float]] = []

    def _send(self, values: dict[str, float], axis: str, step: float) -> None:
        self.sent.append((values, axis, step))

    def _summarize(self, values: dict[str, float]) -> None:
        self.sent.append((values, "summary", 0))


def test_the_light_list_of_names_is_that_of_the_registry() -> None:
    assert tuple(TRACKERS) == TRACKER_NAMES


def test_several_have_the_methods_of_one() -> None:
    for name in METHODS:
        assert (
            inspect.signature(getattr(Several, name)).parameters.keys()
            == inspect.signature(getattr(NullLogger, name)).parameters.keys()
        )
        assert name in vars(Several)


@pytest.mark.parametrize("method", METHODS)
def test_a_tracker_that_fails_is_left_out_and_the_others_go_on(method: str, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(NullLogger):
        """Fails in one method."""

    def fail(self: Any, *_: Any) -> None:
        raise ConnectionError("the server\nis away")

    setattr(Broken, method, fail)
    calls: list[str] = []

    class Listening(NullLogger):
        """Notes the calls of that method."""

    setattr(Listening, method, lambda self, *_: calls.append(method))
    board = Several([Guarded("broken", Broken), Guarded("whole", Listening)])
    words = [None] * len(inspect.signature(getattr(NullLogger, method)).parameters.keys() - {"self", "planned"})
    for _ in range(2):
        getattr(board, method)(*words)
    assert calls == [method] * 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("warning: --tracker broken is left out from here on, the run goes")
    assert "the server is away" in said


def test_one_that_cannot_be_opened_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    def build() -> NullLogger:
        raise ValueError("no such project")

    Several([Guarded("wandb", build)]).scalars("val", {"loss": 1.0}, 1)
    assert "ValueError: no such project" in capsys.readouterr().err


def test_numbers_are_sent_once_also_after_a_resume(tmp_path: Path) -> None:
    board = Recording(facts(tmp_path))
    board.within(1, [(0.5, 2.0), (1.0, 1.0)])
    board.scalars("val", {"epoch": 1, "loss": 0.5, "mAP": None, "per_class": {"Normal": {"+P": 1.0}}}, 1)
    board.learning_rate(0.1, 1)
    board.close()
    assert board.sent == [
        ({"within/loss": 2.0}, "within", 0.5),
        ({"within/loss": 1.0}, "within", 1.0),
        ({"val/loss": 0.5, "val/per_class/Normal/plusP": 1.0}, "epoch", 1),
        ({"learning_rate": 0.1}, "epoch", 1),
    ]
    again = Recording(facts(tmp_path))  # resumed at epoch 1: it comes a second time
    for epoch in (1, 2):
        again.within(epoch, [(1.0, 1.0)])
        again.scalars("val", {"loss": 0.25}, epoch)
        again.learning_rate(0.1, epoch)
    again.scalars("test", {"acc1": 0.9}, 1)
    again.hparams({}, {"acc1": 0.5, "confusion": [[1]]})
    assert [step for _, axis, step in again.sent if axis != "summary"] == [2.0, 2, 2, 1]
    assert again.sent[-1] == ({"best/acc1": 0.5}, "summary", 0)


def test_a_damaged_memory_is_a_new_one(tmp_path: Path) -> None:
    memory = Memory(facts(tmp_path), "x")
    memory.keep("id", 3)
    assert (Memory(facts(tmp_path), "x").id, Memory(facts(tmp_path), "x").epoch) == ("id", 3)
    memory.path.write_text('{"id": 3, "epoch": "many"}')
    assert Memory(facts(tmp_path), "x").epoch == 0
    memory.path.write_text("[")
    assert Memory(facts(tmp_path), "x").id == ""


def test_flags_name_trackers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracker_names(parse_args(SMALL)) == []
    assert tracker_names(parse_args([*SMALL, "--tensorboard"])) == ["tensorboard"]
    words = [*SMALL, "--tensorboard", "--tracker", "mlflow", "tensorboard", "none"]
    assert tracker_names(parse_args(words)) == ["tensorboard", "mlflow"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="--tracker wandb needs the package wandb: pip install wandb"):
        check_packages(["wandb"])
    with pytest.raises(UserError, match="pip install mlflow-skinny sqlalchemy alembic"):
        check_packages(["mlflow"])


def test_the_network_and_the_main_score_come_first() -> None:
    options = {"lr": 0.5, "model_name": "mlp", "split": "interpatient", "device": "cpu", "epochs": 3, "note": "hello"}
    run = Run(Path("ecg/runs/ecg_mlp_1"), {"name": "ecg_mlp_1", "options": options, "command": ["x.py", "--lr", "0.5"]})
    assert list(hyperparameters(run)) == ["model_name", "split", "lr", "epochs"]
    assert score_names(run)[:2] == ["j_kappa", "macro_f1"] and score_names(run)[10] == "test_j_kappa"
    assert final_scores(run, {"acc1": 0.5, "mAP": None}, "test_") == {"test_acc1": 0.5}
    texts = texts_about(run)
    assert texts["note"] == "hello" and texts["command"].endswith("--lr 0.5")
    assert texts["changed flags"].split("  \n")[:2] == ["--lr 0.5", "--model-name mlp"]


def test_a_training_goes_on_without_a_tracker_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(NullLogger):
        """Fails after the first epoch."""

        def within(self, epoch: int, losses: Any) -> None:
            raise RuntimeError(f"{len(losses)} points of epoch {epoch}")

    monkeypatch.setitem(TRACKERS, "tensorboard", ("json", lambda facts, first: Broken()))
    where = ["--root-dir", str(tmp_path)]
    result = commander.main([*SMALL, "--epochs", "2", "--tensorboard", *where])
    assert result["epoch"] == 2
    assert "RuntimeError: 4 points of epoch 1" in capsys.readouterr().err  # four batches


def fill(name: str, tmp_path: Path, first: int = 1) -> RunFacts:
    """Log an epoch and final scores to a tracker, as a training does."""
    run = facts(tmp_path)
    board = open_trackers([name], run, first)
    board.about(run.texts)
    board.within(first, [(0.5, 2.0), (1.0, 1.0)])
    board.scalars("val", {"loss": 0.5 / first}, first)
    board.hparams(run.options, {"acc1": 0.75})
    board.close()
    return run


@needs("mlflow")
def test_mlflow_on_its_local_store(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    from mlflow.tracking import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = fill("mlflow", tmp_path)
    fill("mlflow", tmp_path, 2)
    assert "warning" not in capsys.readouterr().err
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    (kept,) = client.search_runs([client.get_experiment_by_name("pytorch-ecg-ecg").experiment_id])
    assert kept.info.run_id == read_json(run.folder / "trackers" / "mlflow.json")["id"]
    assert kept.info.run_name == "wide" and kept.info.status == "FINISHED"
    assert kept.data.params == {"model_name": "mlp", "lr": "0.5"} and kept.data.tags["paper"] == "yes"
    history = client.get_metric_history(kept.info.run_id, "val/loss")
    assert [(point.step, point.value) for point in history] == [(1, 0.5), (2, 0.25)]
    within = client.get_metric_history(kept.info.run_id, "within/loss")
    assert [point.step for point in within] == [500, 1000, 1500, 2000]
    assert kept.data.metrics["best/acc1"] == 0.75


@needs("wandb")
def test_wandb_offline(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    run = fill("wandb", tmp_path)
    assert "warning" not in capsys.readouterr().err
    (file,) = run.folder.glob("wandb/offline-run-*/run-*.wandb")
    content = file.read_bytes()
    for text in (b"val/loss", b"within/loss", b"best/acc1", b"wide", b"paper", b"model_name"):
        assert text in content, text
    assert file.stem == f"run-{read_json(run.folder / 'trackers' / 'wandb.json')['id']}"


@needs("trackio")
def test_trackio_on_its_local_store(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    for name in [name for name in sys.modules if name.split(".")[0] == "trackio"]:
        monkeypatch.delitem(sys.modules, name)  # it reads TRACKIO_DIR when it is imported
    fill("trackio", tmp_path)
    printed = capsys.readouterr()
    assert "warning" not in printed.err and printed.out == ""
    with sqlite3.connect(tmp_path / "trackio" / "pytorch-ecg-ecg.db") as store:
        rows = [json.loads(row) for (row,) in store.execute("SELECT metrics FROM metrics ORDER BY id")]
        ((name, config),) = store.execute("SELECT run_name, config FROM configs")
    assert name == "wide (ecg_mlp_1)" and json.loads(config)["model_name"] == "mlp"
    assert {"val/loss": 0.5, "epoch": 1} in rows and {"best/acc1": 0.75, "epoch": 1} in rows
    assert [row["within"] for row in rows if "within" in row] == [0.5, 1.0]
