"""Find MIT-BIH's beats: built caches, CSV files, raw records, downloads."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from loaders.beats.table import Beats
from loaders.io.wfdb_record import MITDB
from loaders.options import SourceOptions
from loaders.sources import cache
from loaders.sources.cache import Cache, Source
from loaders.sources.kaggle_csv import FILES, read_csv, remove_leftovers
from loaders.sources.records import RECORD_FILES, Layout, records_source, warn_flat
from toolbox.utils import Registry, UserError, printable, progress

# A registry, so that the libraries for downloads are imported only when something is downloaded.
DOWNLOADS = Registry(
    "download",
    {"gdrive": "loaders.sources.google_drive:download", "physionet": "loaders.sources.physionet:download"},
)
CSV_VERSION = 1  # to be raised when kaggle_csv.py makes other rows: caches made before are then rebuilt


def report(text: str) -> None:
    """Print a line on stderr: where the data come from."""
    print(f"data: {printable(text)}", file=sys.stderr, flush=True)


def csv_source(folder: Path) -> Source:
    """Kaggle's two CSV files in `folder`."""
    files = {split: folder / name for split, name in FILES.items()}
    missing = [path.name for path in files.values() if not path.is_file()]
    if missing:
        raise UserError(f"{folder} lacks {' and '.join(missing)}")
    recipe = {"version": CSV_VERSION, "rows": "csv", "split": "csv"}

    def build() -> dict[str, Beats]:
        parts = {split: read_csv(path) for split, path in progress(files.items(), "reading CSV", total=2)}
        for split, beats in parts.items():
            warn_flat([beats], files[split].name)
        return parts

    return Source("csv", recipe, list(files.values()), build, f"CSV files in {folder}")


def open_cache(parent: Path, source: Source) -> Cache:
    """The cache of `source`, built unless it is there, with a line that says which."""
    if (built := cache.find(parent, source)) is not None:
        report(f"built cache of {source.where}")
        return built
    report(f"{source.where}; building the cache in {parent}")
    return cache.build(parent, source)


class SourceFinder:
    """Finds MIT-BIH's beats in the place that the flags name.

    Args:
        options: the flags.
        layout: how the beats of raw records are cut and kept.
    """

    def __init__(self, options: SourceOptions, layout: Layout) -> None:
        self.options = options
        self.layout = layout
        self.folder = Path(options.root_dir) / "ecg"
        self.records = Path(options.records_dir) if options.records_dir else Path(options.root_dir) / "mitdb"
        self.parent = self.folder / "cache"

    def csv(self) -> Cache:
        """From CSV files."""
        remove_leftovers(self.folder)
        return open_cache(self.parent, csv_source(self.folder))

    def raw(self) -> Cache:
        """From raw records."""
        return open_cache(self.parent, records_source(self.records, self.layout))

    def gdrive(self) -> Cache:
        """From the predecessor's archive on Google Drive."""
        report(f"downloading the predecessor's archive to {self.folder}")
        DOWNLOADS["gdrive"](self.folder, self.options.gdrive_url)
        return self.csv()

    def physionet(self) -> Cache:
        """From PhysioNet's records."""
        report(f"downloading the records to {self.records}")
        DOWNLOADS["physionet"](self.records, self.options.physionet_url)
        return self.raw()

    def find(self) -> Cache:
        """Kaggle's rows from the source that --source names, or from the first that has them."""
        named: dict[str, Callable[[], Cache]] = {
            "csv": self.csv,
            "records": self.raw,
            "gdrive": self.gdrive,
            "physionet": self.physionet,
        }
        if self.options.source != "auto":
            return named[self.options.source]()
        if self.options.records_dir:  # these records and no others
            return self.raw()
        return self._cached() or self._local() or self._download()

    def find_records(self) -> Cache:
        """The beats of raw records, for all that CSV files lack: patients and signals.

        Where the records went away and no others are named, a cache that was built of them serves.

        Raises:
            UserError: there are no records and none can be had.
        """
        if not self.has_raw() and not self.options.records_dir:
            built = cache.find(self.parent, kind=self.layout.kind, recipe=self.layout.recipe)
            if built is not None:
                report(f"built cache of {built.meta['source']['where']}")
                return built
        at_hand = self.options.records_dir or self.has_raw()
        if not (self.options.source == "records" or (self.options.source == "auto" and at_hand)):
            self._download_records()
        return self.raw()

    def _download_records(self) -> None:
        report(f"patients and signals are in raw records only; downloading them to {self.records}")
        try:
            DOWNLOADS["physionet"](self.records, self.options.physionet_url)
        except UserError as error:
            raise UserError(
                f"--split, --context and --features other than Kaggle's need raw records, and there are none in "
                f"{self.records}; downloading them: {error}. Name a folder that has them by --records-dir"
            ) from error

    def _cached(self) -> Cache | None:
        """A cache whose source is unchanged, or no longer there to compare."""
        sources: dict[str, Callable[[], Source] | None] = {
            "csv": (lambda: csv_source(self.folder)) if self._has_csv() else None,
            self.layout.kind: (lambda: records_source(self.records, self.layout)) if self.has_raw() else None,
        }
        for kind, source in sources.items():
            built = cache.find(self.parent, source()) if source else cache.find(self.parent, kind=kind)
            if built is not None:
                report(f"built cache of {built.meta['source']['where']}")
                return built
        return None

    def _has_csv(self) -> bool:
        return all((self.folder / name).is_file() for name in FILES.values())

    def has_raw(self) -> bool:
        """Check whether all 48 records are in their folder."""
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
                report(str(error))
                tried.append(f"{get.__name__} ({error})")
        raise UserError(
            f"no MIT-BIH data: no cache in {self.parent}, no {' and '.join(FILES.values())} in {self.folder}, "
            f"no records in {self.records}; tried {'; '.join(tried)}. Ways out: put the CSV files into {self.folder}, "
            "name a folder of records by --records-dir, or take --dataset synthetic, which needs no data"
        )
