"""Caches' sources of whole annotated records: raw files, or the synthetic generator."""

from __future__ import annotations

import contextlib
import filecmp
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from loaders.beats.input_spec import InputSpec
from loaders.beats.segment_record import read_rows, rows_of
from loaders.beats.table import Beats
from loaders.io.wfdb_record import MITDB, Record, list_records, write_wfdb
from loaders.options import SourceOptions
from loaders.sources import synthetic
from loaders.sources.cache import Source
from toolbox.utils import UserError, held_back, progress, scratch_folder, sync_folder, warn
from toolbox.utils.parallel import has_pool, spread
from toolbox.utils.signals import STOPPING, leave_signals

RECORD_FILES = ("hea", "dat", "atr")
T = TypeVar("T")


@dataclass(frozen=True)
class Layout:
    """Layout of a cache of whole records: how beats are cut and stored.

    Attributes:
        kind: see `Source`.
        recipe: see `Source`; of everything but the recordings.
        spec: the rows.
        divide: all beats, in order of record and time -> the parts that the cache keeps.
        keep: see `Source`.
    """

    kind: str
    recipe: dict[str, Any]
    spec: InputSpec
    divide: Callable[[Beats], dict[str, Beats]]
    keep: int = 1


def warn_flat(parts: Iterable[Beats], where: str) -> None:
    """Warn of rows that are flat lines: scaled to their range, they are zeros from end to end."""
    rows, flat, names = 0, 0, set()
    for beats in parts:
        empty = ~beats.x.any(axis=tuple(range(1, beats.x.ndim)))
        rows, flat = rows + len(beats), flat + int(empty.sum())
        names |= {name for name in beats.record[empty].tolist() if name}
    if flat:
        warn(f"{flat} of {rows} rows of {where} are flat lines{' in ' if names else ''}{', '.join(sorted(names))}")


def cut_all(paths: list[Path], rows: Callable[[Path], Beats]) -> Beats:
    """The `rows` of all records, read and cut by two processes, in order of record and time."""
    return Beats.join(read_all(paths, rows))


def read_all(paths: list[Path], read: Callable[[Path], T]) -> list[T]:
    """The result of `read` for each record, in order, by two processes; or on the cluster that this block works on."""
    if has_pool():
        return _read_on_pool(paths, read)
    if len(paths) < 4:
        return [read(path) for path in paths]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=leave_signals) as pool:
        with held_back(*STOPPING):
            parts = pool.map(read, paths, chunksize=2)
        try:
            return list(progress(parts, "cutting beats", total=len(paths)))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # at the first bad record, or Ctrl-C, the others are not read
            raise


def _read_on_pool(paths: list[Path], read: Callable[[Path], T]) -> list[T]:
    parts: dict[int, T] = {}
    with contextlib.closing(spread(read, paths, 0)) as results:
        for position, result in progress(results, "cutting beats", total=len(paths)):
            if isinstance(result, Exception):  # at the first bad record the others are not read
                raise result
            parts[position] = result
    return [parts[position] for position in range(len(paths))]


def records_source(folder: Path, layout: Layout) -> Source:
    """All beats of the raw records in `folder`."""
    paths = list_records(folder)
    files = [path.with_name(f"{path.name}.{extension}") for path in paths for extension in RECORD_FILES]
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        remedy = "; complete it by --source physionet" if {path.name for path in paths} <= set(MITDB) else ""
        raise UserError(f"{folder} lacks {', '.join(missing[:6])}{' ...' if len(missing) > 6 else ''}{remedy}")

    def build() -> dict[str, Beats]:
        parts = layout.divide(cut_all(paths, partial(read_rows, spec=layout.spec)))
        warn_flat(parts.values(), str(folder))
        return parts

    return Source(layout.kind, layout.recipe, files, build, f"raw records in {folder}", layout.keep)


def synthesized(options: SourceOptions, what: str) -> Iterable[Record]:
    """The synthetic recordings of these flags, with a progress bar."""
    count = options.synthetic_patients
    recordings = synthetic.synthesize(count, options.synthetic_minutes, options.synthetic_seed)
    return progress(recordings, what, total=count)


def synthetic_source(options: SourceOptions, layout: Layout) -> Source:
    """All beats of the synthetic recordings of these flags."""
    patients, minutes, seed = options.synthetic_patients, options.synthetic_minutes, options.synthetic_seed
    generator = {"generator": synthetic.VERSION, "patients": patients, "minutes": minutes, "seed": seed}

    def build() -> dict[str, Beats]:
        rows = (rows_of(record, layout.spec) for record in synthesized(options, "synthesizing"))
        return layout.divide(Beats.join(rows))

    where = f"{patients} synthetic recordings of {minutes:g} minutes, seed {seed}"
    return Source(layout.kind, {**layout.recipe, **generator}, [], build, where, layout.keep)


def write_synthetic(options: SourceOptions, folder: str | Path) -> list[str]:
    """Write the synthetic recordings of these flags to `folder` as WFDB records; return their names.

    Raises:
        UserError: they cannot be written, or other files of these names are there.
    """
    names, folder = [], Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with scratch_folder(folder, ".writing-") as scratch:
            for record in synthesized(options, "writing records"):
                write_wfdb(record, scratch)
                names.append(record.name)
            written = sorted(scratch.iterdir())
            for path in written:
                there = folder / path.name
                if os.path.lexists(there) and not (there.is_file() and filecmp.cmp(path, there, shallow=False)):
                    raise UserError(f"{there} is another file, and is kept; write the records to another folder")
            for path in written:
                with open(path, "rb") as handle:
                    os.fsync(handle.fileno())
                path.replace(folder / path.name)  # a reader sees whole files only
        sync_folder(folder)
    except OSError as error:
        raise UserError(f"cannot write records to {folder}: {error.strerror or error}") from error
    return names
