"""The start of a recording on the clock, as its file states it: a date with a time, or a time alone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone

Start = datetime | time  # a time of day where the file says no date; with a time zone where it says one

PLACEHOLDERS = {date(1985, 1, 1), date(1970, 1, 1), date(1900, 1, 1), date(1, 1, 1)}  # written for an unknown date
MONTHS = {
    name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)
}
CLOCK = re.compile(
    r"(?<![\d:])(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d{1,9}))?)?(?![\d:]|\.\d)\s*(am|pm)?", re.IGNORECASE
)
ZONE = re.compile(r"\s*(?:(Z|UTC|GMT)\b|(?:UTC|GMT)?([+-])(\d{2}):?(\d{2})(?!\d))", re.IGNORECASE)
YEAR_FIRST = re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
NAMED_MONTH = re.compile(r"(?<!\d)(\d{1,2})[-/. ]([A-Za-z]{3})[a-z]*[-/. ](\d{4})(?!\d)")
YEAR_LAST = re.compile(r"(?<!\d)(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?!\d)")
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)  # of times counted from 1970 on


def settled(day: date | None, clock: time | None) -> Start | None:
    """The start by its day and time of day; None where the time is not stated, or midnight of no day."""
    if day in PLACEHOLDERS:
        day = None
    if clock is None or (day is None and clock.replace(tzinfo=None) == time()):
        return None
    return clock if day is None else datetime.combine(day, clock)


def settled_moment(moment: datetime | None) -> Start | None:
    """The start by a moment that a library read."""
    return None if moment is None else settled(moment.date(), moment.timetz())


def day_of(year: int, month: int, day: int) -> date | None:
    """A date; None where there is no such day."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


def clock_of(hour: int, minute: int, second: int, microsecond: int = 0) -> time | None:
    """A time of day; None where there is no such time."""
    try:
        return time(hour, minute, second, microsecond)
    except ValueError:
        return None


def parse_start(text: str, day_first: bool = False) -> Start | None:
    """The date and time within a text, or the time alone.

    Args:
        day_first: whether 02/03/2020 is the second of March; else it is no date, unless one number is above 12.
    """
    match = CLOCK.search(text)
    if match is None:
        return None
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    if match[5]:
        hour = hour % 12 + 12 * (match[5].lower() == "pm")
    clock = clock_of(hour, minute, second, int((match[4] or "0")[:6].ljust(6, "0")))
    if clock is not None and (zone := ZONE.match(text, match.end())):
        clock = clock.replace(tzinfo=_zone(zone))
    return settled(_parse_day(text[: match.start()] + " " + text[match.end() :], day_first), clock)


def _parse_day(text: str, day_first: bool) -> date | None:
    if match := YEAR_FIRST.search(text):
        return day_of(int(match[1]), int(match[2]), int(match[3]))
    if match := NAMED_MONTH.search(text):
        return day_of(int(match[3]), MONTHS.get(match[2].lower(), 0), int(match[1]))
    if match := YEAR_LAST.search(text):
        first, second, year = int(match[1]), int(match[3]), int(match[4])
        if day_first or match[2] == "." or first > 12:
            return day_of(year, second, first)
        return day_of(year, first, second) if second > 12 else None
    return None


def _zone(match: re.Match[str]) -> timezone:
    if match[1]:
        return UTC
    offset = timedelta(hours=min(int(match[3]), 23), minutes=min(int(match[4]), 59))
    return timezone(-offset if match[2] == "-" else offset)


def since_1970(seconds: float) -> datetime | None:
    """The moment so many seconds after 1970, in UTC; None outside this century: they count from elsewhere."""
    if not EARLIEST.timestamp() <= seconds < LATEST.timestamp():
        return None
    return datetime.fromtimestamp(round(seconds, 3), tz=UTC)
