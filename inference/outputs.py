"""The files of an annotated recording: whose they are, and how new ones take their place.

The summary holds the SHA-256 of every file, its own included. A file that is not what the summary says is somebody
else's, a corrected annotation perhaps, and is kept.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.older_outputs import is_of_older_version
from toolbox.utils import UserError, read_json, sha256_of, sync_folder, write_json
from toolbox.utils.temporary import own_folder

EPISODES, HOURS = "episodes.csv", "hours.csv"
KINDS = ("", "csv", EPISODES, HOURS, "json", "html", "png")  # extensions behind that of the annotation file
REMEDY = "take another --annotator or --out"
OLDER_LEFTOVER = re.compile(r"\.(.+?)(\.(csv|json|html|png))?\.[0-9a-f]{12}\.tmp")
ABANDONED = 3600.0  # s; a process may still write what is younger


@dataclass(frozen=True)
class Outputs:
    """The files of one recording.

    Attributes:
        target: the annotation file; the others have the same name and one more extension.
    """

    target: Path

    def file(self, kind: str) -> Path:
        """The file of a kind of KINDS."""
        return self.target.with_name(f"{self.target.name}.{kind}") if kind else self.target

    @property
    def files(self) -> list[Path]:
        """The files of all kinds, whether they are there or not."""
        return [self.file(kind) for kind in KINDS]

    def existing(self) -> list[Path]:
        """Those that are there; a link to nowhere is."""
        return [file for file in self.files if os.path.lexists(file)]

    def check_own(self, png: bool) -> dict[str, Any] | None:
        """Check that every file that is there is as --predict wrote it.

        Args:
            png: whether there is to be a picture; another's is no matter otherwise.

        Returns:
            The summary; None where there is no file yet.

        Raises:
            UserError: a file is another's, or was changed.
        """
        there = [file for file in self.existing() if png or file != self.file("png")]
        if not there:
            return None
        summary = _read_own_summary(self.file("json"))
        for file in there:
            if summary is None:
                raise UserError(f"{file} exists and is not of --predict; {REMEDY}")
            if not self._is_own(file, summary):
                raise UserError(
                    f"{file} is not as --predict wrote it: it was changed since (corrected?), or is another's, and is "
                    f"kept; {REMEDY}, or delete it"
                )
        return summary

    def are_complete(self, summary: Mapping[str, Any] | None) -> bool:
        """Check whether a summary names finished files with their digests, and all of them are there."""
        names = summary.get("outputs") if summary and "sha256" in summary else None
        return isinstance(names, list) and all(self.target.with_name(str(name)).is_file() for name in names)

    def has_own_picture(self, summary: Mapping[str, Any] | None) -> bool:
        """Check whether --predict drew a picture before, and it was not changed."""
        file = self.file("png")
        return summary is not None and os.path.lexists(file) and self._is_own(file, summary)

    def _is_own(self, file: Path, summary: Mapping[str, Any]) -> bool:
        """Check whether a file that is there is as this summary says."""
        if not file.is_file() or file.is_symlink():
            return False
        if "sha256" not in summary:
            return is_of_older_version(file, self.target, summary)
        if file == self.file("json"):
            return summary["sha256"].get(file.name) == _digest(summary, file.name)
        written = (summary["sha256"].get(file.name), summary.get("before", {}).get(file.name))
        return sha256_of(file) in written

    def put_in_place(self, folder: Path, summary: dict[str, Any], png: bool) -> dict[str, Any]:
        """Move finished files from `folder` to their place, and write the summary, last.

        Whenever it is cut off, the summary that is there knows the files that are there.

        Returns:
            The summary with "sha256".

        Raises:
            UserError: another's file has come meanwhile.
        """
        self.check_own(png)
        before = {file.name: sha256_of(file) for file in self.existing() if file.is_file()}
        digests = {name: sha256_of(folder / name) for name in summary["outputs"]}
        begun = {"fingerprint": summary["fingerprint"], "outputs": None, "before": before, "sha256": digests}
        self._put_summary(folder, begun)
        for name in summary["outputs"]:
            (folder / name).replace(self.target.with_name(name))
        sync_folder(self.target.parent)
        return self._put_summary(folder, {**summary, "sha256": digests})

    def _put_summary(self, folder: Path, summary: dict[str, Any]) -> dict[str, Any]:
        file = self.file("json")
        whole = sealed(summary, file.name)
        write_json(folder / file.name, whole)
        (folder / file.name).replace(file)
        sync_folder(file.parent)
        return whole

    @contextlib.contextmanager
    def folder_to_write(self) -> Iterator[Path]:
        """A hidden folder beside the files, gone afterwards; what killed processes left of these files goes, too.

        An OSError names the place of the files.

        Raises:
            UserError: another process writes these files.
        """
        parent = self.target.parent
        folder = parent / f".predict-{hashlib.sha256(os.fsencode(self.target.name)).hexdigest()[:16]}"
        for path in _older_leftovers(parent).get(self.target.name, ()):
            path.unlink(missing_ok=True)
        try:
            with own_folder(folder):
                yield folder
        except FileExistsError as error:
            raise UserError(
                f"{self.target} is being written by another process; if there is none, delete {folder}"
            ) from error
        except OSError as error:
            place = Path(error.filename or folder)
            if folder in (place, place.parent):
                error.filename, error.filename2 = str(parent if place == folder else parent / place.name), None
            raise


@functools.lru_cache(maxsize=16)
def _older_leftovers(folder: Path) -> dict[str, list[Path]]:
    """Temporary files that killed processes of older versions left in a folder, by the name of the annotation file."""
    leftovers: dict[str, list[Path]] = {}
    for path in folder.glob(".*.tmp"):
        match = OLDER_LEFTOVER.fullmatch(path.name)
        if match and path.is_file() and not path.is_symlink() and time.time() - path.stat().st_mtime > ABANDONED:
            leftovers.setdefault(match[1], []).append(path)
    return leftovers


def sealed(summary: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A summary with its own SHA-256 among those of its files; `name` is that of its file."""
    return {**summary, "sha256": {**summary["sha256"], name: _digest(summary, name)}}


def _digest(summary: Mapping[str, Any], name: str) -> str:
    """The SHA-256 of a summary's values, but for its own; `name` is that of its file."""
    others = {key: value for key, value in summary["sha256"].items() if key != name}
    text = json.dumps({**summary, "sha256": others}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read_own_summary(path: Path) -> dict[str, Any] | None:
    """The summary that --predict wrote to `path`, changed since or not; None when there is none."""
    try:
        summary = read_json(path)
    except UserError:
        return None
    if not isinstance(summary, dict) or not isinstance(summary.get("fingerprint"), str):
        return None
    digests = [summary.get("sha256", {}), summary.get("before", {})]
    return summary if all(isinstance(each, dict) for each in digests) else None
