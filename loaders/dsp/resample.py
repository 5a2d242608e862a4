"""Another sampling rate for a signal, and R peaks' sample numbers at that rate."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import scipy  # its sub-packages are imported when they are used: scipy.signal takes half a second

MITBIH_FS = 360.0  # Hz, of MIT-BIH's recordings; what models and detector read is cut from signals at this rate
LARGEST_DENOMINATOR = 1000  # of the ratio of two rates


def ratio(fs: float, rate: float) -> Fraction:
    """Samples at `rate` Hz per sample at `fs` Hz."""
    return (Fraction(rate) / Fraction(fs)).limit_denominator(LARGEST_DENOMINATOR)


def resample(signal: np.ndarray, fs: float, rate: float, ends: str = "edge") -> np.ndarray:
    """A signal (samples at `fs`, ...) at `rate` Hz, by scipy's polyphase filter in double precision.

    Args:
        ends: the signal beyond its ends: "edge" holds the first and last sample, "constant" is zero.

    Returns:
        (samples at `rate`, ...) float64, or `signal` itself where the rates are equal.
    """
    factor = ratio(fs, rate)
    if factor == 1:
        return signal
    signal = signal.astype(np.float64, copy=False)
    return scipy.signal.resample_poly(signal, factor.numerator, factor.denominator, axis=0, padtype=ends)


def positions(sample: np.ndarray, fs: float, rate: float, length: int) -> np.ndarray:
    """(n,) where `sample` (n,) at `fs` Hz lie in a signal of `length` samples at `rate` Hz, to the nearest sample."""
    return np.minimum(np.round(np.asarray(sample) * (rate / fs)).astype(np.int64), length - 1)
