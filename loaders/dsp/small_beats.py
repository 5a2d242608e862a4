"""Find small beats between tall ones, as sinus beats in ventricular bigeminy may be.

The R-peak network reads a signal in units of the height that most beats have, and hardly sees one a tenth as high. It
leaves traces all the same: where these come again and again between the beats, the network reads the signal once more
in units of the height right there, and what it then takes for beats are some if the rhythm repeats them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage, signal

from loaders.dsp.quality import runs_of

TRACE = 0.005  # probability; in plain rhythms fewer than 1 in 40 stretches of 16 s hold as many traces as are asked for
CERTAIN = 0.8  # probability, in units of the local height
AFTER, BEFORE = 0.45, 0.35  # s to the beats on both sides: neither T wave nor P wave
LONG = 0.8  # s between beats, room for one
NEAR = 8.0  # s to either side in which it has to come again
REPEATED = 4  # times,
SHARE = 0.75  # and in so many of the long intervals
REPEATED_SURE = np.array([0.2, 0.5, 0.8, 0.95, 0.8, 0.5, 0.2])  # probability around a beat that comes again and again
LOWEST, HIGHEST = 0.05, 0.7  # of a usual beat's height
BEND = 0.022  # s to either side that a wave is compared with
SHARP = 1.5  # times a wave's height that its bend comes to, on average; P waves that are blocked come to 1.2
LOCAL = 0.15  # s to either side that give the local height
LEAST_HEIGHT = 0.02  # mV; noise is not blown up
MARGIN = 2.0  # s before and after a stretch that is read again
REACH = 0.067  # s around a beat in which its height is measured


def add_small_beats(
    likely: np.ndarray,
    beats: np.ndarray,
    slow: np.ndarray,
    rate: float,
    stride: int,
    network: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """(m,) `likely`, with the probabilities of small beats raised; `likely` itself where there are none.

    Args:
        likely: (m,) the probability of a beat, one for every `stride` samples of `slow`.
        beats: (n,) steps of the beats that it shows, rising.
        slow: mV at `rate` Hz, without its slow waves.
        network: gives such probabilities of a signal in units of the height of beats.
    """
    steps = rate / stride
    traces = local_maxima(likely)
    traces = traces[(likely[traces] > TRACE) & (likely[traces] < CERTAIN)]
    traces = _between(traces, beats, steps)
    traces = traces[_neighbours(traces, traces, NEAR * steps) >= REPEATED]
    if not len(traces) or len(beats) < REPEATED:
        return likely
    magnitude = np.abs(slow)
    usual = np.median(_heights(magnitude, beats, rate, stride))
    again = np.zeros(len(likely), dtype=bool)
    for trace in traces.tolist():
        again[max(trace - round(MARGIN * steps), 0) : trace + round(MARGIN * steps) + 1] = True
    local = np.zeros(len(likely), dtype=likely.dtype)
    for start, stop in runs_of(again):
        part = slice(start * stride, stop * stride)
        local[start:stop] = network((slow[part] / local_height(magnitude[part], rate)).astype(np.float32))[
            : stop - start
        ]
    small, _ = signal.find_peaks(local, height=CERTAIN, distance=round(AFTER * steps / 2))
    small = _between(small, beats, steps)
    height = _heights(magnitude, small, rate, stride)
    small = small[(height > LOWEST * usual) & (height < HIGHEST * usual)]
    intervals = np.diff(beats)
    middles = (beats[1:] + beats[:-1])[intervals > LONG * steps] / 2
    count = _neighbours(small, small, NEAR * steps)
    sharpness = _heights(_bend(slow, rate), small, rate, stride) / _heights(magnitude, small, rate, stride)
    total = np.concatenate([[0], np.cumsum(sharpness)])
    first, last = (np.searchsorted(small, small + side, "right") for side in (-NEAR * steps - 1, NEAR * steps))
    sharp = total[last] - total[first] >= SHARP * (last - first)
    small = small[sharp & (count >= REPEATED) & (count >= SHARE * _neighbours(small, middles, NEAR * steps))]
    raised = likely.copy()
    around = np.clip(small[:, None] + np.arange(-3, 4), 0, len(likely) - 1)
    raised[around] = np.maximum(raised[around], REPEATED_SURE)
    return raised


def _between(at: np.ndarray, beats: np.ndarray, steps: float) -> np.ndarray:
    """Those of the steps `at` (n,) that lie between two beats, and beside neither."""
    place = np.searchsorted(beats, at)
    padded = np.concatenate([[-np.inf], beats, [np.inf]])
    return at[(at - padded[place] > AFTER * steps) & (padded[place + 1] - at > BEFORE * steps)]


def _neighbours(at: np.ndarray, others: np.ndarray, reach: float) -> np.ndarray:
    """How many of the rising `others` lie within `reach` of each of `at`."""
    return np.searchsorted(others, at + reach, side="right") - np.searchsorted(others, at - reach)


def _heights(magnitude: np.ndarray, at: np.ndarray, rate: float, stride: int) -> np.ndarray:
    """(n,) the greatest `magnitude` around the steps `at`."""
    reach = round(REACH * rate)
    around = (np.rint(at).astype(np.int64) * stride + stride // 2)[:, None] + np.arange(-reach, reach + 1)
    return magnitude[np.clip(around, 0, len(magnitude) - 1)].max(axis=1)


def _bend(slow: np.ndarray, rate: float) -> np.ndarray:
    """(m,) how far each sample of `slow` is from the line between those BEND before and after, twice."""
    reach = round(BEND * rate)
    padded = np.pad(slow, reach, mode="edge")
    return np.abs(2 * slow - padded[: -2 * reach] - padded[2 * reach :])


def local_maxima(values: np.ndarray) -> np.ndarray:
    """(n,) int64, where `values` (m,) have their maxima, the first of equal neighbours; the ends are none."""
    inner = values[1:-1]
    return np.flatnonzero((inner > values[:-2]) & (inner >= values[2:])) + 1


def local_height(magnitude: np.ndarray, rate: float) -> np.ndarray:
    """(k,) mV, the greatest `magnitude` around each sample, smoothed."""
    size = round(2 * LOCAL * rate)
    greatest = ndimage.maximum_filter1d(magnitude, size)
    return np.maximum(ndimage.gaussian_filter1d(greatest, LOCAL / 2 * rate), LEAST_HEIGHT)
