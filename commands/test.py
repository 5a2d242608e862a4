"""Scores the test rows with a checkpoint of a run."""

from __future__ import annotations

import os
from argparse import Namespace
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from args import FREE_FLAGS, database_names
from commands.adapted import adapted_outcome
from commands.build import build
from commands.guide import guide_to
from commands.imported import imported_run
from commands.index import refresh_index
from commands.options import imports_weights
from commands.runs import open_run
from commands.subjects import subjects_of
from commands.threads import using_threads
from commands.trackers import check_trackers, final_scores, hyperparameters, open_board, score_names
from commands.wrong_beats import write_wrong_beats
from loaders.datasets.patients import UNKNOWN_WARNING
from toolbox.logger import Experiment
from toolbox.options import FigureOptions
from toolbox.reports.run_files import write_pictures, write_test_results
from toolbox.reports.run_page import write_page
from toolbox.reports.score_lines import as_lines, other_scores
from toolbox.reports.score_tables import patient_results, write_patient_results
from toolbox.reports.scored_beats import ScoredBeats, write_scored_beats
from toolbox.runs.checkpoint_checks import check_options
from toolbox.runs.folders import Run
from toolbox.runs.resume import load_resume_checkpoint
from toolbox.training.outputs import EpochResult
from toolbox.utils import UserError, note, outliving_readers, printable, remove_abandoned
from trainer import run_epoch, test


def run(args: Namespace) -> dict[str, Any]:
    """Score the test rows with the run that the flags mean, or with the weights of --import-weights."""
    with outliving_readers(), using_threads(args):
        return test_import(args) if imports_weights(args) else test_run(*open_run(args))


def test_import(args: Namespace) -> dict[str, Any]:
    """Score the test rows with the weights of --import-weights; files are written into --out, if it is given.

    Raises:
        UserError: results are there already, which may be another's.
    """
    state, origin, path = imported_run(args)
    if args.out and os.path.lexists(pred := Path(args.out) / "pred") and not _is_empty_folder(pred):
        raise UserError(f"{pred} is there already, and is kept; take another --out, or delete it")
    built = build(args)
    built.load_model(state, origin)
    test_rows, names = built.data.test, built.context.class_names
    outcome = test(built.context, built.evaluation_batches(test_rows))
    rows = test_rows.origin(outcome.ids)
    results = patient_results(0, outcome, rows, names, args.split, None)
    print_scores(f"{args.model_name} of {path}, test scores:", outcome, results)
    if args.out:
        folder = Path(args.out)
        folder.mkdir(parents=True, exist_ok=True)
        probabilities, labels = outcome.probabilities.numpy(), outcome.labels.numpy()
        style = built.options.figures
        write_test_results(folder, 0, outcome.scores, outcome.predictions(), probabilities, labels, names, style)
        write_patient_results(folder, results, outcome, style)
        print(f"written {folder / 'pred'}", flush=True)
    for warning in built.data.warnings:
        note(warning)
    return {"weights": str(path), "test": outcome.scores}


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def test_run(args: Namespace, run: Run) -> dict[str, Any]:
    """Score the test rows with a checkpoint of `run`, the best unless --resume names another."""
    state = load_resume_checkpoint(run.path, args.resume or "best")
    check_options(state, run.options, FREE_FLAGS, run.path / "config.json")
    remove_abandoned(run.path / "pred", ".*.tmp")
    if not state["log"]["logged"]["val"]:
        raise UserError(f"{run.name} has finished no epoch yet; there is nothing to score")
    folder = results_folder(run, args.test_on)
    check_trackers(args)
    built = build(args)
    built.load_model(state, run)
    data, names, epoch = built.data, built.context.class_names, state["epoch"]
    outcome = test(built.context, built.evaluation_batches(data.test))
    outcome = adapted_outcome(outcome, data.test, built, args.adapt)
    scores = outcome.scores
    held_out = None
    if args.validate_on == "val":
        held_out = run_epoch(built.context, built.evaluation_batches(data.val), "calibrate")
        held_out = adapted_outcome(held_out, data.val, built, args.adapt)
    origin = data.test.origin(outcome.ids)
    unit = "records" if UNKNOWN_WARNING in data.warnings else "patients"
    subjects = subjects_of(built, origin)
    patients = patient_results(epoch, outcome, origin, names, args.split, held_out, unit, subjects)
    # before anything is written: the disk may be full
    print_scores(f"{printable(run.name)}\nepoch {epoch}, test scores:", outcome, patients)
    folder.mkdir(parents=True, exist_ok=True)
    probabilities, labels = outcome.probabilities.numpy(), outcome.labels.numpy()
    style = built.options.figures
    path = write_test_results(folder, epoch, scores, outcome.predictions(), probabilities, labels, names, style)
    write_scored_beats(folder, epoch, ScoredBeats.of(outcome, origin, names))
    write_patient_results(folder, patients, outcome, style)
    written = [path.parent]
    if folder == run.path:
        write_wrong_beats(built, folder, "test", epoch, outcome)
        if args.given & {one.name for one in fields(FigureOptions)}:  # the curves of training as well
            write_pictures(run.path, Experiment.from_json(run.path / "logger.json").logged, style)
        written.append(show_test(run, args, epoch, outcome, names, state["best"]))
    for warning in data.warnings:
        note(warning)
    print("\n".join(f"{what} {printable(each)}" for what, each in zip(("written", "report:"), written, strict=False)))
    return {"run": str(run.path), "epoch": epoch, "best": state["best"], "test": scores, "patients": patients}


def print_scores(title: str, outcome: EpochResult, results: dict[str, Any]) -> None:
    """Print each table of the test scores, once."""
    print("\n".join([title, *other_scores(outcome.scores), *as_lines(results)]), flush=True)


def results_folder(run: Run, test_on: list[str]) -> Path:
    """The folder of the results: the run's own, or one below it for databases that it was not started with.

    Raises:
        UserError: there is nothing to test on.
    """
    own = run.options.get("test_on", [])
    if test_on == own and (own or run.options.get("split") != "databases"):
        return run.path
    if not test_on:
        raise UserError(f"{run.name} names nothing to test on; name it by --test-on DB[:LIST]...")
    return run.path / "test_on" / database_names(test_on)


def show_test(
    run: Run, args: Namespace, epoch: int, outcome: EpochResult, names: tuple[str, ...], best: dict[str, Any] | None
) -> Path:
    """Add the test scores to what its trackers show and to its page; the page."""
    board = open_board(args, run, None)  # the curves may reach beyond this epoch
    board.scalars("test", outcome.scores, epoch)
    board.hparams(hyperparameters(run), final_scores(run, outcome.scores, "test_"), score_names(run))
    confusion = np.array(outcome.scores["confusion"])
    board.pictures("test", confusion, outcome.probabilities.numpy(), outcome.labels.numpy(), names, epoch)
    board.close()
    log = Experiment.from_json(run.path / "logger.json")  # all epochs; the checkpoint holds those up to its own
    page = write_page(run, log.to_dict(), best, guide_to(run))
    refresh_index(run.path.parent)
    return page
