"""CSV files to annotate: a column per lead, a line per sample, with or without a header."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from loaders.io.annotations import TABLE_OF_BEATS
from loaders.io.recording import CsvFormat, Lead, Recording, millivolts
from toolbox.utils import UserError, nearest

BLOCK = 4 << 20  # bytes parsed at a time
LOOKED_AT = 200  # lines that the layout is read off
MISSING = ["", "nan", "NaN", "NAN", "NA", "N/A", "n/a", "null", "NULL", "None", "-"]
NO_LEAD = re.compile(r"(elapsed.*|date.*|time.*|t|s|sec.*|ms|sample.*|index|no|nr|n|#)", re.IGNORECASE)
UNIT = re.compile(r"(.*?)\s*[\[(/]\s*([a-zµμA-Z]*[vV])\s*[\])]?")  # "MLII (mV)", "II [uV]", "V5/mV"
NUMBER = re.compile(r"\s*[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?\s*")


@dataclass(frozen=True)
class Layout:
    """How a file's lines are to be read.

    Attributes:
        separator: between cells.
        point: what stands for the decimal point.
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

    layout: Layout = Layout(",", ".", 0, (), ())

    def stream(self, lead: int, size: int) -> Iterator[np.ndarray]:
        """See `Recording.stream`."""
        import pyarrow as pa
        from pyarrow import csv

        name, scale, layout = self.leads[lead].name, self.leads[lead].scale or 1.0, self.layout
        reading = csv.ReadOptions(
            column_names=list(layout.names), skip_rows=layout.header, block_size=BLOCK, use_threads=False
        )
        converting = csv.ConvertOptions(
            column_types={name: pa.float64()},
            include_columns=[name],
            null_values=MISSING,
            decimal_point=layout.point,
        )
        try:
            for batch in csv.open_csv(self.path, reading, csv.ParseOptions(delimiter=layout.separator), converting):
                values = batch.column(0).to_numpy(zero_copy_only=False) * scale
                values[~np.isfinite(values)] = np.nan
                for start in range(0, len(values), size):
                    yield values[start : start + size].astype(np.float32)
        except pa.ArrowInvalid as error:
            raise UserError(f"{self.path}: {' '.join(str(error).split())[:200]}") from error


def open_csv(path: Path, csv: CsvFormat) -> CsvRecording:
    """The CSV file `path`.

    Raises:
        UserError: its rate is not known, it is empty, or it lacks the columns that were asked for.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as handle:
            lines = [line.rstrip("\r\n") for line in islice(handle, LOOKED_AT)]
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    layout, leads = sniff(str(path), lines, csv)
    return CsvRecording(path, path.stem, "CSV", leads, [path], [], layout)


def sniff(path: str, lines: list[str], csv: CsvFormat) -> tuple[Layout, list[Lead]]:
    """How the first `lines` of a CSV file are to be read, and its leads.

    Raises:
        UserError: see `open_csv`.
    """
    if lines and lines[0].startswith(TABLE_OF_BEATS):
        raise UserError(f"{path} is a table of beats that --predict wrote, no recording")
    if csv.fs is None:
        raise UserError(f"{path}: a CSV file does not tell its sampling rate: give it by --fs")
    layout = _layout(lines)
    if layout is None:
        raise UserError(f"{path} is empty or holds no numbers; expected a line per sample, a column per lead")
    return layout, [_lead(layout, k, csv) for k in _columns(path, csv.columns, layout, lines)]


def parsed(line: str, column: int, layout: Layout) -> float | None:
    """The number in a line's column; NaN where it is missing, None where there is something else."""
    cells = line.rstrip("\r\n").split(layout.separator)
    cell = cells[column].strip() if column < len(cells) else "?"
    if cell in MISSING:
        return float("nan")
    return float(cell.replace(",", ".")) if NUMBER.fullmatch(cell) else None


def _lead(layout: Layout, k: int, csv: CsvFormat) -> Lead:
    unit = layout.units[k] or "mV"
    if csv.gain is not None:
        return Lead(layout.names[k], f"1/{csv.gain:g} mV", 1 / csv.gain, csv.fs or 0.0)
    return Lead(layout.names[k], unit, millivolts(unit), csv.fs or 0.0)


def _layout(lines: list[str]) -> Layout | None:
    """What the first lines show; None when none of them holds numbers."""
    first, (separator, point) = next(_data_lines(lines), (0, ("", "")))
    if not separator:
        return None
    width = len(lines[first].split(separator))
    heads = [[cell.strip().strip("'\"") for cell in head.split(separator)] for head in lines[:first]]
    heads = [cells for cells in heads if len(cells) == width]
    names = heads[0] if heads else [""] * width
    units = heads[1] if len(heads) > 1 else [""] * width  # as PhysioNet's rdsamp writes them
    for k, name in enumerate(names):
        if match := UNIT.fullmatch(name):
            names[k], units[k] = match[1], match[2]
    names = [name if name and name not in names[:k] else f"{name} {k + 1}".strip() for k, name in enumerate(names)]
    units = [unit if millivolts(unit) else "" for unit in units]
    return Layout(separator, point, first, tuple(names), tuple(units))


def _data_lines(lines: list[str]) -> Iterator[tuple[int, tuple[str, str]]]:
    """Number, separator and decimal point of lines of numbers; one with text after it ("Version,2.0") is a header's."""
    for k, line in enumerate(lines):
        layout = _separator(line)
        following = next((each for each in lines[k + 1 :] if each.strip()), line)
        texts = [cell for cell in re.split("[;,\t ]", following) if cell.strip() not in MISSING]
        if layout is not None and (_separator(following) is not None or len(texts) < 2):
            yield k, layout


def _separator(line: str) -> tuple[str, str] | None:
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


def _columns(path: str, wanted: tuple[str, ...], layout: Layout, lines: list[str]) -> list[int]:
    """The numbers of the columns that are leads: those `wanted`, else all but times and numbers of samples."""
    names = list(layout.names)
    known = ", ".join(names[:16]) + (" ..." if len(names) > 16 else "")
    found = []
    for name in wanted:
        if name not in names and not (name.isascii() and name.isdigit() and 1 <= int(name) <= len(names)):
            raise UserError(f"{path} has no column {name}{nearest(name, names) or ';'} it has: {known}")
        found.append(names.index(name) if name in names else int(name) - 1)
    if wanted:
        return found
    rows = [line.split(layout.separator) for line in lines[layout.header :] if line.strip()]
    found = [k for k, name in enumerate(names) if not NO_LEAD.fullmatch(name) and not _is_time(rows, k)]
    if not found:
        raise UserError(f"{path}: none of its columns looks like a lead ({known}); name them by --columns")
    return found


def _is_time(rows: list[list[str]], k: int) -> bool:
    """Whether column `k` holds times or numbers of samples: no numbers, or numbers that rise in equal steps."""
    cells = [row[k] for row in rows if k < len(row) and row[k].strip() not in MISSING]
    if not all(NUMBER.fullmatch(cell) for cell in cells):
        return not any(NUMBER.fullmatch(cell) for cell in cells)
    steps = np.diff([float(cell.replace(",", ".")) for cell in cells])
    return len(steps) > 2 and bool((steps > 0).all()) and bool(steps.max() < 1.5 * steps.min() + 1e-3)
