"""Cut a signal into overlapping chunks at 360 Hz: 20 minutes of a file, 0.25 s of a live stream.

Chunks are resampled one by one and join to what the whole signal would give: each starts where samples of both rates
coincide, and the filter sees the neighbours' samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from loaders.dsp.quality import BadInterval, fill_gaps, find_bad_intervals
from loaders.dsp.resample import MITBIH_FS, ratio, resample

LENGTH = 1200.0  # s of a chunk
CONTEXT = 20.0  # s before and after it; the detector of R peaks looks back to learn how high they are
LIVE_LENGTH, LIVE_AHEAD = 0.25, 2.75  # s of a live chunk, and of signal that has to come after it; 3 s together


@dataclass(frozen=True)
class Chunk:
    """A part of a signal at 360 Hz, with context on both sides.

    Attributes:
        signal: (n,) float32 mV, gaps filled.
        start, stop: the samples of `signal` that are the chunk itself; the rest is context.
        bad: intervals of `signal` that cannot be judged, in order.
        first: the recording's sample number of `signal[0]`.
        step: the recording's samples per sample of `signal`.
        own: the length of the chunk itself in the recording's samples.
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


class Chunker:
    """Cuts a signal into chunks as it comes; holds no more than one chunk with its context.

    Args:
        fs: Hz.
        low, high: mV, the digitizer's limits.
        live: short chunks, each complete at the latest 3 s after it began, instead of long ones.
        span: s of a chunk itself, and before and after it, instead of 20 minutes and 20 s.
        judge: whether to look for intervals that cannot be judged; if not, `Chunk.bad` is empty.
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
        unit = ratio(fs, MITBIH_FS).denominator  # every so many samples, both rates have one

        def whole(seconds: float) -> int:
            return -(-round(seconds * fs) // unit) * unit

        length, context = span or (LENGTH, CONTEXT)
        self.before = whole(context)
        if live:  # chunks start on whole seconds all the same, because the detector counts in seconds
            self.length, self.after, self.grid = int(LIVE_LENGTH * fs), int(LIVE_AHEAD * fs), whole(1)
        else:
            self.length, self.after, self.grid = whole(length), self.before, unit
        self.start = 0  # of the recording: the start of the next chunk
        self._first = 0  # of the recording: the first sample that is held
        self._held = np.zeros(0, dtype=np.float32)
        self._waiting: list[np.ndarray] = []
        self.end = 0  # of the recording: the number of samples that have come

    def push(self, block: np.ndarray) -> Iterator[Chunk]:
        """Take the next samples (n,), mV, NaN where missing; return the chunks that are complete now."""
        self._waiting.append(np.asarray(block, dtype=np.float32))
        self.end += len(block)
        while self.end >= self.start + self.length + self.after:
            yield self._cut(self.start + self.length)

    def finish(self) -> Iterator[Chunk]:
        """The remaining chunks, now that nothing more comes."""
        while self.start < self.end:
            yield self._cut(min(self.start + self.length, self.end))

    def _cut(self, stop: int) -> Chunk:
        """The chunk up to `stop`; go on to the next."""
        if self._waiting:
            self._held = np.concatenate([self._held, *self._waiting])
            self._waiting = []
        start, self.start = self.start, stop
        first = max(0, (start - self.before) // self.grid * self.grid)
        self._held, self._first = self._held[first - self._first :], first
        signal = self._held[: stop + self.after - first]
        bad = find_bad_intervals(signal, self.fs, *self.limits) if self.judge else []
        return _chunk(signal, bad, first, start, stop, self.fs)


def _chunk(signal: np.ndarray, bad: list[BadInterval], first: int, start: int, stop: int, fs: float) -> Chunk:
    """The chunk from `start` to `stop` of a recording whose samples from `first` on are `signal`."""
    resampled = resample(fill_gaps(signal), fs, MITBIH_FS).astype(np.float32, copy=False)
    step = float(fs / MITBIH_FS)
    scaled = [BadInterval(int(s.start / step), min(int(np.ceil(s.stop / step)), len(resampled)), s.kind) for s in bad]
    edges = (round((start - first) / step), min(round((stop - first) / step), len(resampled)))
    return Chunk(resampled, *edges, scaled, first, step, stop - start)


def iter_chunks(blocks: Iterable[np.ndarray], chunker: Chunker) -> Iterator[Chunk]:
    """All chunks of a signal that comes in `blocks`."""
    for block in blocks:
        yield from chunker.push(block)
    yield from chunker.finish()


def bridged(chunk: Chunk) -> np.ndarray:
    """(n,) the chunk's signal with straight lines across its bad intervals, whose edges look like QRS complexes."""
    signal = chunk.signal.copy()
    for start, stop, _ in chunk.bad:
        left, right = signal[max(start - 1, 0)], signal[min(stop, len(signal) - 1)]
        left, right = right if start == 0 else left, left if stop == len(signal) else right
        signal[start:stop] = np.linspace(left, right, stop - start)
    return signal


def recorded(chunk: Chunk) -> np.ndarray:
    """(stop - start,) the signal of the chunk itself, NaN instead of the lines that bridge its gaps."""
    signal = chunk.signal.copy()
    for interval in chunk.bad:
        if interval.kind == "gap":
            signal[interval.start : interval.stop] = np.nan
    return signal[chunk.start : chunk.stop]
