"""Recordings to annotate: WFDB records, EDF and CSV files, read one lead at a time and in blocks, in mV."""

from __future__ import annotations

import contextlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from loaders.io.start_time import Start
from toolbox.utils import UserError

# mV of one unit. Files write them in many ways; letters are folded, brackets dropped, "µ", "μ" and "micro" are "u".
MILLIVOLTS = {
    **dict.fromkeys(("mv", "millivolt", "millivolts", "мв", "毫伏", "ミリボルト"), 1.0),
    **dict.fromkeys(("uv", "uvolt", "uvolts", "mcv", "mkv", "мкв", "微伏", "マイクロボルト"), 1e-3),
    **dict.fromkeys(("nv", "nanovolt", "nanovolts"), 1e-6),
    **dict.fromkeys(("v", "volt", "volts"), 1e3),
}
CSV_SUFFIXES = (".csv", ".tsv", ".txt")
LOWEST_RATE = 50.0  # Hz; below, a QRS complex is two samples
HIGHEST_RATE = 20_000.0  # Hz; no electrocardiograph samples faster: a higher rate is a damaged number
LONGEST = 366 * 86400.0  # s; a longer recording is a damaged number
PACKED = ".gz"  # the last suffix of a compressed file, whose format is told by the one before: .csv.gz


@dataclass(frozen=True)
class Lead:
    """One channel of a recording.

    Attributes:
        name: as the file has it.
        unit: of its samples, as the file has it.
        scale: mV of one such unit; None when unknown.
        fs: samples per second.
        low, high: mV, the least and greatest value that the digitizer could give; infinite where unknown.
        chosen: a person named it as a lead (--columns), whatever it is called.
    """

    name: str
    unit: str
    scale: float | None
    fs: float
    low: float = -np.inf
    high: float = np.inf
    chosen: bool = False


@dataclass
class Recording(ABC):
    """A recording on disk whose signal is read block by block.

    Attributes:
        path: of the header, or of the file.
        name: of its annotation files, without extension.
        kind: its format's name, "WFDB" or "CSV" for example.
        leads: its channels, in order.
        files: everything that its signal is read from.
        notes: on the file, for readers of the result.
        start: when its first sample was taken, as the file has it: date and time, or the time of day alone; None where
            it does not say.
    """

    path: Path
    name: str
    kind: str
    leads: list[Lead]
    files: list[Path]
    notes: list[str] = field(default_factory=list)
    start: Start | None = field(default=None, kw_only=True)

    @property
    def stem(self) -> Path:
        """Its path without extension, as annotation files beside it are called."""
        return without_suffix(self.path)

    @property
    def seconds(self) -> float | None:
        """Its length where the file states it, else None."""
        return None

    @abstractmethod
    def stream(self, lead: int, size: int) -> Iterator[np.ndarray]:
        """The signal of a lead in order, as float32 blocks of at most about `size` samples.

        Values are mV (or the file's unit where that is unknown); NaN where the recording has none.

        Raises:
            UserError: the file is damaged there.
        """


def suffix_of(path: Path) -> str:
    """The suffix that tells a recording's format, in lower case: ".hea"; ".csv.gz" for a compressed file."""
    last = path.suffix.lower()
    return path.with_suffix("").suffix.lower() + last if last == PACKED else last


def without_suffix(path: Path) -> Path:
    """The path of a recording without the suffix that tells its format."""
    return path.with_name(path.name[: len(path.name) - len(suffix_of(path))])


@contextlib.contextmanager
def readable(what: str) -> Iterator[None]:
    """Turn any error of a reader over a broken file into a UserError: "`what` cannot be read: why"."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # wfdb, edfio and soundfile raise all kinds
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{what} cannot be read: {reason}") from error


def millivolts(unit: str) -> float | None:
    """mV of one `unit`; None for an unknown unit, or one of no voltage."""
    plain = unit.strip().strip("'\"[]()").lower()
    return MILLIVOLTS.get(re.sub(r"µ|μ|micro *|&micro;|\\mu *", "u", plain))


@dataclass(frozen=True)
class CsvFormat:
    """The facts that a CSV file does not state about itself.

    Attributes:
        fs: samples per second.
        columns: names (of its header) or numbers (from 1) of the columns that are leads; () for all.
        gain: units per mV; None to believe the header, else mV.
    """

    fs: float | None = None
    columns: tuple[str, ...] = ()
    gain: float | None = None
