"""Tell beats from what a detector makes of the noise in silence: by the height that the recording's beats have."""

from __future__ import annotations

import numpy as np

from loaders.dsp.quality import runs_of

LEAST = 0.1  # of the usual beat; what noise makes in silence is below 0.06
SILENT = 6.0  # s without a higher beat; the detector's own measure takes 8 s to follow the noise down
TALL = 90  # per cent: so many of the detections may be noise before they pass for the usual beat
REMEMBERED = 64  # beats
REACH = 0.067  # s around an R peak in which its height is measured
NEAR = 1.0  # s around a beat whose middle magnitude is the noise
CLEAR = 5.0  # heights above the noise: noise alone comes to 3, its own peaks
CALM = (6.0, 10.0)  # heights above the noise at which an odd beat is less a sign of noise, and none
RETURNED = 8  # clear low beats in a row show that the signal has become lower, as with another electrode


class BeatHeights:
    """Remember how high a lead's beats were, from one part of it to the next.

    Attributes:
        last: (k,) heights of the last beats, k at most REMEMBERED.
        usual: the height of a usual beat, 0 before the first.
    """

    def __init__(self) -> None:
        self.last = np.zeros(0)
        self.usual = 0.0

    def tell_from_noise(self, slow: np.ndarray, peaks: np.ndarray, rate: float) -> np.ndarray:
        """Tell which detections are beats (n,): not those in silence, far lower than all others.

        Many of these in a row that stand out clearly are beats of a signal that has become lower.

        Args:
            slow: (m,) mV, without its slow waves.
            peaks: (n,) detections in samples of `slow`, rising.
            rate: Hz of `slow`.
        """
        if not len(peaks):
            return np.zeros(0, dtype=bool)
        magnitude, at = np.abs(slow), np.rint(peaks).astype(np.int64)
        height = _around(magnitude, at, round(REACH * rate)).max(axis=1)
        every = np.concatenate([self.last, height])
        self.usual = float(np.median(every[every >= LEAST * np.percentile(every, TALL)]))
        keep = height >= LEAST * self.usual
        edges = np.concatenate([[0], at, [len(slow)]])  # a detection's number is one more here
        for first, stop in runs_of(~keep):
            if edges[stop + 1] - edges[first] < SILENT * rate:
                keep[first:stop] = True
            elif stop - first >= RETURNED:
                noise = np.median(_around(magnitude, at[first:stop], round(NEAR * rate)), axis=1)
                keep[first:stop] = np.median(height[first:stop] / np.maximum(noise, 1e-9)) >= CLEAR
        self.last = np.concatenate([self.last, height[keep]])[-REMEMBERED:]
        return keep

    def noisiness(self, slow: np.ndarray, at: np.ndarray, rate: float) -> np.ndarray:
        """How much like noise the signal `slow` is around samples `at` (n,), from 0 to 1: (n,).

        None is what is lower than beats are, as in silence, and what stands out from a calm signal: an odd beat.
        """
        if not len(at):
            return np.zeros(0)
        magnitude = np.abs(slow)
        height = _around(magnitude, at, round(REACH * rate)).max(axis=1)
        middle = np.median(_around(magnitude, at, round(NEAR * rate)), axis=1)
        odd, plain = CALM
        likeness = np.clip((plain - height / np.maximum(middle, 1e-9)) / (plain - odd), 0, 1)
        return np.where(height >= LEAST * self.usual, likeness, 0)


def _around(values: np.ndarray, at: np.ndarray, reach: int) -> np.ndarray:
    """(n, 2 reach + 1) `values` around the samples `at`."""
    return values[np.clip(at[:, None] + np.arange(-reach, reach + 1), 0, len(values) - 1)]
