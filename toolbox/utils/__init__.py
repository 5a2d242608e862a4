"""What every other module may use: user errors, name tables, files that are never half written."""

from __future__ import annotations

import contextlib
import ctypes
import difflib
import functools
import hashlib
import importlib
import json
import os
import secrets
import signal
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any


class UserError(Exception):
    """A mistake of the user's or of the user's data: shown as one line on stderr, exit code 2, no traceback."""


class UnknownNameError(UserError, KeyError):
    """A name that a table does not have; a KeyError too, so that tables are proper mappings."""

    __str__ = Exception.__str__  # KeyError would show the message in quotes


def nearest(name: str, known: list[str]) -> str:
    """``", did you mean 'x'?"`` for the known name closest to `name`, or an empty string."""
    close = difflib.get_close_matches(name, known, n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def os_error_text(error: OSError) -> str:
    """What the system refused, in one line: "PATH: No space left on device"."""
    reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason


# What torch says -> what a user can do about it. It raises RuntimeError for all of these.
ADVICE = {
    "deterministic": "--deterministic asks for an algorithm that torch does not have on this device; leave it out",
    "out of memory": "the device's memory is full; try a lower --batch-size, and --accumulate to make up for it",
    "can't allocate memory": "memory is full; try a lower --batch-size, and --accumulate to make up for it",
    "DataLoader worker": "a process that gathers batches died; --workers 0 needs none",
}


def torch_advice(error: Exception) -> str:
    """What a user can do about an error of torch's, in one line; "" for any other."""
    text = " ".join(str(error).split())
    advice = next((advice for part, advice in ADVICE.items() if part in text), "")
    return f"{advice}; what was saved is kept ({text[:150]})" if advice else ""


class Registry(Mapping[str, Callable[..., Any]]):
    """A table name -> builder that imports a builder's module only when that builder is asked for.

    Args:
        kind: what the names stand for ("model"), for error messages.
        entries: name -> "package.module:function".
        aliases: other spelling -> name.
    """

    def __init__(self, kind: str, entries: dict[str, str], aliases: dict[str, str] | None = None) -> None:
        self.kind = kind
        self.entries = entries
        self.aliases = aliases or {}

    def canonical(self, name: str) -> str:
        """The table's own spelling of `name`; UserError names what is known and what is nearest."""
        found = self.aliases.get(name, name)
        if found not in self.entries:
            hint = nearest(name, [*self.entries, *self.aliases]) or ";"
            raise UnknownNameError(f"unknown {self.kind} {name!r}{hint} known: {', '.join(self)}")
        return found

    def __getitem__(self, name: str) -> Callable[..., Any]:
        module, _, attribute = self.entries[self.canonical(name)].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def __contains__(self, name: object) -> bool:
        return name in self.entries or name in self.aliases

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable (POSIX; a no-op where a folder cannot be opened)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def atomic_write(path: str | Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a temporary file beside `path`; at the end of the block flush, fsync and rename it onto `path`.

    A reader sees the old file or the new one, never a part; when the block raises, the old file stays. An OSError
    names `path`.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # less what the umask takes away
        encoding = None if "b" in mode else "utf-8"
        with os.fdopen(descriptor, mode, encoding=encoding) as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None  # not the temporary one, and where a write knows none
        raise


def write_json(path: str | Path, value: Any, indent: int | None = 1) -> None:
    """Write `value` to `path` as JSON, atomically."""
    with atomic_write(path, "w") as handle:
        json.dump(value, handle, indent=indent)
        handle.write("\n")


def read_json(path: str | Path) -> Any:
    """The value in the JSON file `path`; UserError when it cannot be read."""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise ValueError("not a file")  # a pipe would be waited for
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot read {path}: {error}") from error


MISSING = object()


def schema_error(value: Any, shape: Any, place: str) -> str:
    """What is wrong with a value out of a file: "log.val[2].epoch is a str, expected int"; "" when nothing is.

    Args:
        shape: a type, or a tuple of types; [shape] for a list; {"name": shape} for a dictionary with at least these
            names ("name?" may be missing); {str: shape} for one of any names.
        place: what the value is called.
    """
    kinds = shape if isinstance(shape, tuple) else (type(shape) if isinstance(shape, list | dict) else shape,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        found = "missing" if value is MISSING else f"a {type(value).__name__}"
        return f"{place} is {found}, expected {' or '.join(kind.__name__ for kind in kinds)}"
    inner = _parts(value, shape, place) if isinstance(shape, list | dict) else ()
    return next((problem for part in inner if (problem := schema_error(*part))), "")


def _parts(value: Any, shape: Any, place: str) -> Iterator[tuple[Any, Any, str]]:
    if isinstance(shape, list):
        yield from ((part, shape[0], f"{place}[{k}]") for k, part in enumerate(value))
    elif str in shape:
        yield from ((part, shape[str], f"{place}.{name}") for name, part in value.items())
    else:
        for name, inner in shape.items():
            key = name.removesuffix("?")
            if key in value or key == name:
                yield value.get(key, MISSING), inner, f"{place}.{key}"


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_array(array: Any) -> str:
    """The SHA-256 of a C-contiguous array's bytes (NumPy ``array.tobytes()``), without copying it."""
    return hashlib.sha256(memoryview(array).cast("B") if array.size else b"").hexdigest()


def progress(items: Iterable[Any], what: str, total: int | None = None, leave: bool = False) -> Iterable[Any]:
    """`items`, with a bar on stderr when that is a terminal; elsewhere nothing is drawn."""
    if not sys.stderr.isatty():
        return items
    from tqdm import tqdm

    return tqdm(items, what, total=total, leave=leave, dynamic_ncols=True)


SPINS = "5000"  # some 50 to 100 microseconds
THREAD_VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # mallopt(3)
KEPT = 256 << 20  # bytes


def tune_process() -> None:
    """Set this process up for work of many short steps; to be called before torch is imported.

    OpenMP's threads spin a moment before they sleep. A step is some hundred parallel regions of a few microseconds
    each: threads that sleep between them take longer to wake than to work, and threads that spin without an end take
    a loaded machine's processors from whoever they wait for. What the environment says already stands.

    glibc keeps up to KEPT bytes of freed memory, where it would hand each large block back and fetch it anew, page by
    page, for the next batch.
    """
    if not os.environ.keys() & THREAD_VARIABLES:
        os.environ.update(zip(THREAD_VARIABLES, ("PASSIVE", SPINS), strict=True))
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
        if mallopt is not None:
            mallopt(MMAP_THRESHOLD, 32 << 20)  # the most that it takes
            mallopt(TRIM_THRESHOLD, KEPT)


@contextlib.contextmanager
def held_back(*numbers: signal.Signals) -> Iterator[None]:
    """Signals that come inside wait for the end of it; processes started inside never get any (POSIX only)."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # started by the first process that is spawned, it would let signals in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@functools.cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def one_blas_thread() -> contextlib.AbstractContextManager[Any]:
    """A context in which numpy multiplies matrices with one thread. Its threads wait for work by spinning, which takes
    longer than they save where matrices are small."""
    limited: contextlib.AbstractContextManager[Any] = _blas().limit(limits=1)
    return limited


def pick_device(disable_cuda: bool = False) -> Any:
    """The torch device to work on: the GPU, if there is one and it may be used."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() and not disable_cuda else "cpu")


def make_deterministic(wanted: bool) -> None:
    """Let torch choose algorithms that give the same bits every time, or raise where it has none (--deterministic).

    On a GPU, cuBLAS needs a workspace of its own for that; the variable is read when it starts.
    """
    import torch

    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if (
        torch.are_deterministic_algorithms_enabled() != wanted
    ):  # even to leave it off, the call imports torch's compiler
        torch.use_deterministic_algorithms(wanted)
    torch.backends.cudnn.benchmark = False


def use_bf16(precision: str, device: Any) -> bool:
    """Whether --precision means bfloat16 on `device`: "auto" takes it where the hardware multiplies it.

    That is AMX-BF16 or AVX512-BF16 on CPUs, compute capability 8.0 (Ampere) and newer on GPUs.
    """
    import torch

    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    has = (getattr(torch.cpu, name, lambda: False) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(ask() for ask in has)
