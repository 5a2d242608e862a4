"""Baseline wander taken out of a signal."""

from __future__ import annotations

import numpy as np
import scipy

from loaders.dsp.median_filter import median_filter
from loaders.dsp.resample import resample

MEDIANS = (0.2, 0.6)  # s, windows of the two median filters whose result is the baseline
LOWPASS = 35.0  # Hz


def clean(signal: np.ndarray, fs: float, rate: float, highpass: float, baseline: str = "highpass") -> np.ndarray:
    """(samples at `rate`, leads) of a signal (samples at `fs`, leads), without baseline wander.

    Args:
        highpass: cut-off in Hz of a Butterworth filter of second order, run forth and back; 0 for none.
        baseline: "highpass" for that filter, or "median": the medians of 0.2 and of 0.6 s around, one after the other,
            are the baseline, and the rest loses all above 35 Hz (de Chazal et al. 2004; here by a Butterworth filter
            of fourth order, run forth and back).
    """
    if baseline == "highpass":
        if highpass:
            sections = scipy.signal.butter(2, highpass, "highpass", fs=fs, output="sos")
            signal = scipy.signal.sosfiltfilt(sections, signal, axis=0)
        return resample(signal, fs, rate)
    signal = resample(signal, fs, rate)
    wander = signal
    for seconds in MEDIANS:
        size = 2 * round(seconds * rate / 2) + 1
        wander = np.stack([median_filter(lead, size) for lead in wander.T], axis=1)
    if rate <= 2 * LOWPASS:
        return signal - wander
    sections = scipy.signal.butter(4, LOWPASS, fs=rate, output="sos")
    return scipy.signal.sosfiltfilt(sections, signal - wander, axis=0)
