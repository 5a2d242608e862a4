"""Annotates recordings with a network, and exports it for others to do so."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from args import FREE_FLAGS, stored_options
from commands.build import build, find_run
from toolbox.runs.folders import Run, merge_run_options


def predict_recordings(args: Namespace) -> dict[str, Any]:
    """Annotate the recordings that --predict names, with the model of a run or of --model-file."""
    from inference.annotate import AnnotateOptions, predict_all
    from loaders.io.discovery import find_recordings
    from loaders.io.recording import CsvFormat

    csv = CsvFormat(args.fs, tuple(args.columns), args.gain)
    if args.predict == ["-"]:
        from inference.stream import annotate_lines

        polarity = "keep" if args.polarity == "auto" else args.polarity
        return annotate_lines(sys.stdin, sys.stdout, load_classifier(args), csv, args.lead, polarity)
    out = Path(args.out) if args.out else None
    settings = AnnotateOptions(args.lead, args.peaks, args.polarity, args.live, args.annotator, out, args.png, csv)
    items, failed = find_recordings(args.predict, csv=args.fs is not None)
    processes = args.workers if "workers" in args.given else 0
    return predict_all(items, failed, load_classifier(args), settings, processes)


def load_classifier(args: Namespace) -> Any:
    """The network of --model-file, or of the run that the flags and --resume mean (its best epoch unless given)."""
    from inference import load

    source = args.model_file or find_run(args).path
    device = "cpu" if args.disable_cuda else "auto"
    return checked(load.load_classifier(source, device, args.resume, args.engine), args)


def checked(classifier: Any, args: Namespace) -> Any:
    """`classifier`; UserError when it has to know a whole recording and is to read one that comes live."""
    if classifier.input_spec and (args.live or args.predict == ["-"]):
        classifier.input_spec.check_live(classifier.name)
    return classifier


def load_state(args: Namespace) -> tuple[dict[str, Any], Run | None, Path]:
    """The checkpoint of --model-file, or of a run, which comes with it; and its file."""
    from toolbox.runs.checkpoint import checkpoint_name, load_checkpoint
    from toolbox.runs.checkpoint_checks import check_whole
    from toolbox.runs.resume import load_resume_checkpoint

    if args.model_file:
        run, path = None, Path(args.model_file)
        state = load_checkpoint(path)
    else:
        run = find_run(args)
        path = run.path / checkpoint_name(args.resume or "best")
        state = load_resume_checkpoint(run.path, args.resume or "best")
    check_whole(state, path)
    return state, run, path


def export_model(args: Namespace) -> dict[str, Any]:
    """Write a checkpoint as ONNX, in 32 and in 8 bits, checked and scored on the test split, with a model card."""
    from loaders.datasets.batches import Batches
    from loaders.datasets.summary import describe_row
    from models.layers import fold_batch_norm
    from toolbox.export.onnx_export import Source, check_installed, export
    from toolbox.export.onnx_file import FOLDER
    from toolbox.runs.folders import run_of_file

    check_installed()
    state, run, path = load_state(args)
    if run is None:
        run = run_of_file(path, state)
        run.config["options"] = stored_options(run.options, path)
        if run.path == path.parent and "root_dir" not in args.given:
            args.root_dir = str(run.path.parents[2])
    args = merge_run_options(args, run, FREE_FLAGS)
    args.test, args.disable_cuda, args.compile = True, True, False  # as it is scored, on the CPU
    session = build(args)
    session.load_model(state, run)
    row, options = describe_row(session.data), vars(args)
    source = Source(
        session.setting.model, fold_batch_norm, session.data, Batches, row, options, run.config, state, path
    )
    found = export(source, Path(args.out) if args.out else path.parent / FOLDER)
    return {"run": str(run.path), **found}
