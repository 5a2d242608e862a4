"""Scores the test rows with a checkpoint of a run."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from commands.build import build
from toolbox.runs.folders import Run
from toolbox.utils import UserError


def test_run(args: Namespace, run: Run) -> dict[str, Any]:
    """Score the test rows with a checkpoint of `run`, the best unless --resume names another."""
    import numpy as np

    from toolbox.logger import Experiment
    from toolbox.reports.console import scores_table
    from toolbox.reports.run_files import write_page, write_test_results
    from toolbox.reports.score_tables import write_patient_results
    from toolbox.reports.tensorboard import get_board
    from toolbox.runs.resume import load_resume_checkpoint
    from trainer import run_epoch, test

    state = load_resume_checkpoint(run.path, args.resume or "best")
    if not state["log"]["logged"]["val"]:
        raise UserError(f"{run.name} has finished no epoch yet; there is nothing to score")
    session = build(args)
    session.load_model(state, run)
    outcome = test(session.setting, session.batches(session.data.test, batch_size=session.evaluation_batch()))
    epoch, names, scores = state["epoch"], session.setting.class_names, outcome.scores
    print(f"{run.name}, epoch {epoch}, test scores:\n{scores_table(scores)}", flush=True)  # first: the disk may be full
    probabilities, labels = outcome.probabilities.numpy(), outcome.labels.numpy()
    path = write_test_results(run.path, epoch, scores, outcome.results(), probabilities, labels, names)
    data, held_out = session.data, None
    if args.validate_on == "val":
        held_out = run_epoch(
            session.setting, session.batches(data.val, batch_size=session.evaluation_batch()), "calibrate"
        )
    origin = data.test.origin(outcome.ids)
    found, lines = write_patient_results(run.path, epoch, outcome, origin, names, args.split, held_out)
    board = get_board(run.path / "tensorboard", args.tensorboard, None)  # the curves go on behind this epoch
    board.scalars("test", scores, epoch)
    board.pictures("test", np.array(scores["confusion"]), probabilities, labels, names, epoch)
    board.close()
    log = Experiment.from_json(run.path / "logger.json")  # all epochs; the checkpoint knows those up to its own
    page = write_page(run, log.logged, state["best"])
    print("\n".join(lines), flush=True)
    for warning in session.data.warnings:
        print(f"note: {warning}", file=sys.stderr)
    print(f"written {path.parent}\nreport: {page}")
    return {"run": str(run.path), "epoch": epoch, "best": state["best"], "test": scores, "patients": found}
