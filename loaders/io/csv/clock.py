"""Clock times and dates in the cells of CSV files, as seconds."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

import numpy as np

DAY = 86400.0  # s
# "17:30:49.004", "17:30:49:004", "5:30:49 PM", "0:30.004" (minutes first), "2024-03-26T17:30:49+01:00".
CLOCK = re.compile(
    r"(?<![\d:.])(\d{1,4}):(\d{2})(?::(\d{2}))?(?:[.,:](\d+))?\s*(?:([ap])\.?m\b|(Z|[+-]\d{2}:?\d{2})\s*[\]'\"]*$)?",
    re.IGNORECASE,
)
YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")  # dates of other orders cannot be told apart


def times_of(cells: np.ndarray) -> np.ndarray:
    """Seconds (n,) of clock times and dates, as text; NaN for other cells. A clock that passes midnight goes on."""
    seconds = np.array([seconds_of(cell) if isinstance(cell, str) else np.nan for cell in cells], dtype=np.float64)
    valid = np.flatnonzero(np.isfinite(seconds))
    passed = np.concatenate([[0], np.cumsum(np.diff(seconds[valid]) < -DAY / 2)]) if len(valid) else np.zeros(0)
    seconds[valid] += DAY * passed
    return seconds


def seconds_of(cell: str) -> float:
    """Seconds of a clock time since midnight, or since year 1 where the date comes year first; NaN for other text.

    Of two parts, as in "0:30.004", the first are minutes; "17:30" alone says too little.
    """
    match = CLOCK.search(cell)
    if match is None:
        return float("nan")
    first, second, third, fraction, half, offset = match.groups()
    part = float(f"0.{fraction}") if fraction else 0.0
    if third is None:
        return 60 * int(first) + int(second) + part if fraction else float("nan")
    hours = int(first) % 12 + (12 if half in "pP" else 0) if half else int(first)
    seconds = 3600 * hours + 60 * int(second) + int(third) + part
    dated = YEAR_FIRST.search(cell, 0, match.start())
    if dated is None:
        return seconds
    if offset and offset not in "zZ":
        seconds -= (-1 if offset[0] == "-" else 1) * (3600 * int(offset[1:3]) + 60 * int(offset[-2:]))
    return DAY * _day(dated[1], dated[2], dated[3]) + seconds


@lru_cache(maxsize=1024)
def _day(year: str, month: str, day: str) -> float:
    try:
        return float(date(int(year), int(month), int(day)).toordinal())
    except ValueError:
        return float("nan")
