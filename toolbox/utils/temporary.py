"""Temporary files and folders: locked while their process lives, so that those of a killed one can be told and removed.

The locks are those of flock(2) on the file or folder itself, which the system frees with the process. filelock makes a
file beside each. Where there is no flock, nothing is locked, and nothing that another process may hold is removed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl


def lock(descriptor: int, wait: bool = False) -> bool:
    """Lock an open file or folder; whether that succeeded. It ends when the descriptor is closed."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        return True
    except OSError:  # held by another process; or a file system without locks
        return False


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process is in such a block for `folder`."""
    if os.name != "posix":
        yield  # a folder cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        lock(descriptor, wait=True)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder in `parent`, with the rights that the umask leaves, removed at the end of the block.

    Folders with this prefix that a killed process left are removed, too.
    """
    remove_abandoned(parent, f"{prefix}*")
    path = parent / f"{prefix}{secrets.token_hex(6)}"
    with own_folder(path):
        yield path


@contextlib.contextmanager
def own_folder(path: Path) -> Iterator[None]:
    """Make the folder `path`, and remove it at the end of the block; one that a killed process left is removed first.

    Raises:
        FileExistsError: another process is in such a block for it.
    """
    if path.exists():
        remove_abandoned(path.parent, path.name)
    path.mkdir()
    descriptor = os.open(path, os.O_RDONLY) if os.name == "posix" else None
    try:
        if descriptor is not None:
            lock(descriptor)
        yield
    finally:
        shutil.rmtree(path, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


def remove_abandoned(folder: Path, *patterns: str) -> None:
    """Remove the temporary files and folders in `folder` that no living process holds; those that cannot be stay."""
    if os.name != "posix":
        return
    for path in (path for pattern in patterns for path in folder.glob(pattern)):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe is not waited for
            try:
                if not lock(descriptor):
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()
            finally:
                os.close(descriptor)
