"""Threads of a training on a CPU: chosen by timed steps that leave no trace, kept by a resume."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import commander
import commands.threads
from args import parse_args
from commands.build import build
from commands.threads import choose_threads, described, fewest, thread_counts, time_threads
from toolbox.runs.checkpoint import load_checkpoint
from toolbox.utils.seeding import generator_states

DATA = ["--dataset", "synthetic", "--synthetic-patients", "3", "--synthetic-minutes", "1"]
TRAIN = ["--model-name", "mlp", "--epochs", "1", "--batch-size", "32", "--precision", "fp32"]  # mlp has dropout


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ROOT with the cache of DATA."""
    root = tmp_path_factory.mktemp("threads")
    commander.main(["--prepare", "--root-dir", str(root), *DATA])
    return root


@pytest.fixture
def root(prepared: Path, tmp_path: Path) -> Path:
    """A ROOT without runs."""
    (tmp_path / "synthetic").mkdir()
    (tmp_path / "synthetic" / "cache").symlink_to(prepared / "synthetic" / "cache")
    return tmp_path


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine of two cores without OMP_NUM_THREADS."""
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A function that lets the timing find a number of threads fastest."""
    return lambda number: monkeypatch.setattr(commands.threads, "fewest", lambda seconds: number)


def train(root: Path, *flags: str) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """Train as `flags` say; the run's folder, config and latest checkpoint."""
    run = Path(commander.main(["--root-dir", str(root), *flags])["run"])
    return run, json.loads((run / "config.json").read_text()), load_checkpoint(run / "checkpoint.pth.tar")


def test_numbers_that_are_tried() -> None:
    assert [thread_counts(most) for most in (1, 2, 6, 16)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8, 16]]


def test_more_threads_are_taken_only_where_they_are_faster() -> None:
    assert fewest({1: 0.010, 2: 0.0098}) == fewest({1: 0.010, 2: 0.0080}) == 1
    assert fewest({1: 0.039, 2: 0.027}) == 2
    assert fewest({1: 0.010, 2: 0.006, 4: 0.0059}) == 2
    assert fewest({1: 0.004, 2: 0.034}) == 1


def test_turns_alternate_and_their_median_counts(monkeypatch: pytest.MonkeyPatch, two_threads: None) -> None:
    clock, steps = [0.0], []

    def step() -> None:
        steps.append(torch.get_num_threads())
        clock[0] += 0.01 * torch.get_num_threads() + (0.5 if len(steps) == 7 else 0)  # once, something else ran

    monkeypatch.setattr(commands.threads.time, "perf_counter", lambda: clock[0])
    assert time_threads(step, [1, 2]) == pytest.approx({1: 0.01, 2: 0.02})
    assert steps == [1, 1, 1, 1, 2, 2, 2, 2] * 5


def test_the_choice_is_a_line() -> None:
    line = "1 of 2: a step takes 4.02 ms with 1, 34.1 ms with 2 (--threads N sets it)"
    assert described({"number": 1, "ms_per_step": {"1": 4.02, "2": 34.11}}) == line
    assert described({"number": 2}) == described({}) == ""


def test_timed_steps_change_nothing(root: Path, two_threads: None, choose: Callable[[int], None]) -> None:
    choose(2)
    built = build(parse_args(["--root-dir", str(root), *DATA, *TRAIN]))
    weights = {name: value.clone() for name, value in built.context.model.state_dict().items()}
    states = generator_states()["torch"]
    threads = choose_threads(built)
    assert threads["number"] == 2 and threads["ms_per_step"].keys() == {"1", "2"}
    assert all(torch.equal(weights[name], value) for name, value in built.context.model.state_dict().items())
    assert all(parameter.grad is None for parameter in built.context.model.parameters())
    assert torch.equal(states, generator_states()["torch"])


def test_the_choice_is_kept_and_gives_the_weights_of_that_number(
    root: Path, two_threads: None, choose: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    choose(1)
    run, config, chosen = train(root, *DATA, *TRAIN)
    assert torch.get_num_threads() == 2  # as before
    assert config["threads"]["number"] == config["hardware"]["threads"] == 1
    shown = capsys.readouterr().out
    assert "cpu, 1 thread" in shown and "threads     1 of 2: a step takes " in shown
    assert "--threads 1" in (run / "report.html").read_text()
    _, config, given = train(root, *DATA, *TRAIN, "--threads", "1")
    assert config["threads"] == {"number": 1}
    assert all(torch.equal(chosen["model"][name], value) for name, value in given["model"].items())

    choose(2)
    more = ("--resume", "latest", "--version", "1")
    _, config, chosen = train(root, *more, "--epochs", "2")  # the run's own number, whatever were chosen now
    assert config["threads"]["number"] == 1 and "hardware" not in config["resumed"][0]
    _, _, given = train(root, "--resume", "latest", "--version", "2", "--epochs", "2")
    assert all(torch.equal(chosen["model"][name], value) for name, value in given["model"].items())
    _, config, _ = train(root, *more, "--epochs", "3", "--threads", "auto")
    assert config["threads"]["number"] == config["resumed"][1]["hardware"]["threads"] == 2
    _, config, _ = train(root, *more, "--epochs", "4", "--threads", "1")
    assert config["threads"] == {"number": 1}


def test_a_run_of_before_goes_on_with_the_threads_of_the_process(root: Path, two_threads: None) -> None:
    run, config, _ = train(root, *DATA, *TRAIN, "--threads", "1")
    del config["threads"], config["options"]["threads"]
    (run / "config.json").write_text(json.dumps(config))
    _, config, _ = train(root, "--resume", "latest", "--epochs", "2")
    assert "threads" not in config
    assert config["resumed"][0]["hardware"]["threads"] == 2


@pytest.mark.parametrize("flag", ["--deterministic", "--threads 2", ""])
def test_nothing_is_timed_where_the_number_is_fixed(
    flag: str, root: Path, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not flag:
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
    built = build(parse_args(["--root-dir", str(root), *DATA, *TRAIN, *flag.split()]))
    assert choose_threads(built) == {"number": 2}
    built.context.device = torch.device("cuda")
    assert choose_threads(built) == {}


@pytest.mark.parametrize("text", ["0", "-1", "many", "1025", "2.0"])
def test_a_number_that_is_none(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_args(["--threads", text])
    assert caught.value.code == 2
    assert "expected auto, or a number of threads from 1 to 1024" in capsys.readouterr().err


def test_predict_refuses_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_args(["--predict", "a.csv", "--threads", "2"])
    assert "with --predict set OMP_NUM_THREADS=2" in capsys.readouterr().err


def test_an_edited_config_is_no_traceback(root: Path) -> None:
    run, config, _ = train(root, *DATA, *TRAIN)
    for value in ("2", {"number": "2"}, {}):
        (run / "config.json").write_text(json.dumps({**config, "threads": value}))
        with pytest.raises(commander.UserError, match="is damaged"):
            train(root, "--resume", "latest", "--epochs", "2")
    (run / "config.json").write_text(json.dumps({**config, "threads": {"number": -7}}))
    assert train(root, "--resume", "latest", "--epochs", "2")[1]["resumed"]
