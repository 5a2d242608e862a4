"""Arrays built once: .npy files, memory-mapped, beside a meta.json with their source and recipe.

A cache is a folder named by the fingerprint of its source's bytes and of the recipe. It is built under another name and
renamed when complete, so it is never in part; its arrays are hashed before every use (a tenth of a second for
MIT-BIH), so damage is seen; and its source is compared with the files on disk, so it is never stale.

Any number of processes may build caches in one folder at once: each builds its own, and they are published one by one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from loaders.beats.mapped import all_finite, map_mode
from loaders.beats.table import Beats
from toolbox.utils import (
    UserError,
    alone_in,
    atomic_write,
    read_json,
    sha256_array,
    sha256_of,
    sync_folder,
    write_json,
)
from toolbox.utils.aami import CLASS_NAMES, KAGGLE_ROW

FORMAT = 1
ABANDONED = 3600  # s without a change, after which a build was killed
SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # of the process or the machine: no damage to a cache
TIMES = ("mtime_ns", "ctime_ns")  # of a source's file, in meta.json
ROWS = ("csv", "records", "synthetic")  # kinds whose rows are like Kaggle's


@dataclass
class Source:
    """The source of a cache.

    Attributes:
        kind: "csv", "records", "synthetic" or "context".
        recipe: everything but the files that the rows depend on; plain values.
        files: to be read; none for "synthetic".
        build: makes the splits, {"train": Beats, "test": Beats}.
        where: the source in words, for messages.
        keep: the number of caches of this kind that stay, so that recipes can be tried in turn.
        notes: facts about the files for meta.json, which `build` fills in; plain values.
    """

    kind: str
    recipe: dict[str, Any]
    files: list[Path]
    build: Callable[[], dict[str, Beats]]
    where: str
    keep: int = 1
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Cache:
    """Arrays that have been checked, with their meta.json."""

    folder: Path
    splits: dict[str, Beats]
    meta: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the source's bytes and the recipe."""
        return self.meta["fingerprint"]


def fingerprint(recipe: dict[str, Any], digests: dict[str, str]) -> str:
    """SHA-256 over the recipe and the digests of the source's files by name."""
    text = json.dumps({"format": FORMAT, "recipe": recipe, "files": digests}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def load(folder: Path) -> Cache | None:
    """The cache in `folder`, or None when any of it is missing, damaged or of another format.

    Raises:
        UserError: it may be sound and cannot be read: too many open files, full memory, another user's.
    """
    try:
        meta = read_json(folder / "meta.json")
        if meta["format"] != FORMAT:
            return None
        splits = {}
        for split in meta["splits"]:
            named = {part.name: f"{split}_{part.name}" for part in fields(Beats)}
            there = {part: name for part, name in named.items() if name in meta["arrays"]}
            arrays = {part: _load_array(folder, name, meta["arrays"]) for part, name in there.items()}
            splits[split] = _check_rows(Beats(**arrays), meta["kind"])
        return Cache(folder, splits, meta)
    except Exception as error:  # NumPy parses a header as Python, so a damaged one can raise anything
        _refuse_shortage(folder, error, *SHORTAGES, errno.EACCES)
        return None


def _refuse_shortage(folder: Path, error: Exception, *numbers: int) -> None:
    """Raise UserError if `error` tells nothing about the cache in `folder`: memory was full, or its number is given."""
    cause = error.__cause__ if isinstance(error, UserError) else error
    if isinstance(cause, MemoryError):
        raise UserError(f"cannot read the cache {folder}: memory is full; the cache is kept") from error
    if isinstance(cause, OSError) and cause.errno in numbers:
        raise UserError(f"cannot read the cache {folder}: {os.strerror(cause.errno)}; the cache is kept") from error


def _load_array(folder: Path, name: str, recorded: dict[str, Any]) -> np.ndarray:
    file = folder / f"{name}.npy"
    array = np.load(file, mmap_mode=map_mode(file))
    if sha256_array(np.ascontiguousarray(array)) != recorded[name]["sha256"]:
        raise ValueError(f"{name} is damaged")
    return array


def _check_rows(beats: Beats, kind: str) -> Beats:
    """Return `beats` if they are rows with labels of the classes: a sound digest does not prove that."""
    n = len(beats.y)
    if any(len(array) != n for array in vars(beats).values() if array is not None):
        raise ValueError("arrays of different lengths")
    if beats.x.dtype != np.float32 or beats.y.dtype != np.int64 or not all_finite(beats.x):
        raise ValueError("values of other types, or not finite")
    if kind in ROWS and beats.x.shape != (n, KAGGLE_ROW):
        raise ValueError(f"rows that have not {KAGGLE_ROW} samples")
    if n and not (beats.y.min() >= 0 and beats.y.max() < len(CLASS_NAMES)):
        raise ValueError("labels that are no class")
    return beats


def is_of(meta: dict[str, Any], source: Source) -> bool:
    """Check whether a cache with this meta was built from `source` as it is on disk now.

    Files of the same size, time of modification and time of the last change of any kind (ctime, which no copy keeps and
    no program sets) are taken as unchanged; else the SHA-256 of all their bytes is compared.
    """
    files = meta["source"]["files"]
    if meta["recipe"] != source.recipe or sorted(files) != sorted(path.name for path in source.files):
        return False
    for path in source.files:
        now, then = path.stat(), files[path.name]
        if now.st_size != then["size"]:
            return False
        if _times(now) != {name: then.get(name) for name in TIMES} and sha256_of(path) != then["sha256"]:
            return False
    return True


def _times(status: os.stat_result) -> dict[str, int]:
    return {name: getattr(status, f"st_{name}") for name in TIMES}


def _note_times(cache: Cache, source: Source) -> None:
    """Write the times of the source's files, whose bytes are known to be the same, into the meta.json of `cache`."""
    files = cache.meta["source"]["files"]
    now = {path.name: {**files[path.name], **_times(path.stat())} for path in source.files}
    if now != files:
        cache.meta["source"]["files"] = now
        with contextlib.suppress(OSError):  # of another user: then they are compared each time
            write_json(cache.folder / "meta.json", cache.meta)


def find(
    parent: Path, source: Source | None = None, kind: str | None = None, recipe: dict[str, Any] | None = None
) -> Cache | None:
    """Find the newest sound cache in `parent`: of `source`, or of a `kind` (and exactly this `recipe`, if given)."""
    metas = []
    for path in parent.glob("[!.]*/meta.json"):
        try:
            meta = read_json(path)
            same = meta["kind"] == kind and recipe in (None, meta["recipe"])
            fits = is_of(meta, source) if source is not None else same
            if fits:
                metas.append((meta["built"], path.parent))
        except (OSError, MemoryError, UserError, ValueError, KeyError, TypeError, AttributeError) as error:
            _refuse_shortage(path.parent, error, *SHORTAGES)
            continue  # damaged: ignored
    for _, folder in sorted(metas, reverse=True):
        if (cache := load(folder)) is not None:
            if source is not None:
                _note_times(cache, source)
            return cache
    return None


def build(parent: Path, source: Source) -> Cache:
    """Build the cache of `source` in `parent` and remove older ones of its kind, but for the newest `source.keep`.

    Raises:
        UserError: the disk is full or may not be written, or the source is bad. No part of a cache stays.
    """
    before = [path.stat() for path in source.files]
    splits = source.build()
    files: dict[str, Any] = {
        path.name: {"size": status.st_size, **_times(status), "sha256": sha256_of(path)}
        for path, status in zip(source.files, before, strict=True)
    }
    for path in source.files:
        if (
            path.stat().st_size != files[path.name]["size"]
            or not _times(path.stat()).items() <= files[path.name].items()
        ):
            raise UserError(f"{path} changed while it was read; start again when it is complete")
    mark = fingerprint(source.recipe, {name: str(entry["sha256"]) for name, entry in files.items()})
    meta = {
        "format": FORMAT,
        "kind": source.kind,
        "fingerprint": mark,
        "recipe": source.recipe,
        "source": {"where": source.where, "files": files},
        "built": time.time(),
        "splits": list(splits),
        **({"notes": source.notes} if source.notes else {}),
    }
    folder = parent / f"{source.kind}-{mark[:12]}"
    temporary = parent / f".building-{secrets.token_hex(6)}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()  # with the rights that the umask leaves: others may share the folder
        write_json(temporary / "meta.json", {**meta, "arrays": _save(temporary, splits)})
        with alone_in(parent):
            cache = _publish(temporary, folder, source)
    except OSError as error:
        cache = load(folder)  # where there are no locks, another process may have been faster
        if cache is None:
            raise UserError(f"cannot write the cache in {parent}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if cache is None:
        raise UserError(f"the cache {folder} does not read back as it was written; is the disk sound?")
    return cache


def _publish(temporary: Path, folder: Path, source: Source) -> Cache | None:
    """Rename `temporary` to `folder`, unless another process has put the same one there; the cache, if sound."""
    if (cache := load(folder)) is not None:
        return cache
    _clear(folder.parent, source.kind, folder, source.keep)
    temporary.rename(folder)
    sync_folder(folder.parent)
    return load(folder)


def _save(folder: Path, splits: dict[str, Beats]) -> dict[str, Any]:
    arrays = {}
    for split, beats in splits.items():
        for part, values in beats.arrays().items():
            name, array = f"{split}_{part}", np.ascontiguousarray(values)
            with atomic_write(folder / f"{name}.npy") as handle:
                np.save(SimpleNamespace(write=handle.write), array)  # a real file's errors would lose their reason
            arrays[name] = {"shape": list(array.shape), "dtype": array.dtype.str, "sha256": sha256_array(array)}
    return arrays


def _clear(parent: Path, kind: str, new: Path, keep: int) -> None:
    """Make room for `new`: remove its predecessor, and all others of `kind` but the newest `keep` - 1.

    A process that has mapped a removed cache keeps its pages (POSIX).
    """
    others = [old for old in parent.glob(f"{kind}-*") if old != new]
    others.sort(key=lambda old: old.stat().st_mtime_ns, reverse=True)
    for old in [new, *others[keep - 1 :]]:
        shutil.rmtree(old, ignore_errors=True)
    for killed in parent.glob(".building-*"):  # a build that was killed; one at work has touched its folder lately
        with contextlib.suppress(OSError):
            if time.time() - killed.stat().st_mtime > ABANDONED:
                shutil.rmtree(killed, ignore_errors=True)
