"""The run or file of --pretrained: its weights' file, and its rows, which the rows of the new run are cut like."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import fields
from pathlib import Path

from inference.options import PRETRAINED
from inference.pretrained import CHECKPOINT, is_pretrained
from inference.pretrained import pretrained_file as checked_file
from loaders.options import InputOptions
from models.options import ModelOptions
from toolbox.runs.checkpoint import BEST, load_checkpoint
from toolbox.runs.folders import list_runs
from toolbox.utils import UserError, note
from toolbox.utils.options import spelling


def pretrained_file(name: str, root: str) -> Path:
    """The checkpoint that --pretrained names: a network that comes with the program, a file, a run's folder, or a run
    by its name.

    Raises:
        UserError: there is no such thing; the message lists the runs.
    """
    if is_pretrained(name):
        return checked_file(name, CHECKPOINT)
    path = Path(name)
    if not path.exists():
        runs = list_runs(root)
        named = [run.path for run in runs if run.name == name]
        if not named:
            names = ", ".join(run.name for run in runs) or "none yet"
            raise UserError(
                f"--pretrained {name}: no such file, folder or run; runs: {names}; networks: {', '.join(PRETRAINED)}"
            )
        path = named[-1]
    return path / BEST if path.is_dir() else path


def with_pretrained_inputs(args: Namespace) -> Namespace:
    """The flags with the model and the rows of --pretrained where none were given.

    Raises:
        UserError: rows were asked for that are cut otherwise: the weights would read other numbers than they learned.
    """
    if not args.pretrained:
        return args
    path = pretrained_file(args.pretrained, args.root_dir)
    log = load_checkpoint(path).get("log")
    own = log.get("options") if isinstance(log, dict) else None
    own = own if isinstance(own, dict) else {}
    if args.model_name is None and not own.get("model_name"):
        raise UserError(f"--pretrained {args.pretrained} does not say of which model it is: --model-name is missing")
    merged, adopted = Namespace(**vars(args)), []
    rows = [one.name for one in fields(InputOptions)]
    for name in [*rows, *(one.name for one in fields(ModelOptions))]:
        if name not in own or own[name] == getattr(args, name):
            continue
        if name not in args.given:
            setattr(merged, name, own[name])
            value = own[name]
            adopted.append(f"{spelling(name)} {' '.join(value) if isinstance(value, list) else value}")
        elif name in rows:
            raise UserError(
                f"{spelling(name)} {getattr(args, name)}: the weights of {path} learned from rows of {own[name]}; "
                "leave the flag out"
            )
    if adopted:
        note(f"as {path}: {' '.join(adopted)}")
    return merged
