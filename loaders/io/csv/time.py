"""Columns of times and of sample numbers in CSV files: the sampling rate that they tell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from loaders.io.csv.clock import DAY
from loaders.io.leads import words_of

TIME_STEMS = (
    "time", "date", "datum", "clock", "epoch", "elapsed", "millis", "micros", "zeit", "uhrzeit", "temps", "tiempo",
    "horodat", "czas", "tijd",
)  # fmt: skip
TIME_WORDS = {"unix", "utc", "ts", "tid", "tempo", "hora", "heure", "systime"}
COUNTER_NAME = re.compile(r"(sample|index|idx|counter|count|no\.?|nr\.?|n|#|packet|seq).*", re.IGNORECASE)
SECONDS = {  # of the words that name a unit of time
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "sekunden"), 1.0),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds", "millis"), 1e-3),
    **dict.fromkeys(("us", "µs", "usec", "microsecond", "microseconds", "micros"), 1e-6),
    **dict.fromkeys(("ns", "nsec", "nanosecond", "nanoseconds", "nanos"), 1e-9),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0), **dict.fromkeys(("day", "days"), DAY),
}  # fmt: skip
UNIT_AT_END = re.compile(r"time(?:stamp)?(ms|us|ns)")  # "timestampms"
YEARS = (9.4e8, 2.3e9)  # s since 1970: 1999 to 2042; so large a number can be nothing else
# Steps (in units of the column) of 50 to 20,000 samples a second, by the unit in s: no two overlap. Days: spreadsheets.
PLAUSIBLE_STEPS = (
    (5e-5, 0.0201, 1.0), (0.0499, 20.1, 1e-3), (49.9, 20100.0, 1e-6), (4.99e4, 2.01e7, 1e-9), (5.7e-10, 2.33e-7, DAY)
)  # fmt: skip
FEWEST = 8  # lines that show a constant step
FALLING = 0.01  # share of steps back from which a column is none of times
LONGER = 1.75  # a step of so many usual ones is a gap
SLOW, SLOW_TICKS = 1.0, 10.0  # s, and times of the usual wait for a packet: what takes longer is a gap
WIDEST = 2.5  # steps that times may be early or late by, of a constant rate


@dataclass(frozen=True)
class TimeColumn:
    """A column that says when each sample was taken.

    Attributes:
        column: its position.
        scale: s of one unit of it; for a counter the time of one sample is not known and `scale` is 0.
        step: the usual step from a sample to the next, in units of the column.
        uncertainty: relative, of the rate that the step gives.
        longest: the longest step between samples that follow each other, in units of the column: times may be rounded.
        is_steady: its step is constant, but for rounding.
    """

    column: int
    scale: float
    step: float
    uncertainty: float
    longest: float
    is_steady: bool = True

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


def is_time_name(name: str) -> bool:
    """A column of this name holds times or sample numbers."""
    return _names_time(name) or COUNTER_NAME.fullmatch(name) is not None


def _names_time(name: str) -> bool:
    words = words_of(name)
    if any(word in TIME_WORDS or word.startswith(TIME_STEMS) or word.endswith("zeit") for word in words):
        return True
    return bool(words) and (words[0] == "t" or all(word in SECONDS for word in words) or words[0] in ("hh", "mm"))


def regular_columns(
    names: Sequence[str], columns: Mapping[int, np.ndarray], clocks: frozenset[int] = frozenset()
) -> list[TimeColumn]:
    """The columns of `columns` {position: values (n,)} that rise by a constant step, the one that says most first.

    A column of times comes before one that counts samples, a finer one before a coarser, and last come those that are
    times by name or size but whose step is not constant.

    Args:
        clocks: the columns whose values are s, of clock times.
    """
    regular = [
        time
        for k, values in columns.items()
        if (time := _regular(k, names[k], values, k in clocks)) is not None
    ]  # fmt: skip
    return sorted(regular, key=lambda each: (not each.is_steady, each.scale == 0, each.uncertainty))


def _regular(column: int, name: str, values: np.ndarray, is_clock: bool) -> TimeColumn | None:
    """The column as one of times or sample numbers; None when it does not rise, or not by a constant step."""
    values = values[np.isfinite(values)]
    if len(values) < FEWEST:
        return None
    steps = np.diff(values)
    rising = steps[steps > 0]
    if not len(rising) or (steps < 0).mean() > FALLING:
        return None
    tick = float(np.median(rising))  # from one time to the next other one; times that are rounded stand in many lines
    usual = float(np.median(steps))
    rounding = tick if (steps == 0).mean() > 1e-3 else usual - float(np.quantile(steps[steps >= 0], 1e-3))
    about = float(steps[(steps >= 0) & (steps < 3 * tick)].mean())
    longest = max(LONGER * about, about + 1.25 * rounding)
    near = _between_changes(steps, longest)
    if not len(near):
        return None
    step = float(near.mean())
    scale = _scale(name, is_clock, values, step, near)
    if scale is None:
        return None
    if float(np.ptp(np.cumsum(near - step))) <= WIDEST * max(step, tick):
        uncertainty = 2 * min(float(rising.min()), step) / float(near.sum()) + 1e-6
        return TimeColumn(column, scale, step, uncertainty if scale else 0.0, longest)
    if not scale or not (is_clock or _names_time(name) or _since_1970(values, step)):
        return None  # rising, but at no constant rate
    longest = max(SLOW_TICKS * tick, SLOW / scale)
    near = steps[np.abs(steps) <= longest]
    step = float(near.mean())
    if step <= 0:
        return None
    return TimeColumn(column, scale, step, float(np.ptp(np.cumsum(near - step)) / near.sum()) + 1e-6, longest, False)


def _between_changes(steps: np.ndarray, longest: float) -> np.ndarray:
    """The steps that are no gaps, from one change of the time to another in each stretch: rounding adds none."""
    stretches = []
    for stretch in np.split(steps, np.flatnonzero((steps > longest) | (steps < 0))):
        whole = stretch[(stretch >= 0) & (stretch <= longest)]
        changes = np.flatnonzero(whole)
        if len(changes) > 1:
            stretches.append(whole[changes[0] + 1 : changes[-1] + 1])
    return np.concatenate(stretches) if stretches else np.zeros(0)


def _scale(name: str, is_clock: bool, values: np.ndarray, step: float, steps: np.ndarray) -> float | None:
    """Seconds of one unit of a rising column; 0 for a counter of samples, None for neither.

    Args:
        step: the mean of its steps.
        steps: those that are no gaps.
    """
    if is_clock:
        return 1.0
    if (epoch := _since_1970(values, step)) is not None:
        return epoch
    is_whole = bool((steps == round(step)).all())  # all of them are the same whole number
    unit = next((SECONDS[word] for word in words_of(name) if word in SECONDS), None)
    if match := UNIT_AT_END.search(name.lower()):
        unit = SECONDS[match[1]]
    if (COUNTER_NAME.fullmatch(name) and not unit and is_whole) or (is_whole and step == 1 and not unit):
        return 0.0
    if unit:
        return unit
    named = _names_time(name)
    if not named and float(np.abs(steps - step).max()) > step / 2:
        return None  # a column without a name says that it is one of times by its steps alone
    for low, high, scale in PLAUSIBLE_STEPS:
        if low <= step <= high and (named or (scale != DAY and (scale == 1.0 or not is_whole))):
            return scale
    return None


def _since_1970(values: np.ndarray, step: float) -> float | None:
    """Seconds of one unit of a column that counts the time since 1970, by its size; None for any other."""
    middle, (shortest, highest, _) = float(np.median(values)), PLAUSIBLE_STEPS[0]
    units = (unit for unit in (1.0, 1e-3, 1e-6, 1e-9) if shortest <= step * unit <= highest)
    return next((unit for unit in units if YEARS[0] <= middle * unit <= YEARS[1]), None)
