"""A window of signal around each R peak, as a row: resampled, of one or two leads, scaled without looking at labels.

What a row knows of the future, beside its own `after` seconds: the high-pass filter runs forth and back (zero phase),
so that it feels about a second of what comes (at 0.5 Hz; its response has died down by then); the anti-aliasing filter
of the resampling feels 10 / rate seconds; the scale "record" is taken from the whole recording. With `highpass` 0 and
scale "window" a row knows nothing beyond its own end but those 10 / rate seconds.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from loaders.io.wfdb_record import Record
from toolbox.utils import UserError

FIRST_LEAD = "MLII"  # comes first wherever it was recorded: in MIT-BIH's 114 it is the second channel
SCALES = ("record", "window", "none")
MEDIANS, LOWPASS = (0.2, 0.6), 35.0  # s, Hz
QRS = 0.1  # s to either side of the R peak: where a beat is highest


def leads_of(record: Record, count: int) -> list[int]:
    """The channels that make the rows' `count` leads: MLII first where there is one, the rest in their order.

    Raises:
        UserError: the recording has fewer.
    """
    order = sorted(range(len(record.leads)), key=lambda k: record.leads[k] != FIRST_LEAD)
    if len(order) < count:
        raise UserError(f"record {record.name} has {len(order)} lead(s), --leads asks for {count}")
    return order[:count]


def resampled(signal: np.ndarray, fs: float, rate: float) -> np.ndarray:
    """(samples at `rate`, leads) of a signal (samples at `fs`, leads), by scipy's polyphase filter (resample_poly)."""
    from scipy.signal import resample_poly

    ratio = (Fraction(rate) / Fraction(fs)).limit_denominator(1000)
    if ratio == 1:
        return signal
    return resample_poly(signal, ratio.numerator, ratio.denominator, axis=0, padtype="edge")


def prepared(record: Record, leads: int, rate: float, highpass: float, baseline: str = "highpass") -> np.ndarray:
    """(samples at `rate`, leads) float64 mV without baseline wander, see `cleaned`."""
    signal = record.signal[:, leads_of(record, leads)].astype(np.float64)
    return cleaned(signal, record.fs, rate, highpass, baseline)


def cleaned(signal: np.ndarray, fs: float, rate: float, highpass: float, baseline: str) -> np.ndarray:
    """(samples at `rate`, leads) of a signal (samples at `fs`, leads), without baseline wander.

    Args:
        highpass: Hz below which is taken out, by a Butterworth filter of second order run forth and back; 0 for none.
        baseline: "highpass" for that, or "median": the medians of 0.2 and of 0.6 s around, one after the other, are
            the baseline, and what is left loses what is above 35 Hz (de Chazal et al. 2004; here by a Butterworth
            filter of fourth order run forth and back).
    """
    from scipy.signal import butter, sosfiltfilt

    if baseline == "highpass":
        if highpass:
            signal = sosfiltfilt(butter(2, highpass, "highpass", fs=fs, output="sos"), signal, axis=0)
        return resampled(signal, fs, rate)
    from scipy.ndimage import median_filter

    signal = resampled(signal, fs, rate)
    wander = signal
    for seconds in MEDIANS:
        size = 2 * round(seconds * rate / 2) + 1
        wander = np.stack([median_filter(lead, size, mode="nearest") for lead in wander.T], axis=1)
    if rate <= 2 * LOWPASS:
        return signal - wander
    return sosfiltfilt(butter(4, LOWPASS, fs=rate, output="sos"), signal - wander, axis=0)


def cut_windows(signal: np.ndarray, at: np.ndarray, before: int, after: int) -> np.ndarray:
    """(n, leads, before + after): the samples around each of `at` (n,); zeros beyond the signal's ends."""
    start, width = at - before, before + after
    x = np.zeros((len(at), signal.shape[1], width), dtype=signal.dtype)
    inside = (start >= 0) & (start + width <= len(signal))
    if inside.any():
        x[inside] = np.lib.stride_tricks.sliding_window_view(signal, width, axis=0)[start[inside]]
    for beat in np.flatnonzero(~inside):
        low, high = max(start[beat], 0), min(start[beat] + width, len(signal))
        if low < high:
            x[beat, :, low - start[beat] : high - start[beat]] = signal[low:high].T
    return x


def scaled(signal: np.ndarray, at: np.ndarray, rate: float) -> np.ndarray:
    """`signal` less its median, in units of the recording's typical beat: the median over the beats at `at` of the
    range (max - min) within 0.1 s of the R peak. Per lead; labels play no part."""
    reach = max(round(QRS * rate), 1)
    signal = signal - np.median(signal, axis=0)
    if not len(at):
        return signal
    size = np.median(np.ptp(cut_windows(signal, at, reach, reach + 1), axis=2), axis=0)  # (leads,)
    return signal / np.where(size > 0, size, 1)


def positions(sample: np.ndarray, fs: float, rate: float, length: int) -> np.ndarray:
    """(n,) where beats at `sample` (at `fs`) stand in a signal of `length` samples at `rate`, to the nearest sample."""
    return np.minimum(np.round(np.asarray(sample) * (rate / fs)).astype(np.int64), length - 1)


def windows(signal: np.ndarray, at: np.ndarray, before: int, after: int, standardized: bool) -> np.ndarray:
    """(n, leads, before + after) float32: windows of a cleaned signal (samples, leads) around R peaks.

    Args:
        at: (n,) samples of the R peaks; the peak is sample `before` of a window.
        standardized: each window and lead has mean 0 and standard deviation 1; else the signal's own unit.
    """
    x = cut_windows(signal, at, before, after)  # (n, leads, samples)
    if standardized:
        spread = x.std(axis=2, keepdims=True)
        x = (x - x.mean(axis=2, keepdims=True)) / np.where(spread > 0, spread, 1)
    return np.ascontiguousarray(x, dtype=np.float32)
