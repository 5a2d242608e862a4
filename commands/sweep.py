"""Searches for the best flags: trains trial after trial, each an ordinary run, until the study has as many as its file
asks for; then writes the comparison page and a recipe of the winner.

Any number of processes may run the same command: see toolbox.search.study. Trials are compared by validation alone.
"""

from __future__ import annotations

import contextlib
import shlex
import statistics
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import Trial, TrialState

from args import FREE_FLAGS, LABELS
from commands import train
from commands.build import build
from commands.runs import merge_run_options
from commands.sweep_plan import Plan, read_plan
from commands.sweep_report import shown, write_reports
from toolbox.logger import Experiment
from toolbox.metrics.epoch import better, monitored
from toolbox.reports.comparison import best_validation
from toolbox.reports.score_names import name_of
from toolbox.runs.folders import Run, list_runs
from toolbox.runs.lock import hold
from toolbox.search.places import Place
from toolbox.search.study import SharedStudy, StorageLost, make_pruner
from toolbox.utils import UserError, note, outliving_readers, printable
from toolbox.utils.program import program_words
from toolbox.utils.signals import Ended, Interrupted
from trainer import Training

FINISHED = ("complete", "pruned", "failed")
MOST_FAILURES = 3  # trials of a study that fail without any that succeeds: then something else is wrong
POLL_SECONDS = 2.0  # between two looks at the trials of other workers
SUFFIX = ".sweep"  # of the folder of a search, among the runs
WARM_UP, TIMED = 10, 100  # calls of a network, to time it


def run(args: Namespace) -> dict[str, Any]:
    """Search, or go on with a search; a lost reader of the output ends nothing.

    Returns:
        {"study", "trials": how many are finished, "states": how many of each state, "best": number, values, params and
        runs of the best trials, "files"}.

    Raises:
        UserError: the file or the storage is of no use, or nothing but failures comes of it.
        Interrupted: a signal; the same command goes on.
    """
    with outliving_readers(), going_on():
        plan = read_plan(args)
        first = plan.first_args()
        folder = Path(first.root_dir) / first.dataset / "runs" / f"{plan.name}{SUFFIX}"
        steps = plan.folds or int(first.epochs)
        pruner = make_pruner(plan.pruner if len(plan.objectives) == 1 else "none", steps)
        study = SharedStudy(
            args.storage, folder / "study.db", plan.name, plan.directions, pruner, plan.facts(), plan.trials,
            plan.heartbeat,
        )  # fmt: skip
        print(f"search {plan.name} in {study.where}: {_counts(study.places(), plan.trials)}", flush=True)
        if not any(place.state in FINISHED for place in study.places()):
            build(first)  # data, flags and device are known to be good before a trial is counted
        search(plan, study)
        return write_reports(plan, study, folder, lambda place: runs_of(plan, study, place))


@contextlib.contextmanager
def going_on() -> Iterator[None]:
    """Say in the message of a signal that the same command goes on."""
    command = shlex.join([*program_words(), *sys.argv[1:]])
    try:
        yield
    except Interrupted as stop:
        stop.command = command
        raise
    except Ended as stop:
        stop.advice = f"the search is kept; go on by {command}"
        raise


def search(plan: Plan, study: SharedStudy) -> None:
    """Take trials until all are finished, also those that other workers have begun: a dead one's is taken over."""
    waiting = False
    while True:
        claimed = study.claim(lambda trial: [one.suggest(trial) for one in plan.space])
        if claimed is not None:
            waiting = False
            carry_out(plan, study, *claimed)
            _check_failures(study.places())
            continue
        open_places = [place for place in study.places() if place.state not in FINISHED]
        if not open_places:
            return
        if not waiting:
            names = ", ".join(f"{one.number} ({one.last.user_attrs.get('worker')})" for one in open_places)
            print(f"waiting for trials of other workers: {names}", flush=True)
            waiting = True
        time.sleep(POLL_SECONDS)


def _check_failures(places: list[Place]) -> None:
    states = [place.state for place in places]
    failed = [place for place in places if place.state == "failed"]
    if len(failed) >= MOST_FAILURES and not {"complete", "pruned"} & {*states}:
        raise UserError(f"{len(failed)} trials have failed and none has succeeded; the last: {failed[-1].error}")


def carry_out(plan: Plan, study: SharedStudy, place: Place, trial: Trial) -> None:
    """Train a trial to its end; whatever stops it before gives it back to the study."""
    params = ", ".join(f"{name} {shown(value)}" for name, value in trial.params.items())
    again = ", again" if len(place.trials) > 1 else ""
    print(f"trial {place.number} of {plan.trials}{again}: {params}", flush=True)
    error = ""
    try:
        with study.alive(trial):
            values = measure(plan, study, place, trial)
    except StorageLost:
        raise
    except UserError as failure:
        error, values = printable(failure)[:500], None
    except UpdateFinishedTrialError:
        note(f"trial {place.number} was taken over by another worker, since this one gave no sign of life")
        return
    except BaseException:
        study.release(trial)
        raise
    state = TrialState.FAIL if error else TrialState.PRUNED if values is None else TrialState.COMPLETE
    if not study.finish(trial, state, values, error):
        note(f"trial {place.number} was taken over by another worker; its own result counts")
        return
    outcome = f"failed: {error}" if error else _outcome(plan, values)
    print(f"trial {place.number} of {plan.trials}: {outcome}; {_best(plan, study)}", flush=True)


def measure(plan: Plan, study: SharedStudy, place: Place, trial: Trial) -> list[float] | None:
    """The value of each objective of a trial; None where it was pruned.

    Raises:
        UserError: its flags make no sense together, its loss is not finite, or its score is not defined.
    """
    scores: list[float] = []
    for fold in range(1, plan.folds + 1) if plan.folds else [0]:
        title = f"{plan.name} {place.number}" + (f", fold {fold} of {plan.folds}" if fold else "")
        args = plan.trial_args(trial.params, fold, title)
        watch = EpochWatch(plan, study, trial) if not plan.folds and len(plan.objectives) == 1 else None
        score = train_part(plan, study, place, args, fold, watch)
        if watch is not None and watch.pruned:
            return None
        if score is None:
            raise UserError(f"its {name_of(plan.monitor)} is not defined")
        scores.append(score)
        if plan.folds and len(plan.objectives) == 1:
            with study.reachable():
                trial.report(statistics.mean(scores), fold)
                if fold < plan.folds and trial.should_prune():
                    return None
    return [statistics.mean(scores), *(COSTS[name](args) for name in plan.objectives[1:])]


class EpochWatch:
    """Reports each epoch's validation score of a trial, and says when the search gives it up.

    Attributes:
        pruned: whether it did.
    """

    def __init__(self, plan: Plan, study: SharedStudy, trial: Trial) -> None:
        self.plan, self.study, self.trial = plan, study, trial
        self.reported: set[int] = set()
        self.pruned = False

    def __call__(self, training: Training) -> bool:
        """Ask whether the training is to end here."""
        self.report(training.log.logged["val"])
        with self.study.reachable():
            self.pruned = bool(self.reported) and self.trial.should_prune()
        return self.pruned

    def report(self, entries: list[dict[str, Any]]) -> None:
        """Tell the study the scores of all epochs that it does not have yet."""
        with self.study.reachable():
            for entry in entries:
                score = monitored(self.plan.monitor, entry, entry["epoch"])
                if entry["epoch"] not in self.reported and score is not None:
                    self.trial.report(score, entry["epoch"])
                    self.reported.add(entry["epoch"])


def train_part(
    plan: Plan, study: SharedStudy, place: Place, args: Namespace, fold: int, watch: EpochWatch | None
) -> float | None:
    """Train the run of one fold to its end, or go on with it where a worker was stopped at it; the monitored score of
    its best epoch."""
    begun = [run for run in runs_of(plan, study, place) if run.options.get("fold") == args.fold or not fold]
    run = begun[-1] if begun and is_free(begun[-1]) else None
    if run is not None:
        args = merge_run_options(
            Namespace(**{**vars(args), "resume": "latest", "given": args.given & {*FREE_FLAGS} - {*LABELS}}), run
        )
    result = train.train_run(args, run, experiment_of(study, place), give_up=watch or train.never)
    logged = Experiment.from_json(Path(result["run"]) / "logger.json").logged
    if watch is not None:
        watch.report(logged["val"])  # the last epoch, too
    best = best_validation(logged, str(args.monitor))
    return monitored(plan.monitor, dict(best), best["epoch"])


def is_free(run: Run) -> bool:
    """Check whether no other process trains a run, as one would that only seemed dead."""
    try:
        with hold(run.path):
            return True
    except UserError:
        return False


def experiment_of(study: SharedStudy, place: Place) -> str:
    """The experiment in the config.json of a trial's runs, which tells them from those of all other trials."""
    return f"{study.name} of {study.begun}, trial {place.number}"


def runs_of(plan: Plan, study: SharedStudy, place: Place) -> list[Run]:
    """The runs of a trial that are on this machine, oldest first."""
    first = plan.first_args()
    wanted = experiment_of(study, place)
    return [run for run in list_runs(first.root_dir) if run.config.get("experiment") == wanted]


def latency(args: Namespace) -> float:
    """Milliseconds that the network takes for one beat: the median of TIMED calls, on the device of the training."""
    built = build(args)
    model = built.context.model.eval()
    inputs = built.data.val.batch(torch.arange(1)).inputs(built.context.device)
    seconds = []
    with torch.inference_mode():
        for _ in range(WARM_UP + TIMED):
            start = time.perf_counter()
            model(*inputs).cpu()
            seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds[WARM_UP:])


def weights(args: Namespace) -> float:
    """The number of the network's weights."""
    return float(sum(p.numel() for p in build(args).context.model.parameters()))


COSTS = {"latency": latency, "weights": weights}  # objectives beside the score


def _counts(places: list[Place], trials: int) -> str:
    finished = sum(place.state in FINISHED for place in places)
    return f"{finished} of {trials} trials finished"


def _outcome(plan: Plan, values: list[float] | None) -> str:
    if values is None:
        return "given up"
    names = [name_of(plan.monitor), *plan.objectives[1:]]
    return ", ".join(f"{name} {value:.4g}" for name, value in zip(names, values, strict=True))


def _best(plan: Plan, study: SharedStudy) -> str:
    """The best score so far."""
    best: Place | None = None
    for place in study.places():
        if place.state == "complete" and (
            best is None or better(plan.monitor, place.last.values[0], best.last.values[0])
        ):
            best = place
    return "none is complete yet" if best is None else f"the best is {best.last.values[0]:.4f} of trial {best.number}"
