"""Several seeds as one experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import commander
from args import parse_args
from commands import train as training
from commands.seeds import flat, spread
from toolbox.utils import UserError, read_json
from toolbox.utils.signals import Interrupted

FLAGS = "--dataset synthetic --synthetic-patients 4 --synthetic-minutes 2 --model-name cnn1d_3 --epochs 1".split()


def run(root: Path, *argv: str) -> dict[str, Any]:
    return commander.main([*argv, "--root-dir", str(root)])


def test_numbers_of_several_seeds() -> None:
    results = [
        {"a": 1.0, "b": {"c": 2, "d": None}, "e": [1]},
        {"a": 3.0, "b": {"c": 4, "d": None}},
        {"a": None, "b": {"c": 9}},
    ]
    assert flat(results[0]) == {"a": 1.0, "b/c": 2, "b/d": None}
    found = spread(results)
    assert found["a"] == {"mean": 2, "std": pytest.approx(2**0.5), "values": [1, 3, None]}
    assert found["b/c"]["mean"] == 5 and found["b/c"]["std"] == pytest.approx(np.std([2, 4, 9], ddof=1))
    assert found["b/d"] == {"mean": None, "std": None, "values": [None] * 3}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """An experiment of two seeds, trained and tested, in a folder with a run of the same flags before it."""
    root = tmp_path_factory.mktemp("root")
    run(root, *FLAGS, "--seed", "7")
    return root, run(root, *FLAGS, "--seed", "7", "--seeds", "2"), run(root, "--test", "--seeds", "2")


def test_each_seed_is_a_run_of_its_own_with_the_next_version(trained: tuple) -> None:
    root, first, _ = trained
    name = "synthetic_cnn1d_3_opadam_StepLR_lr0.01_nll_bs128_"
    assert first["experiment"] == str(root / "synthetic" / "runs" / f"{name}seeds2_1.json")
    assert first["runs"] == [f"{name}2", f"{name}3"] and first["seeds"] == [7, 8]
    configs = [read_json(root / "synthetic" / "runs" / each / "config.json") for each in first["runs"]]
    assert [config["options"]["seed"] for config in configs] == [7, 8]
    assert {config["experiment"] for config in configs} == {f"{name}seeds2_1"}
    assert "seeds" not in configs[0]["options"]
    assert parse_args(["--config", str(root / "synthetic" / "runs" / first["runs"][0] / "config.json")]).seed == 7
    alone = read_json(root / "synthetic" / "runs" / f"{name}1" / "logger.json")["logged"]["val"][0]
    assert first["val"]["acc1"]["values"][0] == alone["acc1"]  # the same seed alone gives the same


def test_mean_and_spread_of_every_score_are_kept(trained: tuple) -> None:
    root, first, second = trained
    assert read_json(first["experiment"]) == {key: value for key, value in second.items() if key != "experiment"}
    # Two networks may well call as many of the few test rows right, but never with the same probabilities.
    for part, key in (("val", "loss"), ("test", "loss"), ("test", "patients/calibration/ece")):
        assert len(set(second[part][key]["values"])) == 2
    for part, key in (("val", "macro_f1"), ("test", "acc1"), ("test", "loss"), ("test", "patients/calibration/ece")):
        each = second[part][key]
        assert each["mean"] == pytest.approx(np.mean(each["values"]))
        assert each["std"] == pytest.approx(np.std(each["values"], ddof=1))
    runs = [root / "synthetic" / "runs" / name for name in second["runs"]]
    tested = [read_json(path / "pred" / "test_results_ep1.json")["acc1"] for path in runs]
    assert second["test"]["acc1"]["values"] == tested
    assert second["test"]["per_class/Normal/Se"]["values"][0] is not None
    assert not any("seconds" in key for key in second["val"])


def test_the_report_is_printed(trained: tuple, capsys: pytest.CaptureFixture[str]) -> None:
    root, _, second = trained
    run(root, "--test", "--seeds", "2")
    printed = capsys.readouterr().out
    each = second["test"]["acc1"]
    assert f"accuracy: {each['mean']:.4f} +- {each['std']:.4f}" in printed
    assert "mean +- standard deviation of 2 seeds, test" in printed


def test_an_experiment_that_is_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(tmp_path / "a", *FLAGS, "--seeds", "3")
    train_run, calls = training.train_run, []

    def stopped(args: Any, of: Any = None, experiment: str | None = None) -> dict[str, Any]:
        calls.append(args.seed)
        if len(calls) == 2:
            raise Interrupted(15, "epoch 1")
        return train_run(args, of, experiment)

    monkeypatch.setattr(training, "train_run", stopped)
    with pytest.raises(Interrupted, match=r"go on by python commander.py --resume latest --seeds 3 --root-dir"):
        run(tmp_path / "b", *FLAGS, "--seeds", "3")
    with pytest.raises(UserError, match="is trained for 1 of 3 seeds; resume it by --resume latest --seeds 3"):
        run(tmp_path / "b", "--test", "--seeds", "3")
    again = run(tmp_path / "b", "--resume", "latest", "--seeds", "3")
    assert calls == [42, 43, 42, 43, 44]
    assert again["runs"] == whole["runs"]
    assert {key: each["values"] for key, each in again["val"].items()} == {
        key: each["values"] for key, each in whole["val"].items()
    }


def test_a_failed_start_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--masking does nothing for cnn1d_3"):
        run(tmp_path, *FLAGS, "--seeds", "2", "--masking")
    assert not list((tmp_path / "synthetic").glob("runs/*"))


def test_experiments_that_are_not_there_are_told(trained: tuple) -> None:
    root, *_ = trained
    with pytest.raises(
        UserError, match=r"no experiment of 5 seeds fits these flags; there are: .*seeds2_1 \(2 seeds\)"
    ):
        run(root, "--test", "--seeds", "5")
    with pytest.raises(UserError, match="no experiment of 2 seeds"):
        run(root, "--test", "--seeds", "2", "--model-name", "lstm_1")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ("--seeds 0 --model-name cnn1d_3", "at least 1"),
        ("--seeds 3 --prepare", "--seeds goes with training"),
        ("--seeds 3 --resume best", "--seeds goes with training"),
        ("--seeds 3 --model-name cnn1d_3 --version 4", "--version 4 names one run"),
    ],
)
def test_mistakes_are_refused(argv: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_args(argv.split())
    assert said in capsys.readouterr().err
