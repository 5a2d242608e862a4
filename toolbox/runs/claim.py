"""Claim the name of a new run or experiment: exclusively, under the next free version."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from toolbox.runs.folders import versions
from toolbox.utils import UserError


def claim_run_dir(folder: Path, prefix: str, version: int | None = None) -> tuple[Path, int]:
    """Make a new run folder: the next free version, or exactly `version`.

    Raises:
        UserError: `version` is taken, or the folder cannot be made.
    """
    try:
        return _claim(folder, prefix, version)
    except OSError as error:
        if version is not None and (folder / f"{prefix}{version}").exists():
            raise UserError(
                f"run {prefix}{version} exists; go on with it by --resume latest, or start another by --version bump"
            ) from None
        raise UserError(f"cannot make a run folder in {folder}: {error.strerror or error}") from error


def claim_file(folder: Path, prefix: str, suffix: str) -> Path:
    """Make a new empty file PREFIX + version + SUFFIX with the next free version; UserError when it cannot be made."""
    try:
        return _claim(folder, prefix, None, suffix)[0]
    except OSError as error:
        raise UserError(f"cannot make a file in {folder}: {error.strerror or error}") from error


def _claim(folder: Path, prefix: str, version: int | None, suffix: str = "") -> tuple[Path, int]:
    """Make a folder, or where there is a suffix a file, under a free number, or under `version`.

    Any number of processes may do this at once: only one of them succeeds in making a name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        number = version if version is not None else max(versions(folder, prefix, suffix), default=0) + 1
        path = folder / f"{prefix}{number}{suffix}"
        try:
            if suffix:
                path.touch(exist_ok=False)
            else:
                path.mkdir()
            return path, number
        except FileExistsError:
            if version is not None:
                raise


@contextlib.contextmanager
def removed_on_failure(path: Path) -> Iterator[None]:
    """Remove the claimed folder `path` when the block fails before its config.json has made it a run."""
    try:
        yield
    except BaseException:
        if not (path / "config.json").exists():
            shutil.rmtree(path, ignore_errors=True)
        raise
