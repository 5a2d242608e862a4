"""A search from its file to its page: trials that are given up, stopped and gone on with, folds, several objectives."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

import commander
from commands import sweep
from tests.loaders.annotated_records import person, write
from toolbox.utils import UserError, read_json
from toolbox.utils.signals import Interrupted
from trainer import Training

BASE = {"dataset": "synthetic", "synthetic-patients": 4, "synthetic-minutes": 2, "model-name": "cnn1d_3", "ema": 0}
PLAN = {
    "name": "tried",
    "base": {**BASE, "epochs": 2},
    "space": {"lr": {"from": 0.0001, "to": 0.03, "log": True}},
    "trials": 2,
}


def search(folder: Path, **changes: Any) -> dict[str, Any]:
    """Carry out a search that differs from PLAN, in `folder`."""
    (folder / "my.yaml").write_text(yaml.safe_dump({**PLAN, **changes}, sort_keys=False))
    return commander.main(["--sweep", str(folder / "my.yaml"), "--root-dir", str(folder), "--device", "cpu"])


def configs(folder: Path) -> list[dict[str, Any]]:
    """The config.json of each run in `folder`, by the runs' names of --name."""
    every = [read_json(path) for path in folder.glob("*/runs/*/config.json")]
    return sorted(every, key=lambda config: config["options"]["name"])


def test_a_stopped_search_goes_on_and_ends_with_page_and_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_epoch, stopped = Training.run_epoch, []

    def stopping(self: Training, *arguments: Any) -> Any:
        if not stopped:
            stopped.append(os.kill(os.getpid(), signal.SIGINT))
        return run_epoch(self, *arguments)

    monkeypatch.setattr(Training, "run_epoch", stopping)
    with pytest.raises(Interrupted) as caught:
        search(tmp_path)
    assert "; go on by " in str(caught.value) and caught.value.code == 130
    result = search(tmp_path)
    assert (result["trials"], result["states"]) == (2, {"complete": 2})
    assert "trial 1 of 2, again" in capsys.readouterr().out
    first, second = configs(tmp_path)
    assert [config["options"]["name"] for config in (first, second)] == ["tried 1", "tried 2"]
    assert len(first["resumed"]) == 1 and "resumed" not in second
    folder = tmp_path / "synthetic" / "runs" / "tried.sweep"
    page = (folder / "compare.html").read_text(encoding="utf-8")
    assert "History: macro F1 on validation" in page and 'href="../' in page and "All complete trials" in page
    text = (folder / "tried.yaml").read_text()
    assert "validation was looked at 4 times" in " ".join(text.replace("#", "").split()) and "seed 0, commit " in text
    flags = yaml.safe_load(text)
    assert flags["lr"] in [config["options"]["lr"] for config in (first, second)] and flags["epochs"] == 2
    again = commander.main(["--config", str(folder / "tried.yaml"), "--root-dir", str(tmp_path), "--device", "cpu"])
    assert again["best"]["score"] == pytest.approx(result["best"][0]["values"]["score"])  # the winner, to the bit


def test_a_poor_trial_is_given_up_and_its_run_can_be_trained_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep.EpochWatch, "__call__", lambda self, _: self.trial.number == 1 and self.give_up())
    monkeypatch.setattr(sweep.EpochWatch, "give_up", lambda self: setattr(self, "pruned", True) or True, raising=False)
    assert search(tmp_path)["states"] == {"complete": 1, "pruned": 1}
    logs = [read_json(path) for path in tmp_path.glob("*/runs/*/logger.json")]
    short = next(log["logged"] for log in logs if "stopped" in log["logged"])
    assert len(short["val"]) == 1 and short["stopped"]["patience"] == 0
    ended = commander.main(["--resume", "latest", "--name", "tried 2", "--root-dir", str(tmp_path)])
    assert ended["epoch"] == 2


def test_several_objectives_give_a_front(tmp_path: Path) -> None:
    space = {"model-name": ["cnn1d_3", "mlp"]}
    result = search(
        tmp_path, space=space, objectives=["score", "latency", "weights"], base={**BASE, "epochs": 1}, trials=3
    )
    assert result["states"] == {"complete": 3}
    assert 1 <= len(result["best"]) <= 3
    for best in result["best"]:
        assert best["values"].keys() == {"score", "latency", "weights"} and best["values"]["latency"] > 0


def test_each_trial_of_folds_validates_on_every_group_once(tmp_path: Path) -> None:
    for number in (0, 1, 2, 4):
        write(person(number), tmp_path / "folk", f"p{number}")
    base = {"dataset": "ecg", "train-on": [str(tmp_path / "folk")], "model-name": "cnn1d_3", "epochs": 1, "ema": 0}
    result = search(tmp_path, base=base, folds=2)
    runs = configs(tmp_path)
    assert [run["options"]["name"] for run in runs] == [
        f"tried {trial}, fold {fold} of 2" for trial in (1, 2) for fold in (1, 2)
    ]
    assert [run["options"]["fold"] for run in runs] == ["1/2", "2/2"] * 2
    (winner,) = result["best"]
    assert len(winner["runs"]) == 2
    scores = [
        read_json(tmp_path / "ecg" / "runs" / name / "logger.json")["logged"]["val"][0]["macro_f1"]
        for name in winner["runs"]
    ]
    assert winner["values"]["score"] == pytest.approx(sum(scores) / 2)


def test_trials_that_fail_count_and_failures_alone_end_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise UserError("the loss is not finite")

    monkeypatch.setattr(sweep.train, "train_run", failing)
    with pytest.raises(
        UserError, match="3 trials have failed and none has succeeded; the last: the loss is not finite"
    ):
        search(tmp_path, trials=9)
    with contextlib.suppress(UserError):
        search(tmp_path, trials=3)
    assert not list(tmp_path.glob("*/runs/*/config.json"))
