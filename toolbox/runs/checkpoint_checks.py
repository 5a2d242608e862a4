"""Validate checkpoints and configs before use: names, kinds of values, the model and the classes."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from toolbox.logger import LOG
from toolbox.utils import UserError, schema_error

# The parts that a resume restores. A checkpoint may lack them (a file of weights alone), but not have them wrong.
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
NUMBER = (int, float)
SCHEDULE = {
    "last_epoch": int,
    "_step_count?": int,
    "_last_lr?": [NUMBER],
    "best?": NUMBER,
    "num_bad_epochs?": int,
    "cooldown_counter?": int,
}
BEST = {"epoch": int, "monitor": str, "score": (*NUMBER, type(None))}


LARGEST = 1 << 30  # bytes of a file: far more than a network here takes, with its optimizer


class SizeError(ValueError):
    """The content of a file would be larger than the file."""


def check_sizes(file: IO[bytes]) -> None:
    """Raise SizeError for a zip archive that would unpack to more than itself; torch does not compress."""
    size = file.seek(0, os.SEEK_END)
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise SizeError("packed members, which torch does not write")
    if sum(member.file_size for member in members) > size:
        raise SizeError(f"its members have more than its {size} bytes")


def check_file(path: Path) -> None:
    """Refuse what is no file, as a pipe that would be waited for, and a file that is larger than any checkpoint.

    Raises:
        UserError: which of them `path` is; OSError: it is not there.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path} is no file but a {'folder' if path.is_dir() else 'pipe or a device'}")
    if status.st_size > LARGEST:
        raise UserError(f"{path} has {status.st_size} bytes, at most {LARGEST} are read")


def check_tensors(value: Any, most: int) -> None:
    """SizeError for a tensor of more than `most` bytes, such as one number that stands for millions of them, and for
    containers that hold each other so often that to walk through them takes more than `most` steps."""
    steps: dict[int, int] = {}  # of each container, by its id; 0 while it is under way

    def walk(part: Any) -> int:
        if isinstance(part, Tensor):
            if part.numel() * part.element_size() > most:
                raise SizeError(f"a tensor of shape {tuple(part.shape)} in a file of {most} bytes")
        elif isinstance(part, dict | list | tuple):
            if id(part) not in steps:
                steps[id(part)] = 0
                steps[id(part)] = 1 + sum(map(walk, part.values() if isinstance(part, dict) else part))
            if not 0 < steps[id(part)] <= most:
                raise SizeError("containers that hold each other again and again")
            return steps[id(part)]
        return 1

    walk(value)


def check_numbers(weights: Mapping[str, Tensor], own: Mapping[str, Tensor], source: str | Path) -> None:
    """Refuse weights that a network would take and could not count with.

    Args:
        weights: by name.
        own: the network's weights of these names, drawn anew.
        source: the file, for the message.

    Raises:
        UserError: a weight is stored as another kind of number, is sparse or quantized, or is not finite.
    """
    for name, value in weights.items():
        dense = value.layout == torch.strided and not value.is_quantized and not value.is_meta
        if not dense or value.is_complex() or value.is_floating_point() != own[name].is_floating_point():
            kind = f"{'' if dense else 'sparse, quantized or empty '}{value.dtype}".replace("torch.", "")
            raise UserError(f"{source} does not fit the model: {name} is {kind}, expected {own[name].dtype}")
        finite = value.to(own[name].dtype).isfinite()
        if not finite.all():
            count = int((~finite).sum())
            raise UserError(
                f"{source} is of no use: {count} of {value.numel()} weights {name} are NaN or infinite; "
                "the training diverged, or the file is damaged"
            )


def check_state(state: Mapping[str, Any], path: str | Path) -> None:
    """Refuse a checkpoint with parts of the wrong kind.

    Raises:
        UserError: with the part of `path`, its kind, and the expected one.
    """
    for name, kind in PARTS.items():
        if name in state and (not isinstance(state[name], kind) or isinstance(state[name], bool)):
            expected = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
            raise UserError(f"{path} is damaged: {name} is a {type(state[name]).__name__}, expected {expected}")
    live, best = state.get("live"), state.get("best")
    if isinstance(live, dict) and not all(isinstance(part, Tensor) for part in live.values()):
        raise UserError(f"{path} is damaged: live holds more than weights")
    if isinstance(best, dict) and not isinstance(best.get("epoch"), int):
        raise UserError(f"{path} is damaged: best names no epoch")


def check_whole(state: Mapping[str, Any], path: str | Path) -> None:
    """Refuse a checkpoint that a run cannot be resumed from or tested by.

    Raises:
        UserError: with the parts that `path` lacks.
    """
    lacks = [name for name in PARTS if name not in (*state, "losses")]  # these came later
    if lacks:
        raise UserError(f"{path} is no whole checkpoint of a run: it lacks {', '.join(lacks)}")
    for name, shape in (("schedule", SCHEDULE), ("best", BEST), ("log", LOG), ("class_names", [str])):
        if state[name] is not None and (problem := schema_error(state[name], shape, name)):
            raise UserError(f"{path} is damaged: {problem}")


def check_fits(state: Mapping[str, Any], model_name: str | None, class_names: Sequence[str], path: str | Path) -> None:
    """Refuse a checkpoint of another model, or one whose logits stand for other classes.

    Raises:
        UserError: with the model or the classes that `path` was trained for, and those it is to be used for.
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


def check_options(state: Mapping[str, Any], options: Mapping[str, Any], free: Iterable[str], path: Path) -> None:
    """Refuse a config.json at `path` whose flags are not those that the checkpoint was trained with.

    Args:
        state: the checkpoint.
        options: the flags of the config.json.
        free: names of those that may differ.

    Raises:
        UserError: with the flag and both values.
    """
    trained = state["log"]["options"]
    for key in sorted(trained.keys() & options.keys() - set(free)):
        if trained[key] != options[key]:
            raise UserError(
                f"{path}: {key} is {options[key]!r}, but the checkpoint was trained with {trained[key]!r}; put it back"
            )
