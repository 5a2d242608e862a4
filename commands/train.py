"""Starts a run, or resumes one, and trains it to its last epoch."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from args import FREE_FLAGS, NAME_FLAGS, extract_name, run_options
from commands.build import BuiltRun, build
from commands.guide import guide_to
from commands.index import refresh_index
from commands.pretrained import with_pretrained_inputs
from commands.runs import merge_run_options, open_run
from commands.threads import choose_threads, described, using_threads
from commands.trackers import check_trackers, final_scores, hyperparameters, open_board, score_names
from commands.wrong_beats import write_wrong_beats
from loaders.datasets.summary import missing_classes
from toolbox.reports.console import aligned, class_counts, scores_table
from toolbox.reports.null_logger import NullLogger
from toolbox.reports.run_files import write_pictures
from toolbox.reports.run_page import write_page
from toolbox.reports.score_names import name_of
from toolbox.reports.scored_beats import ScoredBeats, write_scored_beats
from toolbox.runs.checkpoint import LATEST, save_checkpoint
from toolbox.runs.checkpoint_checks import check_options
from toolbox.runs.claim import claim_run_dir, removed_on_failure
from toolbox.runs.folders import Run, list_runs, read_run, resume_command
from toolbox.runs.lock import hold
from toolbox.runs.provenance import describe, resumed
from toolbox.runs.resume import is_finished, load_resume_checkpoint, restore_training, truncate_run
from toolbox.training.distributed import (
    ALONE,
    Processes,
    job_name,
    joined_processes,
    local_rank,
    of_first,
    restarts,
    together,
)
from toolbox.utils import UserError, note, outliving_readers, printable, warn, write_json
from toolbox.utils.device import describe_device, pick_device
from toolbox.utils.signals import Ended, Interrupted
from trainer import Training, run_epoch

GiveUp = Callable[[Training], bool]


def never(_: Training) -> bool:
    """Train to the end."""
    return False


def run(args: Namespace) -> dict[str, Any]:
    """Start a run; with --resume, resume the one that the flags mean. A lost reader of the output ends nothing.

    Several processes that torchrun started train it together; restarted, they resume the run that they had begun.
    """
    with outliving_readers(), joined_processes(partial(on_gpu, args)) as processes:
        if processes.size > 1 and args.compile:
            raise UserError("--compile is for one process, and torchrun started several; leave it out")
        begun = of_first(processes, partial(begun_before, args)) if restarts() else None
        if begun is not None:
            args.resume = "latest"
            return train_run(merge_run_options(args, begun), begun, processes=processes)
        args, run = together(processes, lambda: open_run(args)) if args.resume else (args, None)
        return train_run(args, run, processes=processes)


def on_gpu(args: Namespace) -> bool:
    """Check whether --device means a GPU of NVIDIA's."""
    return pick_device(args.device, args.disable_cuda).type == "cuda"


def begun_before(args: Namespace) -> Run | None:
    """The run that this job of torchrun's had begun before one of its processes died; None if it had not come to it."""
    name = job_name()
    return next((run for run in list_runs(args.root_dir) if name and run.config.get("job") == name), None)


def train_run(
    args: Namespace,
    run: Run | None = None,
    experiment: str | None = None,
    processes: Processes = ALONE,
    give_up: GiveUp = never,
) -> dict[str, Any]:
    """Start a run, or resume `run`; no other process can do so meanwhile.

    Args:
        experiment: the name of the experiment that a new run is part of.
        processes: that train it together; the first of them writes.
        give_up: asked after each epoch; True ends the training there.
    """
    with using_threads(args, run):
        if run is None:
            return new_run(args, experiment, processes, give_up)
        with hold(run.path) if processes.first else nullcontext():
            return continue_run(args, run, processes, give_up)


def new_run(args: Namespace, experiment: str | None, processes: Processes, give_up: GiveUp = never) -> dict[str, Any]:
    """Start a run, and train it to its end; arguments as in `train_run`."""
    args = with_pretrained_inputs(args)
    built = build_by_all(args, processes)
    built.threads = choose_threads(built)
    training = built.training()
    training.give_up = give_up
    check_trackers(args)  # before there is a run
    wanted = int(args.version) if args.version not in (None, "bump") else None
    runs = Path(args.root_dir) / args.dataset / "runs"
    path, version = of_first(processes, lambda: claim_run_dir(runs, extract_name(args), wanted))
    if not processes.first:
        return fit(built, training, Run(path, new_config(built, path, version, experiment)))
    with removed_on_failure(path), hold(path):
        run = start_run(built, training, path, version, experiment)
        return fit(built, training, run)


def build_by_all(args: Namespace, processes: Processes) -> BuiltRun:
    """Data, model and criterion in each process; where the data's cache is missing, one of each machine makes it."""
    early = together(processes, lambda: build(args, processes) if local_rank() == 0 else None)
    return together(processes, lambda: early or build(args, processes))


def continue_run(args: Namespace, run: Run, processes: Processes = ALONE, give_up: GiveUp = never) -> dict[str, Any]:
    """Resume `run` from the checkpoint that --resume names."""
    state = together(processes, lambda: load_resume_checkpoint(run.path, args.resume, mend=processes.first))
    check_options(state, run.options, FREE_FLAGS, run.path / "config.json")
    if is_finished(run.path, state, args.resume, args.epochs, args.patience):
        early = f"{state['epoch'] - state['best']['epoch']} without a better {name_of(state['best']['monitor'])}"
        stopped, more = (f", {early}", "--patience") if state["epoch"] < args.epochs else ("", "--epochs")
        finished = f"{printable(run.name)} has finished epoch {state['epoch']} of {args.epochs}{stopped}"
        print(f"nothing to do: {finished}; more {more} extend it")
        return {"run": str(run.path), "epoch": state["epoch"], "best": state["best"]}
    built = build_by_all(args, processes)
    built.threads = choose_threads(built, resumed=True)
    training = built.training()
    training.give_up = give_up
    if not built.load_model(state, run) and state.get("within"):
        warn("the epoch that was under way begins anew, on these data")
        state = {**state, "within": None}
    restore_training(training, state, run.path)
    if processes.first:
        entry = resumed(run.config, built.data.describe(), built.context.device, training.epoch)
        run.config["resumed"] = [*run.config.get("resumed", []), entry]
        run.config["options"] = run_options(args)
        if "threads" in args.given:
            run.config["threads"] = built.threads
        write_json(run.path / "config.json", run.config)
        truncate_run(run.path, args.resume, training)
    within = f" and {training.interrupted.batches} batches of the next" if training.interrupted else ""
    print(f"resuming {printable(run.path)} after epoch {training.epoch}{within}", flush=True)
    return fit(built, training, run)


def new_config(built: BuiltRun, path: Path, version: int, experiment: str | None) -> dict[str, Any]:
    """The content of config.json of a run that begins."""
    config = {
        "name": path.name,
        "version": version,
        "started": datetime.now(UTC).isoformat(timespec="microseconds"),
        "options": run_options(built.args),
        "class_names": list(built.context.class_names),
        "precision": "bf16" if built.context.bf16 else "fp32",
        "data": built.data.describe(),
        "warnings": built.data.warnings,
        **describe(built.context.device),
    }
    if built.threads:
        config["threads"] = built.threads
    if experiment is not None:
        config["experiment"] = experiment
    if built.context.processes.size > 1:
        config.update(processes=built.context.processes.size, job=job_name())
    return config


def start_run(built: BuiltRun, training: Training, path: Path, version: int, experiment: str | None) -> Run:
    """Fill the folder of a new run, after all that may fail: first a checkpoint of its start, last its config.json,
    which makes it a run."""
    training.log.name = path.name
    save_checkpoint(path / LATEST, training.state())
    config = new_config(built, path, version, experiment)
    write_json(path / "config.json", config)
    return Run(path, config)


def fit(built: BuiltRun, training: Training, run: Run) -> dict[str, Any]:
    """Train to the last epoch, then draw the run's curves and page, and print the best epoch's scores.

    Raises:
        Interrupted: SIGTERM or Ctrl-C, with the command that resumes the run.
    """
    command, options = built.options.command, built.options.training
    for line in missing_classes(built.data):
        print(line, file=sys.stderr)
    for warning in built.data.warnings:
        note(warning)
    print(aligned(opening(built, run)), flush=True)
    first = built.context.processes.first
    if first:
        refresh_index(run.path.parent)
    board = open_board(built.args, run, training.epoch + 1, enabled=first)
    try:
        board.graph(training.context.model, built.data.val[0].inputs(training.context.device))
        training.redraw(board)
        guide = guide_to(run)
        training.after_epoch = lambda: write_page(run, training.log.to_dict(), training.best, guide)
        training.fit(run.path, options.epochs, board, command.verbose, options.checkpoint_minutes, options.patience)
        return finish(built, training, run, board) if first else {"run": str(run.path), "epoch": training.epoch}
    except (Interrupted, Ended) as stop:
        board.close()
        interrupted = stop if isinstance(stop, Interrupted) else Interrupted(stop.signal, f"epoch {training.epoch}")
        interrupted.command = resume_command(run, NAME_FLAGS)
        raise interrupted from None


def opening(built: BuiltRun, run: Run) -> dict[str, str]:
    """The run, its network, device and rows, by name."""
    context, names = built.context, built.context.class_names
    parts = {"train": built.data.train, "val": built.data.val}
    parameters = sum(p.numel() for p in context.model.parameters())
    chosen = described(built.threads)
    several = f", {context.processes.size} processes" if context.processes.size > 1 else ""
    return {
        "run": str(run.path),
        "page": f"{run.page}, after each epoch",
        "model": f"{built.options.model.model_name}, {parameters:,} weights",
        "device": f"{describe_device(context.device)}, {'bf16' if context.bf16 else 'fp32'}{several}",
        **({"threads": chosen} if chosen else {}),
        **{f"{name} rows": class_counts(names, part.class_counts().tolist()) for name, part in parts.items()},
    }


def finish(built: BuiltRun, training: Training, run: Run, board: NullLogger) -> dict[str, Any]:
    """The curves, wrong beats and page of a run that has come to its last epoch."""
    logged, best = training.log.logged, training.best or {}
    entry = training.log.at("val", best["epoch"]) or {}
    board.hparams(hyperparameters(run), final_scores(run, entry), score_names(run))
    board.close()
    write_pictures(run.path, logged, built.options.figures)
    keep_validation(built, training, run)
    now = read_run(run.path) or run  # it may have another --name by now
    page = write_page(now, training.log.to_dict(), training.best, guide_to(now))
    refresh_index(run.path.parent)
    print(f"best epoch {best['epoch']} by {name_of(best['monitor'])}, validation scores:\n{scores_table(entry)}")
    print(f"run {printable(run.path)}\nreport: {printable(page)}", flush=True)
    return {"run": str(run.path), "epoch": training.epoch, "best": training.best, "val": entry}


def keep_validation(built: BuiltRun, training: Training, run: Run) -> None:
    """Keep the validation beats of the best epoch with their probabilities, and examples of those called wrong."""
    assert training.best is not None
    epoch, model = training.best["epoch"], training.context.model
    try:
        state = load_resume_checkpoint(run.path, "best")
    except UserError as error:
        warn(f"the page goes without validation's curves and wrong beats: {error}")
        return
    live = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(state["model"])
    alone = replace(training.context, processes=ALONE)  # only the first of several is here
    outcome = training.best_result or run_epoch(alone, training.val_batches, f"epoch {epoch} again")
    beats = ScoredBeats.of(outcome, built.data.val.origin(outcome.ids), training.context.class_names)
    write_scored_beats(run.path, epoch, beats, "val")
    write_wrong_beats(built, run.path, "val", epoch, outcome)
    model.load_state_dict(live)
