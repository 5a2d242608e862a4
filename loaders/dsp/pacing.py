"""Pacing spikes: which beats a pacemaker started."""

from __future__ import annotations

import numpy as np

FS = 360  # Hz that beats are looked at
LOWEST_RATE = 200.0  # Hz of a recording; slower ones do not show a spike
BEFORE, AFTER = 60, 30  # samples of FS around an R peak
BASELINE = slice(-35, -15)  # samples from the R peak, before spike and QRS complex
QRS = slice(-24, 26)
# A spike is a step from a flat line, and the QRS complex that it starts is broad. Chosen on 102 and 107 (paced) against
# the 22 records of DS1; 104 and 217 are for the check.
STEEPEST = 4  # samples from the first movement to the steepest edge, at most; 10 and more of conducted beats
BROAD = 0.055  # s above 0.3 of its height
STEP = 0.4  # of its range within 11 ms
SHARP, SHARP_BROAD = 0.3, 0.042  # a spike that stands out: curvature within 6 ms, of the range; and s as above
AROUND, SHARE = 32, 0.5  # beats around one, and how many of them show a spike where a pacemaker leads
LIKE = 0.9  # correlation with the average paced beat


class PacingReader:
    """Collects the beats of a lead, chunk by chunk, and says which are paced.

    Args:
        fs: Hz that the recording was sampled at.
    """

    def __init__(self, fs: float) -> None:
        self.sees = fs >= LOWEST_RATE
        self._windows: list[np.ndarray] = []
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
        windows -= np.median(windows[:, _of(BASELINE)], axis=1, keepdims=True)
        self._windows.append(windows.astype(np.float16))
        self._before = whole[: len(whole) - AFTER][-BEFORE:]

    def paced(self, count: int) -> np.ndarray:
        """(count,) whether each beat is paced; none where the recording is too slow to show it."""
        return paced_beats(np.concatenate(self._windows).astype(np.float32)) if self.sees else np.zeros(count, bool)


def paced_beats(windows: np.ndarray) -> np.ndarray:
    """(n,) whether beats are paced, of their `windows` (n, BEFORE + AFTER) at FS Hz, less their BASELINE.

    Where SHARE of the AROUND beats show a spike, those that show one or look like the average of those that do.
    """
    spiked = _show_spikes(windows)
    share = np.convolve(spiked, np.ones(AROUND), "same") / np.convolve(np.ones(len(spiked)), np.ones(AROUND), "same")
    led = share[: len(spiked)] >= SHARE if len(spiked) >= AROUND else np.full(len(spiked), spiked.mean() >= SHARE)
    if not (led & spiked).any():
        return np.zeros(len(spiked), dtype=bool)
    beats = np.nan_to_num(windows[:, _of(QRS)])
    usual = np.median(beats[led & spiked], axis=0)
    beats, usual = beats - beats.mean(axis=1, keepdims=True), usual - usual.mean()
    alike = (beats @ usual) / np.maximum(np.linalg.norm(beats, axis=1) * np.linalg.norm(usual), 1e-9)
    return led & (spiked | (alike >= LIKE))


def _of(part: slice) -> slice:
    """A part of a window, of samples from the R peak."""
    return slice(BEFORE + part.start, BEFORE + part.stop)


def _show_spikes(windows: np.ndarray) -> np.ndarray:
    """(n,) whether each window shows a spike and the broad QRS complex that it starts."""
    with np.errstate(invalid="ignore", divide="ignore"):
        qrs = windows[:, _of(QRS)]
        span = np.ptp(qrs, axis=1)
        height = np.abs(qrs).max(axis=1)[:, None]
        broad = (np.abs(windows[:, BEFORE - 15 :]) > 0.3 * height).sum(axis=1) / FS
        at = np.arange(BEFORE - 20, BEFORE + 20)
        curved = np.abs(windows[:, at] - (windows[:, at - 2] + windows[:, at + 2]) / 2).max(axis=1) / span
        steps = np.abs(windows[:, 34:86] - windows[:, 30:82])
        begin = (np.abs(windows[:, BEFORE - 30 :]) > 0.1 * height).argmax(axis=1) + BEFORE - 30
        late = steps.argmax(axis=1) + 32 - begin
        stepped = (late <= STEEPEST) & (broad >= BROAD) & (steps[:, 10:50].max(axis=1) > STEP * span)
        return stepped | ((curved > SHARP) & (broad > SHARP_BROAD))
