"""Kaggle's CSV files: no header, 187 samples and a label on each line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from loaders.beats.table import Beats
from toolbox.utils import UserError, remove_abandoned
from toolbox.utils.aami import CLASS_NAMES, KAGGLE_ROW

COLUMNS = KAGGLE_ROW + 1
FILES = {"train": "mitbih_train.csv", "test": "mitbih_test.csv"}
SCRATCH = ".gdd-"  # before the name of a folder that their archive is downloaded to
BLOCK = 8 << 20  # bytes parsed at a time
SEPARATORS = {";": "semicolons", "\t": "tabs", " ": "spaces"}  # that people write instead of commas
# Arrow's messages, the row counted from 1 and without empty lines, the column from 0; threads leave the row out.
WIDTH_FAULT = re.compile(r".*Row #(?P<row>\d+): Expected \d+ columns, got (?P<columns>\d+)", re.DOTALL)
CELL_FAULT = re.compile(r".*column #(?P<column>\d+): Row #(?P<row>\d+): .* invalid value '(?P<cell>.*)'", re.DOTALL)


def remove_leftovers(folder: Path) -> None:
    """Remove what a process that was killed while it downloaded or unpacked the two files left in `folder`."""
    remove_abandoned(folder, f"{SCRATCH}*", *(f".{name}.*.tmp" for name in FILES.values()))


def read_csv(path: str | Path) -> Beats:
    """Read the rows of one file. They do not say whose beats they are: record, patient and symbol are empty.

    Raises:
        UserError: something is wrong, with file, line and column.
    """
    path = Path(path)
    try:
        table = _read_table(path)
    except pa.ArrowInvalid as error:
        raise UserError(f"{path}{_explain(path, error)}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    if not len(table):
        raise UserError(f"{path} is empty; expected lines of {COLUMNS} numbers")
    wrong = ~np.isfinite(table)
    wrong[:, KAGGLE_ROW] |= ~np.isin(table[:, KAGGLE_ROW], range(len(CLASS_NAMES)))
    if wrong.any():
        row, column = np.unravel_index(wrong.argmax(), wrong.shape)
        number, line = _line_of(path, int(row) + 1 + bool(_numbered_columns(path)))
        cell = dict(enumerate(line.split(","))).get(int(column), "?").strip('" ')
        said = f"label {cell}, expected 0 to {len(CLASS_NAMES) - 1}"
        if not np.isfinite(table[row, column]):
            said = f"{cell[:20]!r}, expected a finite number"
        raise UserError(f"{path}, line {number}, column {column + 1}: {said}")
    return as_beats(np.ascontiguousarray(table[:, :KAGGLE_ROW]), table[:, KAGGLE_ROW].astype(np.int64))


def _numbered_columns(path: Path) -> int:
    """The lines up to a header of column numbers (0 to 187, or from 1 on), as pandas writes it; 0 where there is none.

    Samples are between 0 and 1 and labels up to 4: no row of beats looks like that.
    """
    with open(path, "rb") as handle:
        head = handle.readlines(COLUMNS * 8)[:9]
    for number, line in enumerate(head, start=1):
        if line.strip():
            cells = [cell.strip(b' "\xef\xbb\xbf\r\n') for cell in line.split(b",")]
            counts = [[b"%d" % (first + k) for k in range(COLUMNS)] for first in (0, 1)]
            return number if cells in counts else 0
    return 0


def _read_table(path: Path, threads: bool = True) -> np.ndarray:
    """(rows, 188) float32."""
    names = [str(k) for k in range(COLUMNS)]
    header = _numbered_columns(path)
    with open(path, "rb") as handle:  # a folder's name may be no UTF-8, which Arrow asks for
        reader = arrow_csv.open_csv(
            handle,
            read_options=arrow_csv.ReadOptions(
                column_names=names, block_size=BLOCK, use_threads=threads, skip_rows=header
            ),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float32()), null_values=[]),
        )
        blocks = [np.stack([column.to_numpy() for column in batch.columns], axis=1) for batch in reader]
    return np.concatenate([np.empty((0, COLUMNS), dtype=np.float32), *blocks])


def _explain(path: Path, error: pa.ArrowInvalid) -> str:
    """The fault of a file that Arrow cannot parse, to be put behind its name: ", line, column: got, expected"."""
    try:
        _read_table(path, threads=False)
    except pa.ArrowInvalid as located:
        error = located
    message = str(error)
    if match := WIDTH_FAULT.match(message):
        number, line = _line_of(path, int(match["row"]))
        for separator, name in SEPARATORS.items():
            if line.count(separator) == COLUMNS - 1 and "," not in line:
                return f", line {number}: separated by {name}, expected commas"
        return f", line {number}: {match['columns']} columns, expected {COLUMNS} ({KAGGLE_ROW} samples and the label)"
    if match := CELL_FAULT.match(message):
        number, _ = _line_of(path, int(match["row"]))
        column = int(match["column"]) + 1
        header = "; a header line must be removed" if number == column == 1 else ""
        return f", line {number}, column {column}: {match['cell'][:20]!r}, expected a number{header}"
    if message.startswith("Empty"):
        return f" is empty; expected lines of {COLUMNS} numbers"
    return f": {' '.join(message.split())[:200]}"


def _line_of(path: Path, row: int) -> tuple[int, str]:
    """The number and the text of the line of a row, counted from 1; empty lines are no rows."""
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as handle:
        number = 0
        for number, line in enumerate(handle, start=1):
            row -= bool(line.strip("\r\n"))
            if row == 0:
                return number, line.strip("\r\n")
    return number, ""


def as_beats(x: np.ndarray, y: np.ndarray) -> Beats:
    """Rows of unknown origin; a row's length is up to its last sample that is not zero."""
    filled = x != 0
    length = np.where(filled.any(axis=1), KAGGLE_ROW - filled[:, ::-1].argmax(axis=1), 0)
    n = len(y)
    return Beats(
        x=x,
        y=y,
        length=length.astype(np.int16),
        record=np.full(n, ""),
        patient=np.full(n, ""),
        sample=np.full(n, -1, dtype=np.int32),
        symbol=np.full(n, ""),
    )
