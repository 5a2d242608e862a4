"""CSV files compressed by gzip, unpacked to a temporary folder while they are read."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import weakref
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loaders.io.csv.recording import open_csv
from loaders.io.recording import CsvFormat, Recording, suffix_of, without_suffix
from toolbox.utils import UserError

LARGEST = 1 << 32  # bytes, unpacked
BLOCK = 1 << 20  # bytes


@dataclass(kw_only=True)
class PackedRecording(Recording):
    """A compressed CSV file.

    Attributes:
        plain: the recording in the unpacked file, whose temporary folder is removed with this object.
    """

    plain: Recording

    @property
    def seconds(self) -> float | None:
        """See `Recording.seconds`."""
        return self.plain.seconds

    def stream(self, lead: int, size: int) -> Iterator[np.ndarray]:
        """See `Recording.stream`."""
        try:
            yield from self.plain.stream(lead, size)
        except UserError as error:
            raise UserError(_renamed(error, self.plain.path, self.path)) from error
        self.notes += [note for note in self.plain.notes if note not in self.notes]


def open_packed(path: Path, csv: CsvFormat) -> PackedRecording:
    """Open the compressed CSV file `path`.

    Raises:
        UserError: it is no gzip file, damaged, unpacks to more than 4 GiB, or to no CSV file that can be read.
    """
    folder = Path(tempfile.mkdtemp(prefix="ecg-"))
    plain = folder / f"recording{Path(suffix_of(path)).stem}"
    try:
        _unpack(path, plain)
        inner = open_csv(plain, csv)
    except UserError as error:
        shutil.rmtree(folder)
        raise UserError(_renamed(error, plain, path)) from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    name = without_suffix(path).name
    recording = PackedRecording(path, name, "CSV", inner.leads, [path], [*inner.notes], plain=inner, start=inner.start)
    weakref.finalize(recording, shutil.rmtree, folder, ignore_errors=True)
    return recording


def _unpack(path: Path, target: Path) -> None:
    written = 0
    try:
        with gzip.open(path) as source, open(target, "wb") as sink:
            while block := source.read(BLOCK):
                written += len(block)
                if written > LARGEST:
                    raise UserError(f"{path} unpacks to more than {LARGEST} bytes: unpack and split it")
                sink.write(block)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path} is no gzip file, or damaged: {error}") from error


def _renamed(error: UserError, plain: Path, path: Path) -> str:
    """A message on the unpacked file as one on the compressed file."""
    return str(error).replace(str(plain), str(path))
