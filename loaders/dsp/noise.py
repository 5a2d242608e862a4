"""Noise in a lead: stretches in which the R-peak network doubts what it sees, so that its beats cannot be trusted.

Where beats are plain the network's answers are near 0 or 1. Noise gives maxima in between. Summed over ten seconds and
divided by the beats there, they tell windows with detection errors from others, most of all where the rhythm is
irregular; see docs/results.md for figures.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from loaders.dsp.beat_heights import BeatHeights
from loaders.dsp.chunks import Chunk, bridged
from loaders.dsp.quality import BadInterval, runs_of
from loaders.dsp.regular import WINDOW, regular
from loaders.dsp.resample import MITBIH_FS
from loaders.dsp.rpeaks import read_peaks

SECOND = round(MITBIH_FS)  # samples
FEWEST_BEATS = 1.0  # a second; doubts are divided by no fewer, so that a single odd beat is no noise
NOISY = 0.08  # doubts for each beat: more is noise
# A wrong beat, or one that is missed, breaks a regular rhythm: doubts count less where it goes on.
STEADY, WHERE_REGULAR = 0.2, 0.1
SHORTEST_READABLE = 8  # s between noise; less is not read
SHORTEST_NOISE = 5  # s; less is no reason to stop
REMEMBERED = 20  # s of past: half of WINDOW, and what the two lengths above can reach to
SETTLED = 1.25  # s behind a moment after which its doubts do not change any more


class LeadReading(NamedTuple):
    """The beats and the quality of a chunk of one lead.

    Attributes:
        peaks: (n,) int64, the R peaks in samples of the chunk's signal, rising; its context and noise included.
        likely: (m,) float32, the probability of a beat, 30 a second of the chunk's signal.
        doubt: (s,) float32, for each second of the chunk itself: doubts for each beat in the ten seconds around it,
            WHERE_REGULAR of them where the rhythm is. Of a live chunk the last value alone, of the ten seconds before.
        noise: stretches of the chunk's signal in which beats cannot be told from noise, in order.
        around: (r,) the doubt of each second that was looked at: those before the chunk, its own, those behind; it
            counts in full where the rhythm is regular, too.
        since: the sample of the chunk's signal that the first of them begins at; it may lie before the signal.
    """

    peaks: np.ndarray
    likely: np.ndarray
    doubt: np.ndarray
    noise: list[BadInterval]
    around: np.ndarray = np.zeros(0)
    since: int = 0


class LeadReader:
    """Reads the chunks of one lead, in order; memory does not grow with its length.

    A chunk of a recording is judged by the 17 s around each second. A live one knows the 10 s before alone: noise is
    marked some seconds after it began, and so is its end.

    Args:
        live: whether the chunks are live ones.
    """

    def __init__(self, live: bool = False) -> None:
        self.live = live
        self._heights = BeatHeights()
        self._past = np.zeros((2 if live else 3, 0))  # doubts, beats and regularity of each of the last seconds
        self._seconds = 0  # of the recording, so far counted
        self._noise: list[tuple[int, int]] = []  # of a live lead, in its own samples; the last may be open

    def read(self, chunk: Chunk) -> LeadReading:
        """R peaks, doubt and noise of the next chunk."""
        reading = read_peaks(bridged(chunk), MITBIH_FS, heights=self._heights)
        judge = self._judge_live if self.live else self._judge
        judged = judge(chunk, np.stack([reading.doubts * SECOND, reading.weights]), reading.peaks)
        return LeadReading(reading.peaks, reading.likely, *judged)

    def _judge(
        self, chunk: Chunk, doubts: np.ndarray, peaks: np.ndarray
    ) -> tuple[np.ndarray, list[BadInterval], np.ndarray, int]:
        """The doubt, noise and seconds around of a `LeadReading`; doubts are (2, d) samples and weights."""
        size = len(chunk.signal)
        own = max(round((chunk.stop - chunk.start) / SECOND), 1)
        counts = _counts(doubts, peaks, chunk.start, max(-(-(size - chunk.start) // SECOND), own))
        past = self._past.shape[1]
        span = -chunk.start / SECOND, (size - chunk.start) / SECOND
        steady = regular((peaks - chunk.start) / SECOND, counts.shape[1], STEADY, span)
        counts = np.vstack([counts, steady])
        counts = np.concatenate([self._past, counts], axis=1)
        self._past = counts[:, max(past + own - REMEMBERED, 0) : past + own]
        around = doubt_per_beat(counts[:2])
        doubt = around * np.where(counts[2] > 0, WHERE_REGULAR, 1)
        since = chunk.start - past * SECOND
        return doubt[past : past + own].astype(np.float32), noise_of(doubt, since, size), around, since

    def _judge_live(self, chunk: Chunk, doubts: np.ndarray, peaks: np.ndarray) -> tuple[np.ndarray, list[BadInterval]]:
        """The same of a live chunk, by the seconds before alone."""
        size, first = len(chunk.signal), round(chunk.first / chunk.step / SECOND)
        counts = _counts(doubts, peaks, 0, max(int((size - SETTLED * SECOND) // SECOND), 0))
        fresh = counts[:, max(self._seconds - first, 0) :]
        self._seconds += fresh.shape[1]
        self._past = np.concatenate([self._past, fresh], axis=1)[:, -WINDOW:]
        doubts_and_beats = self._past.sum(axis=1, keepdims=True)
        doubt = _ratio(doubts_and_beats[0], doubts_and_beats[1], np.array([self._past.shape[1]]))
        middle = counts.shape[1] - WINDOW // 2
        if middle > 0 and regular(peaks / SECOND, counts.shape[1], STEADY)[middle]:
            doubt = doubt * WHERE_REGULAR
        own = int(chunk.to_own(np.array(chunk.start)))
        is_open = bool(self._noise) and self._noise[-1][1] < 0
        if is_open and doubt[0] <= NOISY:
            self._noise[-1] = (self._noise[-1][0], own)
        elif not is_open and doubt[0] > NOISY:
            self._noise.append((own, -1))
        self._noise = [each for each in self._noise if each[1] < 0 or each[1] > chunk.first]
        edges = [
            (max(int(chunk.from_own(np.array(a))), 0), size if b < 0 else int(chunk.from_own(np.array(b))))
            for a, b in self._noise
        ]
        return doubt.astype(np.float32), [BadInterval(a, b, "noise") for a, b in edges if b > a]


def noise_of(doubt: np.ndarray, since: int, size: int, limit: float = NOISY) -> list[BadInterval]:
    """The noise in a signal of `size` samples, by the doubt of each second (s,) from sample `since` on: more than
    `limit` is noise."""
    edges = [(since + np.array(run) * SECOND).clip(0, size) for run in runs_of(_noisy(doubt, limit))]
    return [BadInterval(int(a), int(b), "noise") for a, b in edges if b > a]


def doubt_per_beat(counts: np.ndarray) -> np.ndarray:
    """(s,) doubts for each beat in the ten seconds around each second, of both in each second (2, s)."""
    total = np.pad(np.cumsum(np.vstack([counts, np.ones(counts.shape[1])]), axis=1), ((0, 0), (1, 0)))
    at = np.arange(counts.shape[1])
    stops, starts = np.minimum(at + WINDOW // 2, len(at)), np.maximum(at - WINDOW // 2, 0)
    around = total[:, stops] - total[:, starts]
    return _ratio(around[0], around[1], around[2])


def _ratio(doubts: np.ndarray, beats: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    return doubts / np.maximum(beats, np.maximum(FEWEST_BEATS * seconds, 1))


def _counts(doubts: np.ndarray, peaks: np.ndarray, start: int, seconds: int) -> np.ndarray:
    """(2, seconds) weight of the doubts (2, d) and number of the peaks (n,) in each second from sample `start` on."""
    at, weights = doubts
    parts = [((at - start) // SECOND, weights), ((peaks - start) // SECOND, np.ones(len(peaks)))]
    counts = []
    for second, weight in parts:
        inside = (second >= 0) & (second < seconds)
        counts.append(np.bincount(second[inside].astype(np.int64), weight[inside], seconds))
    return np.stack(counts)


def _noisy(doubt: np.ndarray, limit: float) -> np.ndarray:
    """(s,) whether each second is part of a stretch of noise."""
    padded = np.pad(doubt > limit, SHORTEST_READABLE)
    closed = ndimage.binary_closing(padded, np.ones(SHORTEST_READABLE + 1))[SHORTEST_READABLE:-SHORTEST_READABLE]
    return ndimage.binary_opening(closed, np.ones(SHORTEST_NOISE))
