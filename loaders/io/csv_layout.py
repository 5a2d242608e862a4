"""How a CSV file is to be read: separator, decimal mark, header, names and units, settled by most of its lines."""

from __future__ import annotations

import csv as csv_module
import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise

from loaders.io.recording import millivolts

MISSING = (
    "", "nan", "NaN", "NAN", "NA", "N/A", "n/a", "#N/A", "null", "NULL", "None", "-", "?", "inf", "-inf", "Inf", "-Inf"
)  # fmt: skip
ONE_COLUMN = ""  # the separator of a file with a single column
BLANKS = " "  # columns aligned by blanks
NUMBERS = {
    ".": re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"),
    ",": re.compile(r"[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?"),
}
UNIT_IN_NAME = re.compile(r"(.*?)\s*[\[(/]\s*([a-zµμA-Z]*[vV])\s*[\])]?")  # "MLII (mV)", "II [uV]", "V5/mV"
UNIT_ALONE = re.compile(r"[\[(]?\s*([a-zµμA-Z/%°]{1,12})\s*[\])]?")
UNITS = {"s", "sec", "seconds", "ms", "us", "ns", "mv", "uv", "nv", "v", "hz", "mmhg", "bpm", "g", "%", "adu", "a.u."}
SAMPLING_RATE = re.compile(
    r"^\W*(?:sampl\w*[ _-]*(?:rate|freq\w*)|(?:sampl\w*|data)?[ _-]*frequency|rate|fs|f_s|sfreq)\b[^\d\n]{0,24}?"
    r"(\d+(?:[.,]\d+)?)\s*(k?hz|hertz|sps|samples?\W*(?:/|per)\W*s\w*|1/s)?\W*$",
    re.IGNORECASE,
)
SAMPLING_INTERVAL = re.compile(
    r"^\W*(?:sampl\w*[ _-]*)?(?:interval|period)\b[^\d\n]{0,12}?(\d+(?:[.,]\d+)?(?:e-?\d+)?)\s*(s|sec|ms|us|µs)\W*$",
    re.IGNORECASE,
)
KEYED_UNIT = re.compile(r"^\W*units?\W+(\S+)\W*$", re.IGNORECASE)
KEYED_LEAD = re.compile(r"^\W*(?:lead|channel)\W+(.{1,40}?)\W*$", re.IGNORECASE)
PER_SECOND = {"s": 1.0, "sec": 1.0, "ms": 1e3, "us": 1e6, "µs": 1e6}


@dataclass(frozen=True)
class CsvLayout:
    """How the lines of a file are to be read.

    Attributes:
        separator: between cells; `BLANKS` for columns aligned by blanks, `ONE_COLUMN` for a single one.
        point: the decimal mark.
        header: lines before the first sample.
        names, units: one of each column; a unit is "" where the header has none. A column without a name is called
            "column N" (N from 1).
        kinds: of each column: "number", "text" or "empty".
        rate: samples per second as the header gives them; None where it does not.
        blank_is_missing: an empty line is a missing sample (files of a single column).
        encoding: of the file's bytes.
        notes: what a user is to know of how it is read.
    """

    separator: str
    point: str
    header: int
    names: tuple[str, ...]
    units: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    rate: float | None = None
    blank_is_missing: bool = False
    encoding: str = "utf-8"
    notes: tuple[str, ...] = ()

    def numeric(self) -> list[int]:
        """The columns that hold numbers."""
        return [k for k, kind in enumerate(self.kinds) if kind == "number"]


def encoding_of(head: bytes) -> str:
    """The encoding of a text file that begins with `head`: UTF-16 and UTF-8 by their marks or their bytes, else
    Windows-1252."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if head.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        if len(zeros) > 8 and zeros.count(0) > 0.8 * len(zeros):
            return encoding
    try:
        head[:-4].decode("utf-8")  # the last character may be cut off
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def cells_of(line: str, separator: str) -> list[str]:
    """The cells of a line, without blanks and quotes around them."""
    if separator == ONE_COLUMN:
        return [line.strip().strip("'\"").strip()]
    if separator == BLANKS:
        return line.split()
    if '"' in line:
        rows = list(csv_module.reader([line], delimiter=separator))
        return [cell.strip() for cell in rows[0]] if rows else [""]
    return [cell.strip().strip("'\"") for cell in line.split(separator)]


def kind_of(cell: str, point: str) -> str:
    """What a cell holds: "number", "missing" or "text"."""
    if cell in MISSING:
        return "missing"
    return "number" if NUMBERS[point].fullmatch(cell) else "text"


def find_layout(lines: list[str], encoding: str = "utf-8") -> CsvLayout | None:
    """The layout that most of the first `lines` of a file agree with; None when they hold no numbers."""
    offered, lines = _named_separator(lines)
    filled = [line for line in lines if line.strip()]
    grids = []
    for separator, point in _candidates(offered):
        grid = _Grid.of(filled, separator, point)
        if grid is not None:
            grids.append(grid)
            if separator in ";\t" and grid.is_plain(len(filled)):
                break
    if not grids:
        return None
    best = max(grids, key=lambda grid: grid.quality)
    if best.separator == "," and best.width == 2 and _is_decimal_comma(filled, best):
        best = _Grid.of(filled, ONE_COLUMN, ",") or best
    skipped = 1 if offered else 0
    start = best.first_sample(lines)
    if start is None:
        return None
    names, units = _names_and_units(lines[:start], best)
    blank = [not line.strip() for line in lines[start:]]
    double_spaced = sum(blank) > 0.4 * len(blank)
    return CsvLayout(
        best.separator, best.point, start + skipped, names, units, best.kinds, _header_rate(lines[:start]),
        best.separator == ONE_COLUMN and not double_spaced, encoding,
    )  # fmt: skip


def _named_separator(lines: list[str]) -> tuple[str, list[str]]:
    """The separator that the first line names ("sep=;", as spreadsheets write it), and the lines after it."""
    match = re.fullmatch(r"\s*\"?sep=(.|\\t)\"?\s*", lines[0]) if lines else None
    if not match:
        return "", lines
    return match[1].replace("\\t", "\t"), lines[1:]


def _candidates(offered: str) -> list[tuple[str, str]]:
    """Separators and decimal marks to try, the likeliest first."""
    separators = [offered] if offered else [";", "\t", ",", BLANKS, ONE_COLUMN]
    return [(separator, point) for separator in separators for point in ".,"]


@dataclass(frozen=True)
class _Grid:
    """The lines of a file, cut by one separator.

    Attributes:
        separator, point: see `CsvLayout`.
        width: cells of most lines.
        kinds: of each column in most lines: "number", "text" or "empty".
        shapes: of each column of text the shape of most of its cells, as "0-0-0 0:0:0" of dates; "" for words.
        fitting: how many lines agree with them.
        foreign: columns of text that hold another separator, and so are several.
    """

    separator: str
    point: str
    width: int
    kinds: tuple[str, ...]
    shapes: tuple[str, ...]
    fitting: int = 0
    foreign: int = 0

    @classmethod
    def of(cls, lines: list[str], separator: str, point: str) -> _Grid | None:
        """The grid of these lines; None where no column holds numbers in most of them."""
        rows = [cells_of(line, separator) for line in lines]
        widths = Counter(len(row) for row in rows)
        width = max(widths, key=lambda each: (widths[each], each))
        columns = list(zip(*(row for row in rows if len(row) == width), strict=True))
        kinds = tuple(_kind_of_column(column, point) for column in columns)
        if "number" not in kinds:
            return None
        texts = [column if kind == "text" else () for column, kind in zip(columns, kinds, strict=True)]
        others = [other for other in ";\t" if other != separator]
        foreign = sum(sum(any(o in cell for o in others) for cell in column) > len(column) / 2 for column in texts)
        separator = ONE_COLUMN if width == 1 else separator
        grid = cls(separator, point, width, kinds, tuple(map(_shape_of_column, texts)), 0, foreign)
        fitting = sum(grid.fits(row) for row in rows)
        return replace(grid, fitting=fitting) if fitting >= max(1, 0.4 * len(rows)) else None

    @property
    def quality(self) -> tuple[float, ...]:
        """Larger for a likelier grid: lines that fit, columns of text, decimal comma only where it is needed."""
        return (self.fitting - 1000 * self.foreign, -self.kinds.count("text"), self.point == ".", self.width > 1)

    def is_plain(self, lines: int) -> bool:
        """Whether nearly all lines are numbers in several columns: no other separator can do better."""
        return self.width > 1 and self.fitting >= lines - 8 and "text" not in self.kinds

    def fits(self, row: list[str]) -> bool:
        """Whether a line's cells are of the columns' kinds."""
        if len(row) != self.width:
            return False
        for cell, kind, shape in zip(row, self.kinds, self.shapes, strict=True):
            own = kind_of(cell, self.point)
            if own == "missing":
                continue
            if own != kind or (shape and _shape(cell) != shape):
                return False
        return True

    def first_sample(self, lines: list[str]) -> int | None:
        """The number of the first line (from 0) that most lines after it are like."""
        rows = [cells_of(line, self.separator) if line.strip() else None for line in lines]
        fitting = [row is not None and self.fits(row) for row in rows]
        for k, row in enumerate(rows):
            after = [
                fits for fits, other in zip(fitting[k : k + 24], rows[k : k + 24], strict=True) if other is not None
            ]
            if row is not None and fitting[k] and sum(after) >= 0.6 * len(after):
                following = next((other for other in rows[k + 1 :] if other is not None), None)
                return k + self._is_numbered_header(row, following)
        return None

    def _is_numbered_header(self, row: list[str], following: list[str] | None) -> bool:
        """Whether a line of numbers is a header all the same: columns numbered by a data-frame library."""
        if following is None or len(following) != len(row):
            return False
        if row[0] == "" and following[0] != "":  # ",0": an index without a name
            return True
        wanted = ([str(k) for k in range(len(row))], [str(k + 1) for k in range(len(row))])
        return len(row) > 2 and row in wanted and following not in wanted


def _kind_of_column(column: tuple[str, ...], point: str) -> str:
    """What a column holds: "number", "text" or "empty"."""
    counts = Counter(kind_of(cell, point) for cell in column)
    number, text, missing = counts["number"], counts["text"], counts["missing"]
    if number == 0 and missing > 0 and text <= max(2, 0.1 * missing):  # the only text is the header's
        return "empty"
    return "number" if number >= text else "text"


def _shape(cell: str) -> str:
    """A cell with each number in it as 0: the shape of a date or a clock time."""
    return re.sub(r"\d+", "0", cell)


def _shape_of_column(column: tuple[str, ...]) -> str:
    """The shape that most cells have, if it holds a number; "" for words and for an empty column."""
    shapes = Counter(map(_shape, column))
    shape, count = shapes.most_common(1)[0] if shapes else ("", 0)
    return shape if "0" in shape and count > 0.6 * len(column) else ""


def _is_decimal_comma(lines: list[str], grid: _Grid) -> bool:
    """Whether lines such as "0,002" are one column with a decimal comma rather than two columns of whole numbers."""
    rows = [cells_of(line, ",") for line in lines]
    start = grid.first_sample(lines)
    if start is None:
        return False
    pairs = [row for row in rows[start:] if len(row) == 2 and grid.fits(row)]
    if any(not re.fullmatch(r"[+-]?\d+", left) or not re.fullmatch(r"\d+", right) for left, right in pairs):
        return False
    lefts = [int(left) for left, _ in pairs]
    steps = {after - before for before, after in pairwise(lefts)}
    if len(lefts) > 2 and len(steps) == 1 and steps != {0}:
        return False  # samples that are numbered
    padded = any(re.match(r"[+-]?0\d", left) for left, _ in pairs)
    if not padded and any(left.startswith("-0") or re.match(r"0\d", right) for left, right in pairs):
        return True
    heads = [line for line in lines[:start] if not re.match(r"\s*[#%;]", line)]
    if heads:
        return "," not in heads[-1]
    lengths = {len(right) for _, right in pairs}
    return len(lengths) == 1 and min(lengths) >= 2 and max(map(abs, lefts), default=0) <= 20


def _names_and_units(heads: list[str], grid: _Grid) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The name and the unit of each column: from the last lines before the numbers, or from lines "name, value"."""
    rows = [cells_of(re.sub(r"^\s*[#%]+", "", line), grid.separator) for line in heads if line.strip()]
    shortest = grid.width - (grid.kinds[-1] == "empty")
    full = [(row + [""] * grid.width)[: grid.width] for row in rows if shortest <= len(row) <= grid.width]
    names, units = [""] * grid.width, [""] * grid.width
    if full and _is_units(full[-1]):
        units = [match[1] if (match := UNIT_ALONE.fullmatch(cell)) else "" for cell in full.pop()]
        rows.pop()
    plain = full[-1] if full and not _is_metadata(full[-1]) else None
    if plain is not None and (grid.width > 1 or plain == rows[-1]):
        names = plain
    for k, name in enumerate(names):
        if match := UNIT_IN_NAME.fullmatch(name):
            names[k], units[k] = match[1], match[2]
    keyed = [re.sub(r"[;,\t]+", " ", line) for line in heads]
    lead = next((match[1] for line in keyed if (match := KEYED_LEAD.match(line))), "")
    unit = next((match[1] for line in keyed if (match := KEYED_UNIT.match(line))), "")
    numeric = [k for k, kind in enumerate(grid.kinds) if kind == "number"]
    if len(numeric) == 1 and not names[numeric[0]]:
        names[numeric[0]] = lead
    units = [own or (unit if k in numeric else "") for k, own in enumerate(units)]
    names = [name if name and name not in names[:k] else f"{name or 'column'} {k + 1}" for k, name in enumerate(names)]
    return tuple(names), tuple(each if millivolts(each) or each.lower() in UNITS else "" for each in units)


def _is_units(row: list[str]) -> bool:
    """Whether the cells of a line are units: "(s)", "mV", or nothing."""
    filled = [match for cell in row if cell and (match := UNIT_ALONE.fullmatch(cell))]
    units = [match for match in filled if match[1].lower() in UNITS or millivolts(match[1])]
    bracketed = all(cell[0] in "([" for cell in row if cell)
    return len(units) == sum(1 for cell in row if cell) > 0 and (bracketed or len(row) > 1)


def _is_metadata(row: list[str]) -> bool:
    """Whether a header line tells something of the recording rather than the columns' names."""
    if any(kind_of(cell, ".") == "number" for cell in row if cell) and len(row) <= 2:
        return True
    text = " ".join(row)
    return any(pattern.match(text) for pattern in (SAMPLING_RATE, SAMPLING_INTERVAL, KEYED_UNIT)) or (
        len(row) == 1 and (":" in text or "=" in text)
    )


def _header_rate(heads: list[str]) -> float | None:
    """Samples per second as a header line gives them."""
    for head in heads:
        line = re.sub(r"[;\t\"]+|,(?!\d)|,(?=\d{3,})", " ", head)
        if match := SAMPLING_RATE.match(line):
            thousand = 1000 if (match[2] or "").lower() == "khz" else 1
            return float(match[1].replace(",", ".")) * thousand
        if match := SAMPLING_INTERVAL.match(line):
            interval = float(match[1].replace(",", "."))
            return PER_SECOND[match[2].lower()] / interval if interval > 0 else None
    return None
