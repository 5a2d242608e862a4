"""What a checkpoint must hold before anything of it is used: names, kinds of values, the model and the classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from toolbox.utils import UserError

# What a resume takes up: name -> type. A checkpoint may lack them (a file of weights alone), not have them wrong.
PARTS: dict[str, type | tuple[type, ...]] = {
    "epoch": int,
    "model": dict,
    "live": (dict, type(None)),
    "averaged": int,
    "optimizer": dict,
    "schedule": dict,
    "order": Tensor,
    "generators": dict,
    "losses": (Tensor, type(None)),
    "best": (dict, type(None)),
    "log": dict,
    "class_names": list,
}


def check_state(state: Mapping[str, Any], path: str | Path) -> None:
    """Refuse a checkpoint with parts of the wrong kind.

    Raises:
        UserError: which part of `path` is what, and what was expected.
    """
    for name, kind in PARTS.items():
        if name in state and (not isinstance(state[name], kind) or isinstance(state[name], bool)):
            expected = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
            raise UserError(f"{path} is damaged: {name} is a {type(state[name]).__name__}, expected {expected}")
    best = state.get("best")
    if isinstance(best, dict) and not isinstance(best.get("epoch"), int):
        raise UserError(f"{path} is damaged: best names no epoch")


def check_whole(state: Mapping[str, Any], path: str | Path) -> None:
    """Refuse a checkpoint that a run cannot go on from, or be tested by.

    Raises:
        UserError: with what `path` lacks.
    """
    lacks = [name for name in PARTS if name not in (*state, "losses")]  # these came later
    if lacks:
        raise UserError(f"{path} is no whole checkpoint of a run: it lacks {', '.join(lacks)}")


def check_fits(state: Mapping[str, Any], model_name: str | None, class_names: Sequence[str], path: str | Path) -> None:
    """Refuse a checkpoint of another model, or one whose logits stand for other classes.

    Raises:
        UserError: what `path` was trained as, and what it is to be used for.
    """
    log = state.get("log")
    options = log.get("options") if isinstance(log, dict) else None
    trained = options.get("model_name") if isinstance(options, dict) else None
    if trained is not None and model_name is not None and trained != model_name:
        raise UserError(f"{path} is a checkpoint of {trained}, not of {model_name}: take --model-name {trained}")
    names = state.get("class_names")
    if isinstance(names, list) and names != list(class_names):
        raise UserError(
            f"{path} tells {len(names)} classes apart ({', '.join(map(str, names))}), "
            f"the data have {len(class_names)} ({', '.join(class_names)})"
        )
