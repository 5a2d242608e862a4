"""Follow the program that a pickle is, without running what is in it.

The only things that are ever called are the few in CALLABLE, which put tensors and plain containers together; every
other class or function that a pickle names becomes an inert placeholder.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, ClassVar

import torch
from torch import Tensor

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
    """A placeholder for an object of any other class: it accepts all that a pickle does to it and does nothing."""

    def ignore(self, *_: Any) -> None:
        """Nothing."""

    append = extend = add = update = __setitem__ = ignore


@dataclass(frozen=True)
class Storage:
    """The place of a tensor's numbers in the file: `numel` of `dtype`, under `key`."""

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
        """The tensor, read from its storage's bytes; ValueError when it reaches beyond them."""
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


def is_plain(key: Any) -> bool:
    """Whether a key of a dictionary is a text or a number: to hash or print nested tuples may never end."""
    return isinstance(key, str | int | float | bytes | None)


def rebuild_parameter(data: Any, *_: Any) -> Any:
    """In place of torch._utils._rebuild_parameter: a parameter is read as its tensor."""
    return data


# The functions that a pickle may call, by module and name. Everything else is an Inert.
CALLABLE = {
    ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
    ("collections", "OrderedDict"): OrderedDict,
    ("torch", "Size"): tuple,
}


class Reader(pickle._Unpickler):  # the one in Python: C's reserves as much memory as a pickle asks for
    """An unpickler that calls nothing but the functions in CALLABLE."""

    strict = False  # whether keys that are not plain, and sets, are errors
    stack: list[Any]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        return CALLABLE.get((module, name), Inert)

    def persistent_load(self, pid: Any) -> Any:
        if not (isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage"):
            return pid[1] if isinstance(pid, tuple) and len(pid) > 1 and pid[0] == "module" else Inert()
        _, dtype, key, _, numel = pid[:5]
        if not isinstance(dtype, torch.dtype) or type(numel) is not int or not is_plain(key):
            return Inert()
        return Storage(str(key), dtype, numel)

    def call(self, function: Any, arguments: Any) -> Any:
        """Call `function` with `arguments`, if it is one of CALLABLE's."""
        if function is OrderedDict:
            return self.put(OrderedDict(), [word for pair in (arguments or ((),))[0] for word in pair])
        return function(*arguments) if any(function is allowed for allowed in CALLABLE.values()) else Inert()

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self.call(self.stack[-1], arguments)

    def put(self, target: Any, words: list[Any]) -> Any:
        """`target` with the items key, value, key, value ...; those whose keys are not plain are left out."""
        for key, value in zip(words[::2], words[1::2], strict=True):
            if is_plain(key):
                target[key] = value
            elif self.strict:
                raise ValueError(f"a {type(key).__name__} as a name")
        return target

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.put(self.stack[-1], [key, value])

    def load_setitems(self) -> None:
        words = self.pop_mark()
        self.put(self.stack[-1], words)

    def load_dict(self) -> None:
        words = self.pop_mark()  # which sets `append`
        self.append(self.put({}, words))

    def load_empty_set(self) -> None:
        if self.strict:
            raise ValueError("a set")
        self.append(Inert())

    def load_frozenset(self) -> None:
        self.pop_mark()
        self.load_empty_set()

    def load_newobj_ex(self) -> None:
        self.stack.pop()
        self.load_reduce()

    def load_build(self) -> None:
        self.stack.pop()  # an object's state: that of tensors and containers is not needed

    def _instantiate(self, klass: Any, args: Any) -> None:
        self.append(self.call(klass, args))

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_reduce
    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.DICT[0]] = load_dict
    dispatch[pickle.EMPTY_SET[0]] = load_empty_set
    dispatch[pickle.FROZENSET[0]] = load_frozenset


class StrictReader(Reader):
    """The same for checkpoints of this project, which have names and numbers as keys, and no sets."""

    strict = True


def check_program(file: IO[bytes]) -> None:
    """Follow the pickle of a zip archive of torch, for those that would keep any reader busy for ever.

    Raises:
        ValueError: keys of dictionaries that are no text and no number, or sets.
    """
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.filename.rpartition("/")[2] == "data.pkl":
                StrictReader(io.BytesIO(archive.read(member)), encoding="utf-8").load()
