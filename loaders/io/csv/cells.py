"""The cells of a line of a CSV file, and what they hold."""

from __future__ import annotations

import csv
import re
from functools import lru_cache

MISSING = (
    "", "nan", "NaN", "NAN", "NA", "N/A", "n/a", "#N/A", "null", "NULL", "None", "-", "?", "inf", "-inf", "Inf", "-Inf"
)  # fmt: skip
ONE_COLUMN = ""  # the separator of a file with a single column
BLANKS = " "  # columns aligned by blanks
NUMBERS = {
    ".": re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"),
    ",": re.compile(r"[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?"),
}


def encoding_of(head: bytes) -> str:
    """The encoding of a text file that begins with `head`: UTF-16 and UTF-8 by their marks or their bytes, else
    Windows-1252."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) and b"\0" in head:  # every digit has a zero byte
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
        rows = list(csv.reader([line], delimiter=separator))
        return [cell.strip() for cell in rows[0]] if rows else [""]
    return [cell.strip().strip("'\"") for cell in line.split(separator)]


@lru_cache(maxsize=1 << 16)
def kind_of(cell: str, point: str) -> str:
    """The kind of a cell: "number", "missing" or "text"."""
    if cell in MISSING:
        return "missing"
    return "number" if NUMBERS[point].fullmatch(cell) else "text"
