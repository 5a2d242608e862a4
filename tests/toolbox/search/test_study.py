"""A study's trials: claimed once each, given back, taken over from the dead, and drawn as if nothing had happened."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from toolbox.search.places import MOST_DEATHS, WORKER, places_of
from toolbox.search.space import Choices, Range
from toolbox.search.study import SharedStudy, make_pruner
from toolbox.utils import UserError

SPACE = (
    Range("lr", 0.001, 0.1, log=True),
    Range("batch_size", 16, 64, step=16),
    Choices("optimizer", {"a": 1, "b": 2}),
)
FACTS = {"seed": 1, "space": {one.name: one.describe() for one in SPACE}}


def opened(folder: Path, trials: int = 4, **changes: Any) -> SharedStudy:
    """The study in `folder`, as a worker opens it."""
    pruner = make_pruner("none", 3)
    return SharedStudy(None, folder / "study.db", "ours", ["maximize"], pruner, {**FACTS, **changes}, trials, 60)


def claim(study: SharedStudy) -> tuple[int, Any]:
    """The number of the claimed trial, and Optuna's."""
    claimed = study.claim(lambda trial: [one.suggest(trial) for one in SPACE])
    assert claimed is not None
    return claimed[0].number, claimed[1]


def score(params: dict[str, Any]) -> float:
    """A score that is best at one place of the space."""
    return -abs(params["lr"] - 0.02) - params["batch_size"] / 1000 + (params["optimizer"] == "b")


def carry_out(study: SharedStudy, stop_at: int = 0) -> list[dict[str, Any]]:
    """Take all trials that are left, giving number `stop_at` back once; the parameters by their numbers."""
    while claimed := study.claim(lambda trial: [one.suggest(trial) for one in SPACE]):
        place, trial = claimed
        if place.number == stop_at and len(place.trials) == 1:
            study.release(trial)
            continue
        study.finish(trial, TrialState.COMPLETE, [score(trial.params)])
    return [place.last.params for place in study.places()]


def test_workers_get_each_trial_once(tmp_path: Path) -> None:
    workers = [opened(tmp_path) for _ in range(3)]
    numbers = [claim(worker)[0] for worker in (*workers, workers[0])]
    assert numbers == [1, 2, 3, 4]
    assert all(worker.claim(lambda trial: None) is None for worker in workers)
    assert [place.state for place in workers[2].places()] == ["running"] * 4


def test_more_trials_may_be_asked_for_later(tmp_path: Path) -> None:
    assert len(carry_out(opened(tmp_path, trials=2))) == 2
    assert len(carry_out(opened(tmp_path, trials=5))) == 5


def test_a_search_that_was_stopped_draws_what_it_would_have_drawn(tmp_path: Path) -> None:
    whole = carry_out(opened(tmp_path / "whole", trials=14))
    carry_out(opened(tmp_path / "parts", trials=5), stop_at=3)
    parts = carry_out(opened(tmp_path / "parts", trials=14), stop_at=13)  # 13 is drawn by TPE, 3 at random
    assert parts == whole and len({str(params) for params in whole}) == 14
    other = carry_out(opened(tmp_path / "other", trials=2, seed=2))
    assert other[0] != whole[0]
    assert all(params["batch_size"] in (16, 32, 48, 64) and 0.001 <= params["lr"] <= 0.1 for params in whole)


def test_a_trial_that_was_given_back_comes_again_with_its_parameters(tmp_path: Path) -> None:
    study = opened(tmp_path)
    number, trial = claim(study)
    params = dict(trial.params)
    study.release(trial)
    assert [place.state for place in study.places()] == ["waiting"]
    again, second = claim(opened(tmp_path))
    assert (again, second.params) == (number, params)
    assert study.finish(second, TrialState.COMPLETE, [0.5]) and study.places()[0].deaths == 0


def test_a_trial_of_a_process_that_ended_is_taken_over_at_once(tmp_path: Path) -> None:
    study = opened(tmp_path, trials=1)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host = study.worker.rpartition(":")[0]
    for death in range(MOST_DEATHS):
        study.worker = f"{host}:{ended.pid}"
        number, trial = claim(study)
        assert number == 1 and study.places()[0].deaths == death
    assert study.claim(lambda trial: None) is None
    (place,) = study.places()
    assert place.state == "failed" and place.error == f"{MOST_DEATHS} workers died at it"
    assert len(place.trials) == MOST_DEATHS
    assert not study.finish(trial, TrialState.COMPLETE, [1.0])  # one that only seemed dead changes nothing


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
def test_a_trial_that_was_claimed_by_half_is_claimed_anew(tmp_path: Path) -> None:
    study = opened(tmp_path, trials=1)
    half = study.study.ask()  # its worker died here
    assert WORKER not in half.user_attrs
    assert claim(study)[0] == 1
    assert [[one.state.name for one in place.trials] for place in study.places()] == [["FAIL", "RUNNING"]]


def test_a_silent_worker_of_another_machine_is_taken_over_after_its_time(tmp_path: Path) -> None:
    pruner = make_pruner("none", 3)
    study = SharedStudy(None, tmp_path / "study.db", "ours", ["maximize"], pruner, FACTS, 1, 1)
    study.worker = "elsewhere:1"
    _, trial = claim(study)
    with study.alive(trial):
        assert study.claim(lambda trial: None) is None
    time.sleep(2.5)  # no sign of life for longer than a second
    assert claim(study)[0] == 1
    assert not study.finish(trial, TrialState.COMPLETE, [1.0])


def test_a_failed_trial_counts_and_says_why(tmp_path: Path) -> None:
    study = opened(tmp_path, trials=1)
    _, trial = claim(study)
    study.finish(trial, TrialState.FAIL, error="the loss is not finite")
    (place,) = study.places()
    assert (place.state, place.error) == ("failed", "the loss is not finite")
    assert study.claim(lambda trial: None) is None


def test_another_search_of_the_same_name_is_refused(tmp_path: Path) -> None:
    opened(tmp_path)
    with pytest.raises(UserError, match="a search 'ours' with another seed; put that back to go on with it"):
        opened(tmp_path, seed=2)


def test_a_damaged_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_bytes(b"no database" * 1000)
    with pytest.raises(UserError, match=r"study\.db cannot be used: .*not a database") as caught:
        opened(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_pruners() -> None:
    assert isinstance(make_pruner("median", 3), optuna.pruners.MedianPruner)
    assert isinstance(make_pruner("hyperband", 3), optuna.pruners.HyperbandPruner)
    assert isinstance(make_pruner("none", 3), optuna.pruners.NopPruner)
    assert places_of([]) == []
