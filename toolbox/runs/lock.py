"""One process at a time trains a run: a lock on RUN/.lock that ends with its holder, however that ends."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from toolbox.utils import UserError, read_json

NAME = ".lock"
_held: set[int] = set()  # descriptors


def _let_go() -> None:
    """A forked child (a worker that gathers batches) gives up its copies, lest it hold what its dead parent held."""
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold the lock of the run in `folder`; the system frees it when the process ends, so a dead holder's is free.

    Raises:
        UserError: another process trains the run, with which; or the folder cannot be written to.
    """
    try:
        descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UserError(f"cannot lock {folder}: {error.strerror}") from error
    _held.add(descriptor)
    try:
        _take(descriptor, folder)
        yield
    finally:
        if descriptor in _held:  # not so in a forked child that leaves this block
            _held.discard(descriptor)
            os.close(descriptor)


def _take(descriptor: int, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        print(f"warning: no locks on this system; nothing else must train {folder.name}", file=sys.stderr)
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            print(f"warning: no lock on {folder}: {error.strerror}; nothing else must train it", file=sys.stderr)
            return
        raise UserError(f"{folder} is being trained by {_holder(folder)}; one process at a time") from error
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat(" ", "seconds")}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _holder(folder: Path) -> str:
    try:
        holder = read_json(folder / NAME)
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (UserError, KeyError, TypeError):  # it has the lock and has not signed yet
        return "another process"
