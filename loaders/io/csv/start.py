"""When a CSV file begins on the clock: by its columns of dates and times, or by a line above its numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, time, timedelta

from loaders.io.csv.cells import cells_of
from loaders.io.csv.layout import CsvLayout
from loaders.io.csv.time import TimeColumn
from loaders.io.start_time import Start, parse_start, since_1970

DATED_LINE = re.compile(
    r"\W*(?!.*birth)(?:record\w*|start\w*|begin\w*|acqui\w*|measure\w*|session|date|time)[^,;:=\t]{0,24}[,;:=\t](.*)",
    re.IGNORECASE,
)
ELAPSED = re.compile(r".*elapsed|.*since", re.IGNORECASE)
FIRST_HOUR = time(1)  # a clock that begins before one o'clock counts from the start of the recording


def start_of_table(lines: Sequence[str], layout: CsvLayout, times: Sequence[TimeColumn]) -> Start | None:
    """The start of a file that begins with `lines`; a date in local time comes before one that counts from 1970.

    Args:
        times: its columns of times.
    """
    row = cells_of(lines[layout.header], layout.separator) if len(lines) > layout.header else []
    columns = [time for time in times if time.column < len(row) and not ELAPSED.match(layout.names[time.column])]
    written = [parse_start(row[time.column]) for time in columns]
    above = [parse_start(match[1]) for line in lines[: layout.header] if (match := DATED_LINE.match(line))]
    dated = [start for start in (*written, *above) if isinstance(start, datetime)]
    clocks = [start for start in written if isinstance(start, time) and start >= FIRST_HOUR]
    counted = [start for time in columns if (start := _counted(row[time.column], time)) is not None]
    # A date in UTC comes last: what is written in local time says more.
    return next(iter(sorted(dated, key=is_utc) + clocks + counted), None)


def is_utc(start: Start) -> bool:
    """Check whether a start is given in UTC, whatever the clock on the wall was."""
    return start.utcoffset() == timedelta(0)


def _counted(cell: str, column: TimeColumn) -> Start | None:
    """The moment of a cell that counts from 1970."""
    try:
        return since_1970(float(cell.replace(",", ".")) * column.scale)
    except ValueError:
        return None
