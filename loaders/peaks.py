"""R peaks of a signal."""

from __future__ import annotations

import numpy as np

SEARCH = 0.06  # s around a detection in which the complex' largest deflection is looked for


def detect(signal_mv: np.ndarray, fs: float) -> np.ndarray:
    """The R peaks of one lead, found by sleepecg and moved to the complex' largest deflection.

    Args:
        signal_mv: (n,) mV, without NaN.
        fs: Hz.

    Returns:
        (beats,) int64 sample numbers, rising.
    """
    from sleepecg import detect_heartbeats

    if len(signal_mv) < 2 * fs or not np.ptp(signal_mv) > 0:
        return np.zeros(0, dtype=np.int64)
    found = detect_heartbeats(signal_mv.astype(np.float64), fs).astype(np.int64)
    reach = round(SEARCH * fs)
    found = found[(found >= reach) & (found < len(signal_mv) - reach)]
    windows = signal_mv[found[:, None] + np.arange(-reach, reach + 1)]
    away = np.abs(windows - np.median(windows, axis=1, keepdims=True))
    return np.unique(found - reach + away.argmax(axis=1))
