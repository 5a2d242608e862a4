"""Signal quality: gaps, flat and saturated intervals, and the polarity of a lead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import scipy

FILLED = 0.05  # s, the longest gap that is bridged by a line and not marked
FLAT = (2.0, 0.01)  # s and mV: a lead that moves less than that for so long is off
CLIPPED = 0.1  # s at the digitizer's limit: longer than the peak of any QRS complex
SHORTEST = 2.0  # s of usable signal between two bad intervals; anything shorter shows no rhythm
P_WAVE, PR_SEGMENT, QRS = (-0.24, -0.07), (-0.09, -0.05), (-0.06, 0.09)  # s from the R peak
SMALLEST_P = 0.025  # of the QRS complex' height; less is noise


class BadInterval(NamedTuple):
    """Samples `start` up to `stop` of a signal, and why they cannot be judged: "gap", "flat", "saturated" or
    "noise"."""

    start: int
    stop: int
    kind: str


def fill_gaps(signal: np.ndarray) -> np.ndarray:
    """`signal` (n,) with straight lines across missing samples (NaN); zeros if all are missing."""
    missing = np.isnan(signal)
    if not missing.any():
        return signal
    if missing.all():
        return np.zeros_like(signal)
    at = np.flatnonzero(~missing)
    return np.interp(np.arange(len(signal)), at, signal[at]).astype(signal.dtype)


def find_bad_intervals(signal: np.ndarray, fs: float, low: float = -np.inf, high: float = np.inf) -> list[BadInterval]:
    """Find the intervals of `signal` that cannot be judged.

    Args:
        signal: (n,) mV, NaN where samples are missing.
        fs: Hz.
        low, high: mV, the digitizer's limits.

    Returns:
        Intervals in order, at least SHORTEST apart; where several reasons meet, the first is named.
    """
    missing = np.isnan(signal)
    intervals = [BadInterval(a, b, "gap") for a, b in runs_of(missing) if b - a > FILLED * fs]
    filled = fill_gaps(signal)
    # A limit counts as reached only where the signal stands still: some headers state limits that are too narrow.
    still = np.append(False, np.diff(filled) == 0)
    slack = 1e-5 * max([abs(limit) for limit in (low, high) if np.isfinite(limit)], default=0.0)  # float32
    for limit in (filled >= high - slack, filled <= low + slack):
        intervals += [
            BadInterval(a - 1, b, "saturated")
            for a, b in runs_of(limit & still & ~missing)
            if b - a + 1 >= CLIPPED * fs
        ]
    flat = [(a, b) for a, b in _flat(filled, fs) if missing[a:b].mean() < 0.5]  # others are bridged gaps
    intervals += [BadInterval(a, b, "flat") for a, b in flat]
    return _joined(sorted(intervals, key=lambda interval: interval.start), len(signal), round(SHORTEST * fs))


def _flat(signal: np.ndarray, fs: float) -> list[tuple[int, int]]:
    """(start, stop) of the intervals in which `signal` stays within FLAT: all windows of so little range, joined."""
    size = round(FLAT[0] * fs)
    if len(signal) < size or not _has_still_block(signal, size // 2):
        return []
    # origin: the filters' windows then begin at the sample that they are named by
    filters, origin = scipy.ndimage, -(size // 2)
    span = filters.maximum_filter1d(signal, size, origin=origin) - filters.minimum_filter1d(signal, size, origin=origin)
    return [(a, b - 1 + size) for a, b in runs_of(span[: len(signal) - size + 1] < FLAT[1])]


def _has_still_block(signal: np.ndarray, size: int) -> bool:
    """Check whether any block of `size` that `signal` is cut into stays within FLAT, as one in a flat window does.

    A window of two blocks and more holds a whole block: without one, the filters, which take a hundred times as long,
    would find nothing.
    """
    blocks = signal[: len(signal) // size * size].reshape(-1, size)
    return bool((blocks.max(axis=1) - blocks.min(axis=1) < FLAT[1]).any())


def runs_of(where: np.ndarray) -> list[tuple[int, int]]:
    """(start, stop) of each run of True."""
    if not len(where):
        return []
    inner = np.flatnonzero(where[1:] != where[:-1]) + 1
    edges = [*([0] if where[0] else []), *inner.tolist(), *([len(where)] if where[-1] else [])]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _joined(intervals: list[BadInterval], n: int, shortest: int) -> list[BadInterval]:
    """Join overlapping intervals, and those that leave fewer than `shortest` samples between or at an end of `n`."""
    joined: list[BadInterval] = []
    for interval in intervals:
        if joined and interval.start - joined[-1].stop < shortest:
            joined[-1] = joined[-1]._replace(stop=max(joined[-1].stop, interval.stop))
        else:
            joined.append(interval)
    if joined and joined[0].start < shortest:
        joined[0] = joined[0]._replace(start=0)
    if joined and n - joined[-1].stop < shortest:
        joined[-1] = joined[-1]._replace(stop=n)
    return joined


def beside(intervals: list[BadInterval], others: list[BadInterval]) -> list[BadInterval]:
    """`others`, and of `intervals` what lies outside of them, in order; both are in order, without overlaps."""
    parts = list(others)
    for start, stop, kind in intervals:
        inside = [other for other in others if other.stop > start and other.start < stop]
        starts, stops = [start, *(each.stop for each in inside)], [*(each.start for each in inside), stop]
        parts += [BadInterval(a, b, kind) for a, b in zip(starts, stops, strict=True) if a < b]
    return sorted(parts)


def covered(intervals: Iterable[BadInterval], size: int) -> np.ndarray:
    """(size,) bool: whether each sample lies in one of the intervals."""
    inside = np.zeros(size, dtype=bool)
    for start, stop, _ in intervals:
        inside[start:stop] = True
    return inside


def merge_intervals(intervals: list[BadInterval]) -> list[BadInterval]:
    """Join intervals that were cut at the edges of chunks."""
    merged: list[BadInterval] = []
    for interval in intervals:
        if merged and interval.kind == merged[-1].kind and interval.start <= merged[-1].stop + 1:
            merged[-1] = merged[-1]._replace(stop=max(interval.stop, merged[-1].stop))
        else:
            merged.append(interval)
    return merged


class SignalShare:
    """The share of a lead that holds a signal, neither missing nor flat nor at its limits, measured while it is read.

    Args:
        fs: Hz.
        low, high: of the samples, the digitizer's limits.
        in_millivolts: whether the unit is known; else "flat" means little beside the rest of a block.
    """

    def __init__(self, fs: float, low: float, high: float, in_millivolts: bool) -> None:
        self.fs, self.low, self.high, self.in_millivolts = fs, low, high, in_millivolts
        self.samples = 0
        self.lost = 0

    @property
    def share(self) -> float:
        """From 0 to 1; 0 of nothing."""
        return 1 - self.lost / self.samples if self.samples else 0.0

    def watch(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The blocks (n,) of a lead in order, unchanged, each measured on its way."""
        for block in blocks:
            signal, low, high = block, self.low, self.high
            present = block[np.isfinite(block)]
            if not self.in_millivolts and len(present):
                height = float(np.subtract(*np.percentile(present, [99, 1]))) or 1.0
                signal, low, high = block / height, low / height, high / height
            self.samples += len(block)
            self.lost += sum(bad.stop - bad.start for bad in find_bad_intervals(signal, self.fs, low, high))
            yield block


def polarity(signal: np.ndarray, peaks: np.ndarray, fs: float) -> tuple[float, bool]:
    """Measure the average beat: the height of its QRS complex, and whether the lead is upside down.

    In the leads that models are trained on the P wave of sinus rhythm points up, whatever the QRS complex does; both
    pointing down is a lead with its electrodes swapped. None of MIT-BIH's 48 first leads is taken for that; the same
    signals negated are recognized where P waves can be seen.

    Args:
        signal: (n,) mV.
        peaks: (m,) samples of R peaks.
        fs: Hz.

    Returns:
        The height of the QRS complex in mV, negative when it points down (0 without beats), and whether the lead is
        upside down.
    """
    start, stop = round(P_WAVE[0] * fs), round(QRS[1] * fs) + 1
    peaks = peaks[(peaks + start >= 0) & (peaks + stop <= len(signal))]
    if len(peaks) == 0:
        return 0.0, False
    windows = signal[peaks[:, None] + np.arange(start, stop)]  # (m, samples)
    beat = np.median(windows - np.median(windows, axis=1, keepdims=True), axis=0)

    def part(span: tuple[float, float]) -> np.ndarray:
        return beat[round(span[0] * fs) - start : round(span[1] * fs) - start]

    level = np.median(part(PR_SEGMENT))
    up, down = part(QRS).max() - level, level - part(QRS).min()
    p_up, p_down = part(P_WAVE).max() - level, level - part(P_WAVE).min()
    points_down = bool(down > up)
    inverted = points_down and bool(p_down > SMALLEST_P * (up + down) and p_down > 2 * p_up)
    return float(-down if points_down else up), inverted
