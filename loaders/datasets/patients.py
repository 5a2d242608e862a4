"""The patients of own records (--patients): a CSV file of lines record,patient."""

from __future__ import annotations

import csv
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np

from loaders.beats.spliced import spliced_from
from loaders.beats.table import Beats
from loaders.io.wfdb_record import MITDB
from toolbox.utils import UserError

HEADERS = ("record", "recording", "name", "file")  # first cells of a line that names the columns
LARGEST = 64 << 20  # bytes
UNKNOWN_WARNING = (
    "Split by record: it is not known whether two records are of one patient, who may then stand on two sides; "
    "a file of lines record,patient says so by --patients."
)


def read_patients(path: str | Path) -> dict[str, str]:
    """Read a file of lines record,patient (or separated by semicolons or tabs); a header line may come first.

    Raises:
        UserError: it cannot be read, or a line has not two cells, or a record has two patients; with the line's number.
    """
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UserError(f"--patients {path}: no file; expected lines of record,patient")
        if path.stat().st_size > LARGEST:
            raise UserError(f"--patients {path}: {path.stat().st_size} bytes; expected lines of record,patient")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(f"cannot read --patients {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"--patients {path}: no text in UTF-8; expected lines of record,patient") from error
    filled = next((line for line in lines if line.strip()), "")
    separator = next((each for each in ",;\t" if each in filled), ",")
    patients: dict[str, str] = {}
    for number, line in enumerate(csv.reader(lines, delimiter=separator), start=1):
        cells = [cell.strip() for cell in line]
        if not any(cells) or (not patients and cells[0].lower() in HEADERS):
            continue
        if len(cells) != 2 or not all(cells):
            raise UserError(
                f"--patients {path}, line {number}: {separator.join(cells)[:60]!r}, expected record,patient"
            )
        record, patient = cells
        if patients.setdefault(record, patient) != patient:
            raise UserError(f"--patients {path}, line {number}: {record} is of {patients[record]!r} and of {patient!r}")
    if not patients:
        raise UserError(f"--patients {path} is empty; expected lines of record,patient")
    return patients


def origins(records: np.ndarray, spliced: bool) -> list[str]:
    """The real record behind each of these names of records (n,); `spliced`: whether there are synthetic patients."""
    return [str(name) for name in (spliced_from(records) if spliced else records)]


def with_patients(beats: Beats, path: str | Path, spliced: bool) -> Beats:
    """The beats with the patients that a file names; those spliced from a record are of its patient.

    Raises:
        UserError: see `read_patients`; or records are not in the file.
    """
    patients = read_patients(path)
    names, record = np.unique(beats.record, return_inverse=True)
    real = origins(names, spliced)
    missing = sorted(set(real) - patients.keys())
    if missing:
        more = f" ... ({len(missing)} in all)" if len(missing) > 6 else ""
        raise UserError(f"--patients {path} has no line for record {', '.join(missing[:6])}{more}")
    return replace(beats, patient=np.array([patients[name] for name in real])[record])


def are_known(beats: Beats, spliced: bool) -> bool:
    """Check whether the patients of the records are known without a --patients file, as MIT-BIH's are."""
    return set(origins(np.unique(beats.record), spliced)) <= set(MITDB)
