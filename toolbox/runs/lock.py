"""A lock on a run's folder: one process at a time trains it. The system frees the lock of a process that died."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from toolbox.utils import UserError, read_json, write_json

LOCK = ".lock"
HOLDER = ".lock.json"  # {"pid", "host", "since"} of the last process that held it


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold the lock of the run in `folder`; a forked child does not keep it when its parent dies.

    Raises:
        UserError: another process, which is named, trains the run; or the folder cannot be written to.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise UserError(f"{folder} is being trained by {_holder(folder)}; one process at a time") from error
    except OSError as error:
        raise UserError(f"cannot lock {folder}: {error.strerror or error}") from error
    try:
        since = datetime.now(UTC).isoformat(" ", "seconds")
        write_json(folder / HOLDER, {"pid": os.getpid(), "host": socket.gethostname(), "since": since}, indent=None)
        yield
    finally:
        lock.release()


def _holder(folder: Path) -> str:
    try:
        holder = read_json(folder / HOLDER)
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (UserError, KeyError, TypeError):  # it has the lock and has not signed yet
        return "another process"
