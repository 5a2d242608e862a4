"""Runs that are killed, stopped, damaged or held by another: what comes of them equals what was never disturbed."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import commander
from tests.conftest import ROOT, SMALL
from toolbox.runs.checkpoint import BEST, LATEST, PREVIOUS, load_checkpoint
from toolbox.runs.folders import list_runs
from toolbox.runs.lock import hold
from toolbox.utils import UserError, read_json

TIMES = {"seconds", "date_and_time", "name"}  # a start that was killed before it left a run may have taken a version
EACH = 9  # kills of each recipe
OFTEN = ["--checkpoint-minutes", "0.00002"]  # 1.2 ms, every few steps: epochs of some take 20 ms

TRAINS = "note: Synthetic"  # printed when all is built

RECIPES = {
    "cnn1d_3": "--model-name cnn1d_3 --sampler equal --batch-size 64 --epochs 6",
    "resnet1d_10": "--model-name resnet1d_10 --optimizer sgd --scheduler onecycle --augment light --accumulate 3 "
    "--clip-grad 1 --ema 0 --prune 0.3 --batch-size 50 --epochs 3",
    "lstm_1": "--model-name lstm_1 --scheduler ReduceLROnPlateau --step 1 --accumulate 2 --class-balance importance "
    "--batch-size 32 --epochs 3 --workers 1",
    "gru_seq": "--model-name gru_seq --masking --optimizer adamw --scheduler cosine --batch-size 16 --epochs 4 "
    "--short-run",
    "cnn1d_3 bf16": "--model-name cnn1d_3 --precision bf16 --scheduler cosine --sampler importance --augment light "
    "--criterion focal --batch-size 48 --epochs 4 --monitor loss",
    "lstm_2": "--model-name lstm_2 --scheduler ExponentialLR --lr-decay 0.5 --ema 0.9 --tensorboard --batch-size 4 "
    "--epochs 4",
}


class Launcher:
    """The process of tests/launcher.py: runs command lines in a folder and kills them when told."""

    def __init__(self) -> None:
        command = [sys.executable, str(ROOT / "tests" / "launcher.py")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def run(self, folder: Path, argv: list[str], **order: Any) -> dict[str, Any]:
        """The answer to one order; what the command prints is appended to FOLDER/output."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        order = {"argv": argv, "cwd": str(folder), "output": str(folder / "output"), **order}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self.process.communicate(timeout=30)


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Curves take most of a small run's time and are tested elsewhere; tests/launcher.py draws none either."""
    monkeypatch.setattr("toolbox.reports.run_files.write_pictures", lambda folder, logged, style: [])


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    launcher = Launcher()
    yield launcher
    launcher.close()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ROOT with the data's cache and nothing else."""
    folder = tmp_path_factory.mktemp("prepared")
    commander.main(["--prepare", "--dataset", "synthetic", "--root-dir", str(folder / "ecg_data"), *SMALL])
    return folder


@pytest.fixture
def place(prepared: Path, tmp_path: Path) -> Iterator[Any]:
    """Makes folders to run in, each with the prepared data."""

    def make(name: str) -> Path:
        shutil.copytree(prepared, tmp_path / name)
        return tmp_path / name

    return make


def start(recipe: str) -> list[str]:
    """The command line of a new run."""
    return ["--dataset", "synthetic", *SMALL, *recipe.split(), *OFTEN]


def the_run(folder: Path) -> Path | None:
    """The folder of the only run there is."""
    runs = list_runs(folder / "ecg_data")
    assert len(runs) <= 1
    return runs[0].path if runs else None


def said(folder: Path) -> str:
    """All that was printed."""
    return (folder / "output").read_text()


def without_times(value: Any) -> Any:
    """A value without what differs from one run to the next."""
    if isinstance(value, dict):
        return {key: without_times(part) for key, part in value.items() if key not in TIMES}
    return [without_times(part) for part in value] if isinstance(value, list | tuple) else value


def equal(one: Any, other: Any) -> bool:
    """Whether two states hold the same, tensors bit for bit."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


def assert_equal_runs(whole: Path, resumed: Path) -> None:
    """Weights, optimizer, schedule, generators, scores and predictions are the same, and so are the files' names."""
    kinds = ("*.pth.tar", "*.json", "*.html", "res/*", "pics/*", ".*.tmp", "res/.*", "pics/.*")
    files = [sorted(p.relative_to(run) for kind in kinds for p in run.glob(kind)) for run in (whole, resumed)]
    assert files[0] == files[1]
    for name in (path.name for path in whole.glob("*.pth.tar") if path.name != PREVIOUS):
        states = [without_times(load_checkpoint(run / name)) for run in (whole, resumed)]
        for key in states[0]:
            assert equal(states[0][key], states[1][key]), f"{name}: {key}"
    logs = [without_times(read_json(run / "logger.json")) for run in (whole, resumed)]
    assert logs[0] == logs[1]
    for path in whole.glob("res/*"):
        assert path.read_bytes() == (resumed / "res" / path.name).read_bytes(), path.name


def assert_readable(folder: Path) -> None:
    """Every JSON file and every checkpoint below is whole."""
    for path in folder.rglob("*.json"):
        json.loads(path.read_text())
    for path in folder.rglob("*.pth.tar"):
        load_checkpoint(path)


def kill_again_and_again(name: str, launcher: Launcher, place: Any, each: int) -> None:
    """Kill runs of a recipe `each` times at random moments, resume each time, compare the ends with one unkilled."""
    whole = place("whole")
    answer = launcher.run(whole, start(RECIPES[name]))
    assert answer["status"] == 0, said(whole)
    rng, kills, within, finished = random.Random(name), 0, 0, 0
    while kills < each or not finished:
        folder = place(f"killed_{finished}")
        status = None
        while status != 0:
            run = the_run(folder)
            version = run.name.rpartition("_")[2] if run else ""  # a trial is not the latest by itself
            argv = ["--resume", "latest", "--version", version] if run else start(RECIPES[name])
            order = {}
            if not kills and not finished:  # behind a save within an epoch, which a random moment may never hit
                order = {"saves": 1}
            elif kills < each:  # every third anywhere, the others where it trains
                reach = answer["seconds"] / (1 + finished)  # less when runs end before they are killed
                anywhere = {"kill": rng.uniform(0, 0.4 * reach)}
                order = {"kill": rng.uniform(0, 0.15 * reach), "after": TRAINS} if kills % 3 else anywhere
            status = launcher.run(folder, argv, **order)["status"]
            assert status in (0, -signal.SIGKILL), said(folder)
            kills += status != 0
            assert_readable(folder)
        finished += 1
        within += len(re.findall("batches of the next", said(folder)))
        assert_equal_runs(the_run(whole), the_run(folder))
        if "--tensorboard" in RECIPES[name]:
            assert_curves_have_no_gaps_or_doubles(the_run(folder))
    print(f"{name}: {kills} kills, {within} resumes within an epoch, {finished} runs")
    assert kills >= each
    assert within >= 1


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_that_is_killed_again_and_again_ends_as_if_it_never_had_been(name: str, launcher: Launcher, place: Any):
    kill_again_and_again(name, launcher, place, EACH)


def test_the_recipes_are_killed_fifty_times_in_all() -> None:
    assert EACH * len(RECIPES) >= 50


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", RECIPES)
def test_soak_of_many_more_kills(name: str, launcher: Launcher, place: Any) -> None:
    kill_again_and_again(name, launcher, place, 3 * EACH)


def assert_curves_have_no_gaps_or_doubles(run: Path) -> None:
    """TensorBoard shows each epoch once, with what logger.json says."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(f"{run}/tensorboard")
    events.Reload()
    log = read_json(run / "logger.json")["logged"]
    for tag, split in (("macro_f1/val", "val"), ("acc1/train", "train")):
        assert [event.step for event in events.Scalars(tag)] == [entry["epoch"] for entry in log[split]]
        values = [entry[tag.partition("/")[0]] for entry in log[split]]
        assert [event.value for event in events.Scalars(tag)] == pytest.approx(values, rel=1e-6)


LONG = RECIPES["cnn1d_3"].replace("--epochs 6", "--epochs 60")


@pytest.mark.parametrize(("number", "code", "workers"), [(signal.SIGTERM, 143, "1"), (signal.SIGINT, 130, "0")])
def test_a_signal_saves_at_once_and_says_how_to_go_on(
    launcher: Launcher, place: Any, number: int, code: int, workers: str
):
    folder = place("stopped")
    flags = RECIPES["cnn1d_3"].replace("--epochs 6", "--epochs 60 --workers " + workers)
    argv = [*start(flags)[:-1], "0"]  # nothing saves within an epoch but the signal
    answer = launcher.run(
        folder, argv, after=" 1/60", kill=0.05, signals=[number], group=True
    )  # the workers get it too
    assert answer["status"] == code, said(folder)
    last = said(folder).splitlines()[-1]
    name = signal.Signals(number).name
    found = re.fullmatch(rf"{name}: saved after (epoch \d+|batch \d+ of \d+ in epoch \d+); go on by (python .*)", last)
    assert found, said(folder)
    assert "Traceback" not in said(folder)
    state = load_checkpoint(the_run(folder) / LATEST)
    end = state["epoch"] + 2
    words = found[2].split()
    assert words[:2] == ["python", "commander.py"]
    again = launcher.run(folder, [*words[2:], "--epochs", str(end)])
    assert again["status"] == 0, said(folder)
    whole = place("whole")
    flags = flags.replace("--epochs 60", f"--epochs {end}")
    assert launcher.run(whole, [*start(flags)[:-1], "0"])["status"] == 0
    states = [load_checkpoint(the_run(place) / LATEST) for place in (whole, folder)]
    assert all(equal(states[0][key], states[1][key]) for key in ("model", "live", "optimizer", "order"))


def test_a_second_signal_stops_hard(launcher: Launcher, place: Any):
    folder = place("stopped")
    # Signals that come while Python is in one long call (a garbage collection, for example) are one to it: send more.
    order = {"after": TRAINS, "kill": 0.1, "signals": [signal.SIGTERM] * 10, "gap": 0.1}
    flags = start("--model-name cnn1d_3 --batch-size 1 --accumulate 100000")  # one step, at the end of each epoch
    answer = launcher.run(folder, flags, **order)
    assert answer["status"] == -signal.SIGTERM, said(folder)
    assert_readable(folder)


def test_an_end_that_was_cut_off_is_made_up_for(launcher: Launcher, place: Any):
    folder = place("here")
    assert launcher.run(folder, start(RECIPES["cnn1d_3"]))["status"] == 0
    run = the_run(folder)
    (run / "report.html").unlink()
    assert launcher.run(folder, ["--resume", "latest"])["status"] == 0
    assert (run / "report.html").is_file()
    before = (run / "report.html").read_bytes()
    assert launcher.run(folder, ["--resume", "latest"])["status"] == 0
    assert said(folder).splitlines()[-1].startswith("nothing to do")
    assert (run / "report.html").read_bytes() == before


# damage


@pytest.fixture(scope="module")
def six(launcher: Launcher, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of six epochs, saved within them too."""
    folder = tmp_path_factory.mktemp("six") / "epochs"
    shutil.copytree(prepared, folder)
    assert launcher.run(folder, start(RECIPES["cnn1d_3"]))["status"] == 0
    return folder


@pytest.fixture
def trained(six: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(six, tmp_path / "trained"))


def damage(path: Path) -> None:
    """Flip a bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def resume(folder: Path, *argv: str) -> dict[str, Any]:
    """main() with `argv`, in this process."""
    return commander.main([*argv, "--root-dir", str(folder / "ecg_data")])


@pytest.mark.parametrize("how", ["damaged", "lost"])
def test_of_a_damaged_latest_the_one_before_is_taken(trained: Path, launcher: Launcher, place: Any, how: str):
    run = the_run(trained)
    whole = place("whole")
    recipe = RECIPES["cnn1d_3"].replace("--epochs 6", "--epochs 7")
    assert launcher.run(whole, start(recipe))["status"] == 0
    (run / LATEST).unlink() if how == "lost" else damage(run / LATEST)
    assert launcher.run(trained, ["--resume", "latest", "--epochs", "7"])["status"] == 0
    assert re.search(f"warning: .*{LATEST}.*; taking the one before, {PREVIOUS}", said(trained))
    states = [without_times(load_checkpoint(path / LATEST)) for path in (the_run(whole), run)]
    assert equal(states[0], states[1])
    assert_readable(run)


def test_when_both_are_damaged_the_others_are_named(trained: Path):
    run = the_run(trained)
    damage(run / LATEST)
    damage(run / PREVIOUS)
    with pytest.raises(UserError, match=r"the one before; what else there is: --resume 5, --resume best$"):
        resume(trained, "--resume", "latest", "--epochs", "7")


def test_a_damaged_best_is_refused_naming_what_else_there_is(trained: Path, capsys):
    run = the_run(trained)
    damage(run / BEST)
    for argv in (["--test"], ["--resume", "best", "--epochs", "7"]):
        with pytest.raises(UserError, match=r"model_best.pth.tar is damaged: .*; what else there is: --resume latest"):
            resume(trained, *argv)
    result = resume(trained, "--resume", "latest", "--epochs", "7")
    assert "the best epoch is counted anew from here" in capsys.readouterr().err
    assert load_checkpoint(run / BEST)["epoch"] == result["best"]["epoch"] >= 6
    resume(trained, "--test")


def test_within_the_first_epoch_there_is_nothing_to_score(trained: Path, launcher: Launcher):
    run = the_run(trained)
    state = load_checkpoint(run / LATEST)
    log = {**state["log"], "logged": {"train": [], "val": [], "hyperparams": {}}}
    commander.save_checkpoint(run / LATEST, {**state, "epoch": 0, "log": log})
    with pytest.raises(UserError, match="has finished no epoch yet; there is nothing to score"):
        resume(trained, "--test", "--resume", "latest")


def test_going_back_is_final_even_when_killed_right_after(trained: Path):
    run = the_run(trained)
    resume(trained, "--resume", "5", "--epochs", "7")
    log = read_json(run / "logger.json")["logged"]
    assert [entry["epoch"] for entry in log["val"]] == list(range(1, 8))
    assert load_checkpoint(run / BEST)["epoch"] == load_checkpoint(run / LATEST)["best"]["epoch"]


# locks


def test_a_second_training_of_a_run_is_told_who_holds_it(trained: Path):
    run = the_run(trained)
    before = (run / LATEST).read_bytes()
    with hold(run):
        program = "import sys, commander; sys.exit(commander.cli())"
        argv = ["--resume", "latest", "--epochs", "7"]
        answer = subprocess.run(
            [sys.executable, "-c", program, *argv, "--root-dir", str(trained / "ecg_data")],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert answer.returncode == 2
        assert re.fullmatch(
            r"note: run \S+, the only one that fits\n"
            r"error: .* is being trained by process \d+ on .* since .*; one process at a time\n",
            answer.stderr,
        )
        assert (run / LATEST).read_bytes() == before
        resume(trained, "--test")  # may run beside
    resume(trained, "--resume", "latest", "--epochs", "7")


def test_a_dead_holders_lock_is_taken_over_though_its_workers_live(launcher: Launcher, place: Any):
    folder = place("killed")
    flags = start(LONG + " --workers 2")
    assert launcher.run(folder, flags, after=" 1/60", kill=0.1)["status"] == -signal.SIGKILL
    assert the_run(folder) is not None
    holder = json.loads((the_run(folder) / ".lock.json").read_text())
    assert set(holder) == {"pid", "host", "since"}
    with hold(the_run(folder)):
        assert json.loads((the_run(folder) / ".lock.json").read_text())["pid"] != holder["pid"]
