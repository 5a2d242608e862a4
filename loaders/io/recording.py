"""Recordings to annotate: WFDB records, EDF and CSV files, read one lead at a time and in blocks, in mV."""

from __future__ import annotations

import contextlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from toolbox.utils import UserError, nearest

# mV of one unit. WFDB and EDF write them in many ways; letters are folded, "µ" and "μ" are "u".
MILLIVOLTS = {
    **dict.fromkeys(("mv", "millivolt", "millivolts"), 1.0),
    **dict.fromkeys(("uv", "microvolt", "microvolts"), 1e-3),
    **dict.fromkeys(("nv", "nanovolt", "nanovolts"), 1e-6),
    **dict.fromkeys(("v", "volt", "volts"), 1e3),
}
# Modified limb lead II is channel 0 of most MIT-BIH records; it stands for limb lead II, which is called by many names.
TRAINED_LEADS = ("MLII", "II", "ML2", "DII", "D2")
# Names of ECG leads in recordings, folded as by `folded`.
LEAD_NAME = re.compile(
    r"(ml|md|cm|cc|d)?(i|ii|iii|[1235])|v[1-9]?r?|a?v[rlf]|mcl[1-6]|e[ck]g.*|.*e[ck]g|es|as|ai"  # EASI: the last three
)
CSV_SUFFIXES = (".csv", ".tsv", ".txt")
LOWEST_RATE = 50.0  # Hz; below, a QRS complex is two samples


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


def folded(name: str) -> str:
    """A lead's name without case, punctuation and the words "ECG" and "lead": "Lead II" is "ii"."""
    letters = re.sub(r"[^a-z0-9]", "", name.lower())
    return re.sub(r"^(ecg|ekg|lead)+(?=.)|(?<=.)(ecg|ekg)$", "", letters)


def choose_lead(recording: Recording, wanted: str | None, trained: tuple[str, ...] = TRAINED_LEADS) -> tuple[int, str]:
    """Choose the lead to annotate: the one named `wanted`, else one the model was trained on, else the first of an ECG.

    Returns:
        Its position, and a warning ("" for none).

    Raises:
        UserError: no lead has the wanted name, or the lead's sampling rate is too low for an ECG.
    """
    names = [lead.name for lead in recording.leads]
    for name in trained if wanted is None else (wanted,):
        position = _position_of(name, names)
        if position is not None:
            _check_rate(recording, position)
            return position, ""
    listed = ", ".join(names[:16]) + (" ..." if len(names) > 16 else "")
    if wanted is not None:
        raise UserError(f"{recording.path} has no lead {wanted}{nearest(wanted, names) or ';'} it has: {listed}")
    position = _first_of_an_ecg(recording.leads)
    _check_rate(recording, position)
    remedy = "; --lead takes another" if len(names) > 1 else ""
    return position, (
        f"no lead {trained[0]}, which the model was trained on; took {names[position]} of {listed}{remedy}"
    )


def _position_of(name: str, names: list[str]) -> int | None:
    """The position of the lead called `name`, exactly or else by its folded name; None for no lead."""
    if name in names:
        return names.index(name)
    short = [folded(each) for each in names]
    return short.index(folded(name)) if folded(name) in short else None


def _first_of_an_ecg(leads: list[Lead]) -> int:
    """The first lead with a name of an ECG lead; else the first voltage; else the first of all."""
    named = (k for k, lead in enumerate(leads) if LEAD_NAME.fullmatch(folded(lead.name)))
    voltages = (k for k, lead in enumerate(leads) if lead.scale is not None)
    return next(named, next(voltages, 0))


def _check_rate(recording: Recording, position: int) -> None:
    lead = recording.leads[position]
    if lead.fs < LOWEST_RATE:
        raise UserError(
            f"{recording.path}: lead {lead.name} has {lead.fs:g} samples per second; an ECG takes {LOWEST_RATE:g}"
        )


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
