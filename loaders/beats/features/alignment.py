"""Windows of signal around beats, the median beat of a recording, and R marks aligned to it."""

from __future__ import annotations

import numpy as np

from loaders.beats.windows import cut_windows
from loaders.dsp.medians import median

QRS = (0.08, 0.10)  # s before and after the R peak
FEWEST = 5  # beats that a template is the median of, else all are
STEP = 2 / 360  # s
REACH = 14 / 360  # s that an R mark is moved by at most
HESITATION = 0.54  # of correlation, per s that a mark is moved
FLAT = 1e-12  # of the product of two sizes: one of them is flat
BLOCK = 512  # beats at a time, so that their arrays fit the processor's cache


def likeness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(n, ...): the correlation of the last axes of arrays (n, ..., samples) and (..., samples) or (n, ..., samples), 0
    where one is flat."""
    if len(one) > BLOCK:
        every = range(0, len(one), BLOCK)
        beside = [other[k : k + BLOCK] if other.ndim == one.ndim else other for k in every]
        return np.concatenate([likeness(one[k : k + BLOCK], part) for k, part in zip(every, beside, strict=True)])
    one, other = (part - part.mean(axis=-1, keepdims=True) for part in (one, other))
    size = np.sqrt((one**2).sum(axis=-1) * (other**2).sum(axis=-1))
    return np.divide((one * other).sum(axis=-1), size, out=np.zeros_like(size), where=size > FLAT)


def extract_windows(signal: np.ndarray, at: np.ndarray, rate: float, before: float, after: float) -> np.ndarray:
    """(n, leads, samples): from `before` s ahead of each of `at` (n,) samples to `after` s behind it, which may be
    negative; of a signal (samples, leads) at `rate` Hz, zeros beyond its ends."""
    start, stop = round(before * rate), round(after * rate)
    beats = cut_windows(signal, at, start, max(stop, 0))
    return beats[..., : start + stop]


def template(beats: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(leads, samples): the median of the chosen (n,) bool beats (n, leads, samples), of all if they are too few."""
    return median(beats[chosen] if chosen.sum() >= FEWEST else beats, axis=0)


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
    offsets = np.arange(-most, most + 1, step)
    for _ in range(2):
        beats = extract_windows(signal, moved, rate, *QRS)
        usual = template(beats, likeness(beats, median(beats, axis=0))[:, 0] > 0.8)
        fit = _likeness_at(signal, marks, offsets, rate, usual)
        value = fit[:, 0] + 0.7 * fit[:, 1:].sum(axis=1) - HESITATION * np.abs(offsets) / rate
        moved = np.clip(marks + offsets[value.argmax(axis=1)], 0, last)
    return moved


def _likeness_at(
    signal: np.ndarray, marks: np.ndarray, offsets: np.ndarray, rate: float, usual: np.ndarray
) -> np.ndarray:
    """(n, leads, offsets): `likeness` of the QRS windows (n, leads, samples) at `marks` plus each of `offsets`, kept
    within the signal, to `usual` (leads, samples): one product of matrices instead of windows for each offset."""
    most, last, size = int(offsets[-1]), len(signal) - 1, usual.shape[1]
    pattern = usual - usual.mean(axis=1, keepdims=True)
    shifted = np.zeros((len(pattern), size + 2 * most, len(offsets)))
    within = np.zeros(shifted.shape[1:])
    for k, first in enumerate((offsets + most).tolist()):
        shifted[:, first : first + size, k] = pattern
        within[first : first + size, k] = 1
    parts = []
    for begin in range(0, len(marks), BLOCK):
        wide = extract_windows(signal, marks[begin : begin + BLOCK], rate, QRS[0] + most / rate, QRS[1] + most / rate)
        wide = wide - wide.mean(axis=-1, keepdims=True)
        energy = np.square(wide) @ within - np.square(wide @ within) / size
        norm = np.sqrt(np.maximum(energy, 0) * np.square(pattern).sum(axis=1)[:, None])
        product = np.matmul(wide.swapaxes(0, 1), shifted).swapaxes(0, 1)
        parts.append(np.divide(product, norm, out=np.zeros_like(norm), where=norm > FLAT))
    fit = np.concatenate(parts)
    ends = np.flatnonzero((marks < most) | (marks > last - most))
    for k, offset in enumerate(offsets.tolist()):
        fit[ends, :, k] = likeness(extract_windows(signal, np.clip(marks[ends] + offset, 0, last), rate, *QRS), usual)
    return fit
