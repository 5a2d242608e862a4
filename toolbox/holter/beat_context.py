"""Of each beat, its RR interval among those around it, and its P wave among theirs: what rhythms are recognized by."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from toolbox.holter.trace import PART_SECONDS, CompressedTrace

WINDOW = 32  # beats, half of them before the one that is looked at
LAGS = (1, 2, 3, 4)  # beats after which a rhythm may repeat: sinus rhythm, bigeminy, trigeminy, blocks
SHORTEST_RR, LONGEST_RR = 0.2, 2.5  # s; others are no rhythm
FEWEST = 8  # intervals or beats of a window; fewer tell nothing
P_WAVE = (-0.26, -0.08)  # s from the R peak
P_RATE = 60  # samples per second of a P wave
MATCHED_BEATS = 64  # whose mean P wave a beat's own is compared with


def rolling_median(values: np.ndarray, size: int) -> np.ndarray:
    """(n,) the median of the `size` values around each of `values` (n,), NaN left out; NaN where FEWEST are missing."""
    padded = np.pad(values.astype(np.float32), (size // 2, size - size // 2 - 1), constant_values=np.nan)
    ordered = np.sort(np.lib.stride_tricks.sliding_window_view(padded, size), axis=1)  # NaN come last
    count = size - np.isnan(ordered).sum(axis=1)
    row = np.arange(len(values))
    low = ordered[row, np.maximum(count - 1, 0) // 2]
    high = ordered[row, np.minimum(count // 2, size - 1)]
    return np.where(count >= FEWEST, (low + high) / 2, np.nan)


def rolling_sum(values: np.ndarray, size: int) -> np.ndarray:
    """(n, ...) the sum of the `size` rows around each row of `values` (n, ...); fewer at the ends."""
    total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0, dtype=np.float64)])
    at = np.arange(len(values))
    return total[np.minimum(at + size // 2, len(values))] - total[np.maximum(at - size // 2, 0)]


class BeatContext:
    """RR intervals and P waves of a recording's beats.

    Args:
        times: (n,) s.
        rr: (n,) s, NaN where no interval leads to a beat.
        letters: (n,) the likeliest classes.
        trace: the signal.

    Attributes:
        normal: (n,) RR intervals between beats that are not ventricular, in s; NaN for others.
        irregularity: (n,) how far the rhythm around a beat is from repeating itself: the least, of all LAGS, of
            median |RR[i] - RR[i - lag]| / median RR over the WINDOW of `normal` intervals. Some 0.02 in sinus rhythm,
            0.1 and more in atrial fibrillation, and small in bigeminy and trigeminy, which repeat after two and three.
        coherence: (n,) the share of the P waves' energy in the WINDOW that is in the mean of their class, N or S, as an
            unbiased estimate: near 1 where every P wave looks alike, about 0 without any. Each class counts by the
            square of its share: premature beats have P waves of their own.
        match: (n,) correlation of each beat's P wave with the mean of N beats around it, -1 to 1; 0 without signal.
    """

    def __init__(self, times: np.ndarray, rr: np.ndarray, letters: np.ndarray, trace: CompressedTrace) -> None:
        self.times, self.rr, self.letters = times, rr, letters
        ventricular = np.isin(letters, ("V", "F"))
        usable = (rr > SHORTEST_RR) & (rr < LONGEST_RR)
        self.normal = np.where(usable & ~ventricular & ~np.append(False, ventricular[:-1]), rr, np.nan)
        level = rolling_median(self.normal, WINDOW)
        lagged = [np.append(np.full(lag, np.nan), self.normal[:-lag])[: len(rr)] for lag in LAGS]
        moved = np.stack([rolling_median(np.abs(self.normal - other), WINDOW) for other in lagged])
        self.irregularity = np.where(np.isnan(moved), np.inf, moved).min(axis=0) / level
        self.irregularity[~np.isfinite(self.irregularity)] = np.nan
        waves = _p_waves(trace, times)
        shown = np.isfinite(waves).all(axis=1)
        normal, premature = shown & (letters == "N"), shown & (letters == "S")
        count = rolling_sum(normal | premature, WINDOW)
        coherence = _coherence(waves, normal, count) + _coherence(waves, premature, count)
        self.coherence = np.where(count >= FEWEST, coherence, np.nan)
        own = np.where(normal[:, None], waves, 0.0)
        others = rolling_sum(own, MATCHED_BEATS) - own
        waves = np.nan_to_num(waves)
        sizes = np.sqrt((waves**2).sum(axis=1) * (others**2).sum(axis=1))
        self.match = (waves * others).sum(axis=1) / np.maximum(sizes, 1e-12)


def _coherence(waves: np.ndarray, shown: np.ndarray, of: np.ndarray) -> np.ndarray:
    """(n,) the share of the energy of `waves` (n, samples) of beats `shown` (n,) in the WINDOW that is in their mean,
    times the square of their share of the beats there, whose number is `of` (n,); 0 where FEWEST lack."""
    own = np.where(shown[:, None], waves, 0.0)
    count, total = rolling_sum(shown, WINDOW), rolling_sum(own, WINDOW)
    energy = rolling_sum((own**2).sum(axis=1), WINDOW)
    in_mean = ((total**2).sum(axis=1) - energy) / np.maximum(count * (count - 1), 1)
    ratio = in_mean / np.maximum(energy / np.maximum(count, 1), 1e-9)
    return np.where(count >= FEWEST, ratio * (count / np.maximum(of, 1)) ** 2, 0.0)


def _p_waves(trace: CompressedTrace, times: np.ndarray) -> np.ndarray:
    """(n, samples) of P_RATE in P_WAVE before each R peak, smoothed, less mean and slope; NaN where the signal is
    missing."""
    fine = 2 * P_RATE
    offsets = np.arange(round(P_WAVE[0] * fine), round(P_WAVE[1] * fine))
    waves = np.full((len(times), (len(offsets) - 1) // 2), np.nan)
    slope = np.linspace(-1, 1, waves.shape[1])
    for inside, start, signal in _parts(trace, times):
        at = np.rint((times[inside] - start) * trace.rate).astype(np.int64)
        index = at[:, None] + np.rint(offsets * (trace.rate / fine)).astype(np.int64)
        part = signal[np.clip(index, 0, len(signal) - 1)]
        part = ((part[:, :-2] + part[:, 1:-1] + part[:, 2:]) / 3)[:, ::2]
        part = part - part.mean(axis=1, keepdims=True)
        waves[inside] = part - (part @ slope)[:, None] / (slope @ slope) * slope
    return waves


def _parts(trace: CompressedTrace, times: np.ndarray) -> Iterator[tuple[slice, float, np.ndarray]]:
    """Which beats lie in each part of the trace, where the part begins in s, and its signal (m,)."""
    for begin in range(0, int(trace.seconds) + 1, PART_SECONDS):
        inside = slice(*np.searchsorted(times, [begin, begin + PART_SECONDS]).tolist())
        if inside.stop > inside.start:
            at, signal = trace.read(max(begin - 1.0, 0.0), begin + PART_SECONDS)
            if len(signal):
                yield inside, float(at[0]), signal
