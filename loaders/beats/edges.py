"""Beats at the edges of a signal: which are cut off, and the rows of those whose T wave is."""

from __future__ import annotations

import numpy as np

from loaders.dsp.chunks import Chunk
from loaders.dsp.quality import BadInterval
from loaders.dsp.resample import MITBIH_FS

EDGE = 0.1  # s beside a bad interval or an end of the recording; a QRS complex there is cut off
T_WAVE = 0.4  # s behind an R peak; a row that ends before looks like that of an early beat
LEVEL = 1.0  # s whose median is the level of a signal
BEATS_BACK = 2  # the signal goes on as it did after the beat so far back


def ends_of(chunk: Chunk) -> list[tuple[int, int]]:
    """(start, stop) of the samples of a chunk's signal that lie within EDGE of an end of the recording."""
    edge, size = min(round(EDGE * MITBIH_FS), len(chunk.signal)), len(chunk.signal)
    ends = [(0, edge)] if chunk.first == 0 and chunk.start == 0 else []
    return ends + ([(size - edge, size)] if chunk.stop == size else [])


def are_cut_off(chunk: Chunk, peaks: np.ndarray) -> np.ndarray:
    """(n,) whether an end of the recording cuts off the QRS complexes at `peaks` (n,), samples of a chunk's signal."""
    cut = np.zeros(len(peaks), dtype=bool)
    for start, stop in ends_of(chunk):
        cut |= (peaks >= start) & (peaks < stop)
    return cut


def with_cut_off_ends(chunk: Chunk, peaks: np.ndarray) -> list[BadInterval]:
    """A chunk's bad intervals, and the ends of the recording where they cut off one of `peaks` (n,), in order."""
    ends = [
        BadInterval(start, stop, "gap")
        for start, stop in ends_of(chunk)
        if ((peaks >= start) & (peaks < stop)).any() and not any(a < stop and start < b for a, b, _ in chunk.bad)
    ]
    return sorted([*chunk.bad, *ends])


def with_t_wave(signal: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """`signal` (n,) at 360 Hz, or longer where it ends within the T wave of the last of `peaks` (m,).

    It goes on as it did after a beat before, so that Kaggle's row of the last beat is no shorter than its rhythm.
    """
    end = len(signal)
    if len(peaks) <= BEATS_BACK or end - peaks[-1] >= T_WAVE * MITBIH_FS:
        return signal
    back = int(peaks[-1] - peaks[-1 - BEATS_BACK])
    size = round(LEVEL * MITBIH_FS)
    if back + size > end:
        return signal
    level = np.median(signal[-size:]) - np.median(signal[end - back - size : end - back])
    return np.concatenate([signal, signal[end - back :] + level]).astype(signal.dtype, copy=False)
