"""Numbers beside a beat's row, by group: rhythm before, after and around it, likeness to the patient's own beats.

A group sees the times of all beats of a recording and its signal, never a label or a symbol, so that a detector's R
peaks serve as well. Intervals are given as logarithms: ratios of intervals are then differences, and all numbers are of
the order of 1 without anything fitted to training data. Each group says what it knows of the future.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from loaders import FEATURES
from loaders.beats.features.alignment import QRS, align, likeness, stretch
from loaders.beats.windows import cut_windows

USUAL = 0.8  # s, the interval whose logarithm is counted as 0: 75 beats a minute
RECENT = 10  # intervals before a beat that make its recent mean
WIDE = (21, 81)  # beats around a beat, itself in the middle, that make its local rhythm
EARLY = 0.88  # of the local interval: what comes sooner is early
REACH = 8  # intervals to either side that the pattern holds
LIMIT = 3.0  # of any feature's size
DOMINANT = 0.9  # correlation with the median QRS complex from which on a beat is a dominant one


@dataclass(frozen=True)
class Recording:
    """What the groups may look at.

    Attributes:
        times: (n,) s, the R peaks, rising.
        signal: (samples, leads) at `rate`, in units of the recording's typical beat.
        at: (n,) the sample of each R peak.
        rate: Hz.
    """

    times: np.ndarray
    signal: np.ndarray
    at: np.ndarray
    rate: float

    @cached_property
    def aligned(self) -> np.ndarray:
        """(n,) `at`, each mark moved to where the recording's dominant QRS complex fits best."""
        return align(self.signal, self.at, self.rate)

    @cached_property
    def complexes(self) -> np.ndarray:
        """(n, leads, samples): the QRS complexes around the aligned peaks."""
        return self.around_peaks(*QRS)

    @cached_property
    def dominant(self) -> np.ndarray:
        """(n,) bool: whose QRS complex is like the recording's median one in the first lead."""
        return likeness(self.complexes, np.median(self.complexes, axis=0))[:, 0] > DOMINANT

    def around_peaks(self, before: float, after: float) -> np.ndarray:
        """(n, leads, samples): the signal from `before` s ahead of each aligned R peak to `after` s behind it."""
        return stretch(self.signal, self.aligned, self.rate, before, after)


@dataclass(frozen=True)
class Group:
    """A group of features.

    Attributes:
        names: of each, for `leads` leads.
        future: what of the time after the R peak goes into them.
        compute: a recording to (n, number of names).
        tempo: which names are logarithms of intervals, so that a faster or slower heart shifts them all alike.
        live: whether they need nothing but the last beats and the next, so that a stream can tell them.
    """

    names: Callable[[int], list[str]]
    future: str
    compute: Callable[[Recording], np.ndarray]
    tempo: tuple[str, ...] = ()
    live: bool = False


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


def rr_past(recording: Recording) -> np.ndarray:
    """(n, 3): interval before; the same against the recent mean; the recent mean."""
    rr = intervals(recording.times)
    recent = recent_mean(rr)
    return np.log(np.stack([rr / USUAL, rr / recent, recent / USUAL], axis=1))


def rr_both(recording: Recording) -> np.ndarray:
    """(n, 6): those of `rr_past`; interval after; the same against the recent mean; before against after."""
    rr = intervals(recording.times)
    after, recent = following(rr), recent_mean(rr)
    return np.concatenate(
        [rr_past(recording), np.log(np.stack([after / USUAL, after / recent, rr / after], axis=1))], axis=1
    )


def rhythm(recording: Recording) -> np.ndarray:
    """(n, 14): over 21 and over 81 beats around, the median interval; before and after against it; spread of the
    intervals; their change from beat to beat; the share of early ones; then before and local against the record's
    median interval."""
    rr = intervals(recording.times)
    after, columns = following(rr), []
    for width in WIDE:
        near = around(rr, width)  # (n, width)
        local = np.median(near, axis=1)
        relative = np.log(near / local[:, None])
        columns += [np.log(local / USUAL), np.log(rr / local), np.log(after / local)]
        columns += [relative.std(axis=1), np.abs(np.diff(relative, axis=1)).mean(axis=1)]
        columns += [(near < EARLY * local[:, None]).mean(axis=1)]
    whole = np.median(rr) if len(rr) else USUAL
    return np.stack([*columns, np.log(rr / whole), np.log(local / whole)], axis=1)


def pattern(recording: Recording) -> np.ndarray:
    """(n, 16): the intervals from 7 before to 8 after the beat's own, each against the local median of 21."""
    rr = intervals(recording.times)
    local = np.median(around(rr, WIDE[0]), axis=1)
    return np.log(around(rr, 2 * REACH + 1)[:, 1:] / local[:, None])


def shape(recording: Recording) -> np.ndarray:
    """(n, 7 * leads): per lead, likeness (correlation) to the recording's median beat of the QRS complex (0.12 s to
    either side), of the whole beat (-0.25 to 0.40 s) and of the P wave's place (-0.25 to -0.06 s); likeness of the QRS
    to that of the beat before; height, area and P wave's height of the beat against the median beat's (logarithms)."""
    before, after = round(0.25 * recording.rate), round(0.40 * recording.rate)
    x = cut_windows(recording.signal, recording.at, before, after)  # (n, leads, samples)
    qrs = slice(before - round(0.12 * recording.rate), before + round(0.12 * recording.rate) + 1)
    p_wave = slice(0, before - round(0.06 * recording.rate))
    columns = []
    for lead in range(x.shape[1]):
        beat = x[:, lead]
        median = np.median(beat, axis=0) if len(beat) else np.zeros(before + after)
        columns += [likeness(beat[:, part], median[part]) for part in (qrs, slice(None), p_wave)]
        columns += [likeness(beat[:, qrs], np.roll(beat[:, qrs], 1, axis=0))]
        columns += [np.log((np.ptp(beat[:, part], axis=1) + 0.05) / (np.ptp(median[part]) + 0.05)) for part in (qrs,)]
        columns += [np.log((np.abs(beat[:, qrs]).mean(axis=1) + 0.02) / (np.abs(median[qrs]).mean() + 0.02))]
        columns += [np.log((np.ptp(beat[:, p_wave], axis=1) + 0.02) / (np.ptp(median[p_wave]) + 0.02))]
    return np.stack(columns, axis=1)


PAST_NAMES = ["RR", "RR/recent", "recent"]
BOTH_NAMES = [*PAST_NAMES, "RR after", "RR after/recent", "RR/RR after"]
WIDE_NAMES = ("median", "RR/median", "RR after/median", "spread", "change", "early")
RHYTHM_NAMES = [f"{name} of {width}" for width in WIDE for name in WIDE_NAMES] + ["RR/record", "local/record"]
SHAPE_NAMES = ("QRS", "beat", "P", "QRS before", "height", "area", "P height")

RR_PAST = Group(lambda leads: PAST_NAMES, "nothing", rr_past, ("RR", "recent"), live=True)
RR = Group(lambda leads: BOTH_NAMES, "the next beat's time", rr_both, ("RR", "recent", "RR after"), live=True)
RHYTHM = Group(
    lambda leads: RHYTHM_NAMES,
    f"{WIDE[-1] // 2} beats, and the recording's median interval",
    rhythm,
    tuple(f"median of {width}" for width in WIDE),
)
PATTERN = Group(lambda leads: [f"RR{k:+d}" for k in range(1 - REACH, REACH + 1)], f"{WIDE[0] // 2} beats", pattern)
SHAPE = Group(
    lambda leads: [f"{name} in lead {lead + 1}" for lead in range(leads) for name in SHAPE_NAMES],
    "0.4 s of signal, and the recording's median beat",
    shape,
)


def group(name: str) -> Group:
    """The group of this name."""
    found: Any = FEATURES[name]
    return found


def compute(names: Sequence[str], recording: Recording) -> np.ndarray:
    """(n, k) float32: the features of all groups named, one after the other, kept within +-3."""
    parts = [group(name).compute(recording) for name in names]
    return np.clip(np.concatenate(parts, axis=1), -LIMIT, LIMIT).astype(np.float32)


def names_of(names: Sequence[str], leads: int) -> list[str]:
    """What each column is, group by group."""
    return [f"{name}: {column}" for name in names for column in group(name).names(leads)]


def tempo_columns(names: Sequence[str], leads: int) -> tuple[int, ...]:
    """Which columns are logarithms of intervals."""
    shifted = [column in group(name).tempo for name in names for column in group(name).names(leads)]
    return tuple(number for number, one in enumerate(shifted) if one)
