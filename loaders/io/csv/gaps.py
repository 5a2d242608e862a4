"""Samples that are missing in a CSV file by its column of times, put where they belong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from loaders.io.csv.clock import DAY
from loaders.io.csv.time import TimeColumn
from toolbox.utils import UserError

LONGEST_GAP = DAY  # s; a longer one is another recording
LONGEST_SUM = 31 * DAY  # s of gaps in one recording
COUNTED = 1e3  # a counter's steps in a second, at most about
PIECE = 1 << 20  # samples put in at a time
CONTRADICTED = 0.01  # relative difference of two lengths that cannot both be right


class GapFiller:
    """Puts NaN where a time column jumps, so that all later samples stand at their time.

    Attributes:
        gaps: how many jumps there were.
        missing: how many samples they stand for; 0 where the step is not constant, and nothing is put in.
        backward: how often the column went back.
    """

    def __init__(self, time: TimeColumn, path: str) -> None:
        self.time, self.path = time, path
        self.gaps = self.missing = self.backward = self._lines = 0
        self._first = self._last = np.nan
        self._midnights = 0.0

    def fill(self, times: np.ndarray, values: np.ndarray) -> Iterator[np.ndarray]:
        """`values` (n,) at `times` (n,) of the column, in pieces, with those between them that are missing.

        Raises:
            UserError: a jump of more than a day, which is another recording, or many long ones.
        """
        step = self.time.step
        times = self._with_missing_times(self._past_midnight(times))
        if not np.isfinite(times).any():
            yield values
            return
        before = np.concatenate([[times[0] - step if np.isnan(self._last) else self._last], times[:-1]])
        steps = np.nan_to_num(times - before, nan=step)
        self._first = times[np.isfinite(times)][0] if np.isnan(self._first) else self._first
        self._last = float(times[-1])
        self._lines += len(values)
        self.backward += int((steps < -step / 2).sum())
        jumps = np.flatnonzero(steps > self.time.longest)
        self._check(jumps, before, times)
        self.gaps += len(jumps)
        counts = np.round(steps[jumps] / step).astype(np.int64) - 1
        self.missing += int(counts.sum()) if self.time.is_steady else 0
        start = 0
        for jump, count in zip(jumps, counts, strict=True) if self.time.is_steady else ():
            yield values[start:jump]
            for first in range(0, int(count), PIECE):
                yield np.full(min(PIECE, count - first), np.nan)
            start = int(jump)
        yield values[start:]

    def notes(self, name: str) -> list[str]:
        """The facts that only a whole reading shows, of the column called `name`, for people."""
        notes = []
        if self.gaps and self.time.is_steady:
            notes.append(f"column {name} jumps {self.gaps} time(s): {self.missing} samples are missing there")
        elif self.gaps:
            notes.append(
                f"column {name} jumps {self.gaps} time(s), but its step is not constant: samples may be missing, and "
                "later times be early"
            )
        if self.backward:
            notes.append(f"column {name} goes back {self.backward} time(s)")
        lasting, sampled = self._last - self._first, (self._lines + self.missing - 1) * self.time.step
        differ = abs(lasting - sampled) - self.time.longest > CONTRADICTED * sampled > 0
        if self.time.is_steady and not self.backward and differ:
            seconds = self.time.scale or 1.0
            unit = "s" if self.time.scale else "samples"
            notes.append(
                f"column {name} spans {lasting * seconds:.6g} {unit}, its lines {sampled * seconds:.6g} {unit} at the "
                "rate of the first: later times are wrong"
            )
        return notes

    def _check(self, jumps: np.ndarray, before: np.ndarray, times: np.ndarray) -> None:
        """Raise UserError where the jumps are too long for one recording."""
        lengths = (times - before)[jumps] * (self.time.scale or 1 / COUNTED)  # s
        if (lengths > LONGEST_GAP).any():
            at = jumps[int(np.argmax(lengths > LONGEST_GAP))]
            raise UserError(
                f"{self.path}: its column of times jumps from {before[at]:g} to {times[at]:g}, more than a day; "
                "cut the file there and annotate the parts"
            )
        so_far = self.missing * self.time.step * (self.time.scale or 1 / COUNTED)
        if so_far + lengths.sum() > LONGEST_SUM:
            raise UserError(f"{self.path}: its column of times has gaps of more than a month; cut the file there")

    def _past_midnight(self, times: np.ndarray) -> np.ndarray:
        """`times` (n,) of a block; a clock that has passed midnight since the last one goes on."""
        times = times + self._midnights
        if self.time.scale == 1.0 and np.isfinite(times).any():
            first = times[np.isfinite(times)][0]
            if -1.5 * DAY < first - self._last < -DAY / 2:
                times, self._midnights = times + DAY, self._midnights + DAY
        return times

    def _with_missing_times(self, times: np.ndarray) -> np.ndarray:
        """`times` (n,), where they are missing one step after the line before; NaN before the first that is there."""
        present = np.isfinite(times)
        if present.all():
            return times
        position = np.where(present, np.arange(len(times)), -1)
        latest = np.maximum.accumulate(position)
        base = np.where(latest >= 0, times[np.maximum(latest, 0)], self._last)
        return np.asarray(base + (np.arange(len(times)) - latest) * self.time.step)
