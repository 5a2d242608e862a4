"""Writes a run's model as ONNX, for others to use without torch."""

from __future__ import annotations

import copy
from argparse import Namespace
from pathlib import Path
from typing import Any

from args import FREE_FLAGS, stored_options
from commands.build import build
from commands.imported import imported_run
from commands.options import imports_weights
from commands.runs import find_run, merge_run_options
from inference.torch_classifier import adaptation_metadata
from loaders.datasets.summary import describe_row
from models.layers import fold_batch_norm
from toolbox.export.onnx_export import export, model_metadata
from toolbox.export.onnx_file import FOLDER
from toolbox.export.onnx_graph import check_installed
from toolbox.export.own_files import check_own
from toolbox.runs.checkpoint import checkpoint_name, load_checkpoint
from toolbox.runs.checkpoint_checks import check_options, check_whole
from toolbox.runs.folders import Run, run_of_file
from toolbox.runs.resume import load_resume_checkpoint


def run(args: Namespace) -> dict[str, Any]:
    """Write a checkpoint as ONNX, in 32 and in 8 bits, checked and scored on the test split, with a model card."""
    check_installed()
    state, origin, path = imported_run(args) if imports_weights(args) else load_state(args)
    if origin is None:
        origin = run_of_file(path, state)
        origin.config["options"] = stored_options(origin.options, path)
        check_options(state, origin.options, FREE_FLAGS, origin.path / "config.json")
        if origin.path == path.parent and "root_dir" not in args.given:
            args.root_dir = str(origin.path.parents[2])
    args = merge_run_options(args, origin)
    folder = Path(args.out) if args.out else path.parent / FOLDER
    check_own(folder)  # before the work
    args.test, args.device, args.compile = True, "cpu", False  # as it is scored, on the CPU
    built = build(args)
    built.load_model(state, origin)
    model, names, row = built.context.model, built.context.class_names, describe_row(built.data)
    metadata = model_metadata(origin.config, vars(args), names, row, state["epoch"], path)
    metadata |= adaptation_metadata(model, args.adapt)
    folded = fold_batch_norm(copy.deepcopy(model))
    written = export(model, folded, built.data, args.validate_on == "val", metadata, folder)
    return {"run": str(origin.path), **written}


def load_state(args: Namespace) -> tuple[dict[str, Any], Run | None, Path]:
    """The checkpoint of --model-file, or of a run, which comes with it; and its file."""
    if args.model_file:
        run, path = None, Path(args.model_file)
        state = load_checkpoint(path)
    else:
        run = find_run(args)
        path = run.path / checkpoint_name(args.resume or "best")
        state = load_resume_checkpoint(run.path, args.resume or "best")
    check_whole(state, path)
    if run is not None:
        check_options(state, run.options, FREE_FLAGS, run.path / "config.json")
    return state, run, path
