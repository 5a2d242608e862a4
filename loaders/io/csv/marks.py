"""Marks within the numbers of a CSV file that cannot be told from its separators."""

from __future__ import annotations

import re
from collections.abc import Sequence

from loaders.io.csv.cells import cells_of
from toolbox.utils import UserError

GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}([.,' \u00a0\u202f])\d{3}(\1\d{3})*([.,]\d+)?")  # "1,234,567", "1.234"
MANY_GROUPS = re.compile(r"[+-]?\d{1,3}([.,' \u00a0\u202f])\d{3}(\1\d{3})+([.,]\d+)?|[+-]?\d{1,3}['\u00a0\u202f]\d{3}")
FEWEST = 2  # cells that show it; one may be damaged


def check_marks(lines: Sequence[str], separator: str, kinds: Sequence[str], point: str) -> None:
    """Raise UserError where thousands are marked, or commas are both decimal marks and separators."""
    rows = [row for line in lines if len(row := cells_of(line, separator)) == len(kinds)]
    for k, kind in enumerate(kinds):
        cells = [row[k] for row in rows]
        if sum(MANY_GROUPS.fullmatch(cell) is not None for cell in cells) >= FEWEST or (
            kind == "number" and _thousands(cells, point)
        ):
            raise UserError(f"its numbers have marks between thousands ({_example(cells)}); write them without")
        if separator == "," and k and kind == kinds[k - 1] == "number" and _fractions(cells):
            before = [row[k - 1] for row in rows]
            if all(re.fullmatch(r"[+-]?\d*", cell) for cell in before[-len(before) // 2 :]):
                raise UserError(
                    "commas stand within numbers and between them; separate columns by semicolons, or write points"
                )


def _thousands(cells: list[str], point: str) -> bool:
    """Numbers that have a mark are of the kind "1.234", others are whole and of several digits."""
    marked = [cell for cell in cells if point in cell]
    plain = [cell for cell in cells if re.fullmatch(r"[+-]?[1-9]\d{1,2}", cell)]
    return len(marked) >= FEWEST and len(plain) >= FEWEST and all(GROUPED.fullmatch(cell) for cell in marked)


def _fractions(cells: list[str]) -> bool:
    """Whole numbers of one length of which some begin with 0: what stands behind a decimal comma."""
    numbers = [cell for cell in cells if cell.isascii() and cell.isdigit()]
    padded = sum(len(cell) > 1 and cell[0] == "0" for cell in numbers)
    return padded >= FEWEST and padded > 0.05 * len(numbers)


def _example(cells: list[str]) -> str:
    return next(cell for cell in cells if GROUPED.fullmatch(cell) or MANY_GROUPS.fullmatch(cell))
