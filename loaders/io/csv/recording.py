"""CSV files to annotate: a column per lead, a line per sample, however the device wrote them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from loaders.io.annotations import is_table_of_beats
from loaders.io.csv.cells import cells_of, encoding_of, kind_of
from loaders.io.csv.clock import seconds_of
from loaders.io.csv.gaps import GapFiller
from loaders.io.csv.layout import CsvLayout, find_layout
from loaders.io.csv.start import start_of_table
from loaders.io.csv.text import first_lines, lines_within, numbers_of, read_frames, times_in, unfinished_lines
from loaders.io.csv.time import TimeColumn, is_time_name, regular_columns
from loaders.io.leads import kind_of as kind_of_lead
from loaders.io.recording import CsvFormat, Lead, Recording, millivolts
from toolbox.utils import UserError, nearest
from toolbox.utils.aami import KAGGLE_ROW

LOOKED_AT = 200  # lines that the layout is read off
LONGEST_HEADER = 5000  # lines
TIMED = 20_000  # lines that the sampling rate is read off
HEAD = 1 << 18  # bytes that the encoding is read off
LONGEST_LINE = 1 << 14  # characters; a recording has not so many leads
MOST_STRANGE = 0.05  # share of a lead's cells that may be no numbers
NOTED = 1e-4  # relative difference of two rates that is worth a word
CONTRADICTED = 0.01  # relative difference of two rates that cannot both be right
MOST_COLUMNS = 1024  # of a file; no recorder has so many channels
LEADS = ("named", "ecg")  # kinds of channels that are an ECG by their name
MANY_COLUMNS = 16  # shown in a message


@dataclass
class CsvRecording(Recording):
    """A CSV file; its cells that are empty or NaN are missing samples, and so are jumps of its column of times.

    Attributes:
        layout: how its lines are read.
        end: bytes before the lines at the end that are cut off, or no samples.
        strange: cells amid the samples that are no numbers, counted while it is read.
    """

    layout: CsvLayout = field(default_factory=lambda: CsvLayout(",", ".", 0, (), ()))
    end: int = sys.maxsize
    strange: int = 0

    def stream(self, lead: int, size: int) -> Iterator[np.ndarray]:
        """See `Recording.stream`."""
        column, scale = self.layout.names.index(self.leads[lead].name), self.leads[lead].scale or 1.0
        time = self.layout.time
        timed = [time.column] if time is not None else []
        filler = GapFiller(time, str(self.path)) if time is not None else None
        self.strange = 0
        for block, *times in self._columns([column, *timed]):
            for values in [block] if filler is None else filler.fill(times[0], block):
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
        notes += filler.notes(self.layout.names[filler.time.column]) if filler is not None else []
        self.notes += [note for note in notes if note not in self.notes]

    def _columns(self, columns: list[int]) -> Iterator[tuple[np.ndarray, ...]]:
        """Numbers (n,) of each of `columns`, block by block; NaN for cells that hold none.

        Raises:
            UserError: a line has more cells than the others.
        """
        lines = 0
        for frame in read_frames(self.path, self.layout, columns, end=self.end):
            values, strange = numbers_of(frame[columns[0]], self.layout)
            self.strange += strange
            lines += len(frame)
            if self.strange > MOST_STRANGE * lines:
                name = self.layout.names[columns[0]]
                raise UserError(f"{self.path}: column {name} holds text in {self.strange} of its first {lines} lines")
            yield values, *(times_in(frame[k], self.layout)[0] for k in columns[1:])


def open_csv(path: Path, csv: CsvFormat) -> CsvRecording:
    """The CSV file `path`.

    Raises:
        UserError: its rate is not known, it is empty, or it lacks the columns that were asked for.
    """
    try:
        with open(path, "rb") as binary:
            head = binary.read(HEAD)
        longest = max(map(len, head.replace(b"\r", b"\n").split(b"\n")))
        if longest > LONGEST_LINE:
            raise UserError(
                f"{path} has lines of more than {LONGEST_LINE} characters; expected a line per sample, a column a lead"
            )
        encoding = encoding_of(head)
        lines = first_lines(path, encoding, LOOKED_AT)
        later = lines_within(path, encoding) if len(lines) == LOOKED_AT else []
        try:
            layout = layout_of(str(path), lines, encoding, later)
        except UserError:
            if not later:
                raise
            lines = first_lines(path, encoding, LONGEST_HEADER)  # nothing but header so far
            layout = layout_of(str(path), lines, encoding, later)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    numeric = [k for k, kind in enumerate(layout.kinds) if kind != "empty"]
    unfinished, end = unfinished_lines(path, layout)
    frame = next(read_frames(path, layout, numeric, TIMED, end), pd.DataFrame(columns=numeric))
    times = _times(frame, layout)
    time = times[0] if times else None
    fs, notes = settle_rate(str(path), csv.fs, layout, time)
    if unfinished:
        notes.append(f"{unfinished} line{'s' * (unfinished > 1)} at its end, cut off or without numbers, left out")
    leads = leads_of(str(path), layout, csv, fs, times)
    start = start_of_table(lines, layout, times)
    return CsvRecording(path, path.stem, "CSV", leads, [path], notes, replace(layout, time=time), end, start=start)


def _times(frame: pd.DataFrame, layout: CsvLayout) -> list[TimeColumn]:
    """The columns of times and of sample numbers among the first lines of a file, see `regular_columns`."""
    columns = {k: times_in(frame[k], layout) for k, kind in enumerate(layout.kinds) if kind != "empty"}
    clocks = frozenset(k for k, (_, is_clock) in columns.items() if is_clock)
    return regular_columns(layout.names, {k: values for k, (values, _) in columns.items()}, clocks)


def layout_of(path: str, lines: list[str], encoding: str = "utf-8", later: Sequence[str] = ()) -> CsvLayout:
    """The layout of a file or stream that begins with `lines`.

    Raises:
        UserError: it is a table of beats, of --predict or Kaggle's, empty, or holds no numbers.
    """
    if is_table_of_beats(lines):
        raise UserError(f"{path} is a table of beats that --predict wrote, no recording")
    try:
        layout = find_layout(lines, encoding, later)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if layout is None:
        raise UserError(f"{path} is empty or holds no numbers; expected a line per sample, a column per lead")
    if len(layout.names) > MOST_COLUMNS:
        raise UserError(f"{path} has {len(layout.names)} columns; expected a line per sample, a column per lead")
    if _holds_kaggle_rows(lines, layout):
        raise UserError(
            f"{path} is a table of beats as Kaggle's ({KAGGLE_ROW} samples from 0 to 1 and a class in each line), no "
            "recording; --test scores such rows"
        )
    return layout


def _holds_kaggle_rows(lines: list[str], layout: CsvLayout) -> bool:
    """Check whether the lines are rows of Kaggle's dataset of beats, with a class or not, numbered or not."""
    if not KAGGLE_ROW <= len(layout.names) <= KAGGLE_ROW + 2:
        return False
    rows = [cells_of(line, layout.separator)[1:-1] for line in lines[layout.header :]]
    values = numbers_of(pd.Series([cell for row in rows for cell in row], dtype="string"), layout)[0]
    return len(values) > 0 and bool(((values >= 0) & (values <= 1)).all())


def detect_layout(path: str, lines: list[str], csv: CsvFormat) -> tuple[CsvLayout, list[Lead]]:
    """Detect how the lines of a stream that begins with `lines` are read, and its leads.

    Raises:
        UserError: see `layout_of`, `settle_rate` and `leads_of`.
    """
    layout = layout_of(path, lines)
    rows = [row for line in lines[layout.header :] if len(row := cells_of(line, layout.separator)) == len(layout.names)]
    table = pd.DataFrame(rows, columns=range(len(layout.names)), dtype="string")
    times = _times(table, layout)
    time = times[0] if times else None
    fs, notes = settle_rate(path, csv.fs, layout, time)
    return replace(layout, time=time, notes=tuple(notes)), leads_of(path, layout, csv, fs, times)


def settle_rate(path: str, given: float | None, layout: CsvLayout, time: TimeColumn | None) -> tuple[float, list[str]]:
    """The sampling rate of a file: of its column of times, else of its header, else the one `given` by --fs.

    Returns:
        The rate, and notes where the sources differ.

    Raises:
        UserError: none of them tells it.
    """
    column = f"its column {layout.names[time.column]}" if time is not None else ""
    measured = time.settled_rate(given or layout.rate) if time is not None else None
    if time is not None and not time.is_steady:
        rate = layout.rate or given
        about = f"{column}, whose step is not constant, gives about {time.rate:.3g} samples per second"
        if rate is None:
            raise UserError(f"{path}: {about}: give the rate by --fs")
        if measured and abs(measured / rate - 1) > max(CONTRADICTED, time.uncertainty):
            return rate, [f"sampling rates contradict each other: {about}; took {rate:.6g}"]
        measured = None
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


def leads_of(path: str, layout: CsvLayout, csv: CsvFormat, fs: float, times: Sequence[TimeColumn]) -> list[Lead]:
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
        timed = {time.column for time in times}
        leads = {k: _lead(layout, k, csv, fs) for k in layout.numeric() if k not in timed}
        chosen = [k for k, lead in leads.items() if kind_of_lead(lead) in LEADS or not is_time_name(lead.name)]
    if not chosen:
        raise UserError(f"{path}: none of its columns looks like a lead ({shown}); name them by --columns")
    return [replace(_lead(layout, k, csv, fs), chosen=bool(csv.columns)) for k in chosen]


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


def parse_time(line: str, column: int, layout: CsvLayout) -> float:
    """The time in a line's column, a number or s of a clock time; NaN where it is missing."""
    value = parse_cell(line, column, layout)
    if value is None:
        cells = cells_of(line, layout.separator)
        value = seconds_of(cells[column]) if column < len(cells) else float("nan")
    return value
