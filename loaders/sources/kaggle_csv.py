"""Kaggle's CSV files: no header, 187 samples and a label on each line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from loaders.beats.table import Beats
from toolbox.utils import UserError
from toolbox.utils.aami import CLASS_NAMES, KAGGLE_ROW

COLUMNS = KAGGLE_ROW + 1
FILES = {"train": "mitbih_train.csv", "test": "mitbih_test.csv"}
BLOCK = 8 << 20  # bytes parsed at a time
LARGEST = float(np.finfo(np.float32).max)
# What Arrow reads as a number. Python's float() takes more: 1_0, digits of other scripts, other kinds of spaces.
NUMBER = re.compile(r"[ \t]*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[ \t]*", re.ASCII)
NOT_FINITE = re.compile(r"[ \t]*[+-]?(?:nan|inf)", re.IGNORECASE)
CELL = re.compile(r'(?:"((?:[^"]|"")*)")?([^,]*)(,?)')  # quoted or not, up to its comma


def read_csv(path: str | Path) -> Beats:
    """The rows of one file. They do not tell whose beats they are: record, patient and symbol are empty.

    Raises:
        UserError: the first thing wrong, with file, line and column.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    path = Path(path)
    names = [str(k) for k in range(COLUMNS)]
    blocks = []
    try:
        reader = arrow_csv.open_csv(
            path,
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=BLOCK),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float32()), null_values=[]),
        )
        for batch in reader:
            blocks.append(np.stack([column.to_numpy() for column in batch.columns], axis=1))
    except pa.ArrowInvalid as error:
        raise UserError(find_fault(path) or f"{path}: {str(error).splitlines()[0]}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    if not blocks:
        raise UserError(f"{path} is empty; expected lines of {COLUMNS} numbers")
    table = np.concatenate(blocks)
    blocks.clear()
    x, label = np.ascontiguousarray(table[:, :KAGGLE_ROW]), table[:, KAGGLE_ROW]
    if not (np.isfinite(x).all() and np.isin(label, range(len(CLASS_NAMES))).all()):
        raise UserError(find_fault(path) or f"{path}: values that are not finite, or labels that are no class")
    return as_beats(x, label.astype(np.int64))


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


def find_fault(path: Path) -> str | None:
    """What is wrong with a file that could not be parsed: the first fault as "file, line, column: got, expected"."""
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as handle:
        for number, line in enumerate(handle, start=1):
            text = line.rstrip("\r\n")
            if text and (fault := _fault_of(_cells(text), number)):
                return f"{path}, line {number}{fault}"
    return None


def _cells(line: str) -> list[str]:
    if '"' not in line:
        return line.split(",")
    found = []
    for match in CELL.finditer(line):
        quoted, rest, comma = match.groups()
        found.append(rest if quoted is None else quoted.replace('""', '"') + rest)
        if not comma:
            break
    return found


def _fault_of(cells: list[str], line: int) -> str | None:
    if len(cells) != COLUMNS:
        for separator, what in ((";", "semicolons"), ("\t", "tabs"), (" ", "spaces")):
            if cells[0].count(separator) == COLUMNS - 1:
                return f": separated by {what}, expected commas"
        return f": {len(cells)} columns, expected {COLUMNS} ({KAGGLE_ROW} samples and the label)"
    for column, cell in enumerate(cells, start=1):
        if NOT_FINITE.match(cell) or (NUMBER.fullmatch(cell) and abs(float(cell)) > LARGEST):
            return f", column {column}: {cell[:20]!r}, expected a finite number"
        if not NUMBER.fullmatch(cell):
            header = "; a header line must be removed" if line == 1 and column == 1 else ""
            return f", column {column}: {cell[:20]!r}, expected a number{header}"
    if float(cells[-1]) not in range(len(CLASS_NAMES)):
        return f", column {COLUMNS}: label {cells[-1]}, expected 0 to {len(CLASS_NAMES) - 1}"
    return None
