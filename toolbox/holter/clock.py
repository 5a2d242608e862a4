"""Clock time in a recording: hours of the clock, day and night. It knows of no clock that is put forward or back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import pairwise

import numpy as np

HOUR, DAY = 3600.0, 86400.0  # s
WAKING = (6.0, 22.0)  # hours of the clock between which it is day; else it is night


@dataclass(frozen=True)
class RecordingClock:
    """The clock of a recording.

    Attributes:
        start: when the recording began: date and time, the time of day alone, or None where that is not known.
    """

    start: datetime | time | None = None

    @property
    def tells_day_from_night(self) -> bool:
        """Whether its start is known, and not in UTC, which says nothing of the clock on the wall."""
        return self.start is not None and self.start.utcoffset() != timedelta(0)

    @property
    def start_of_day(self) -> float:
        """s from midnight to the start; 0 where that is not known."""
        start = self.start
        if start is None:
            return 0.0
        return start.hour * HOUR + start.minute * 60 + start.second + start.microsecond / 1e6

    def iso(self, seconds: float) -> str | None:
        """The moment `seconds` after the start in ISO 8601, in whole seconds; None where the start is not known."""
        if self.start is None:
            return None
        if isinstance(self.start, datetime):
            return (self.start + timedelta(seconds=seconds)).isoformat(timespec="seconds")
        moment = datetime.combine(datetime.min, self.start) + timedelta(seconds=seconds)
        return moment.timetz().isoformat(timespec="seconds")

    def text(self, seconds: float) -> str | None:
        """h:mm:ss of the clock `seconds` after the start; None where the start is not known."""
        if self.start is None:
            return None
        whole = int((self.start_of_day + seconds + 1e-6) % DAY)
        return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"

    def hours(self, seconds: float) -> list[tuple[float, float]]:
        """(start, stop) in s of each hour of the clock in a recording of `seconds`, of each hour since the start where
        the clock is not known; the whole recording where it is no longer than an hour."""
        if seconds <= HOUR:
            return [(0.0, seconds)]
        first = HOUR - self.start_of_day % HOUR
        edges = [0.0, *np.arange(first, seconds, HOUR).tolist(), seconds]
        return list(pairwise(edges))

    def is_day(self, times: np.ndarray) -> np.ndarray:
        """(n,) whether it is day, by WAKING, at `times` (n,) in s after the start."""
        hour = (self.start_of_day + times) % DAY / HOUR
        return np.asarray((hour >= WAKING[0]) & (hour < WAKING[1]))
