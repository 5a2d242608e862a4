"""Heart rates from an annotator's beats, to compare two annotators by.

EC57 and EC38 leave the method to the evaluator, to be stated. This is that of WFDB's sample program (examples/refhr.c):
the mean over the last three RR intervals, from the fourth beat on; but none of the three may hold a mark of flutter or
of a shutdown.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toolbox.metrics.ec57 import Beat
from toolbox.metrics.measures import Series

INTERVALS = 3  # that a heart rate is the mean of


def heart_rates(beats: Sequence[Beat], fs: float) -> Series:
    """Beats per minute at each beat that three intervals lead to, in a series of measurements.

    Args:
        beats: of one annotator, from `ec57.beats_of`.
        fs: samples per second.
    """
    real = [beat for beat in beats if beat.kind is not None]
    sample = np.array([beat.time for beat in real], dtype=np.int64)
    rr = np.array([beat.rr for beat in real], dtype=np.int64)
    if len(rr) < INTERVALS:
        return Series(sample[:0], np.empty(0))
    last = np.lib.stride_tricks.sliding_window_view(rr, INTERVALS)
    whole = (last > 0).all(axis=1)
    return Series(sample[INTERVALS - 1 :][whole], 60 * INTERVALS * fs / last.sum(axis=1)[whole])
