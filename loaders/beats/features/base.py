"""The basis of all features: beat times and signal of a recording, RR intervals, and what makes a group.

A group sees the times of all beats of a recording and its signal, never a label or a symbol, so that a detector's R
peaks serve as well. Intervals are given as logarithms: ratios of intervals are then differences, and all numbers are of
the order of 1 without anything fitted to training data. Each group states how far it looks into the future.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from loaders.beats.features.alignment import QRS, align, extract_windows, likeness
from loaders.dsp.medians import median

USUAL = 0.8  # s, the interval whose logarithm counts as 0: 75 beats a minute
RECENT = 10  # intervals before a beat that make its recent mean
SHAPE = (0.26, 0.46)  # s before and after the R peak that are remembered of a beat
DOMINANT = 0.9  # correlation with the median QRS complex from which on a beat is a dominant one


@dataclass(frozen=True)
class Remembered:
    """Beats that a stream remembers when their signal is gone.

    Attributes:
        times: (m,) s, their R peaks.
        shapes: (m, leads, samples), see `shapes_of`.
        marks: (m, leads, k), numbers that the features of later beats look at.
    """

    times: np.ndarray
    shapes: np.ndarray
    marks: np.ndarray

    def part(self, chosen: slice) -> Remembered:
        """Some of them."""
        return Remembered(self.times[chosen], self.shapes[chosen], self.marks[chosen])

    def followed_by(self, later: Remembered, most: int) -> Remembered:
        """These and the later ones, the last `most` of them."""
        pairs = ((self.times, later.times), (self.shapes, later.shapes), (self.marks, later.marks))
        return Remembered(*(np.concatenate(pair)[-most:] for pair in pairs))


@dataclass(frozen=True)
class FeatureInput:
    """Beat times and signal of a recording, all that features are computed from.

    Attributes:
        times: (n,) s, the R peaks, rising.
        signal: (samples, leads) at `rate`, in units of the recording's typical beat.
        at: (n,) the sample of each R peak.
        rate: Hz.
        unscaled: (samples, leads) `signal` in the unit of `earlier`; None where there are no earlier beats.
        earlier: the last beats of a stream before these, some of which may be among these; None where these are all.
    """

    times: np.ndarray
    signal: np.ndarray
    at: np.ndarray
    rate: float
    unscaled: np.ndarray | None = None
    earlier: Remembered | None = None

    @cached_property
    def new(self) -> int:
        """How many of these beats, the last ones, are not among the earlier ones."""
        if self.earlier is None or not len(self.earlier.times):
            return len(self.times)
        return len(self.times) - int(np.searchsorted(self.times, self.earlier.times[-1], side="right"))

    @cached_property
    def all_times(self) -> np.ndarray:
        """(m + new,) s: the R peaks of the earlier beats and of the new ones."""
        new = self.times[len(self.times) - self.new :]
        return new if self.earlier is None else np.concatenate([self.earlier.times, new])

    @cached_property
    def shapes(self) -> np.ndarray:
        """(m + new, leads, samples): the shapes of the same, see `shapes_of`."""
        signal = self.signal if self.unscaled is None else self.unscaled
        new = shapes_of(signal, self.at[len(self.at) - self.new :], self.rate)
        return new if self.earlier is None else np.concatenate([self.earlier.shapes, new])

    def padded(self, values: np.ndarray) -> np.ndarray:
        """(n, k): features (new, k) of the new beats, behind zeros for the others, which had theirs before."""
        return np.pad(values, ((len(self.times) - self.new, 0), (0, 0)))

    @cached_property
    def aligned(self) -> np.ndarray:
        """(n,) `at`, each R mark moved to where the recording's dominant QRS complex fits best."""
        return align(self.signal, self.at, self.rate)

    @cached_property
    def complexes(self) -> np.ndarray:
        """(n, leads, samples): the QRS complexes around the aligned peaks."""
        return self.around_peaks(*QRS)

    @cached_property
    def dominant(self) -> np.ndarray:
        """(n,) bool: beats whose QRS complex resembles the recording's median one in the first lead."""
        return likeness(self.complexes, median(self.complexes, axis=0))[:, 0] > DOMINANT

    def around_peaks(self, before: float, after: float) -> np.ndarray:
        """(n, leads, samples): the signal from `before` s ahead of each aligned R peak to `after` s behind it."""
        return extract_windows(self.signal, self.aligned, self.rate, before, after)


@dataclass(frozen=True)
class FeatureGroup:
    """Features that are switched on together.

    Attributes:
        names: the column names for a number of leads.
        future: in words, the part of the time after the R peak that goes into them.
        compute: a recording's FeatureInput to (n, number of names).
        tempo: names of the columns that are logarithms of intervals: a faster or slower heart shifts them all alike.
        live: whether the last beats and the next suffice to compute them, as in a stream.
        remembered: beats before one that it is compared with, however long ago; 0 where the signal of 20 s will do.
    """

    names: Callable[[int], list[str]]
    future: str
    compute: Callable[[FeatureInput], np.ndarray]
    tempo: tuple[str, ...] = ()
    live: bool = False
    remembered: int = 0


def shapes_of(signal: np.ndarray, at: np.ndarray, rate: float) -> np.ndarray:
    """(n, leads, samples) float32: the beats at `at` (n,) of a signal (samples, leads), each less its median; beyond an
    end of the signal its last value."""
    start, stop = (round(side * rate) for side in SHAPE)
    places = np.clip(at[:, None] + np.arange(-start, stop), 0, len(signal) - 1)
    beats = signal.astype(np.float32)[places].swapaxes(1, 2)  # (n, leads, samples)
    return beats - np.median(beats, axis=-1, keepdims=True)


def intervals(times: np.ndarray) -> np.ndarray:
    """(n,) s: the RR interval before each beat; the first has that of the second (0.8 s if there is no second)."""
    if len(times) < 2:
        return np.full(len(times), USUAL)
    rr = np.diff(times)
    return np.maximum(np.append(rr[0], rr), 1e-3)  # two annotations at one sample are no interval


def following(rr: np.ndarray) -> np.ndarray:
    """(n,) s: the interval after each beat; the last has that before it."""
    return np.append(rr[1:], rr[-1:])


def recent_mean(rr: np.ndarray, count: int = RECENT) -> np.ndarray:
    """(n,) s: the mean of up to `count` intervals before each beat's own; the first has its own."""
    total = np.append(0.0, rr.cumsum())
    stop = np.arange(len(rr))
    start = np.maximum(stop - count, 0)
    mean = (total[stop] - total[start]) / np.maximum(stop - start, 1)
    return np.where(stop > 0, mean, rr)


def around(rr: np.ndarray, width: int) -> np.ndarray:
    """(n, width): the intervals of the `width` beats around each, itself in the middle; mirrored at the ends."""
    if len(rr) < 2:
        return np.repeat(rr[:, None], width, axis=1)
    return np.lib.stride_tricks.sliding_window_view(np.pad(rr, width // 2, "reflect"), width)


def by_lead(names: tuple[str, ...]) -> Callable[[int], list[str]]:
    """Column names of a group that is computed lead by lead."""
    return lambda leads: [f"{name} in lead {lead + 1}" for lead in range(leads) for name in names]
