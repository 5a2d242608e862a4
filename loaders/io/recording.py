"""Recordings to annotate: WFDB records, EDF and CSV files, read one lead at a time and in blocks, in mV."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from toolbox.utils import UserError

# mV of one unit. WFDB and EDF write them in many ways; letters are folded, "µ" and "μ" are "u".
MILLIVOLTS = {
    **dict.fromkeys(("mv", "millivolt", "millivolts"), 1.0),
    **dict.fromkeys(("uv", "microvolt", "microvolts"), 1e-3),
    **dict.fromkeys(("nv", "nanovolt", "nanovolts"), 1e-6),
    **dict.fromkeys(("v", "volt", "volts"), 1e3),
}
CSV_SUFFIXES = (".csv", ".tsv", ".txt")


@dataclass(frozen=True)
class Lead:
    """One channel of a recording.

    Attributes:
        name: as the file has it.
        unit: of its samples, as the file has it.
        scale: mV of one such unit; None when unknown.
        fs: samples per second.
        low, high: mV, the least and greatest value that the digitizer could give; infinite where unknown.
    """

    name: str
    unit: str
    scale: float | None
    fs: float
    low: float = -np.inf
    high: float = np.inf


@dataclass
class Recording(ABC):
    """A recording on disk whose signal is read block by block.

    Attributes:
        path: of the header, or of the file.
        name: of its annotation files, without extension.
        kind: "WFDB", "EDF" or "CSV".
        leads: its channels, in order.
        files: everything that its signal is read from.
        notes: on the file, for readers of the result.
    """

    path: Path
    name: str
    kind: str
    leads: list[Lead]
    files: list[Path]
    notes: list[str] = field(default_factory=list)

    @property
    def stem(self) -> Path:
        """Its path without extension, as annotation files beside it are called."""
        return self.path.with_suffix("")

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
    return MILLIVOLTS.get(unit.strip().strip("'\"").lower().replace("µ", "u").replace("μ", "u"))


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
