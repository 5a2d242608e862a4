"""CSV files to annotate: a column per lead, a line per sample, however the device wrote them."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from loaders.io.annotations import TABLE_OF_BEATS
from loaders.io.csv_layout import BLANKS, MISSING, ONE_COLUMN, CsvLayout, cells_of, encoding_of, find_layout, kind_of
from loaders.io.csv_time import COUNTER_NAME, TIME_NAME, GapFiller, TimeColumn, find_time, times_of
from loaders.io.recording import CsvFormat, Lead, Recording, millivolts
from toolbox.utils import UserError, nearest

BLOCK = 1 << 17  # lines parsed at a time
LOOKED_AT = 200  # lines that the layout is read off
TIMED = 20_000  # lines that the sampling rate is read off
HEAD, TAIL = 1 << 18, 1 << 12  # bytes looked at, at both ends
NO_CELL = "\x1f"  # a separator that no file has, for those of a single column
MOST_STRANGE = 0.05  # share of a lead's cells that may be no numbers
NOTED = 1e-4  # relative difference of two rates that is worth a word
CONTRADICTED = 0.01  # relative difference of two rates that cannot both be right
HARDLY_NUMBERS = 0.5  # share of cells without a number that makes a column none of samples
MANY_COLUMNS = 16  # shown in a message


@dataclass
class CsvRecording(Recording):
    """A CSV file; its cells that are empty or NaN are missing samples, and so are jumps of its column of times.

    Attributes:
        layout: how its lines are read.
        time: its column of times or sample numbers; None where there is none.
        end: bytes before the lines at the end that are cut off, or no samples.
        strange: cells amid the samples that are no numbers, counted while it is read.
    """

    layout: CsvLayout = field(default_factory=lambda: CsvLayout(",", ".", 0, (), ()))
    time: TimeColumn | None = None
    end: int = sys.maxsize
    strange: int = 0

    def stream(self, lead: int, size: int) -> Iterator[np.ndarray]:
        """See `Recording.stream`."""
        column, scale = self.layout.names.index(self.leads[lead].name), self.leads[lead].scale or 1.0
        timed = [self.time.column] if self.time is not None else []
        filler = GapFiller(self.time, str(self.path)) if self.time is not None else None
        self.strange = 0
        for block, *times in self._columns([column, *timed]):
            values = block if filler is None else filler.fill(times[0], block)
            for start in range(0, len(values), size):
                yield (values[start : start + size] * scale).astype(np.float32)
        self._note_what_was_read(lead, filler)

    def _note_what_was_read(self, lead: int, filler: GapFiller | None) -> None:
        """Note gaps and cells that are no numbers, which only a whole reading shows."""
        notes = []
        if self.strange:
            notes.append(
                f"{self.strange} cell(s) of lead {self.leads[lead].name} are no numbers; they count as missing"
            )
        if filler is not None and filler.gaps:
            column = self.layout.names[filler.time.column]
            notes.append(f"column {column} jumps {filler.gaps} time(s): {filler.missing} samples are missing there")
        if filler is not None and filler.backward:
            notes.append(f"column {self.layout.names[filler.time.column]} goes back {filler.backward} time(s)")
        self.notes += [note for note in notes if note not in self.notes]

    def _columns(self, columns: list[int]) -> Iterator[tuple[np.ndarray, ...]]:
        """Numbers (n,) of each of `columns`, block by block; NaN for cells that hold none.

        Raises:
            UserError: a line has more cells than the others.
        """
        lines = 0
        for frame in read_frames(self.path, self.layout, columns, end=self.end):
            block = [numbers_of(frame[k], self.layout, k == columns[0]) for k in columns]
            self.strange += block[0][1]
            lines += len(frame)
            if self.strange > MOST_STRANGE * lines:
                name = self.layout.names[columns[0]]
                raise UserError(f"{self.path}: column {name} holds text in {self.strange} of its first {lines} lines")
            yield tuple(each for each, _ in block)


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


def numbers_of(cells: pd.Series, layout: CsvLayout, is_lead: bool = True) -> tuple[np.ndarray, int]:
    """The numbers (n,) of a column's cells, NaN where there are none; and how many cells hold something else."""
    if cells.dtype.kind in "fiu":
        values, strange = cells.to_numpy(dtype=np.float64, copy=True), 0
    else:
        text = cells.astype("string").str.strip().str.strip("'\"")
        plain = text.str.replace(",", ".", regex=False) if layout.point == "," else text
        values = pd.to_numeric(plain, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        strange = int((np.isnan(values) & ~text.isin(MISSING).fillna(True).to_numpy(dtype=bool)).sum())
        if not is_lead and np.isnan(values).mean() > HARDLY_NUMBERS:
            values = times_of(cells.to_numpy())
    values[~np.isfinite(values)] = np.nan
    return values, strange


def open_csv(path: Path, csv: CsvFormat) -> CsvRecording:
    """The CSV file `path`.

    Raises:
        UserError: its rate is not known, it is empty, or it lacks the columns that were asked for.
    """
    try:
        with open(path, "rb") as binary:
            encoding = encoding_of(binary.read(HEAD))
        with open(path, encoding=encoding, errors="replace", newline="") as handle:
            lines = [line.rstrip("\r\n") for line in islice(handle, LOOKED_AT)]
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    layout = layout_of(str(path), lines, encoding)
    numeric = [k for k, kind in enumerate(layout.kinds) if kind != "empty"]
    unfinished, end = _unfinished_lines(path, layout)
    frame = next(read_frames(path, layout, numeric, TIMED, end), pd.DataFrame(columns=numeric))
    time = find_time(layout.names, {k: numbers_of(frame[k], layout, False)[0] for k in numeric})
    fs, notes = settle_rate(str(path), csv.fs, layout, time)
    if unfinished:
        notes.append(f"{unfinished} line{'s' * (unfinished > 1)} at its end, cut off or without numbers, left out")
    leads = leads_of(str(path), layout, csv, fs, time)
    return CsvRecording(path, path.stem, "CSV", leads, [path], notes, layout, time, end)


def layout_of(path: str, lines: list[str], encoding: str = "utf-8") -> CsvLayout:
    """The layout of a file or stream that begins with `lines`.

    Raises:
        UserError: it is a table of beats, empty, or holds no numbers.
    """
    if lines and lines[0].startswith(TABLE_OF_BEATS):
        raise UserError(f"{path} is a table of beats that --predict wrote, no recording")
    layout = find_layout(lines, encoding)
    if layout is None:
        raise UserError(f"{path} is empty or holds no numbers; expected a line per sample, a column per lead")
    return layout


def detect_layout(path: str, lines: list[str], csv: CsvFormat) -> tuple[CsvLayout, list[Lead]]:
    """Detect how the lines of a stream that begins with `lines` are read, and its leads.

    Raises:
        UserError: see `layout_of`, `settle_rate` and `leads_of`.
    """
    layout = layout_of(path, lines)
    rows = [row for line in lines[layout.header :] if len(row := cells_of(line, layout.separator)) == len(layout.names)]
    table = pd.DataFrame(rows, columns=range(len(layout.names)), dtype="string")
    numeric = [k for k, kind in enumerate(layout.kinds) if kind != "empty"]
    time = find_time(layout.names, {k: numbers_of(table[k], layout, False)[0] for k in numeric})
    fs, notes = settle_rate(path, csv.fs, layout, time)
    return replace(layout, notes=tuple(notes)), leads_of(path, layout, csv, fs, time)


def settle_rate(path: str, given: float | None, layout: CsvLayout, time: TimeColumn | None) -> tuple[float, list[str]]:
    """The sampling rate of a file: of its column of times, else of its header, else the one `given` by --fs.

    Returns:
        The rate, and notes where the sources differ.

    Raises:
        UserError: none of them tells it.
    """
    measured = time.settled_rate(given or layout.rate) if time is not None else None
    column = f"its column {layout.names[time.column]}" if time is not None else ""
    stated = [(f"{measured:.6g} by {column}", measured)] if measured else []
    stated += [(f"{layout.rate:.6g} by its header", layout.rate)] if layout.rate else []
    stated += [(f"{given:.6g} by --fs", given)] if given else []
    if not stated:
        raise UserError(f"{path}: neither a column of times nor its header gives its sampling rate: give it by --fs")
    (said, rate), *others = stated
    notes = []
    for other, different in others:
        if abs(different / rate - 1) > CONTRADICTED:
            notes.append(f"sampling rates contradict each other: {said}, {other}; took {rate:.6g} samples per second")
        elif abs(different / rate - 1) > NOTED:
            notes.append(f"sampling rates differ a little: {said}, {other}; took {rate:.6g} samples per second")
    return rate, notes


def leads_of(path: str, layout: CsvLayout, csv: CsvFormat, fs: float, time: TimeColumn | None) -> list[Lead]:
    """The leads: the columns that --columns names, else all that hold numbers but times and numbers of samples.

    Raises:
        UserError: a column is not there, or none looks like a lead.
    """
    names = list(layout.names)
    shown = ", ".join(names[:MANY_COLUMNS]) + (" ..." if len(names) > MANY_COLUMNS else "")
    chosen = []
    for name in csv.columns:
        if name not in names and not (name.isascii() and name.isdigit() and 1 <= int(name) <= len(names)):
            raise UserError(f"{path} has no column {name}{nearest(name, names) or ';'} it has: {shown}")
        chosen.append(names.index(name) if name in names else int(name) - 1)
    if not csv.columns:
        taken = time.column if time is not None else -1
        chosen = [k for k in layout.numeric() if k != taken and not _is_time_name(names[k])]
    if not chosen:
        raise UserError(f"{path}: none of its columns looks like a lead ({shown}); name them by --columns")
    return [_lead(layout, k, csv, fs) for k in chosen]


def _is_time_name(name: str) -> bool:
    return TIME_NAME.match(name) is not None or COUNTER_NAME.fullmatch(name) is not None


def _lead(layout: CsvLayout, k: int, csv: CsvFormat, fs: float) -> Lead:
    unit = layout.units[k] or "mV"
    if csv.gain is not None:
        return Lead(layout.names[k], f"1/{csv.gain:g} mV", 1 / csv.gain, fs)
    return Lead(layout.names[k], unit, millivolts(unit), fs)


def parse_cell(line: str, column: int, layout: CsvLayout) -> float | None:
    """The number in a line's column; NaN where it is missing, None where there is something else."""
    cells = cells_of(line, layout.separator)
    cell = cells[column] if column < len(cells) else "?"
    kind = kind_of(cell, layout.point) if column < len(cells) else "text"
    if kind == "missing":
        return float("nan")
    return float(cell.replace(",", ".")) if kind == "number" else None


def _unfinished_lines(path: Path, layout: CsvLayout) -> tuple[int, int]:
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
