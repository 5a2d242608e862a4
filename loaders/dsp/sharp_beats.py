"""Read the beats of a signal in doubt by its sharp parts alone, as those of newborns between T waves as high.

Where the R-peak network doubts much, it reads the signal once more, without its slow parts and in units of the height
right there. What it takes for beats then are some if they come regularly, and all doubts are settled.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy import signal

from loaders.dsp.quality import runs_of
from loaders.dsp.regular import WINDOW, regular
from loaders.dsp.small_beats import local_height, local_maxima

DOUBTFUL = (0.08, 0.92)  # probability of a beat
MANY = 4  # doubts in ten seconds
SHARP = 10.0  # Hz; what is slower is left out
LIKELY = 0.25  # probability of a beat in a regular rhythm of such,
CERTAIN, SHARE = 0.8, 0.6  # a share of which are as sure
STEADY = 0.25  # of the mean RR interval
REFRACTORY = 0.2  # s
FEWEST = 25  # beats in ten seconds; with 20, noise of 12 dB doubled the beats of record 101 once
MARGIN = 6.0  # s before and after that are read, too
SURE, NONE = np.array([0.2, 0.5, 0.8, 0.97, 0.8, 0.5, 0.2]), 0.02  # probability around a beat, and elsewhere


def settle_by_sharp_parts(
    likely: np.ndarray, slow: np.ndarray, rate: int, stride: int, network: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """(m,) `likely`, settled where the sharp parts of a signal in doubt show a regular rhythm; else `likely` itself.

    Args:
        likely: (m,) the probability of a beat, one for every `stride` samples of `slow`.
        slow: mV at `rate` Hz, without its slow waves.
        network: gives such probabilities of a signal in units of the height of beats.
    """
    steps = rate // stride
    doubtful = local_maxima(likely)
    doubtful = doubtful[(likely[doubtful] > DOUBTFUL[0]) & (likely[doubtful] < DOUBTFUL[1])]
    if len(doubtful) < MANY:
        return likely
    seconds = -(-len(likely) // steps)
    total = np.append(0, np.cumsum(np.bincount(doubtful // steps, minlength=seconds)))
    at = np.arange(seconds)
    around = total[np.minimum(at + WINDOW // 2, seconds)] - total[np.maximum(at - WINDOW // 2, 0)]
    settled = likely.copy()
    for first, stop in runs_of(around >= MANY):
        begin, end = max(first - round(MARGIN), 0), min(stop + round(MARGIN), seconds)
        part = slow[begin * rate : end * rate]
        if len(part) < WINDOW * rate // 2:
            continue
        sharp = signal.sosfiltfilt(_high_pass(rate), part)
        local = network((sharp / local_height(np.abs(sharp), rate)).astype(np.float32))
        beats, _ = signal.find_peaks(np.pad(local, 1), height=LIKELY, distance=round(REFRACTORY * steps))
        beats -= 1
        steady = regular(beats / steps, end - begin, STEADY, (0.0, len(part) / rate))
        steady &= _sure(beats, local, end - begin, steps)
        steady[: first - begin] = steady[stop - begin :] = False
        for start, last in runs_of(steady):
            own = slice((begin + start) * steps, min((begin + last) * steps, len(likely)))
            settled[own] = NONE
            for beat in beats[(beats >= start * steps) & (beats < last * steps)].tolist():
                near = np.arange(-3, 4) + beat + begin * steps
                inside = (near >= own.start) & (near < own.stop)
                settled[near[inside]] = np.maximum(settled[near[inside]], SURE[inside])
    return settled


def _sure(beats: np.ndarray, local: np.ndarray, seconds: int, steps: int) -> np.ndarray:
    """(seconds,) whether there are FEWEST of the `beats` in the WINDOW around each second, most of them CERTAIN."""
    at = np.arange(seconds)
    first, last = (np.searchsorted(beats, (at + side * WINDOW // 2) * steps) for side in (-1, 1))
    sure = np.append(0, np.cumsum(local[beats] >= CERTAIN))
    count, within = last - first, np.minimum(at + WINDOW // 2, seconds) - np.maximum(at - WINDOW // 2, 0)
    return (count * WINDOW >= FEWEST * within) & (sure[last] - sure[first] >= SHARE * count)


@cache
def _high_pass(rate: int) -> np.ndarray:
    return signal.butter(2, SHARP, "high", fs=rate, output="sos")
