"""Read weights from pickled checkpoints of other projects, such as the predecessor's, without running any code in them.

See `pickle_program` for how the pickles in them are read.
"""

from __future__ import annotations

import io
import os
import struct
import sys
import zipfile
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from toolbox.runs.checkpoint_checks import check_file, check_sizes
from toolbox.runs.pickle_program import Reader, Storage, View, is_plain
from toolbox.runs.predecessor import CHECKPOINTS, checkpoint_of
from toolbox.utils import UserError

MAGIC = 0x1950A86A20F9469CFC6C  # at the beginning of what torch.save wrote before version 1.6
REUSED = 4  # times that each byte of a storage may be part of a tensor, on the average
PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and of torch.compile
KEYS = ("state_dict", "model_state_dict", "model")  # where checkpoints keep their weights


def read_zip(handle: IO[bytes]) -> tuple[Any, dict[str, bytearray]]:
    """Read a file of torch 1.6 or newer: the value of the pickle, and the bytes of its storages by key."""
    check_sizes(handle)
    with zipfile.ZipFile(handle) as archive:
        members = {member.filename.partition("/")[2]: member for member in archive.infolist()}
        if "byteorder" in members and archive.read(members["byteorder"]).decode() != sys.byteorder:
            raise ValueError("numbers of another byte order")
        value = Reader(io.BytesIO(archive.read(members["data.pkl"])), encoding="utf-8").load()
        names = {name.removeprefix("data/"): name for name in members if name.startswith("data/")}
        return value, {key: bytearray(archive.read(members[name])) for key, name in names.items()}


def read_legacy(handle: IO[bytes]) -> tuple[Any, dict[str, bytearray]]:
    """Read a file that an older torch wrote: five pickles, then the length and numbers of each storage."""
    dtypes: dict[str, torch.dtype] = {}

    class DtypeReader(Reader):
        def persistent_load(self, pid: Any) -> Any:
            storage = super().persistent_load(pid)
            if isinstance(storage, Storage):
                dtypes[storage.key] = storage.dtype
            return storage

    magic, protocol, _, value, keys = (DtypeReader(handle, encoding="utf-8").load() for _ in range(5))
    if magic != MAGIC or protocol != 1001 or not isinstance(keys, list):
        raise ValueError("no file that torch.save wrote")
    start = handle.tell()
    left = handle.seek(0, os.SEEK_END) - handle.seek(start)
    contents: dict[str, bytearray] = {}
    for key in (str(key) for key in keys if is_plain(key)):
        (numel,) = struct.unpack("<q", handle.read(8))
        size, left = numel * dtypes[key].itemsize, left - 8
        if not 0 <= size <= left or key in contents:
            raise ValueError("a storage of impossible length")
        contents[key], left = bytearray(handle.read(size)), left - size
    return value, contents


def read_views(views: dict[str, View], contents: dict[str, bytearray]) -> dict[str, Tensor]:
    """The tensors; names of the same view share one, and together they have few more bytes than their storages."""
    sizes = [view.nbytes for view in views.values()]  # also the proof that they are views
    distinct, most = dict(zip(views.values(), sizes, strict=True)), REUSED * sum(map(len, contents.values()))
    if (total := sum(distinct.values())) > most:
        raise ValueError(f"tensors of {total} bytes out of {most}")
    tensors = {view: view.read(contents[view.storage.key]) for view in distinct}
    return {name: tensors[view] for name, view in views.items()}


def weights_in(value: Any) -> dict[str, View] | None:
    """The state_dict in the content of a checkpoint, None when there is none."""
    if not isinstance(value, dict):
        return None
    for candidate in [*(value.get(key) for key in KEYS), value]:
        if isinstance(candidate, dict) and candidate and all(isinstance(part, View) for part in candidate.values()):
            return {str(name): part for name, part in candidate.items()}
    return None


def import_weights(path: str | Path) -> dict[str, Tensor]:
    """The weights in a checkpoint that may hold pickled objects of any kind; no object is created, no code is run.

    Args:
        path: of the checkpoint, or of a run's folder (see `weights_file`).

    Returns:
        name -> tensor on the CPU; "module." in front of all names is taken away, and those of the predecessor's
        networks are today's.

    Raises:
        UserError: no such file, no checkpoint, a damaged one, or no state_dict in it.
    """
    path = weights_file(path)
    try:
        check_file(path)
        with open(path, "rb") as handle:
            read = read_zip if zipfile.is_zipfile(handle) else read_legacy
            handle.seek(0)
            value, contents = read(handle)
        views = weights_in(value)
        if views is None:
            raise UserError(f"{path} holds no state_dict: no dictionary of names and tensors, alone or under {KEYS[0]}")
        weights = read_views(views, contents)
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except MemoryError as error:
        raise UserError(f"cannot read {path}: memory is full") from error
    except Exception as error:  # a damaged pickle raises all kinds
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"{path} is damaged or not a checkpoint that torch.save wrote: {reason}") from error
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in weights):
            weights = {name.removeprefix(prefix): tensor for name, tensor in weights.items()}
    return rename_cnn1d(weights)


def rename_cnn1d(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of the predecessor's cnn1d_3 by the names of models/cnn1d.py; those of other networks unchanged.

    Its last layer was called fc1, and it held a batch normalisation, bn1, that it never used.
    """
    if not {"conv1.weight", "conv2.weight", "fc1.weight"} <= weights.keys():
        return weights
    names = {name: f"fc.{name[4:]}" if name.startswith("fc1.") else name for name in weights}
    return {names[name]: tensor for name, tensor in weights.items() if not name.startswith("bn1.")}


def weights_file(path: str | Path) -> Path:
    """The file that holds the weights: `path` itself, or in a run's folder its best checkpoint, else the latest.

    Raises:
        UserError: the folder holds no checkpoint.
    """
    path = Path(path)
    if not path.is_dir():
        return path
    checkpoint = checkpoint_of(path)
    if checkpoint is None:
        raise UserError(f"{path} holds no {' or '.join(CHECKPOINTS)}")
    return checkpoint
