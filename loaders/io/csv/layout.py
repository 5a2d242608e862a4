"""How a CSV file is to be read: separator, decimal mark, header, names and units, settled by most of its lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from loaders.io.csv.cells import BLANKS, ONE_COLUMN, cells_of, kind_of
from loaders.io.csv.header import header_rate, names_and_units
from loaders.io.csv.marks import check_marks
from loaders.io.csv.time import TimeColumn

FIRST_SETTLING = 80  # of the first lines that settle the layout beside later ones: a header may be long
HEADER_AFTER = 8  # lines of numbers that may stand above a header, of metadata


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
        time: the column of times or sample numbers; None where there is none.
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
    time: TimeColumn | None = None
    notes: tuple[str, ...] = ()

    def numeric(self) -> list[int]:
        """The columns that hold numbers."""
        return [k for k, kind in enumerate(self.kinds) if kind == "number"]


def find_layout(lines: list[str], encoding: str = "utf-8", later: Sequence[str] = ()) -> CsvLayout | None:
    """The layout that most of the first `lines` of a file, and of some `later` ones, agree with.

    Returns:
        The layout; None when they hold no numbers.

    Raises:
        UserError: its numbers cannot be told from separators.
    """
    offered, lines = _named_separator(lines)
    settling = [*lines[-FIRST_SETTLING:], *later] if later else lines
    filled = [line for line in settling if line.strip()]
    if not filled:
        return None
    grids = []
    for separator, point in _candidates(offered, quoted=any('"' in line for line in filled)):
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
    check_marks(filled, best.separator, best.kinds, best.point)
    names, units = names_and_units(lines[:start], best.separator, best.kinds, best.constants)
    blank = [not line.strip() for line in lines[start:]]
    double_spaced = sum(blank) > 0.4 * len(blank)
    return CsvLayout(
        best.separator, best.point, start + skipped, names, units, best.kinds, header_rate(lines[:start]),
        best.separator == ONE_COLUMN and not double_spaced, encoding,
    )  # fmt: skip


def _named_separator(lines: list[str]) -> tuple[str, list[str]]:
    """The separator that the first line names ("sep=;", as spreadsheets write it), and the lines after it."""
    match = re.fullmatch(r"\s*\"?sep=(.|\\t)\"?\s*", lines[0]) if lines else None
    if not match:
        return "", lines
    return match[1].replace("\\t", "\t"), lines[1:]


def _candidates(offered: str, quoted: bool) -> list[tuple[str, str]]:
    """Separators and decimal marks to try, the likeliest first; between commas, only quoted cells may hold some."""
    separators = [offered] if offered else [";", "\t", ",", BLANKS, ONE_COLUMN]
    pairs = [(separator, point) for separator in separators for point in ".,"]
    return pairs if quoted else [pair for pair in pairs if pair != (",", ",")]


@dataclass(frozen=True)
class _Grid:
    """The lines of a file, cut by one separator.

    Attributes:
        separator, point: see `CsvLayout`.
        width: cells of most lines.
        kinds: of each column in most lines: "number", "text" or "empty".
        shapes: of each column of text the shape of most of its cells, as "0-0-0 0:0:0" of dates; "" for words.
        constants: of each column of text the one thing that it holds; "" for all others.
        fitting: how many lines agree with them.
        foreign: columns of text that hold another separator, and so are several.
    """

    separator: str
    point: str
    width: int
    kinds: tuple[str, ...]
    shapes: tuple[str, ...]
    constants: tuple[str, ...]
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
        shapes, constants = tuple(map(_shape_of_column, texts)), tuple(map(_constant_of_column, texts))
        grid = cls(separator, point, width, kinds, shapes, constants, 0, foreign)
        fitting = sum(grid.fits(row) for row in rows)
        return replace(grid, fitting=fitting) if fitting >= max(1, 0.4 * len(rows)) else None

    @property
    def quality(self) -> tuple[float, ...]:
        """Larger for a likelier grid: lines that fit, columns of text, decimal comma only where it is needed."""
        text = self.kinds.count("text")  # a header fits columns of text, which is no reason for them
        return (0.9**text * self.fitting - 1000 * self.foreign, -text, self.point == ".", self.width > 1)

    def is_plain(self, lines: int) -> bool:
        """Check whether nearly all lines are numbers in several columns: no other separator can do better."""
        return self.width > 1 and self.fitting >= lines - 8 and "text" not in self.kinds

    def fits(self, row: list[str]) -> bool:
        """Check whether a line's cells are of the columns' kinds."""
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
        """The number of the first line (from 0) that most lines after it are like, and no header comes after."""
        rows = [cells_of(line, self.separator) if line.strip() else None for line in lines]
        fitting = [row is not None and self.fits(row) for row in rows]
        start = 0
        while (start := self._next_sample(rows, fitting, start)) < len(rows):
            soon = range(start + 1, min(start + 1 + HEADER_AFTER, len(rows)))
            heads = [k for k in soon if self._is_header(rows[k], fitting[k]) and lines.count(lines[k]) == 1]
            if not heads:
                following = [row for row in rows[start + 1 :] if row is not None]
                return start + self._is_numbered_header(rows[start] or [], following)
            start = heads[-1] + 1
        return None

    def _next_sample(self, rows: list[list[str] | None], fitting: list[bool], start: int) -> int:
        """The first line from `start` on that begins a stretch of samples; the number of lines where there is none."""
        for k in range(start, len(rows)):
            after = [fits for fits, row in zip(fitting[k : k + 24], rows[k : k + 24], strict=True) if row is not None]
            if not fitting[k] or sum(after) < 0.6 * len(after):
                continue
            numbers = (n for n in range(k, len(rows)) if fitting[n] and self._holds_number(rows[n]))
            first = next(numbers, len(rows))
            if all(fits or row is None for fits, row in zip(fitting[k:first], rows[k:first], strict=True)):
                return k  # samples that are missing may come first, but then no header
        return len(rows)

    def _holds_number(self, row: list[str] | None) -> bool:
        """A number stands in one of the columns of numbers."""
        pairs = zip(row or [], self.kinds, strict=False)
        return any(kind == "number" and kind_of(cell, self.point) == "number" for cell, kind in pairs)

    def _is_header(self, row: list[str] | None, fits: bool) -> bool:
        """A line of words, which has no number where numbers stand."""
        if row is None or fits or (len(row) == self.width and self._holds_number(row)):
            return False
        return any(re.search(r"[^\W\d_]{2}", cell) and kind_of(cell, self.point) == "text" for cell in row)

    def _is_numbered_header(self, row: list[str], following: list[list[str]]) -> bool:
        """A line of numbers that is a header all the same: columns numbered by a data-frame library."""
        if not following or len(following[0]) != len(row):
            return False
        if row[0] == "" and following[0][0] != "" and self.kinds[0] != "empty":  # ",0": an index without a name
            return True
        numbered = ([str(k) for k in range(len(row))], [str(k + 1) for k in range(len(row))])
        if row in numbered and len(row) > 2:
            return following[0] not in numbered
        whole = [k for k, kind in enumerate(self.kinds) if kind == "number" and re.fullmatch(r"\d{1,3}", row[k])]
        if len(whole) != self.kinds.count("number"):
            return False
        same_width = [other for other in following if self.fits(other)]
        fractions = all(re.search(r"\d[.,]\d", other[k]) or not other[k] for other in same_width for k in whole)
        return len(same_width) > 8 and fractions  # whole numbers over columns that have none


def _kind_of_column(column: tuple[str, ...], point: str) -> str:
    """The kind of a column: "number", "text" or "empty"."""
    counts = Counter(kind_of(cell, point) for cell in column)
    number, text, missing = counts["number"], counts["text"], counts["missing"]
    if number == 0 and missing > 0 and text <= max(2, 0.1 * missing):  # the only text is the header's
        return "empty"
    return "number" if number >= text else "text"


def _constant_of_column(column: tuple[str, ...]) -> str:
    """The text that nearly all cells are, as a unit behind each number; "" where they differ."""
    text, count = Counter(column).most_common(1)[0] if column else ("", 0)
    return text if count > 0.9 * len(column) else ""


def _shape(cell: str) -> str:
    """A cell with each number in it as 0: the shape of a date or a clock time."""
    return re.sub(r"\d+", "0", cell)


def _shape_of_column(column: tuple[str, ...]) -> str:
    """The shape that most cells have, if it holds a number; "" for words and for an empty column."""
    shapes = Counter(map(_shape, column))
    shape, count = shapes.most_common(1)[0] if shapes else ("", 0)
    return shape if "0" in shape and count > 0.6 * len(column) else ""


def _is_decimal_comma(lines: list[str], grid: _Grid) -> bool:
    """Check whether lines such as "0,002" are a column with a decimal comma, not two columns of whole numbers."""
    rows = [cells_of(line, ",") for line in lines]
    start = grid.first_sample(lines)
    if start is None:
        return False
    pairs = [row for row in rows[start:] if len(row) == 2 and grid.fits(row)]
    whole, fraction = re.compile(r"[+-]?\d+"), re.compile(r"\d+([eE][+-]?\d+)?")
    if any(not whole.fullmatch(left) or not fraction.fullmatch(right) for left, right in pairs):
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
