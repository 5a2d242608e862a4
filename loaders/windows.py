"""A window of signal around each R peak, as a row: resampled, of one or two leads, scaled without looking at labels.

What a row knows of the future, beside its own `after` seconds: the high-pass filter runs forth and back (zero phase),
so that it feels about a second of what comes (at 0.5 Hz; its response has died down by then); the anti-aliasing filter
of the resampling feels 10 / rate seconds; the scale "record" is taken from the whole recording. With `highpass` 0 and
scale "window" a row knows nothing beyond its own end but those 10 / rate seconds.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from loaders.beats import Beats, labels_of
from loaders.records import Record
from toolbox.utils import UserError

FIRST_LEAD = "MLII"  # comes first wherever it was recorded: in MIT-BIH's 114 it is the second channel
SCALES = ("record", "window", "none")
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


def prepared(record: Record, leads: int, rate: float, highpass: float) -> np.ndarray:
    """(samples at `rate`, leads) float64 mV without baseline wander.

    Args:
        highpass: Hz below which is taken out, by a Butterworth filter of second order run forth and back; 0 for none.
    """
    signal = record.signal[:, leads_of(record, leads)].astype(np.float64)
    if highpass:
        from scipy.signal import butter, sosfiltfilt

        signal = sosfiltfilt(butter(2, highpass, "highpass", fs=record.fs, output="sos"), signal, axis=0)
    return resampled(signal, record.fs, rate)


def cut_windows(signal: np.ndarray, at: np.ndarray, before: int, after: int) -> np.ndarray:
    """(n, leads, before + after): the samples around each of `at` (n,); zeros beyond the signal's ends."""
    padded = np.pad(signal, ((before, after), (0, 0)))  # `at` now stands at at + before
    view = np.lib.stride_tricks.sliding_window_view(padded, before + after, axis=0)  # (starts, leads, before + after)
    return view[at]


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


def window_rows(
    record: Record, before: float, after: float, rate: float, leads: int, scale: str, highpass: float
) -> Beats:
    """The beats of the whole `record` as windows around their R peaks.

    Args:
        before, after: s of signal before and from the R peak on; the peak is sample round(before * rate) of a row.
        rate: Hz.
        leads: how many.
        scale: "record": units of the recording's typical beat; "window": each row and lead has mean 0 and standard
            deviation 1; "none": mV.
        highpass: Hz, see `prepared`.
    """
    labels = labels_of(record.symbol)
    chosen = np.flatnonzero(labels >= 0)
    signal = prepared(record, leads, rate, highpass)
    at = positions(record.sample[chosen], record.fs, rate, len(signal))
    if scale == "record":
        signal = scaled(signal, at, rate)
    x = cut_windows(signal, at, round(before * rate), round(after * rate))  # (n, leads, samples)
    if scale == "window":
        spread = x.std(axis=2, keepdims=True)
        x = (x - x.mean(axis=2, keepdims=True)) / np.where(spread > 0, spread, 1)
    n = len(chosen)
    return Beats(
        x=np.ascontiguousarray(x, dtype=np.float32),
        y=labels[chosen],
        length=np.full(n, x.shape[2], dtype=np.int16),
        record=np.full(n, record.name),
        patient=np.full(n, record.patient),
        sample=record.sample[chosen].astype(np.int32),
        symbol=record.symbol[chosen],
    )
