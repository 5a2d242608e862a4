"""Starts a run, or goes on with one, to its last epoch."""

from __future__ import annotations

import sys
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from args import FREE_FLAGS, NAME_FLAGS, extract_name, run_options
from commands.build import BuiltRun, build
from toolbox.runs.folders import Run, claim, nothing_left, resume_command
from toolbox.utils import write_json
from toolbox.utils.signals import Ended, Interrupted

if TYPE_CHECKING:
    from toolbox.reports.tensorboard import NullLogger
    from trainer import Training


def train_run(args: Namespace, run: Run | None = None) -> dict[str, Any]:
    """Start a run, or go on with `run`; no other process can do so meanwhile."""
    from toolbox.reports.tensorboard import summary_writer
    from toolbox.runs.lock import hold

    if run is not None:
        with hold(run.path):
            return continue_run(args, run)
    session = build(args)
    training = session.training()
    if args.tensorboard:
        summary_writer()  # what is not installed is told before there is a run
    wanted = int(args.version) if args.version not in (None, "bump") else None
    path, version = claim(Path(args.root_dir) / args.dataset / "runs", extract_name(args), wanted)
    with nothing_left(path), hold(path):
        run = start_run(session, training, path, version)
        print(f"run {run.path}", flush=True)
        return fit(session, training, run)


def continue_run(args: Namespace, run: Run) -> dict[str, Any]:
    """Go on with `run` from the checkpoint that --resume names."""
    from toolbox.runs.checkpoint_checks import check_options
    from toolbox.runs.provenance import resumed
    from toolbox.runs.resume import is_finished, load_resume_checkpoint, restore_training, truncate_run

    state = load_resume_checkpoint(run.path, args.resume, mend=True)
    if is_finished(run.path, state, args.resume, args.epochs):
        print(
            f"nothing to do: {run.name} has finished epoch {state['epoch']} of {args.epochs}; more --epochs extend it"
        )
        return {"run": str(run.path), "epoch": state["epoch"], "best": state["best"]}
    session = build(args)
    training = session.training()
    if not session.load_model(state, run) and state.get("within"):
        print("warning: the epoch that was under way begins anew, on these data", file=sys.stderr)
        state = {**state, "within": None}
    check_options(state, run.options, FREE_FLAGS, run.path / "config.json")
    restore_training(training, state, run.path)
    entry = resumed(run.config, session.data.describe(), session.setting.device, training.epoch)
    run.config["resumed"] = [*run.config.get("resumed", []), entry]
    run.config["options"] = run_options(args)
    write_json(run.path / "config.json", run.config)
    truncate_run(run.path, args.resume, training)
    within = f" and {training.broken_off.batches} batches of the next" if training.broken_off else ""
    print(f"going on with {run.path} after epoch {training.epoch}{within}", flush=True)
    return fit(session, training, run)


def start_run(session: BuiltRun, training: Training, path: Path, version: int) -> Run:
    """Fill the folder of a new run, now that everything it needs is known to be good: a checkpoint of its start, and
    last its config.json, which makes it a run."""
    from toolbox.runs.checkpoint import LATEST, save_checkpoint
    from toolbox.runs.provenance import describe

    config = {
        "name": path.name,
        "version": version,
        "started": datetime.now(UTC).isoformat(timespec="microseconds"),
        "options": run_options(session.args),
        "class_names": list(session.setting.class_names),
        "precision": "bf16" if session.setting.bf16 else "fp32",
        "data": session.data.describe(),
        "warnings": session.data.warnings,
        **describe(session.setting.device),
    }
    if (experiment := getattr(session.args, "experiment", None)) is not None:
        config["experiment"] = experiment
    training.log.name = path.name
    save_checkpoint(path / LATEST, training.state())
    write_json(path / "config.json", config)
    return Run(path, config)


def fit(session: BuiltRun, training: Training, run: Run) -> dict[str, Any]:
    """Train to the last epoch, then draw the run's curves and page, and say what was reached.

    Raises:
        Interrupted: SIGTERM or Ctrl-C, with the command that goes on.
    """
    from loaders.datasets.summary import missing_classes
    from toolbox.reports.tensorboard import get_board

    args = session.args
    for line in [*missing_classes(session.data), *(f"note: {warning}" for warning in session.data.warnings)]:
        print(line, file=sys.stderr)
    board = get_board(run.path / "tensorboard", args.tensorboard, training.epoch + 1)
    try:
        board.graph(training.setting.model, session.data.val[0].inputs(training.setting.device))
        training.make_up(board)
        training.fit(run.path, args.epochs, board, args.verbose, args.checkpoint_minutes)
        return finish(training, run, board)
    except (Interrupted, Ended) as stop:
        board.close()
        told = stop if isinstance(stop, Interrupted) else Interrupted(stop.signal, f"epoch {training.epoch}")
        told.command = resume_command(run, NAME_FLAGS)
        raise told from None


def finish(training: Training, run: Run, board: NullLogger) -> dict[str, Any]:
    """The curves and the page of a run that has come to its last epoch."""
    from toolbox.reports.console import scores_table
    from toolbox.reports.run_files import write_page, write_pictures

    logged, best = training.log.logged, training.best or {}
    entry = training.log.at("val", best["epoch"]) or {}
    board.hparams(logged["hyperparams"], entry)
    board.close()
    write_pictures(run.path, logged)
    page = write_page(run, logged, training.best)
    print(f"best epoch {best['epoch']} by {best['monitor']}, validation scores:\n{scores_table(entry)}\nrun {run.path}")
    print(f"report: {page}", flush=True)
    return {"run": str(run.path), "epoch": training.epoch, "best": training.best, "val": entry}
