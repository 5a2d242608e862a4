"""Windows of signal around beats, the median beat of a recording, and R marks aligned to it."""

from __future__ import annotations

import numpy as np

from loaders.beats.windows import cut_windows

QRS = (0.08, 0.10)  # s before and after the R peak
FEWEST = 5  # beats that a template is the median of, else all are
STEP = 2 / 360  # s
REACH = 14 / 360  # s that an R mark is moved by at most
HESITATION = 0.54  # of correlation, per s that a mark is moved


def likeness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(...,): the correlation of the last axes of two arrays (..., samples), 0 where one is flat."""
    one, other = (part - part.mean(axis=-1, keepdims=True) for part in (one, other))
    size = np.sqrt((one**2).sum(axis=-1) * (other**2).sum(axis=-1))
    return np.divide((one * other).sum(axis=-1), size, out=np.zeros_like(size), where=size > 1e-12)


def extract_windows(signal: np.ndarray, at: np.ndarray, rate: float, before: float, after: float) -> np.ndarray:
    """(n, leads, samples): from `before` s ahead of each of `at` (n,) samples to `after` s behind it, which may be
    negative; of a signal (samples, leads) at `rate` Hz, zeros beyond its ends."""
    start, stop = round(before * rate), round(after * rate)
    beats = cut_windows(signal, at, start, max(stop, 0))
    return beats[..., : start + stop]


def template(beats: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(leads, samples): the median of the chosen (n,) bool beats (n, leads, samples), of all if they are too few."""
    return np.median(beats[chosen] if chosen.sum() >= FEWEST else beats, axis=0)


def align(signal: np.ndarray, marks: np.ndarray, rate: float) -> np.ndarray:
    """(n,) the R marks (n,), each moved by up to 39 ms to where the recording's dominant QRS complex fits best.

    Annotators and detectors set marks differently from beat to beat in small or biphasic complexes. The first lead
    counts most, and moving costs, so that noise moves nothing.

    Args:
        signal: (samples, leads) at `rate` Hz, in units of the recording's typical beat.
    """
    if not len(marks):
        return marks
    moved, last = marks, len(signal) - 1
    step, most = max(round(STEP * rate), 1), round(REACH * rate)
    for _ in range(2):
        beats = extract_windows(signal, moved, rate, *QRS)
        usual = template(beats, likeness(beats, np.median(beats, axis=0))[:, 0] > 0.8)
        best = np.full(len(marks), -np.inf)
        for offset in range(-most, most + 1, step):
            at = np.clip(marks + offset, 0, last)
            fit = likeness(extract_windows(signal, at, rate, *QRS), usual)  # (n, leads)
            value = fit[:, 0] + 0.7 * fit[:, 1:].sum(axis=1) - HESITATION * abs(offset) / rate
            better = value > best
            best[better], moved = value[better], np.where(better, at, moved)
    return moved
