"""Families of beats of one shape, so that all of them can be looked at and named at once.

A beat joins the family whose mean it resembles most, if it does so well enough and has its size within a factor of
MOST_SCALE; of those that join none, each founds a family in turn. At the end, families that have become alike are one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolbox.holter.trace import INPUT_FS, PART_SECONDS, THINNING, CompressedTrace

COMPARED_RATE = INPUT_FS // THINNING  # Hz
BEFORE, AFTER = 17, 36  # samples around the R peak, 0.14 and 0.3 s: QRS complex and the start of the T wave
SHIFTS = (-1, 0, 1)  # samples that a peak may be off
CORRELATION = 0.9  # with a family's mean, of its beats
JOINED = 0.95  # of the means of two families that are one
MOST_SCALE = 2.0
MOST_FAMILIES = 20  # that are listed
MOST_FOUNDED, LEAST_BEATS = 60, 3  # later ones need some beats in half an hour, lest noise founds them all
MOST_TRIED = 100  # beats of half an hour that may found one
NO_FAMILY = 255


@dataclass(frozen=True)
class Family:
    """Beats of one shape.

    Attributes:
        count: how many.
        shape: (samples,) mV at COMPARED_RATE, their mean around the R peak.
    """

    count: int
    shape: np.ndarray


def find_families(trace: CompressedTrace, times: np.ndarray) -> tuple[list[Family], np.ndarray]:
    """Sort the beats of a recording into families by their waveform, in one pass over its parts.

    Args:
        trace: the signal.
        times: (n,) s, of the beats, rising.

    Returns:
        At most MOST_FAMILIES of two beats and more, the largest first; (n,) uint8, the number of each beat's family,
        NO_FAMILY for none.
    """
    sorter = _Sorter()
    starts = np.arange(0, max(trace.seconds, 1), PART_SECONDS)
    edges = [*np.searchsorted(times, starts).tolist(), len(times)]
    edges[0] = 0
    parts = [
        sorter.sort(_windows(trace, times[first:last], start))
        for start, first, last in zip(starts.tolist(), edges[:-1], edges[1:], strict=True)
        if last > first
    ]
    return sorter.finish(np.concatenate(parts) if parts else np.zeros(0, np.int64))


def _windows(trace: CompressedTrace, times: np.ndarray, start: float) -> np.ndarray:
    """(n, samples) the signal around beats of the part from `start` s, a sample longer at both ends than families."""
    margin = (max(BEFORE, AFTER) + len(SHIFTS)) / COMPARED_RATE
    at, signal = trace.read(start - margin, start + PART_SECONDS + margin)
    step = THINNING // trace.step
    signal = signal[::step]
    begin = float(at[0]) if len(at) else start
    columns = np.arange(-BEFORE + min(SHIFTS), AFTER + max(SHIFTS) + 1)
    places = np.rint((times - begin) * COMPARED_RATE).astype(np.int64)[:, None] + columns
    inside = (places >= 0) & (places < len(signal))
    padded = np.append(signal, np.nan)  # NaN for those outside
    return padded[np.where(inside, places, len(signal))]


class _Sorter:
    """Founds families and sorts beats into them, part by part."""

    def __init__(self) -> None:
        self.sums = np.zeros((0, BEFORE + AFTER + 1))  # of the beats of each family, mean removed
        self.counts = np.zeros(0, np.int64)

    def sort(self, windows: np.ndarray) -> np.ndarray:
        """(n,) the family of each of the windows (n, samples), -1 for none."""
        length = BEFORE + AFTER + 1
        views = np.stack([windows[:, k : k + length] for k in range(len(SHIFTS))])  # (shifts, n, length)
        views = (views - views.mean(axis=2, keepdims=True)).astype(np.float32)
        size = np.sqrt((views**2).sum(axis=2))  # (shifts, n)
        numbers = np.full(windows.shape[0], -1)
        free = np.isfinite(size).all(axis=0) & (size > 0).all(axis=0)
        everybody = np.arange(len(self.counts))
        if len(everybody):
            self._join(views, size, np.flatnonzero(free), everybody, numbers)
        left = np.flatnonzero(free & (numbers < 0))
        for _ in range(MOST_TRIED):
            if not len(left) or len(self.counts) >= MOST_FOUNDED:
                break
            self._found(views, size, int(left[0]), left, numbers)
            left = left[1:][numbers[left[1:]] < 0]
        return numbers

    def _found(self, views: np.ndarray, size: np.ndarray, founder: int, free: np.ndarray, numbers: np.ndarray) -> None:
        """Found a family of a beat and of those of the `free` ones that resemble it, if they are enough."""
        number = len(self.counts)
        self.sums = np.concatenate([self.sums, views[SHIFTS.index(0), founder][None]])
        self.counts = np.append(self.counts, 1)
        joined = self._resembling(views, size, free, np.array([number]))[0] >= 0
        if number >= MOST_FAMILIES and joined.sum() < LEAST_BEATS:
            self.sums, self.counts = self.sums[:number], self.counts[:number]
            return
        self.sums[number], self.counts[number] = 0.0, 0  # the founder is one of them
        mean = views[SHIFTS.index(0), founder]
        self._join(views, size, free, np.array([number]), numbers, mean[None])

    def _join(
        self, views: np.ndarray, size: np.ndarray, free: np.ndarray, families: np.ndarray, numbers: np.ndarray,
        means: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """Let the `free` beats join the one of the `families` that they resemble most."""
        best, shift = self._resembling(views, size, free, families, means)
        for place in np.unique(best[best >= 0]).tolist():
            joins = np.flatnonzero(best == place)
            numbers[free[joins]] = families[place]
            self.sums[families[place]] += views[shift[joins], free[joins]].sum(axis=0)
            self.counts[families[place]] += len(joins)

    def _resembling(
        self, views: np.ndarray, size: np.ndarray, free: np.ndarray, families: np.ndarray,
        means: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """For each of the `free` beats, the place in `families` of the one that it resembles most (-1: none), and by
        which of SHIFTS."""
        if means is None:
            means = self.sums[families] / self.counts[families, None]
        norm = np.sqrt((means**2).sum(axis=1))
        alike = views[:, free] @ (means / norm[:, None]).T / size[:, free, None]  # (shifts, beats, families)
        scale = size[:, free, None] / norm
        alike = np.where((scale <= MOST_SCALE) & (scale >= 1 / MOST_SCALE), alike, -1.0)
        shift = alike.argmax(axis=0)  # (beats, families)
        highest = np.take_along_axis(alike, shift[None], axis=0)[0]
        best = highest.argmax(axis=1)
        rows = np.arange(len(free))
        return np.where(highest[rows, best] >= CORRELATION, best, -1), shift[rows, best]

    def finish(self, numbers: np.ndarray) -> tuple[list[Family], np.ndarray]:
        """The largest families, those that are alike joined, and the `numbers` (n,) of beats among them."""
        heads: list[int] = []
        joined_to = np.full(len(self.counts) + 1, NO_FAMILY)  # the last: of no family
        sums, counts = self.sums.copy(), self.counts.copy()
        for k in np.argsort(-self.counts, kind="stable").tolist():
            head = next((h for h in heads if _alike(sums[h] / counts[h], self.sums[k] / self.counts[k])), None)
            if head is None:
                heads.append(k)
                joined_to[k] = k
            else:
                sums[head] += self.sums[k]
                counts[head] += self.counts[k]
                joined_to[k] = head
        heads = [k for k in sorted(heads, key=lambda k: -counts[k]) if counts[k] > 1][:MOST_FAMILIES]
        place = {head: number for number, head in enumerate(heads)}
        final = np.array([place.get(int(head), NO_FAMILY) for head in joined_to], dtype=np.uint8)
        return [Family(int(counts[k]), sums[k] / counts[k]) for k in heads], final[numbers]


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two means are of one family, moved against each other by a sample or not."""
    a, b = np.sqrt((one**2).sum()), np.sqrt((other**2).sum())
    if not 1 / MOST_SCALE <= a / b <= MOST_SCALE:
        return False
    inner = slice(1, -1)
    return bool(max((one[inner] * np.roll(other, shift)[inner]).sum() for shift in SHIFTS) / (a * b) >= JOINED)
