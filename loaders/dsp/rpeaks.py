"""Detect R peaks in any recording by a small network that estimates, for each moment, whether a beat is there."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy

from loaders.dsp.beat_heights import BeatHeights
from loaders.dsp.medians import median
from loaders.dsp.resample import ratio, resample
from loaders.dsp.sharp_beats import settle_by_sharp_parts
from loaders.dsp.small_beats import add_small_beats, local_maxima
from toolbox.utils import UserError, one_blas_thread

RATE = 90  # Hz that the network reads
STRIDE = 3  # samples of it in a step of the network
STEPS = RATE // STRIDE  # the network's answers a second
FILTER = 31  # taps of the low-pass
CUTOFF = 35.0  # Hz, below the mains
HEIGHTS = 16  # s of the past whose median height is the unit of the signal
FIRST = 4  # s at the start whose median height it is there
FLOOR = 0.02  # mV: lower than this no heart beats, and noise is not blown up
DILATIONS = (1, 2, 4, 8)
SMOOTH = (0.25, 0.5, 0.25)
DOUBTFUL = 0.42  # from an even chance: between 0.08 and 0.92
CUT_OFF = 0.2  # s at the ends of a signal, which may cut off a beat; that is no doubt
REFRACTORY = 0.2  # s
THRESHOLD = 0.5
REACH = 8  # samples of RATE to either side that an R peak is looked for in
CLOSE = 0.02  # s, the scale on which a height counts less
BLOCK = 4096  # steps at a time, so that their arrays fit the processor's cache
WEIGHTS = Path(__file__).with_name("rpeaks.npz")


def condition(signal: np.ndarray, fs: float) -> np.ndarray:
    """`signal` as the network reads it: (n,) mV at `fs` Hz -> (m,) float32 at RATE Hz, less its mean over the second
    around, low-passed, in units of the height that beats had in the last seconds.

    That unit is the median of the highest excursions of each of the HEIGHTS seconds before (at the start: of the first
    ones). So a sample depends on most of a second around it and on the seconds before it alone: chunks of a long
    recording give the same as the whole, and a live stream needs its past only.
    """
    slow = _low_passed(np.asarray(signal, dtype=np.float64), fs)
    return (slow / _unit(slow)).astype(np.float32)


def _low_passed(signal: np.ndarray, fs: float) -> np.ndarray:
    """(m,) mV at RATE Hz of `signal` (n,) at `fs` Hz, less its mean over the second around."""
    level = scipy.ndimage.uniform_filter1d(
        signal, round(fs) | 1, mode="nearest"
    )  # at this rate: resampling would let it through
    slow = resample(signal - level, fs, RATE, ends="constant")
    taps = scipy.signal.firwin(FILTER, CUTOFF, fs=RATE)
    return scipy.signal.oaconvolve(np.pad(slow, FILTER // 2), taps, mode="valid")


def _unit(slow: np.ndarray) -> np.ndarray:
    """(m,) the local height of beats, in mV."""
    seconds = -(-len(slow) // RATE)
    height = np.abs(np.pad(slow, (0, seconds * RATE - len(slow)))).reshape(seconds, RATE).max(axis=1)
    if (height < FLOOR).any():
        before = _median_of_moving(height)
    else:
        before = np.array([np.median(height[: max(k, FIRST)]) for k in range(min(HEIGHTS, seconds + 1))])
        if seconds >= HEIGHTS:
            past = np.lib.stride_tricks.sliding_window_view(height, HEIGHTS)
            before = np.append(before, median(past))
    return np.interp(np.arange(len(slow)) / RATE, np.arange(seconds + 1), np.maximum(before, FLOOR))


def _median_of_moving(height: np.ndarray) -> np.ndarray:
    """(n + 1,) the median of those of the HEIGHTS of `height` (n,) before each second that reach FLOOR, of the FIRST
    that come where they are fewer: a lead that was off for a while has beats as high as before, not as high as nothing.
    """
    moving, edges = np.flatnonzero(height >= FLOOR), np.arange(len(height) + 1)
    values = height[moving]
    starts, stops = np.searchsorted(moving, edges - HEIGHTS), np.searchsorted(moving, edges)
    stops = np.minimum(np.maximum(stops, starts + FIRST), len(values))
    medians = np.full(len(edges), FLOOR)
    whole = stops - starts == HEIGHTS
    if whole.any():
        medians[whole] = median(np.lib.stride_tricks.sliding_window_view(values, HEIGHTS)[starts[whole]])
    spans = np.column_stack([starts, stops])[~whole & (stops > starts)]
    for a, b in set(map(tuple, spans.tolist())):
        medians[(starts == a) & (stops == b)] = np.median(values[a:b])
    return medians


@cache
def _weights() -> dict[str, np.ndarray]:
    with np.load(WEIGHTS) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}


def probability(conditioned: np.ndarray, weights: dict[str, np.ndarray] | None = None) -> np.ndarray:
    """The probability of a beat within 50 ms: (m,) as from `condition` -> (m // STRIDE,) float32, one for the middle of
    every STRIDE samples.

    The first layer's outputs lose their sign, so a signal and the same upside down give the same to the bit. The other
    layers reach a second to either side: far enough to see the T wave and the beats around.
    """
    w = weights or _weights()
    steps = len(conditioned) // STRIDE
    if not steps:
        return np.zeros(0, dtype=np.float32)
    hidden = _first(conditioned, w["first"], steps)
    for k, dilation in enumerate(DILATIONS):
        answer = _convolved(hidden, w[f"kernel{k}"], w[f"bias{k}"], dilation)
        hidden = hidden + answer if k else answer
    return 0.5 * (1 + np.tanh((hidden @ w["last"] + w["offset"]) / 2))  # the logistic function


def _smoothed(conditioned: np.ndarray, weights: dict[str, np.ndarray] | None) -> np.ndarray:
    """(m,) as `probability`, smoothed."""
    return np.convolve(np.pad(probability(conditioned, weights), 1), SMOOTH, mode="valid")


def _first(x: np.ndarray, kernel: np.ndarray, steps: int) -> np.ndarray:
    """(m,) convolved with `kernel` (taps, out), the largest magnitude of every STRIDE: (steps, out)."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, len(kernel) // 2), len(kernel))
    out = np.empty((steps, kernel.shape[1]), dtype=np.float32)
    for a in range(0, steps, BLOCK):
        e = min(a + BLOCK, steps)
        answer = windows[a * STRIDE : e * STRIDE] @ kernel
        np.abs(answer, out=answer)
        highest = answer[::STRIDE]
        for k in range(1, STRIDE):  # a maximum over so short an axis takes ten times as long
            highest = np.maximum(highest, answer[k::STRIDE], out=out[a:e])
    return out


def _convolved(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, dilation: int) -> np.ndarray:
    """(steps, in) convolved with `kernel` (taps, in, out), taps `dilation` apart, and rectified: (steps, out)."""
    padded = np.pad(x, ((len(kernel) // 2 * dilation,) * 2, (0, 0)))
    out = np.empty((len(x), len(bias)), dtype=np.float32)
    for a in range(0, len(x), BLOCK):
        e = min(a + BLOCK, len(x))
        total = padded[a:e] @ kernel[0]
        total += bias
        part = np.empty_like(total)
        for tap in range(1, len(kernel)):
            np.matmul(padded[a + tap * dilation : e + tap * dilation], kernel[tap], out=part)
            total += part
        np.maximum(total, 0, out=out[a:e])
    return out


class Reading(NamedTuple):
    """R peaks of one lead, and the probabilities that they were chosen by.

    Attributes:
        peaks: (n,) int64, rising sample numbers.
        likely: (m,) float32, the smoothed probability of a beat, STEPS a second from the start.
        doubts: (d,) s, maxima of `likely` that are neither surely a beat nor surely none.
        weights: (d,) from 0 to 1, how doubtful they are (most from a quarter to three) and how much like noise.
    """

    peaks: np.ndarray
    likely: np.ndarray
    doubts: np.ndarray
    weights: np.ndarray


def detect(
    signal: np.ndarray,
    fs: float,
    threshold: float = THRESHOLD,
    weights: dict[str, np.ndarray] | None = None,
    heights: BeatHeights | None = None,
) -> np.ndarray:
    """Detect the R peaks in one lead, whichever way up it is and however low: (peaks,) int64, rising sample numbers.

    The arguments and errors are those of `read_peaks`.
    """
    return read_peaks(signal, fs, threshold, weights, heights).peaks


def read_peaks(
    signal: np.ndarray,
    fs: float,
    threshold: float = THRESHOLD,
    weights: dict[str, np.ndarray] | None = None,
    heights: BeatHeights | None = None,
) -> Reading:
    """Detect the R peaks in one lead, whichever way up it is and however low.

    A beat is a maximum of the network's probability within 0.2 s, above `threshold`; its R peak is the highest
    excursion nearby, up or down. Gaps (NaN) are bridged, and no peak is detected in them.

    Args:
        signal: (n,) mV.
        fs: sampling rate in Hz.
        threshold: least probability of a beat, from 0 to 1.
        weights: of another network, as benchmarks/train_rpeaks.py writes them.
        heights: of the beats before this part of a longer signal, which are added to; detections far lower are noise.

    Raises:
        UserError: the signal is not one lead, or the rate no positive number.
    """
    signal = np.asarray(signal, dtype=np.float64)
    if signal.ndim != 1:
        raise UserError(f"R peaks are found in one lead, a row of samples; got an array of shape {signal.shape}")
    if not (np.isfinite(fs) and fs > 0):
        raise UserError(f"R peaks need the sampling rate in Hz; got {fs}")
    recorded = np.isfinite(signal)
    if not recorded.any():
        nothing = np.zeros(0, dtype=np.float32)
        return Reading(np.zeros(0, dtype=np.int64), nothing, nothing, nothing)
    if not recorded.all():
        at = np.arange(len(signal))
        signal = np.interp(at, at[recorded], signal[recorded])
    slow = _low_passed(signal, fs)
    conditioned = (slow / _unit(slow)).astype(np.float32)
    with one_blas_thread():
        likely = np.convolve(np.pad(probability(conditioned, weights), 1), SMOOTH, mode="same")
        network = partial(probability, weights=weights)
        beats = _maxima(likely, threshold) - 1  # likely is padded by one
        likely[1:-1] = add_small_beats(likely[1:-1], beats, slow, RATE, STRIDE, network)
        likely[1:-1] = settle_by_sharp_parts(likely[1:-1], slow, RATE, STRIDE, partial(_smoothed, weights=weights))
    steps = _maxima(likely, threshold) - 1
    stretch = float(1 / ratio(fs, RATE))
    peaks = _refine(signal, stretch, conditioned, steps * STRIDE + STRIDE // 2)
    peaks = peaks[recorded[peaks]]
    heights = BeatHeights() if heights is None else heights
    peaks = peaks[heights.tell_from_noise(slow, peaks / stretch, RATE)]
    likely = likely[1:-1].astype(np.float32)
    doubts = _doubtful_maxima(likely)
    doubts = doubts[(doubts >= CUT_OFF * STEPS) & (doubts < len(likely) - CUT_OFF * STEPS)]
    weight = np.minimum(1, 4 * np.minimum(likely[doubts], 1 - likely[doubts]))
    weight *= heights.noisiness(slow, doubts * STRIDE + STRIDE // 2, RATE)
    return Reading(peaks, likely, doubts / STEPS, weight)


def _doubtful_maxima(likely: np.ndarray) -> np.ndarray:
    """(d,) int64, the steps of maxima of `likely` that are neither surely a beat nor surely none."""
    maxima = local_maxima(likely)
    return maxima[np.abs(likely[maxima] - 0.5) < DOUBTFUL]


def _maxima(likely: np.ndarray, threshold: float) -> np.ndarray:
    """(n,) where `likely` has its maxima within 0.2 s above `threshold`, to a fraction of a step."""
    maxima, _ = scipy.signal.find_peaks(likely, height=threshold, distance=round(REFRACTORY * RATE / STRIDE))
    around = maxima[:, None] + np.arange(-2, 3)
    weight = likely[np.clip(around, 0, len(likely) - 1)]
    return (weight * around).sum(axis=1) / weight.sum(axis=1)


def _refine(signal: np.ndarray, stretch: float, conditioned: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Place the R peaks: near the samples `near` of `conditioned` the highest excursion, up or down (the further away,
    the less it counts), and there the extreme of `signal`, which has `stretch` samples for one of `conditioned`.

    Returns:
        (peaks,) int64 samples of `signal`, rising.
    """
    offsets = np.arange(-REACH, REACH + 1)
    around = np.clip(np.round(near).astype(np.int64)[:, None] + offsets, 0, len(conditioned) - 1)
    height = np.abs(conditioned[around]) * np.exp(-0.5 * ((around - near[:, None]) / (CLOSE * RATE)) ** 2)
    best = around[np.arange(len(near)), height.argmax(axis=1)]
    upright = np.where(conditioned[best] < 0, -1.0, 1.0)
    half = int(np.ceil(stretch))
    around = np.round(best * stretch).astype(np.int64)[:, None] + np.arange(-half, half + 1)
    around = np.clip(around, 0, len(signal) - 1)
    best = (signal[around] * upright[:, None]).argmax(axis=1)
    return np.unique(around[np.arange(len(near)), best])
