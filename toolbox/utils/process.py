"""Set up this process for many short steps; its place among the processes of a job; progress bars."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any

from threadpoolctl import ThreadpoolController
from tqdm import tqdm

from toolbox.utils.errors import UserError

LINE_SECONDS = 60.0  # between two lines on the progress, where there is no terminal


def progress(items: Iterable[Any], what: str, total: int | None = None, leave: bool = False) -> Iterable[Any]:
    """`items`, with a bar on stderr when that is a terminal; elsewhere with a line each minute."""
    if not sys.stderr.isatty():
        return _with_lines(items, what, total)
    return tqdm(items, what, total=total, leave=leave, dynamic_ncols=True)


def _with_lines(items: Iterable[Any], what: str, total: int | None) -> Iterator[Any]:
    total = len(items) if total is None and isinstance(items, Sized) else total
    of_all = "" if total is None else f" of {total}"
    shown = time.monotonic()
    for done, item in enumerate(items):
        if time.monotonic() - shown >= LINE_SECONDS:
            shown = time.monotonic()
            print(f"{what}: {done}{of_all}", file=sys.stderr, flush=True)
        yield item


class Unread:
    """A text stream to which nothing can be lost: once its reader has gone (`| head -1`), what is written goes nowhere.

    Args:
        stream: sys.stdout or sys.stderr.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write `text`."""
        return self._survive(self.stream.write, text)

    def flush(self) -> None:
        """Flush the stream."""
        self._survive(self.stream.flush)

    def _survive(self, act: Callable[..., Any], *text: str) -> Any:
        try:
            return act(*text)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())  # also for what is in its buffer, and for the end of the program
            os.close(nowhere)
            return act(*text)


@contextlib.contextmanager
def outliving_readers() -> Iterator[None]:
    """In this block a reader of the output that goes away (`| head -1`, a closed terminal) ends nothing."""
    with contextlib.redirect_stdout(Unread(sys.stdout)), contextlib.redirect_stderr(Unread(sys.stderr)):
        yield


SPINS = "5000"  # some 50 to 100 microseconds
THREAD_VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # mallopt(3)
FREED_BYTES_KEPT = 256 << 20


def tune_process() -> None:
    """Set this process up for work of many short steps; to be called before torch is imported.

    OpenMP's threads spin a moment before they sleep. A step is some hundred parallel regions of a few microseconds
    each: threads that sleep between them take longer to wake than to work, and threads that spin without an end take
    a loaded machine's processors from the very work that they wait for. Variables that are set already stay.

    glibc keeps up to FREED_BYTES_KEPT bytes of freed memory, where it would hand each large block back and
    fetch it anew, page by page, for the next batch.
    """
    if not os.environ.keys() & THREAD_VARIABLES:
        os.environ.update(zip(THREAD_VARIABLES, ("PASSIVE", SPINS), strict=True))
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
        if mallopt is not None:
            mallopt(MMAP_THRESHOLD, 32 << 20)  # the most that it takes
            mallopt(TRIM_THRESHOLD, FREED_BYTES_KEPT)


@functools.cache
def _blas() -> Any:
    return ThreadpoolController().select(user_api="blas")


def one_blas_thread() -> contextlib.AbstractContextManager[Any]:
    """A context in which numpy multiplies matrices with one thread. Its threads wait for work by spinning, which takes
    longer than they save where matrices are small."""
    limited: contextlib.AbstractContextManager[Any] = _blas().limit(limits=1)
    return limited


def rank_and_world_size() -> tuple[int, int]:
    """The number of this process, and how many there are: RANK and WORLD_SIZE, (0, 1) where they are not set.

    Raises:
        UserError: only one of them is set, left over from another job perhaps; or they are no such numbers.
    """
    values = [os.environ.get(name) for name in ("RANK", "WORLD_SIZE")]
    if values == [None, None]:
        return 0, 1
    rank, world = (int(value) if value and value.isascii() and value.isdigit() else -1 for value in values)
    if not 0 <= rank < world:
        said = ["not set" if value is None else repr(value) for value in values]
        raise UserError(
            f"RANK is {said[0]}, WORLD_SIZE {said[1]} in the environment: expected both, RANK from 0 to "
            "WORLD_SIZE - 1, to annotate a share of the recordings; or neither (unset RANK WORLD_SIZE)"
        )
    return rank, world


def check_alone(what: str) -> None:
    """Refuse to do in several processes of one job what each of them would do whole.

    Raises:
        UserError: RANK and WORLD_SIZE say that there are others; or they are wrong.
    """
    world = rank_and_world_size()[1]
    if world > 1:
        raise UserError(
            f"WORLD_SIZE is {world} in the environment: {what} is work for one process, and each of the {world} would "
            "do the same; start one (unset RANK WORLD_SIZE), or several by hand, each with its own --fold or --seed"
        )
