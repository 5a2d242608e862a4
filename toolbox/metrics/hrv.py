"""Heart-rate variability over N-N intervals, after the Task Force of the ESC and NASPE (1996, Eur Heart J 17:354-381).

An N-N interval leads from a normal beat to the very next beat, which is normal, too. Windows are the 5 minutes from a
multiple of 5 minutes on; one counts where N-N intervals fill ENOUGH of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import median_filter
from scipy.signal import welch

SHORTEST, LONGEST = 0.3, 2.0  # s; from 200 to 30 beats per minute, and no pause
# An interval that differs by more from the median of those around it holds a beat too many or too few, or a beat that
# only looks normal. As PhysioNet's HRV Toolkit has it (Mietus & Goldberger: 20 %, 20 intervals before and after), but
# for its mean, which such intervals move.
DEVIATION, AROUND = 0.2, 20
WINDOW = 300.0  # s
ENOUGH = 0.8  # of a window
FEWEST = (
    30  # N-N intervals, below which there are no measures: half a minute (Baek et al. 2015, Telemed J E Health 21:404)
)
FEWEST_WINDOWS = 3  # whose means have a standard deviation
NN50 = 0.05  # s
LF, HF = (0.04, 0.15), (0.15, 0.40)  # Hz
GRID = 4.0  # samples per second of the interpolated intervals
BRIDGED = 4.0  # s without an N-N interval: the spline leads across an ectopic beat or two, and swings in what is longer
FFT = 4096  # points of a spectrum, most of them zeros
MILLI = 1e3  # ms in a s

Measures = dict[str, float | int | None]
Powers = dict[tuple[float, float, int], tuple[float, float]]  # LF and HF in s^2 by `_key` of a window


@dataclass(frozen=True)
class NormalIntervals:
    """N-N intervals.

    Attributes:
        seconds: (n,) their lengths in s.
        at: (n,) s from the start of the recording to their ends.
        follows: (n,) whether the one before in this list is the interval right before.
    """

    seconds: np.ndarray
    at: np.ndarray
    follows: np.ndarray

    def within(self, chosen: np.ndarray) -> NormalIntervals:
        """Those where `chosen` (n,) is true."""
        follows = self.follows & np.append(False, chosen[:-1])
        return NormalIntervals(self.seconds[chosen], self.at[chosen], follows[chosen])


def normal_intervals(
    times: np.ndarray, is_normal: np.ndarray, joined: np.ndarray, deviation: float = DEVIATION
) -> NormalIntervals:
    """The N-N intervals of a recording, without those that cannot be: see SHORTEST, LONGEST and DEVIATION.

    Args:
        times: (n,) s, of the beats, rising.
        is_normal: (n,) whether a beat is normal.
        joined: (n,) whether the signal between a beat and the one before was read, so that no beat is missing there.
        deviation: by which an interval may differ from those around it; infinite to keep all.
    """
    rr = np.diff(times)
    candidate = is_normal[1:] & is_normal[:-1] & joined[1:] & (rr >= SHORTEST) & (rr <= LONGEST)
    place = np.flatnonzero(candidate)
    place = place[_near_others(rr[place], deviation)]
    follows = np.append(False, np.diff(place) == 1) if len(place) else np.zeros(0, bool)
    return NormalIntervals(rr[place], times[place + 1], follows)


def _near_others(nn: np.ndarray, deviation: float) -> np.ndarray:
    """(n,) whether an interval differs by at most `deviation` from the median of those around it."""
    around = median_filter(nn, 2 * AROUND + 1, mode="reflect")
    return np.asarray(np.abs(nn / around - 1) <= deviation)


def hrv(times: np.ndarray, is_normal: np.ndarray, joined: np.ndarray) -> Measures:
    """The measures of a recording, in 5 minutes from its start on: see `normal_intervals` and `measure`."""
    return measure(normal_intervals(times, is_normal, joined))


def measure(nn: NormalIntervals, before: float = 0.0, powers: Powers | None = None) -> Measures:
    """The measures over some N-N intervals; None for one that too few of them tell.

    Args:
        before: s that the recording begins after a multiple of 5 minutes; windows begin at those.
        powers: of windows that were measured before, to which those of others are added: one dictionary serves all
            parts of a recording.

    Returns:
        "intervals", how many there are; "mean_nn_ms", "sdnn_ms" (n - 1 in the denominator), "rmssd_ms" and "pnn50" (a
        share; both over intervals that follow each other); "windows", how many 5 minutes count; "sdann_ms" and
        "sdnn_index_ms", the standard deviation of their means and the mean of their standard deviations; "lf_ms2" and
        "hf_ms2", means over them, and "lf_hf", their ratio.
    """
    enough = len(nn.seconds) >= FEWEST
    changes = np.diff(nn.seconds, prepend=np.nan)[nn.follows]
    paired = enough and len(changes) >= FEWEST - 1
    powers = {} if powers is None else powers
    windows = _windows(nn, before)
    for part in windows:
        if (key := _key(nn, part)) not in powers:
            powers[key] = _powers(nn.at[part], nn.seconds[part])
    spectra = np.array([powers[_key(nn, part)] for part in windows]).reshape(-1, 2)
    lf, hf = (float(power) * MILLI**2 for power in spectra.mean(axis=0)) if windows else (None, None)
    means = [nn.seconds[part].mean() for part in windows]
    deviations = [nn.seconds[part].std(ddof=1) for part in windows]
    return {
        "intervals": len(nn.seconds),
        "mean_nn_ms": MILLI * float(nn.seconds.mean()) if enough else None,
        "sdnn_ms": MILLI * float(nn.seconds.std(ddof=1)) if enough else None,
        "rmssd_ms": MILLI * float(np.sqrt((changes**2).mean())) if paired else None,
        # Of all intervals, as the Task Force has it: an unbroken series has one more than changes.
        "pnn50": float((np.abs(changes) > NN50 + 1e-9).sum() / (len(changes) + 1)) if paired else None,
        "windows": len(windows),
        "sdann_ms": MILLI * float(np.std(means, ddof=1)) if len(windows) >= FEWEST_WINDOWS else None,
        "sdnn_index_ms": MILLI * float(np.mean(deviations)) if windows else None,
        "lf_ms2": lf,
        "hf_ms2": hf,
        "lf_hf": lf / hf if lf is not None and hf else None,
    }


def _key(nn: NormalIntervals, part: slice) -> tuple[float, float, int]:
    """Times of the first and the last interval of a window, and their number."""
    return float(nn.at[part.start]), float(nn.at[part.stop - 1]), part.stop - part.start


def _windows(nn: NormalIntervals, before: float) -> list[slice]:
    """The intervals of each 5 minutes that count."""
    number = ((nn.at + before) // WINDOW).astype(np.int64)
    edges = np.append(np.flatnonzero(np.diff(number, prepend=-1)), len(number)).tolist()
    parts = [slice(first, last) for first, last in pairwise(edges)]
    return [part for part in parts if nn.seconds[part].sum() >= ENOUGH * WINDOW]


def _powers(at: np.ndarray, seconds: np.ndarray) -> tuple[float, float]:
    """Power in LF and HF, in s^2.

    A cubic spline at GRID, straight where it is longer than BRIDGED, less its mean; then Welch's spectrum with Hann's
    window over halves of the time that overlap by a half, as neurokit2 has it.

    Args:
        at, seconds: (n,) of the intervals of one window, as in `NormalIntervals`.
    """
    grid = np.arange(at[0], at[-1], 1 / GRID)
    curve = CubicSpline(at, seconds)(grid)
    across = (np.diff(at) > BRIDGED)[(np.searchsorted(at, grid) - 1).clip(0)]
    curve[across] = np.interp(grid[across], at, seconds)
    frequencies, density = welch(curve - curve.mean(), GRID, "hann", nperseg=len(curve) // 2, nfft=FFT, detrend=False)
    step = frequencies[1]
    lf, hf = (float(density[(frequencies >= low) & (frequencies < high)].sum() * step) for low, high in (LF, HF))
    return lf, hf


def rounded(measures: Mapping[str, float | int | None]) -> Measures:
    """Measures as files hold them: a tenth of a ms or ms^2, thousandths of a share and of a ratio."""
    digits = {"ms": 1, "ms2": 1}
    return {
        name: round(value, digits.get(name.rpartition("_")[2], 3)) if isinstance(value, float) else value
        for name, value in measures.items()
    }
