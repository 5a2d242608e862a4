"""The text of a CSV file as columns of numbers, block by block, up to its last whole line."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from loaders.io.csv.cells import BLANKS, MISSING, ONE_COLUMN, cells_of, kind_of
from loaders.io.csv.clock import times_of
from loaders.io.csv.layout import CsvLayout
from toolbox.utils import UserError

BLOCK = 1 << 17  # lines parsed at a time
TAIL = 1 << 12  # bytes looked at, at the end
PARTS = (0.25, 0.5, 0.75)  # of a file, where a few lines are looked at, too
LOOKED_AT_WITHIN = 1 << 15  # bytes
MOST_WITHIN = 40  # lines
NO_CELL = "\x1f"  # a separator that no file has, for those of a single column
HARDLY_NUMBERS = 0.5  # share of cells that hold text from which a column may be one of clock times


class _Beginning(io.RawIOBase):
    """The first `end` bytes of a file."""

    def __init__(self, path: Path, end: int) -> None:
        self.file, self.left = open(path, "rb", buffering=0), end  # noqa: SIM115

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self.file.readinto(memoryview(buffer)[: max(self.left, 0)]) or 0
        self.left -= count
        return count

    def close(self) -> None:
        self.file.close()
        super().close()


def read_frames(
    path: Path, layout: CsvLayout, columns: list[int], rows: int | None = None, end: int = sys.maxsize
) -> Iterator[pd.DataFrame]:
    """The `columns` of a CSV file in blocks of lines, of its first `rows` and `end` bytes; cells as numbers or text.

    Raises:
        UserError: a line has more cells than the others.
    """
    width = len(layout.names)
    separator = {ONE_COLUMN: NO_CELL, BLANKS: r"\s+"}.get(layout.separator, layout.separator)
    try:
        beginning = io.BufferedReader(_Beginning(path, end))
        with io.TextIOWrapper(beginning, encoding=layout.encoding, errors="replace", newline="") as handle:
            for _ in range(layout.header):
                handle.readline()
            reader = pd.read_csv(
                handle, sep=separator, decimal=layout.point, header=None, names=range(width),
                na_values=list(MISSING), chunksize=BLOCK, nrows=rows, engine="c",
                skip_blank_lines=not layout.blank_is_missing, skipinitialspace=True, index_col=False, low_memory=False,
            )  # fmt: skip
            for frame in reader:  # all columns: with few of them chosen, pandas passes over lines that are too long
                yield frame[sorted(set(columns))]
    except pd.errors.ParserError as error:
        match = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
        if match is None:
            raise UserError(f"{path}: {' '.join(str(error).split())[:200]}") from error
        line = int(match[2]) + layout.header
        raise UserError(f"{path}: line {line} has {match[3]} cells; the others have {match[1]}") from error
    except pd.errors.EmptyDataError:
        return


def first_lines(path: Path, encoding: str, count: int) -> list[str]:
    """The first `count` lines of a file, without their ends."""
    with open(path, encoding=encoding, errors="replace", newline="") as handle:
        return [line.rstrip("\r\n") for line in islice(handle, count)]


def lines_within(path: Path, encoding: str) -> list[str]:
    """Some whole lines from within a file, by which its columns are settled as well: its first may lack a lead."""
    lines: list[str] = []
    size = path.stat().st_size
    with open(path, "rb") as binary:
        if encoding == "utf-16":  # its mark stands at the beginning alone
            encoding = "utf-16-be" if binary.read(2) == b"\xfe\xff" else "utf-16-le"
        for part in PARTS:
            binary.seek(int(part * size) & ~3)
            text = binary.read(LOOKED_AT_WITHIN).decode(encoding.removesuffix("-sig"), errors="replace")
            lines += [line.rstrip("\r") for line in text.split("\n")[1:-1]][:MOST_WITHIN]
    return lines


def numbers_of(cells: pd.Series, layout: CsvLayout) -> tuple[np.ndarray, int]:
    """The numbers (n,) of a column's cells, NaN where there are none; and how many cells hold something else."""
    if cells.dtype.kind in "fiu":
        values, strange = cells.to_numpy(dtype=np.float64, copy=True), 0
    else:
        text = cells.astype("string").str.strip().str.strip("'\"")
        plain = text.str.replace(",", ".", regex=False) if layout.point == "," else text
        values = pd.to_numeric(plain, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        strange = int((np.isnan(values) & ~text.isin(MISSING).fillna(True).to_numpy(dtype=bool)).sum())
    values[~np.isfinite(values)] = np.nan
    return values, strange


def times_in(cells: pd.Series, layout: CsvLayout) -> tuple[np.ndarray, bool]:
    """The numbers (n,) of a column's cells, or s where they are clock times and dates; and whether they are those."""
    values, strange = numbers_of(cells, layout)
    if strange <= HARDLY_NUMBERS * len(values):
        return values, False
    seconds = times_of(cells.to_numpy())
    return seconds, bool(np.isfinite(seconds).any())


def unfinished_lines(path: Path, layout: CsvLayout) -> tuple[int, int]:
    """Lines at the end that are no samples (blank ones where those count, a footer, a cut-off line), and the bytes
    before them."""
    with open(path, "rb") as binary:
        size = binary.seek(0, 2)
        begin = max(0, size - TAIL)
        binary.seek(begin - begin % 2)
        tail = binary.read()
    wide = layout.encoding.startswith("utf-16")
    encoding = {"utf-16": "utf-16-be" if tail[-2:-1] == b"\0" else "utf-16-le"}.get(layout.encoding, layout.encoding)
    newline = "\n".encode(encoding) if wide else b"\n"
    lines = tail.split(newline)
    lines = lines[1:] if begin else lines[layout.header :]
    if lines and not lines[-1]:
        lines.pop()
        size -= 0 if tail.endswith(newline) else len(newline)
    count, end = 0, size
    for line in reversed(lines):
        text = line.decode(encoding, errors="replace").strip()
        row = cells_of(text, layout.separator)
        kinds = [kind_of(cell, layout.point) for cell in row]
        wanted = zip(kinds, layout.kinds, strict=False)
        if text and len(row) == len(layout.names) and all(k != "text" for k, column in wanted if column == "number"):
            return count, end
        count += bool(text)
        end -= len(line) + (len(newline) if end <= size and (end < size or tail.endswith(newline)) else 0)
    return 0, size
