"""Weights out of pickled checkpoints of other projects, the predecessor's among them, without running what is in them.

A pickle is a program. This reader follows it, but the only things it calls are the few below that put tensors and plain
containers together; every other class or function it names becomes an inert placeholder.
"""

from __future__ import annotations

import io
import math
import os
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

import torch
from torch import Tensor

from toolbox.runs.checkpoint_checks import check_file, check_sizes
from toolbox.runs.predecessor import CHECKPOINTS, checkpoint_of
from toolbox.utils import UserError

MAGIC = 0x1950A86A20F9469CFC6C  # at the beginning of what torch.save wrote before version 1.6
PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and of torch.compile
KEYS = ("state_dict", "model_state_dict", "model")  # where checkpoints keep their weights

DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class Inert:
    """Stands for an object of a class that is not wanted: takes whatever a pickle does to it and does nothing."""

    def ignore(self, *_: Any) -> None:
        """Nothing."""

    append = extend = add = update = __setitem__ = ignore


@dataclass(frozen=True)
class Storage:
    """Where a tensor's numbers are: `numel` of `dtype`, under `key` in the file."""

    key: str
    dtype: torch.dtype
    numel: int


@dataclass(frozen=True)
class View:
    """A tensor before its numbers are read: `offset`, `size` and `stride` count elements of `storage`."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of its numbers.

        Raises:
            ValueError: offset, size or stride are no such numbers.
        """
        numbers = (self.offset, *self.size, *self.stride)
        if not all(type(number) is int and number >= 0 for number in numbers) or len(self.size) != len(self.stride):
            raise ValueError("a tensor's shape is no shape")
        return math.prod(self.size) * self.storage.dtype.itemsize

    def read(self, content: bytearray) -> Tensor:
        """The tensor, out of its storage's bytes; ValueError when it reaches beyond them."""
        last = self.offset + sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))
        have = len(content) // self.storage.dtype.itemsize
        if self.nbytes > len(content) or (self.nbytes and last >= have):
            raise ValueError("a tensor is longer than its numbers")
        if self.nbytes == 0:
            return torch.zeros(self.size, dtype=self.storage.dtype)
        flat = torch.frombuffer(content, dtype=self.storage.dtype, count=have)
        return flat.as_strided(self.size, self.stride, self.offset).clone()


def rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Any:
    """In place of torch._utils._rebuild_tensor and _rebuild_tensor_v2."""
    if not isinstance(storage, Storage):
        return Inert()
    return View(storage, offset, tuple(size), tuple(stride))


def rebuild_parameter(data: Any, *_: Any) -> Any:
    """In place of torch._utils._rebuild_parameter: a parameter is read as its tensor."""
    return data


# What a pickle may call, by the name that it knows it by. Everything else is an Inert.
CALLABLE = {
    ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
    ("collections", "OrderedDict"): OrderedDict,
    ("torch", "Size"): tuple,
}


class Reader(pickle._Unpickler):  # in Python: C's reserves any memory it is told to
    """Follows a pickle; see CALLABLE for all that it ever calls."""

    stack: list[Any]
    append: Callable[[Any], None]
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        return CALLABLE.get((module, name), Inert)

    def persistent_load(self, pid: Any) -> Any:
        if not (isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage"):
            return pid[1] if isinstance(pid, tuple) and len(pid) > 1 and pid[0] == "module" else Inert()
        _, dtype, key, _, numel = pid[:5]
        if not isinstance(dtype, torch.dtype) or type(numel) is not int:
            return Inert()
        return Storage(str(key), dtype, numel)

    def call(self, function: Any, arguments: Any) -> Any:
        """What `function` makes of `arguments`, if it is one of CALLABLE's."""
        return function(*arguments) if any(function is known for known in CALLABLE.values()) else Inert()

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self.call(self.stack[-1], arguments)

    def load_newobj_ex(self) -> None:
        self.stack.pop()
        self.load_reduce()

    def load_build(self) -> None:
        self.stack.pop()  # an object's state: tensors and containers have none that is needed

    def _instantiate(self, klass: Any, args: Any) -> None:
        self.append(self.call(klass, args))

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_reduce
    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex
    dispatch[pickle.BUILD[0]] = load_build


def read_zip(handle: IO[bytes]) -> tuple[Any, dict[str, bytearray]]:
    """A file of torch 1.6 or newer: what the pickle holds, and the bytes of its storages by key."""
    check_sizes(handle)
    with zipfile.ZipFile(handle) as archive:
        members = {member.filename.partition("/")[2]: member for member in archive.infolist()}
        if "byteorder" in members and archive.read(members["byteorder"]).decode() != sys.byteorder:
            raise ValueError("numbers of another byte order")
        value = Reader(io.BytesIO(archive.read(members["data.pkl"])), encoding="utf-8").load()
        names = {name.removeprefix("data/"): name for name in members if name.startswith("data/")}
        return value, {key: bytearray(archive.read(members[name])) for key, name in names.items()}


def read_legacy(handle: IO[bytes]) -> tuple[Any, dict[str, bytearray]]:
    """The same of a file that an older torch wrote: five pickles, then each storage's length and numbers."""
    dtypes: dict[str, torch.dtype] = {}

    class Noting(Reader):
        def persistent_load(self, pid: Any) -> Any:
            found = super().persistent_load(pid)
            if isinstance(found, Storage):
                dtypes[found.key] = found.dtype
            return found

    magic, protocol, _, value, keys = (Noting(handle, encoding="utf-8").load() for _ in range(5))
    if magic != MAGIC or protocol != 1001 or not isinstance(keys, list):
        raise ValueError("not what torch.save writes")
    start = handle.tell()
    left = handle.seek(0, os.SEEK_END) - handle.seek(start)
    contents: dict[str, bytearray] = {}
    for key in map(str, keys):
        (numel,) = struct.unpack("<q", handle.read(8))
        size, left = numel * dtypes[key].itemsize, left - 8
        if not 0 <= size <= left or key in contents:
            raise ValueError("a storage of impossible length")
        contents[key], left = bytearray(handle.read(size)), left - size
    return value, contents


def read_views(views: dict[str, View], contents: dict[str, bytearray]) -> dict[str, Tensor]:
    """The tensors; names of the same view share one, and together they have no more bytes than their storages."""
    distinct = dict.fromkeys(views.values())
    most = sum(map(len, contents.values()))
    if (total := sum(view.nbytes for view in distinct)) > most:
        raise ValueError(f"tensors of {total} bytes out of {most}")
    tensors = {view: view.read(contents[view.storage.key]) for view in distinct}
    return {name: tensors[view] for name, view in views.items()}


def weights_in(value: Any) -> dict[str, View] | None:
    """The state_dict in what a checkpoint holds, None when there is none."""
    if not isinstance(value, dict):
        return None
    for candidate in [*(value.get(key) for key in KEYS), value]:
        if isinstance(candidate, dict) and candidate and all(isinstance(part, View) for part in candidate.values()):
            return {str(name): part for name, part in candidate.items()}
    return None


def import_weights(path: str | Path) -> dict[str, Tensor]:
    """The weights in a checkpoint that may hold pickled objects of any kind; none of them is made, no code is run.

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
        found = weights_in(value)
        if found is None:
            raise UserError(f"{path} holds no state_dict: no dictionary of names and tensors, alone or under {KEYS[0]}")
        weights = read_views(found, contents)
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
