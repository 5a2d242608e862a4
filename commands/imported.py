"""The file of --import-weights in place of a run, for --test, --predict and --export."""

from __future__ import annotations

import copy
from argparse import Namespace
from pathlib import Path
from typing import Any

from args import run_options
from inference.torch_classifier import TorchClassifier
from models import MODELS, get_model
from toolbox.runs.checkpoint import load_weights
from toolbox.runs.folders import Run
from toolbox.runs.pickle_reader import import_weights, weights_file
from toolbox.runs.predecessor import old_run_options
from toolbox.utils import UserError
from toolbox.utils.aami import CLASS_NAMES, CLASS_SETS
from toolbox.utils.device import pick_device


def imported_run(args: Namespace) -> tuple[dict[str, Any], Run, Path]:
    """A state like a checkpoint's with the weights of the file, a run with the flags given, and the file.

    `args.model_name` is taken from the config.json of the predecessor's run that the file lies in, unless given.

    Raises:
        UserError: the file holds no weights, or nothing says of which model.
    """
    path = weights_file(args.import_weights)
    weights = import_weights(path)
    if args.model_name is None:
        name = (old_run_options(path.parent) or {}).get("model_name")
        if name is None:
            raise UserError(f"--import-weights {path}: --model-name is missing; one of {', '.join(MODELS)}")
        args.model_name = MODELS.canonical(str(name))
    bias = weights.get("fc.bias")
    if bias is not None and len(bias) not in CLASS_SETS:
        raise UserError(f"{path} has {len(bias)} outputs; expected 5 classes (N S V F Q), 4 (without Q) or 2")
    names = CLASS_SETS[len(bias)] if bias is not None else CLASS_NAMES
    options = run_options(args)
    data = {"fingerprint": "", "source": "data that the file does not name"}
    state = {"epoch": 0, "model": weights, "live": None, "log": {"options": options}, "class_names": list(names)}
    config = {"name": path.name, "options": options, "class_names": list(names), "data": data}
    return state, Run(path.parent / path.name.partition(".")[0], config), path


def imported_classifier(args: Namespace, device: str) -> TorchClassifier:
    """The network of the file, for recordings.

    Raises:
        UserError: see `imported_run`; or the weights are not of that model.
    """
    state, _, path = imported_run(args)
    options = copy.copy(args)
    options.num_classes = len(state["class_names"])
    model = get_model(options)
    load_weights(model, state["model"], path)
    return TorchClassifier(model, state["class_names"], f"{args.model_name} of {path}", pick_device(device))
