"""A signal in pieces at the rate that models are trained on, each with enough of what is around it: a long one that is
on disk in long pieces, one that comes live in short ones as soon as enough of what follows has come.

Pieces are resampled one by one and join to what the whole signal would give: each window starts where samples of both
rates coincide, and the filter sees the neighbours' samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from loaders.beats.table import RATE, ROW, cut_kaggle_rows, extend_peaks
from loaders.dsp.quality import BadInterval, fill_gaps, find_bad_intervals

LENGTH = 1200.0  # s of a piece
CONTEXT = 20.0  # s before and after it; detectors of R peaks look back to learn how high they are
LIVE_LENGTH, LIVE_AHEAD = 0.25, 2.75  # s of a piece that comes live, and what has to come after it; 3 s together
EDGE = 0.1  # s beside a bad stretch; a QRS complex there is cut off
LONGEST_RR = 10.0  # s; what comes later belongs to another rhythm
FINEST = 1000  # largest denominator of the ratio of two rates


@dataclass(frozen=True)
class Chunk:
    """A piece of a signal at 360 Hz, with context on both sides.

    Attributes:
        signal: (n,) float32 mV, gaps filled.
        start, stop: which samples of `signal` are the piece itself.
        bad: stretches of `signal` that are not to be judged, in order.
        first: the recording's sample that `signal[0]` is.
        step: the recording's samples per sample of `signal`.
        own: how many of the recording's samples the piece itself is.
    """

    signal: np.ndarray
    start: int
    stop: int
    bad: list[BadInterval]
    first: int
    step: float
    own: int

    def to_own(self, samples: np.ndarray) -> np.ndarray:
        """int64: the recording's sample numbers of `samples` of the signal."""
        return self.first + np.rint(samples * self.step).astype(np.int64)

    def from_own(self, samples: np.ndarray) -> np.ndarray:
        """int64: the samples of the signal nearest to the recording's."""
        return np.rint((samples - self.first) / self.step).astype(np.int64)


def ratio(fs: float) -> Fraction:
    """Samples at 360 Hz per sample at `fs` Hz."""
    return Fraction(RATE / fs).limit_denominator(FINEST)


def resample(signal: np.ndarray, fs: float) -> np.ndarray:
    """`signal` (n,) at `fs` Hz as float32 at 360 Hz, through an anti-aliasing filter; ends are held."""
    from scipy.signal import resample_poly

    rate = ratio(fs)
    if rate == 1:
        return signal.astype(np.float32, copy=False)
    edge = rate.denominator * (10 * max(1, -(-rate.denominator // rate.numerator)) // rate.denominator + 2)
    padded = np.pad(signal, edge, mode="edge").astype(np.float64)
    skip, n = int(edge * rate), math.ceil(len(signal) * rate)
    return resample_poly(padded, rate.numerator, rate.denominator)[skip : skip + n].astype(np.float32)


def iter_chunks(
    blocks: Iterable[np.ndarray],
    fs: float,
    low: float = -np.inf,
    high: float = np.inf,
    live: bool = False,
    span: tuple[float, float] | None = None,
    judge: bool = True,
) -> Iterator[Chunk]:
    """A signal that comes in `blocks` in pieces at 360 Hz; see `Chunker`."""
    cutter = Chunker(fs, low, high, live, span, judge)
    for block in blocks:
        yield from cutter.push(block)
    yield from cutter.finish()


class Chunker:
    """Cuts a signal into pieces as it comes. It holds no more than one piece with its context.

    Args:
        fs: Hz.
        low, high: mV, the digitizer's limits.
        live: short pieces, each at the latest 3 s after it began, instead of long ones.
        span: s of a piece itself, and before and after it, instead of 20 minutes and 20 s.
        judge: whether to look for what cannot be judged; if not, pieces name nothing as bad.
    """

    def __init__(
        self,
        fs: float,
        low: float = -np.inf,
        high: float = np.inf,
        live: bool = False,
        span: tuple[float, float] | None = None,
        judge: bool = True,
    ) -> None:
        self.fs, self.limits, self.judge = fs, (low, high), judge
        unit = ratio(fs).denominator  # every so many samples, both rates have one

        def whole(seconds: float) -> int:
            return -(-round(seconds * fs) // unit) * unit

        length, context = span or (LENGTH, CONTEXT)
        self.before = whole(context)
        if live:  # windows start on whole seconds all the same, which is what the detector counts in
            self.length, self.after, self.grid = int(LIVE_LENGTH * fs), int(LIVE_AHEAD * fs), whole(1)
        else:
            self.length, self.after, self.grid = whole(length), self.before, unit
        self.start = 0  # of the recording: where the piece to come starts
        self._first = 0  # of the recording: the first sample that is held
        self._held = np.zeros(0, dtype=np.float32)
        self._waiting: list[np.ndarray] = []
        self.end = 0  # of the recording: what has come

    def push(self, block: np.ndarray) -> Iterator[Chunk]:
        """Take the next samples (n,), mV, NaN where missing; gives the pieces that are complete now."""
        self._waiting.append(np.asarray(block, dtype=np.float32))
        self.end += len(block)
        while self.end >= self.start + self.length + self.after:
            yield self._cut(self.start + self.length)

    def finish(self) -> Iterator[Chunk]:
        """The rest, now that nothing more comes."""
        while self.start < self.end:
            yield self._cut(min(self.start + self.length, self.end))

    def _cut(self, stop: int) -> Chunk:
        """The piece up to `stop`, and on to the next."""
        if self._waiting:
            self._held = np.concatenate([self._held, *self._waiting])
            self._waiting = []
        start, self.start = self.start, stop
        first = max(0, (start - self.before) // self.grid * self.grid)
        self._held, self._first = self._held[first - self._first :], first
        signal = self._held[: stop + self.after - first]
        bad = find_bad_intervals(signal, self.fs, *self.limits) if self.judge else []
        return _piece(signal, bad, first, start, stop, self.fs)


def _piece(signal: np.ndarray, bad: list[BadInterval], first: int, start: int, stop: int, fs: float) -> Chunk:
    """The piece from `start` to `stop` of a recording whose samples from `first` on are `signal`."""
    resampled = resample(fill_gaps(signal), fs)
    step = float(fs / RATE)
    scaled = [BadInterval(int(s.start / step), min(int(np.ceil(s.stop / step)), len(resampled)), s.kind) for s in bad]
    edges = (round((start - first) / step), min(round((stop - first) / step), len(resampled)))
    return Chunk(resampled, *edges, scaled, first, step, stop - start)


def bridged(piece: Chunk) -> np.ndarray:
    """(n,) the piece's signal with straight lines across its bad stretches, whose edges look like QRS complexes."""
    signal = piece.signal.copy()
    for start, stop, _ in piece.bad:
        left, right = signal[max(start - 1, 0)], signal[min(stop, len(signal) - 1)]
        left, right = right if start == 0 else left, left if stop == len(signal) else right
        signal[start:stop] = np.linspace(left, right, stop - start)
    return signal


def segment_chunk(
    piece: Chunk, signal: np.ndarray, peaks: np.ndarray, begin: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the beats of a piece that can be judged: those of its usable stretches, from the rhythm within them.

    Args:
        piece: which stretches are bad; beats of its context are only what others are cut by.
        signal: (n,) its signal, the right way up.
        peaks: (m,) samples of its R peaks, context included, rising.
        begin: the first sample of a beat that is not the piece's before.

    Returns:
        Which of `peaks` have rows (k,), the rows (k, 187) float32, and which of them begin a stretch (k,): no RR
        interval leads to those.
    """
    edge = round(EDGE * RATE)
    starts = [0, *(stretch.stop + edge for stretch in piece.bad)]
    stops = [*(stretch.start - edge for stretch in piece.bad), len(signal) + edge]
    kept, rows, begins = [np.zeros(0, np.int64)], [np.zeros((0, ROW), np.float32)], [np.zeros(0, bool)]
    for start, stop in zip(starts, stops, strict=True):
        usable = np.flatnonzero((peaks >= start) & (peaks < stop))
        pauses = np.flatnonzero(np.diff(peaks[usable]) > LONGEST_RR * RATE) + 1
        for together in np.split(usable, pauses):
            inside = np.flatnonzero((peaks[together] >= begin) & (peaks[together] < piece.stop))
            if len(inside):
                x, _ = cut_kaggle_rows(signal[: max(stop + edge, 0)], extend_peaks(peaks[together]), inside)
                kept, rows, begins = [*kept, together[inside]], [*rows, x], [*begins, inside == 0]
    return np.concatenate(kept), np.concatenate(rows), np.concatenate(begins)
