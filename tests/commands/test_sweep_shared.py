"""Several workers at one study in a real PostgreSQL: each trial counts once, also when a worker is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

import commander
from tests.conftest import ROOT
from tests.postgres import SECRET, needs_postgres, started
from toolbox.search.places import places_of
from toolbox.utils import UserError, read_json

TRIALS, EPOCHS = 5, 5
FILE = f"""
name: shared
base: {{dataset: synthetic, synthetic-patients: 4, synthetic-minutes: 2, model-name: cnn1d_3, epochs: {EPOCHS}, ema: 0}}
space:
  lr: {{from: 0.0001, to: 0.03, log: true}}
  batch-size: [64, 128]
trials: {TRIALS}
pruner: none
heartbeat: 6
"""

pytestmark = [needs_postgres, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with started() as address:
        yield address


class Worker:
    """A process of the command line, as each machine starts one."""

    def __init__(self, folder: Path, number: int, address: str) -> None:
        self.output = folder / f"worker{number}.txt"
        command = [sys.executable, "commander.py", "--sweep", str(folder / "shared.yaml"), "--storage", address]
        command += ["--root-dir", str(folder / "root"), "--device", "cpu"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)

    def run(self, root: Path) -> Path | None:
        """The run that this worker trains, if an epoch of it is finished and others are to come."""
        for lock in (root / "synthetic" / "runs").glob("*/.lock.json"):
            folder = lock.parent
            with contextlib.suppress(UserError):
                if read_json(lock)["pid"] == self.process.pid and not (folder / "pics").is_dir():
                    log = folder / "logger.json"
                    epochs = len(read_json(log)["logged"]["val"]) if log.is_file() else 0
                    if 0 < epochs < EPOCHS - 1 and (folder / "checkpoint.pth.tar").is_file():
                        return folder
        return None


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, address: str) -> tuple[Path, Path, list[Worker]]:
    """A study that three workers carried out, the first of them killed in the middle of the run that is named."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "shared.yaml").write_text(FILE)
    commander.main(["--prepare", *"--dataset synthetic --synthetic-patients 4 --synthetic-minutes 2".split(),
                    "--root-dir", str(folder / "root")])  # fmt: skip
    workers = [Worker(folder, number, address) for number in (1, 2, 3)]
    until = time.monotonic() + 200
    while (run := workers[0].run(folder / "root")) is None:
        assert workers[0].process.poll() is None and time.monotonic() < until, workers[0].output.read_text()
        time.sleep(0.01)
    workers[0].process.send_signal(signal.SIGKILL)
    assert workers[0].process.wait(30) == -signal.SIGKILL
    for worker in workers[1:]:
        assert worker.process.wait(300) == 0, worker.output.read_text()
    return folder, run, workers


def test_no_trial_is_lost_and_none_counts_twice(killed: tuple, address: str) -> None:
    _, run, _ = killed
    study = optuna.load_study(study_name="shared", storage=address.replace("postgresql", "postgresql+psycopg"))
    places = places_of(study.trials)
    assert [place.number for place in places] == list(range(1, TRIALS + 1))
    assert Counter(place.state for place in places) == {"complete": TRIALS}
    assert sum(trial.state.name == "COMPLETE" for trial in study.trials) == TRIALS
    (again,) = (place for place in places if len(place.trials) > 1)
    assert [trial.state.name for trial in again.trials] == ["FAIL", "COMPLETE"] and again.deaths == 1
    assert again.trials[0].params == again.trials[1].params
    assert again.trials[0].user_attrs["worker"] != again.trials[1].user_attrs["worker"]
    config = read_json(run / "config.json")
    assert config["experiment"].endswith(f"trial {again.number}") and len(config["resumed"]) == 1


def test_each_trial_is_one_run_and_the_killed_one_was_resumed(killed: tuple) -> None:
    folder, run, _ = killed
    runs = [path for path in (folder / "root" / "synthetic" / "runs").iterdir() if (path / "config.json").is_file()]
    configs = {path: read_json(path / "config.json") for path in runs}
    assert len(runs) == TRIALS
    assert sorted(config["options"]["name"] for config in configs.values()) == [
        f"shared {k}" for k in range(1, TRIALS + 1)
    ]
    assert all(config["options"]["tag"] == ["shared"] for config in configs.values())
    assert {path for path, config in configs.items() if "resumed" in config} == {run}
    for path in runs:
        epochs = [entry["epoch"] for entry in read_json(path / "logger.json")["logged"]["val"]]
        assert epochs == list(range(1, EPOCHS + 1)) and (path / "report.html").is_file()


def test_each_worker_that_lived_ends_with_page_and_recipe(killed: tuple) -> None:
    folder, _, workers = killed
    sweep = folder / "root" / "synthetic" / "runs" / "shared.sweep"
    assert (sweep / "compare.html").is_file() and (sweep / "shared.yaml").is_file()
    for worker in workers[1:]:
        text = worker.output.read_text()
        assert f"shared: {TRIALS} complete; validation was looked at {TRIALS * EPOCHS} times" in text
    assert (
        sum(f" of {TRIALS}: macro F1" in line for w in workers for line in w.output.read_text().splitlines()) == TRIALS
    )


def test_the_password_is_in_no_file_and_no_message(killed: tuple) -> None:
    folder, _, _ = killed
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 50
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


def test_another_space_under_the_same_name_is_refused(killed: tuple, address: str, tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text(FILE.replace("[64, 128]", "[64, 256]"))
    with pytest.raises(UserError, match="a search 'shared' with another space; put that back") as caught:
        commander.main(["--sweep", str(tmp_path / "shared.yaml"), "--storage", address, "--root-dir", str(tmp_path)])
    assert SECRET not in str(caught.value)


def test_a_wrong_password_is_one_line_without_it(address: str, tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text(FILE)
    wrong = address.replace(SECRET, f"{SECRET}-other")
    with pytest.raises(UserError, match=r"cannot be used: .*authentication failed") as caught:
        commander.main(["--sweep", str(tmp_path / "shared.yaml"), "--storage", wrong, "--root-dir", str(tmp_path)])
    assert SECRET not in str(caught.value) and "\n" not in str(caught.value)
    assert not list(tmp_path.glob("synthetic"))
