"""Where the rows come from: built caches, CSV files, raw records, downloads, the synthetic generator."""

from __future__ import annotations

import os
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from loaders.beats.table import Beats, cut
from loaders.datasets import kaggle_split as splits
from loaders.io.wfdb_record import MITDB, list_records, read_wfdb, write_wfdb
from loaders.sources import cache, synthetic
from loaders.sources import kaggle_csv as rows
from loaders.sources.cache import Cache, Source
from toolbox.utils import UserError, held_back, progress, sync_folder
from toolbox.utils.signals import STOPPING, leave_signals

RECIPE = 1  # to be raised when beats.py or splits.py makes other rows: caches made before are then rebuilt

RECORD_FILES = ("hea", "dat", "atr")


def say(text: str) -> None:
    """A plain line on stderr for the user to follow."""
    print(text, file=sys.stderr, flush=True)


def read_and_cut(path: Path) -> Beats:
    """The rows of MITDB's record `path`."""
    record = read_wfdb(path)
    found = cut(record)
    if not len(found):
        raise UserError(f"record {path}: no beat among its {len(record.sample)} annotations")
    return found


def warn_flat(beats: Beats, where: str) -> None:
    """Say how many rows are flat lines: scaled to their range, they are zeros from end to end."""
    empty = ~beats.x.any(axis=tuple(range(1, beats.x.ndim)))
    flat = int(empty.sum())
    if flat:
        names = sorted({name for name in beats.record[empty].tolist() if name})
        say(
            f"warning: {flat} of {len(beats)} rows of {where} are flat lines{' in ' if names else ''}{', '.join(names)}"
        )


def cut_all(paths: list[Path], rows: Callable[[Path], Beats] = read_and_cut) -> Beats:
    """The `rows` of all records, read and cut by two processes, in order of record and time."""
    if len(paths) < 4:
        return Beats.join(rows(path) for path in paths)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=leave_signals) as pool:
        with held_back(*STOPPING):
            parts = pool.map(rows, paths, chunksize=2)
        try:
            return Beats.join(progress(parts, "cutting beats", total=len(paths)))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # at the first bad record, or Ctrl-C, the others are not read
            raise


def records_source(folder: Path) -> Source:
    """Kaggle's rows out of the 48 raw records in `folder`."""
    paths = list_records(folder)
    files = [path.with_name(f"{path.name}.{extension}") for path in paths for extension in RECORD_FILES]
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise UserError(
            f"{folder} lacks {', '.join(missing[:6])}{' ...' if len(missing) > 6 else ''}; "
            "complete it by --source physionet"
        )
    recipe = {"version": RECIPE, "rows": "kaggle", "split": "kaggle"}

    def build() -> dict[str, Beats]:
        beats = cut_all(paths)
        warn_flat(beats, str(folder))
        return splits.kaggle(beats)

    return Source("records", recipe, files, build, f"raw records in {folder}")


def csv_source(folder: Path) -> Source:
    """Kaggle's two CSV files in `folder`."""
    files = {split: folder / name for split, name in rows.FILES.items()}
    missing = [path.name for path in files.values() if not path.is_file()]
    if missing:
        raise UserError(f"{folder} lacks {' and '.join(missing)}")
    recipe = {"version": RECIPE, "rows": "csv", "split": "csv"}

    def build() -> dict[str, Beats]:
        found = {split: rows.read_csv(path) for split, path in progress(files.items(), "reading CSV", total=2)}
        for split, beats in found.items():
            warn_flat(beats, files[split].name)
        return found

    return Source("csv", recipe, list(files.values()), build, f"CSV files in {folder}")


def synthetic_source(patients: int, minutes: float, seed: int) -> Source:
    """Rows of synthetic recordings."""
    recipe = {
        "version": RECIPE,
        "generator": synthetic.VERSION,
        "patients": patients,
        "minutes": minutes,
        "seed": seed,
    }

    def build() -> dict[str, Beats]:
        recordings = synthetic.synthesize(patients, minutes, seed)
        parts = [cut(record) for record in progress(recordings, "synthesizing", total=patients)]
        return splits.random_fifth(Beats.join(parts), seed)

    where = f"{patients} synthetic recordings of {minutes:g} minutes, seed {seed}"
    return Source("synthetic", recipe, [], build, where)


def open_cache(parent: Path, source: Source) -> Cache:
    """The cache of `source`, built unless it is there, with a line that says which."""
    if (found := cache.find(parent, source)) is not None:
        say(f"data: built cache of {source.where}")
        return found
    say(f"data: {source.where}; building the cache in {parent}")
    return cache.build(parent, source)


class SourceFinder:
    """Finds MIT-BIH rows as the flags tell.

    Args:
        args: root_dir, records_dir, source, gdrive_url, physionet_url.
    """

    def __init__(self, args: Namespace) -> None:
        self.args = args
        self.folder = Path(args.root_dir) / "ecg"
        self.records = Path(args.records_dir) if args.records_dir else Path(args.root_dir) / "mitdb"
        self.parent = self.folder / "cache"

    def csv(self) -> Cache:
        """From CSV files."""
        return open_cache(self.parent, csv_source(self.folder))

    def raw(self) -> Cache:
        """From raw records."""
        return open_cache(self.parent, records_source(self.records))

    def gdrive(self) -> Cache:
        """From the predecessor's archive on Google Drive."""
        say(f"data: downloading the predecessor's archive to {self.folder}")
        from loaders.sources import google_drive as gdd  # imported here: what downloads takes a good part of a start

        gdd.download(self.folder, self.args.gdrive_url)
        return self.csv()

    def physionet(self) -> Cache:
        """From PhysioNet's records."""
        say(f"data: downloading the records to {self.records}")
        from loaders.sources import physionet

        physionet.download(self.records, self.args.physionet_url)
        return self.raw()

    def raw_folder(self) -> Path:
        """Where the raw records are, once they are there; a CSV file does not do: its rows have no patient.

        Raises:
            UserError: there are none and none can be had.
        """
        if self.args.source in ("records", "auto") and (self.args.records_dir or self.has_raw()):
            return self.records
        if self.args.source == "records":
            return self.records  # whoever reads them says what is missing
        say(f"data: patients and signals are in raw records only; downloading them to {self.records}")
        from loaders.sources import physionet

        try:
            physionet.download(self.records, self.args.physionet_url)
        except UserError as error:
            raise UserError(
                f"--split, --context and --features other than Kaggle's need raw records, and there are none in "
                f"{self.records}; downloading them: {error}. Name a folder that has them by --records-dir"
            ) from error
        return self.records

    def find(self) -> Cache:
        """The rows from the source that --source names, or from the first that has them."""
        named: dict[str, Callable[[], Cache]] = {
            "csv": self.csv,
            "records": self.raw,
            "gdrive": self.gdrive,
            "physionet": self.physionet,
        }
        if self.args.source != "auto":
            return named[self.args.source]()
        if self.args.records_dir:  # said outright: these records and no others
            return self.raw()
        return self._cached() or self._local() or self._download()

    def _cached(self) -> Cache | None:
        """A cache whose source is unchanged, or no longer there to compare."""
        for kind, there, make in (("csv", self._has_csv(), csv_source), ("records", self.has_raw(), records_source)):
            if there:
                found = cache.find(self.parent, make(self.folder if kind == "csv" else self.records))
            else:
                found = cache.find(self.parent, kind=kind)
            if found is not None:
                say(f"data: built cache of {found.meta['source']['where']}")
                return found
        return None

    def _has_csv(self) -> bool:
        return all((self.folder / name).is_file() for name in rows.FILES.values())

    def has_raw(self) -> bool:
        """Whether all 48 records are where they should be."""
        names = [f"{name}.{extension}" for name in MITDB for extension in RECORD_FILES]
        return all((self.records / name).is_file() for name in names)

    def _local(self) -> Cache | None:
        if self._has_csv():
            return self.csv()
        return self.raw() if self.has_raw() else None

    def _download(self) -> Cache:
        tried = []
        for get in (self.gdrive, self.physionet):
            try:
                return get()
            except UserError as error:
                say(f"data: {error}")
                tried.append(f"{get.__name__} ({error})")
        raise UserError(
            f"no MIT-BIH data: no cache in {self.parent}, no {' and '.join(rows.FILES.values())} in {self.folder}, "
            f"no records in {self.records}; tried {'; '.join(tried)}. Ways out: put the CSV files into {self.folder}, "
            "name a folder of records by --records-dir, or take --dataset synthetic, which needs no data"
        )


def synthetic_cache(args: Namespace) -> Cache:
    """The synthetic rows that the flags describe."""
    source = synthetic_source(args.synthetic_patients, args.synthetic_minutes, args.synthetic_seed)
    return open_cache(Path(args.root_dir) / "synthetic" / "cache", source)


def write_synthetic(args: Namespace, folder: str | Path) -> list[str]:
    """Write the synthetic recordings to `folder` as WFDB records; their names."""
    recordings = synthetic.synthesize(args.synthetic_patients, args.synthetic_minutes, args.synthetic_seed)
    names, folder = [], Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=folder) as scratch:
            for record in progress(recordings, "writing records", total=args.synthetic_patients):
                write_wfdb(record, scratch)
                for path in sorted(Path(scratch).iterdir()):
                    with open(path, "rb") as handle:
                        os.fsync(handle.fileno())
                    path.replace(folder / path.name)  # a reader sees whole files only
                names.append(record.name)
        sync_folder(folder)
    except OSError as error:
        raise UserError(f"cannot write records to {folder}: {error.strerror or error}") from error
    return names
