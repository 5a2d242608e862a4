"""SIGTERM and Ctrl-C: a training notes them, so that it stops where it can be saved; elsewhere they raise an exception,
so that unfinished files are removed."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing import resource_tracker
from types import FrameType
from typing import Any, Self

STOPPING = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """A run was stopped by a signal and saved before.

    Attributes:
        signal: the signal.
        place: the last saved point of the run, as text.
        command: the command line that resumes it.
    """

    def __init__(self, number: int, place: str) -> None:
        super().__init__(number, place)
        self.signal = signal.Signals(number)
        self.place = place
        self.command = "--resume latest"

    @property
    def code(self) -> int:
        """The exit code that shells give a process ended by this signal: 130 after Ctrl-C, 143 after SIGTERM."""
        return 128 + self.signal

    def __str__(self) -> str:
        return f"{self.signal.name}: saved after {self.place}; go on by {self.command}"


class Ended(KeyboardInterrupt):
    """SIGTERM or Ctrl-C came where there was nothing to save.

    Attributes:
        signal: the signal.
        advice: how to continue, for the message.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = signal.Signals(number)
        self.advice = "the same command starts again"

    @property
    def code(self) -> int:
        """The exit code, as Interrupted has it."""
        return 128 + self.signal

    def __str__(self) -> str:
        return f"{self.signal.name}: stopped; {self.advice}"


class _Handlers:
    """A context in which the first SIGINT or SIGTERM calls `_first`, and the second ends the process at once.

    Signals that the process ignores (nohup, a shell's background job) stay ignored. Outside the main thread, where
    Python allows no handlers, signals are left alone.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in STOPPING:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, _: FrameType | None) -> None:
        for each in self._before:
            signal.signal(each, signal.SIG_DFL)
        self._first(number)

    def _first(self, number: int) -> None:
        raise NotImplementedError


class Endings(_Handlers):
    """A context in which the first SIGINT or SIGTERM raises Ended and the second ends the process at once.

    Attributes:
        came: the exception raised; None before. Code that is interrupted during an import may swallow it or raise
            another; callers must check `came`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.came: Ended | None = None

    def _first(self, number: int) -> None:
        self.came = Ended(number)
        raise self.came


class Signals(_Handlers):
    """A context that notes the first SIGINT or SIGTERM; the second ends the process at once."""

    def __init__(self) -> None:
        super().__init__()
        self.received = 0

    def _first(self, number: int) -> None:
        self.received = number

    def check(self, place: str) -> None:
        """Raise Interrupted when a signal has come; call it when all that a resume needs has been saved at `place`."""
        if self.received:
            raise Interrupted(self.received, place)


class Timer:
    """A timer that is due `minutes` after its start; with 0, never."""

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes
        self.start()

    def start(self) -> None:
        """Count from now."""
        self.begun = time.monotonic()

    def is_due(self) -> bool:
        """Whether the time has passed."""
        return self.minutes > 0 and time.monotonic() - self.begun >= 60 * self.minutes


@contextlib.contextmanager
def held_back(*numbers: signal.Signals) -> Iterator[None]:
    """A context that delays signals to its end; processes started inside never get any (POSIX only)."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # started by the first process that is spawned, it would let signals in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_signals(_: int = 0) -> None:
    """Ignore Ctrl-C and SIGTERM in a worker process: both reach the whole group, and the main process saves first.

    A worker whose main process is killed is killed, too; it would wait for it for ever.
    """
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # prctl(2): 1 is PR_SET_PDEATHSIG
