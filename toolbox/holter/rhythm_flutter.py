"""Ventricular flutter and fibrillation: a signal that swings without a rest between its waves."""

from __future__ import annotations

import numpy as np
import scipy

from toolbox.holter.trace import PART_SECONDS, CompressedTrace

RATE = 120  # Hz that is looked at
BAND = (1.0, 20.0)  # Hz
WINDOW = 3  # s, one a second
SMOOTHED = 5  # windows of a running median
FREQUENCIES = (2.0, 9.0)  # Hz of the swing
CREST = 6.0  # height over rms; 2.8 of a sine, and more of beats with rests between them
LEAST_HEIGHT = 0.1  # mV from peak to peak
LEAST_SHARE = 0.15  # of the recording's usual rms
# Leakage (below): sinus rhythm, ectopy, noise and pacing of DS1, 102, 107, svdb_dev and 118e06 come to 0.5 at least but
# for a few windows; flutter and fibrillation of 207 and cu01 to 0.3 and 0.27 in the median, 0.54 and 0.36 at most.
SURE, EDGE, BRIDGED = 0.45, 0.54, 0.62
BRIDGE = 4  # s between two stretches that are one when they swing more than not
SHORTEST = 3.0  # s of an episode
MARGIN = 0.5  # s of a window's ends that may lie outside


def find_flutter(trace: CompressedTrace) -> list[tuple[float, float]]:
    """(start, stop) in s of each stretch of ventricular flutter or fibrillation, in order.

    A second is recognized by the leakage of the "VF filter": what is left when the signal is added to itself half a
    period later, as a share of both: 0 of a sine, some 0.7 of beats with rests between them. Kuo S, Dillman R,
    "Computer detection of ventricular fibrillation", Computers in Cardiology 347-349 (1978).
    """
    leakage, height, rms = _measure(trace)
    if not len(leakage):
        return []
    usual = float(np.median(rms[rms > 0])) if (rms > 0).any() else 0.0
    swings = (height >= LEAST_HEIGHT) & (rms >= LEAST_SHARE * usual)
    leakage = scipy.ndimage.median_filter(np.where(swings, leakage, 1.0), SMOOTHED, mode="nearest")
    stretches: list[list[int]] = []
    for first, stop in _runs(leakage < EDGE):
        if stretches and first - stretches[-1][1] <= BRIDGE and (leakage[stretches[-1][1] : first] < BRIDGED).all():
            stretches[-1][1] = stop
        else:
            stretches.append([first, stop])
    spans = [
        (first + MARGIN, stop - 1 + WINDOW - MARGIN) for first, stop in stretches if leakage[first:stop].min() < SURE
    ]
    spans = [(start, min(stop, trace.seconds)) for start, stop in spans]
    last = trace.seconds - 1  # the last whole window ends up to a second before the end
    spans = [(start if start > 1 else 0.0, stop if stop < last - MARGIN else trace.seconds) for start, stop in spans]
    return [(start, stop) for start, stop in spans if stop - start >= SHORTEST]


def _runs(where: np.ndarray) -> list[tuple[int, int]]:
    """(start, stop) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], where, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _measure(trace: CompressedTrace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(seconds,) leakage, height in mV from peak to peak and rms in mV of the WINDOW from each second on."""
    columns: list[np.ndarray] = []
    sections = scipy.signal.butter(2, BAND, "bandpass", fs=RATE, output="sos")
    around = 5  # s beside a part, for the filter
    for begin in range(0, int(trace.seconds), PART_SECONDS):
        start = max(begin - around, 0)
        _, signal = trace.read(start, begin + PART_SECONDS + around)
        signal = signal[:: round(trace.rate / RATE)]
        count = min(PART_SECONDS, int(len(signal) / RATE) - (begin - start) - WINDOW + 1)
        if count < 1 or len(signal) < WINDOW * RATE:
            break
        missing = np.isnan(signal)
        smooth = scipy.signal.sosfiltfilt(sections, np.where(missing, 0.0, signal))
        smooth[missing] = 0.0
        smooth = smooth[(begin - start) * RATE :][: (count + WINDOW - 1) * RATE].astype(np.float32)
        columns.append(_leakage(smooth))
    leakage, height, rms = np.concatenate(columns, axis=1) if columns else np.zeros((3, 0))
    return leakage, height, rms


def _leakage(smooth: np.ndarray) -> np.ndarray:
    """(3, n) leakage, height and rms of the windows of WINDOW s that begin with each second of `smooth`, whole
    seconds at RATE Hz; leakage 1 where there are rests, or the swing is not of FREQUENCIES."""
    by_second = smooth.reshape(-1, RATE)
    in_turn = np.lib.stride_tricks.sliding_window_view
    highest = in_turn(by_second.max(axis=1), WINDOW).max(axis=1)
    height = highest - in_turn(by_second.min(axis=1), WINDOW).min(axis=1)
    rms = np.sqrt(in_turn((by_second**2).mean(axis=1), WINDOW).mean(axis=1))
    leakage = np.ones(len(height))
    swinging = np.flatnonzero(height <= CREST * rms)
    windows = in_turn(smooth, WINDOW * RATE)[::RATE][swinging]
    windows = windows - windows.mean(axis=1, keepdims=True)
    size = np.abs(windows).sum(axis=1)
    steps = np.abs(np.diff(windows, axis=1)).sum(axis=1)
    half = np.rint(np.pi * size / np.maximum(steps, 1e-9)).astype(np.int64)  # samples of half a period
    for delay in range(round(RATE / 2 / FREQUENCIES[1]), round(RATE / 2 / FREQUENCIES[0]) + 1):
        chosen = windows[half == delay]
        late, early = chosen[:, delay:], chosen[:, :-delay]
        both = np.maximum((np.abs(late) + np.abs(early)).sum(axis=1), 1e-9)
        leakage[swinging[half == delay]] = np.abs(late + early).sum(axis=1) / both
    return np.stack([leakage, height, rms])
