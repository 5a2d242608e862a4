"""CSV files to annotate: a column per lead, a line per sample, with or without a header."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from loaders.io.annotations import TABLE_OF_BEATS
from loaders.io.recording import CsvFormat, Lead, Recording, millivolts
from toolbox.utils import UserError, nearest

BLOCK = 4 << 20  # bytes parsed at a time
HEAD = 200  # lines that show the layout
MISSING = ["", "nan", "NaN", "NAN", "NA", "N/A", "n/a", "null", "NULL", "None", "-"]
NO_LEAD = re.compile(r"(elapsed.*|date.*|time.*|t|s|sec.*|ms|sample.*|index|no|nr|n|#)", re.IGNORECASE)
UNIT = re.compile(r"(.*?)\s*[\[(/]\s*([a-zµμA-Z]*[vV])\s*[\])]?")  # "MLII (mV)", "II [uV]", "V5/mV"
NUMBER = re.compile(r"\s*[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?\s*")


@dataclass(frozen=True)
class CsvLayout:
    """Separator, decimal point and header of a CSV file.

    Attributes:
        separator: between cells.
        point: the decimal point.
        header: lines before the first sample.
        names, units: one of each column; a unit is "" where the header has none.
    """

    separator: str
    point: str
    header: int
    names: tuple[str, ...]
    units: tuple[str, ...]


@dataclass
class CsvRecording(Recording):
    """A CSV file; its cells that are empty or NaN are missing samples."""

    layout: CsvLayout = CsvLayout(",", ".", 0, (), ())

    def stream(self, lead: int, size: int) -> Iterator[np.ndarray]:
        """See `Recording.stream`."""
        name, scale, layout = self.leads[lead].name, self.leads[lead].scale or 1.0, self.layout
        reading = arrow_csv.ReadOptions(
            column_names=list(layout.names), skip_rows=layout.header, block_size=BLOCK, use_threads=False
        )
        parsing = arrow_csv.ParseOptions(delimiter=layout.separator)
        converting = arrow_csv.ConvertOptions(
            column_types={name: pa.float64()},
            include_columns=[name],
            null_values=MISSING,
            decimal_point=layout.point,
        )
        try:
            for batch in arrow_csv.open_csv(self.path, reading, parsing, converting):
                values = batch.column(0).to_numpy(zero_copy_only=False) * scale
                values[~np.isfinite(values)] = np.nan
                for start in range(0, len(values), size):
                    yield values[start : start + size].astype(np.float32)
        except pa.ArrowInvalid as error:
            raise UserError(f"{self.path}: {' '.join(str(error).split())[:200]}") from error


def open_csv(path: Path, csv: CsvFormat) -> CsvRecording:
    """Open the CSV file `path`.

    Raises:
        UserError: its rate is not known, it is empty, or it lacks the columns that were asked for.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as handle:
            lines = [line.rstrip("\r\n") for line in islice(handle, HEAD)]
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    layout, leads = detect_layout(str(path), lines, csv)
    return CsvRecording(path, path.stem, "CSV", leads, [path], [], layout)


def detect_layout(path: str, lines: list[str], csv: CsvFormat) -> tuple[CsvLayout, list[Lead]]:
    """Detect separator, decimal point, header and leads of a CSV file from its first `lines`.

    Raises:
        UserError: see `open_csv`.
    """
    if lines and lines[0].startswith(TABLE_OF_BEATS):
        raise UserError(f"{path} is a table of beats that --predict wrote, no recording")
    if csv.fs is None:
        raise UserError(f"{path}: a CSV file does not state its sampling rate: give it by --fs")
    layout = _layout(lines)
    if layout is None:
        raise UserError(f"{path} is empty or holds no numbers; expected a line per sample, a column per lead")
    columns = _named_columns(path, csv.columns, layout) if csv.columns else _lead_columns(path, layout, lines)
    return layout, [_lead(layout, column, csv) for column in columns]


def parse_cell(line: str, column: int, layout: CsvLayout) -> float | None:
    """The number in a line's column; NaN for a missing sample, None for anything else."""
    cells = line.rstrip("\r\n").split(layout.separator)
    cell = cells[column].strip() if column < len(cells) else "?"
    if cell in MISSING:
        return float("nan")
    return float(cell.replace(",", ".")) if NUMBER.fullmatch(cell) else None


def _lead(layout: CsvLayout, column: int, csv: CsvFormat) -> Lead:
    name, fs = layout.names[column], csv.fs or 0.0
    if csv.gain is not None:
        return Lead(name, f"1/{csv.gain:g} mV", 1 / csv.gain, fs)
    unit = layout.units[column] or "mV"
    return Lead(name, unit, millivolts(unit), fs)


def _layout(lines: list[str]) -> CsvLayout | None:
    """The layout of the first lines; None when none of them holds numbers."""
    for number, line in enumerate(lines):
        punctuation = _punctuation(line)
        if punctuation is not None and _is_data(next((after for after in lines[number + 1 :] if after.strip()), line)):
            separator, point = punctuation
            names, units = _header(lines[:number], separator, len(line.split(separator)))
            return CsvLayout(separator, point, number, names, units)
    return None


def _header(lines: list[str], separator: str, width: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The name and the unit of each of `width` columns, from the lines before the first sample."""
    heads = [[cell.strip().strip("'\"") for cell in line.split(separator)] for line in lines]
    heads = [cells for cells in heads if len(cells) == width]
    names = heads[0] if heads else [""] * width
    units = heads[1] if len(heads) > 1 else [""] * width  # as PhysioNet's rdsamp writes them
    for column, name in enumerate(names):
        if match := UNIT.fullmatch(name):
            names[column], units[column] = match[1], match[2]
    unique = [
        name if name and name not in names[:column] else f"{name} {column + 1}".strip()
        for column, name in enumerate(names)
    ]
    return tuple(unique), tuple(unit if millivolts(unit) else "" for unit in units)


def _is_data(line: str) -> bool:
    """Whether a line holds samples, perhaps missing ones: no more than one of its cells is a text."""
    texts = [cell for cell in re.split("[;,\t ]", line) if cell.strip() not in MISSING]
    return _punctuation(line) is not None or len(texts) < 2


def _punctuation(line: str) -> tuple[str, str] | None:
    """The separator and the decimal point of a line of numbers (one cell may be a time), None for any other line."""
    if NUMBER.fullmatch(line) and "," not in line:
        return ",", "."
    for separator in ";\t, ":
        cells = line.split(separator)
        numbers = [cell for cell in cells if NUMBER.fullmatch(cell)]
        filled = sum(cell.strip() in MISSING for cell in cells) + len(numbers)
        if len(cells) > 1 and numbers and filled >= len(cells) - 1:
            text = "".join(numbers)
            return separator, "," if "," in text and "." not in text else "."
    return None


def _named_columns(path: str, wanted: tuple[str, ...], layout: CsvLayout) -> list[int]:
    """The columns `wanted`, by their names or their numbers from 1."""
    names = list(layout.names)
    columns = []
    for name in wanted:
        is_number = name.isascii() and name.isdigit() and 1 <= int(name) <= len(names)
        if name not in names and not is_number:
            raise UserError(f"{path} has no column {name}{nearest(name, names) or ';'} it has: {_listed(names)}")
        columns.append(names.index(name) if name in names else int(name) - 1)
    return columns


def _lead_columns(path: str, layout: CsvLayout, lines: list[str]) -> list[int]:
    """The columns that look like leads: all but times and numbers of samples."""
    names = layout.names
    rows = [line.split(layout.separator) for line in lines[layout.header :] if line.strip()]
    columns = [k for k, name in enumerate(names) if not NO_LEAD.fullmatch(name) and not _is_time(rows, k)]
    if not columns:
        raise UserError(f"{path}: none of its columns looks like a lead ({_listed(names)}); name them by --columns")
    return columns


def _listed(names: Sequence[str]) -> str:
    """The first names, for messages."""
    return ", ".join(names[:16]) + (" ..." if len(names) > 16 else "")


def _is_time(rows: list[list[str]], column: int) -> bool:
    """Whether a column holds times or numbers of samples: no numbers, or numbers that rise in equal steps."""
    cells = [row[column] for row in rows if column < len(row) and row[column].strip() not in MISSING]
    if not all(NUMBER.fullmatch(cell) for cell in cells):
        return not any(NUMBER.fullmatch(cell) for cell in cells)
    steps = np.diff([float(cell.replace(",", ".")) for cell in cells])
    return len(steps) > 2 and bool((steps > 0).all()) and bool(steps.max() < 1.5 * steps.min() + 1e-3)
