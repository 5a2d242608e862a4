"""Columns of times and of sample numbers in CSV files: the sampling rate and the gaps that they tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from toolbox.utils import UserError

TIME_NAME = re.compile(
    r"(elapsed|date|(phone|sensor|device|unix|epoch|local|utc)?[ _]?time|clock|sec(ond)?s?$|t$|s$|ms$|msec|milli|"
    r"micros|us$|ns$|hh?:mm)",
    re.IGNORECASE,
)
COUNTER_NAME = re.compile(r"(sample|index|idx|counter|count|no\.?|nr\.?|n|#|packet|seq).*", re.IGNORECASE)
UNIT_OF_NAME = re.compile(r"(?:^|[\s\[(_/])(s|sec|seconds|ms|msec|milliseconds|us|µs|μs|microseconds|ns)(?:$|[\s\])_])")
SECONDS = {
    **dict.fromkeys(("s", "sec", "seconds"), 1.0), **dict.fromkeys(("ms", "msec", "milliseconds"), 1e-3),
    **dict.fromkeys(("us", "µs", "μs", "microseconds"), 1e-6), "ns": 1e-9,
}  # fmt: skip
# Steps (in units of the column) of 50 to 20,000 samples a second, by what the unit is: no two overlap.
PLAUSIBLE_STEPS = ((5e-5, 0.0201, 1.0), (0.0499, 20.1, 1e-3), (49.9, 20100.0, 1e-6), (4.99e4, 2.01e7, 1e-9))
FEWEST = 8  # lines that show a constant step
LONGEST_GAP = 86400.0  # s; a longer one is another recording
DAY = 86400.0


@dataclass(frozen=True)
class TimeColumn:
    """A column that says when each sample was taken.

    Attributes:
        column: its position.
        scale: s of one unit of it; for a counter the time of one sample is not known and `scale` is 0.
        step: the usual step from a sample to the next, in units of the column.
        uncertainty: relative, of the rate that the step gives.
    """

    column: int
    scale: float
    step: float
    uncertainty: float

    @property
    def rate(self) -> float | None:
        """Samples per second; None for a column that only counts samples."""
        return 1 / (self.step * self.scale) if self.scale else None

    def settled_rate(self, given: float | None) -> float | None:
        """The rate, rounded to the given or a whole number of samples per second that it cannot be told from."""
        if self.rate is None:
            return None
        for likely in (given, float(round(self.rate)), round(self.rate, 1)):
            if likely and abs(likely / self.rate - 1) <= self.uncertainty:
                return likely
        return self.rate


def regular_columns(names: Sequence[str], columns: dict[int, np.ndarray]) -> list[TimeColumn]:
    """The columns of `columns` {position: values (n,)} that rise by a constant step, the one that says most first.

    A column of times comes before one that counts samples, a finer one before a coarser.
    """
    regular = [time for k, values in columns.items() if (time := _regular(k, names[k], values)) is not None]
    return sorted(regular, key=lambda each: (each.scale == 0, each.uncertainty))


def times_of(cells: np.ndarray) -> np.ndarray:
    """Seconds (n,) of clock times and dates, as text; NaN for what is none. A clock that passes midnight goes on."""
    text = pd.Series(cells, dtype="string").str.strip().str.strip("'\"[]").str.replace(",", ".", regex=False)
    clock = text.str.fullmatch(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?").fillna(False).to_numpy(dtype=bool)
    seconds = np.full(len(text), np.nan)
    if clock.mean() > 0.5:
        parts = text[clock].str.split(":", expand=True).astype("float64")
        weights = (3600.0, 60.0, 1.0)
        seconds[clock] = sum(parts[k].to_numpy() * weights[k] for k in range(parts.shape[1]))
        known = ~np.isnan(seconds)
        back = np.diff(seconds[known]) < -DAY / 2
        seconds[known] += DAY * np.concatenate([[0], np.cumsum(back)])
        return seconds
    dated = text.str.fullmatch(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*").fillna(False).to_numpy(dtype=bool)
    if dated.mean() > 0.5:
        moments = pd.to_datetime(text[dated], format="ISO8601", errors="coerce", utc=True)
        seconds[dated] = moments.astype("int64").to_numpy() / 10 ** {"s": 0, "ms": 3, "us": 6, "ns": 9}[moments.dt.unit]
    return seconds


def _regular(column: int, name: str, values: np.ndarray) -> TimeColumn | None:
    """The column as one of times or sample numbers; None when it does not rise by a constant step."""
    values = values[np.isfinite(values)]
    if len(values) < FEWEST:
        return None
    steps = np.diff(values)
    usual = float(np.median(steps))
    resolution = float(np.min(np.abs(steps[steps != 0]), initial=np.inf))
    if usual <= 0:
        usual = float(steps[steps > 0].mean()) if (steps > 0).any() else 0.0
    if usual <= 0 or (steps < 0).mean() > 0.01:
        return None
    near = steps[steps < max(3 * usual, usual + 2 * resolution)]
    if not len(near):
        return None
    step = float(near.mean())
    drift = np.abs(np.cumsum(near - step))
    if drift.max(initial=0.0) > 2.5 * max(step, resolution if resolution < np.inf else 0.0):
        return None  # rising, but at no constant rate
    uncertainty = 2 * min(resolution, step) / (step * len(near)) + 1e-6
    whole = step == round(step) and bool((near == step).all())
    named_time, unit = TIME_NAME.match(name) is not None, UNIT_OF_NAME.search(name.lower())
    if (COUNTER_NAME.fullmatch(name) and not unit and whole) or (whole and step == 1 and not unit):
        return TimeColumn(column, 0.0, step, 0.0)
    if unit:
        return TimeColumn(column, SECONDS[unit[1]], step, uncertainty)
    if not named_time and np.abs(near - step).max() > step / 2:
        return None  # a column without a name says that it is one of times by its steps alone
    for low, high, scale in PLAUSIBLE_STEPS:
        if low <= step <= high and (named_time or scale == 1.0 or not whole):
            return TimeColumn(column, scale, step, uncertainty)
    return None


class GapFiller:
    """Puts NaN where a time column jumps, so that all later samples stand at their time.

    Attributes:
        gaps: how many jumps there were.
        missing: how many samples they stand for.
        backward: how often the column went back.
    """

    def __init__(self, time: TimeColumn, path: str) -> None:
        self.time, self.path = time, path
        self.gaps = self.missing = self.backward = 0
        self._last: float | None = None

    def fill(self, times: np.ndarray, values: np.ndarray) -> np.ndarray:
        """`values` (n,) at `times` (n,) of the column, longer by the samples that are missing.

        Raises:
            UserError: a jump of more than a day, which is another recording.
        """
        step = self.time.step
        times = self._with_missing_times(times)
        if not np.isfinite(times).any():
            return values
        before = np.concatenate([[times[0] - step if self._last is None else self._last], times[:-1]])
        steps = np.nan_to_num(times - before, nan=step)
        self._last = float(times[-1])
        self.backward += int((steps < -step / 2).sum())
        jumps = np.flatnonzero(steps > 1.75 * step)
        if not len(jumps):
            return values
        counts = np.round(steps[jumps] / step).astype(np.int64) - 1
        longest = LONGEST_GAP * (1 / self.time.scale if self.time.scale else 1e3)
        if (steps[jumps] > longest).any():
            at = jumps[int(np.argmax(steps[jumps] > longest))]
            raise UserError(
                f"{self.path}: its column of times jumps from {before[at]:g} to {times[at]:g}, more than a day; "
                "cut the file there and annotate the parts"
            )
        self.gaps += len(jumps)
        self.missing += int(counts.sum())
        return np.insert(values.astype(np.float64), np.repeat(jumps, counts), np.nan)

    def _with_missing_times(self, times: np.ndarray) -> np.ndarray:
        """`times` (n,), where they are missing one step after the line before; NaN before the first that is there."""
        present = np.isfinite(times)
        if present.all():
            return times
        position = np.where(present, np.arange(len(times)), -1)
        latest = np.maximum.accumulate(position)
        start = np.nan if self._last is None else self._last
        base = np.where(latest >= 0, times[np.maximum(latest, 0)], start)
        return np.asarray(base + (np.arange(len(times)) - latest) * self.time.step)
