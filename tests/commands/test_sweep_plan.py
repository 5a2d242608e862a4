"""Files of a search: each mistake is one line, before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from args import parse_args
from commands.sweep_plan import Plan, read_plan
from toolbox.utils import UserError

BASE = {"dataset": "synthetic", "model-name": "cnn1d_3", "epochs": 4}
SPACE = {"lr": {"from": 0.001, "to": "3e-2", "log": True}, "batch-size": [64, 128]}
GOOD = {"base": BASE, "space": SPACE, "trials": 5}


def plan(tmp_path: Path, *flags: str, **changes: Any) -> Plan:
    """The search of a file that differs from GOOD."""
    content = {key: value for key, value in {**GOOD, **changes}.items() if value is not ...}
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return read_plan(parse_args(["--sweep", str(tmp_path / "my.yaml"), *flags]))


def test_a_file_is_read(tmp_path: Path) -> None:
    read = plan(tmp_path, "--device", "cpu", "--tag", "ours")
    assert (read.name, read.trials, read.monitor, read.objectives, read.folds, read.pruner, read.seed) == (
        "my", 5, "macro_f1", ("score",), 0, "median", 0,
    )  # fmt: skip
    assert [one.describe() for one in read.space] == [
        {"from": 0.001, "to": 0.03, "log": True, "step": None},
        ["64", "128"],
    ]
    args = read.trial_args({"lr": 0.0123456, "batch_size": "128"}, 0, "my 3")
    assert (args.lr, args.batch_size, args.epochs, args.name, args.tag) == (0.01235, 128, 4, "my 3", ["ours", "my"])
    assert (args.device, args.monitor, args.validate_on) == ("cpu", "macro_f1", "val")
    assert read.directions == ["maximize"] and plan(tmp_path, monitor="loss").directions == ["minimize"]


def test_recipes_are_bases_and_keep_their_last_epoch(tmp_path: Path) -> None:
    read = plan(tmp_path, base="interpatient", folds=7, monitor="j_kappa")
    args = read.trial_args({"lr": 0.01, "batch_size": "64"}, 3, "my 1, fold 3 of 7")
    assert (args.fold, args.validate_on, args.monitor, args.spliced) == (
        "3/7", "val", "last", "atrial:10+block:2+fibrillation:2+noisy:6",
    )  # fmt: skip
    assert read.flags({"lr": 0.01, "batch_size": "64"})["validate_on"] == "train"  # the winner holds nobody out


def test_lists_switches_and_whole_numbers_are_searched(tmp_path: Path) -> None:
    space = {
        "features": [["rr"], ["rr", "past"]],
        "epochs": {"from": 2, "to": 6, "step": 2},
        "sampler": ["none", "equal"],
    }
    read = plan(tmp_path, base={**BASE, "context": "window"}, space=space)
    params = {"features": "rr past", "epochs": 4, "sampler": "none"}
    args = read.trial_args(params, 0, "my 1")
    assert (args.features, args.epochs, args.sampler) == (["rr", "past"], 4, None)


BAD = {
    "unknown key 'spaces', did you mean 'space'": {"spaces": 1},
    "base: expected a recipe's name": {"base": ...},
    "base: cannot read it": {"base": "nothing_of_the_kind"},
    "base: unknown flag 'lrr', did you mean 'lr'": {"base": {"lrr": 1}},
    "base: unknown flag 'test'": {"base": {"test": True}},
    "base: argument --epochs: 'many': expected a whole number": {"base": {"epochs": "many"}},
    "space: expected lines": {"space": {}},
    "space: unknown flag 'learning'": {"space": {"learning": [1, 2]}},
    "space: --root-dir is no setting of a training": {"space": {"root-dir": ["a", "b"]}},
    "space: --test is no setting of a training": {"space": {"test": [True, False]}},
    "space: --validate-on is no setting of a training": {"space": {"validate-on": ["val", "test"]}},
    "space: --fold is no setting of a training": {"space": {"fold": ["1/3", "2/3"]}},
    "space: lr: an empty range, from 0.1 to 0.01": {"space": {"lr": {"from": 0.1, "to": 0.01}}},
    "space: lr: an empty range, from 0.1 to 0.1": {"space": {"lr": {"from": 0.1, "to": 0.1}}},
    "space: argument --lr: 'fast': expected a number above 0": {"space": {"lr": {"from": "fast", "to": 1}}},
    "space: argument --batch-size: '0.5': expected a whole number": {"space": {"batch-size": {"from": 0.5, "to": 8}}},
    "space: argument --batch-size: 'x'": {"space": {"batch-size": [64, "x"]}},
    "space: optimizer: --optimizer takes no range": {"space": {"optimizer": {"from": "sgd", "to": "adam"}}},
    "space: lr: expected {from: LOW, to: HIGH}": {"space": {"lr": {"low": 1, "high": 2}}},
    "space: lr: expected a list of values": {"space": {"lr": 0.1}},
    "space: lr: expected two different values or more": {"space": {"lr": [0.1]}},
    "space: weight_decay: log: true goes with a range above 0": {
        "space": {"weight-decay": {"from": 0, "to": 1, "log": True}}
    },
    "space: epochs: step: expected a whole number above 0, at most 4": {
        "space": {"epochs": {"from": 2, "to": 6, "step": 0.5}}
    },
    "space: lr: log: expected true or false": {"space": {"lr": {"from": 0.1, "to": 1, "log": "yes, please"}}},
    "trials: expected a whole number from 1": {"trials": 0},
    "trials: expected a whole number from 1 to 1000000, got None": {"trials": ...},
    "monitor: 'test_acc1': expected a score of validation": {"monitor": "test_acc1"},
    "monitor: 'last': expected a score of validation": {"monitor": "last"},
    "monitor: ['acc1']: expected a score": {"monitor": ["acc1"]},
    "objectives: expected a list of score, latency, weights": {"objectives": ["score", "speed"]},
    "objectives: expected score first": {"objectives": ["latency", "score"]},
    "folds: expected 2 or more": {"folds": 1},
    "folds: expected a whole number from 0 to 100, got 'three'": {"folds": "three"},
    "folds: with --split kfold a fold tests": {"folds": 3, "base": {**BASE, "split": "kfold"}},
    "--fold goes with --split kfold": {"folds": 3},
    "pruner: 'fast': expected median, hyperband, none": {"pruner": "fast"},
    "seed: expected a whole number from 0": {"seed": -1},
    "name: 'two words': expected a word": {"name": "two words"},
    "heartbeat: expected a whole number from 2": {"heartbeat": 0},
}


@pytest.mark.parametrize(("said", "changes"), BAD.items(), ids=BAD)
def test_a_mistake_is_named(said: str, changes: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        plan(tmp_path, **changes)
    text = str(caught.value)
    assert text.startswith(f"--sweep {tmp_path / 'my.yaml'}: {said}") and "\n" not in text


def test_flags_beside_it_are_of_all_trials_and_none_is_searched_too(tmp_path: Path) -> None:
    assert plan(tmp_path, "--epochs", "2").trial_args({"lr": 0.01, "batch_size": "64"}, 0, "my 1").epochs == 2
    with pytest.raises(UserError, match="--lr is searched; leave it out"):
        plan(tmp_path, "--lr", "0.1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--sweep x.yaml --test", "leave out --test"),
        ("--sweep x.yaml --seeds 3", "leave out --seeds"),
        ("--sweep x.yaml --monitor acc1", "leave out --monitor"),
        ("--sweep x.yaml --fold 1/3", "leave out --fold"),
        ("--storage postgresql://h/d", "--storage goes with --sweep"),
        ("--sweep x.yaml --storage mysql://h/d", "expected an address that begins with postgresql://"),
    ],
)
def test_flags_that_do_not_go_with_a_search(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_args(words.split())
    (line,) = capsys.readouterr().err.splitlines()
    assert caught.value.code == 2 and said in line


def test_the_recipe_that_comes_along_is_one(tmp_path: Path) -> None:
    read = read_plan(parse_args(["--sweep", "recipes/sweep.yaml"]))
    assert (read.name, read.base, read.trials) == ("sweep", "first", 20)
    with pytest.raises(UserError, match="No such file"):
        read_plan(parse_args(["--sweep", "recipes/swept.yaml"]))
