"""A window of signal around each R peak, as a row: resampled, of one or two leads, scaled without looking at labels.

How far a row depends on the time beyond its own `after` seconds: the high-pass filter runs forth and back (zero phase)
and reaches about a second ahead (at 0.5 Hz; its response has died down by then); the anti-aliasing filter of the
resampling reaches 10 / rate seconds; the scale "record" is taken from the whole recording. With `highpass` 0 and scale
"window" nothing but those 10 / rate seconds remains.
"""

from __future__ import annotations

import numpy as np

from loaders.dsp.filters import clean
from loaders.dsp.medians import median
from loaders.io.wfdb_record import Record
from toolbox.utils import UserError

FIRST_LEAD = "MLII"  # comes first wherever it was recorded: in MIT-BIH's 114 it is the second channel
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


def prepared(record: Record, leads: int, rate: float, highpass: float, baseline: str = "highpass") -> np.ndarray:
    """(samples at `rate`, leads) float64 mV without baseline wander, see `dsp.filters.clean`."""
    signal = record.signal[:, leads_of(record, leads)].astype(np.float64)
    return clean(signal, record.fs, rate, highpass, baseline)


def cut_windows(signal: np.ndarray, at: np.ndarray, before: int, after: int) -> np.ndarray:
    """(n, leads, before + after): the samples around each of `at` (n,); zeros beyond the signal's ends."""
    start, width = at - before, before + after
    x = np.zeros((len(at), signal.shape[1], width), dtype=signal.dtype)
    inside = (start >= 0) & (start + width <= len(signal))
    if inside.any():
        every = np.lib.stride_tricks.sliding_window_view(signal.T, width, axis=1)  # (leads, samples - width + 1, width)
        x[inside] = np.moveaxis(every[:, start[inside]], 0, 1)
    for beat in np.flatnonzero(~inside):
        low, high = max(start[beat], 0), min(start[beat] + width, len(signal))
        if low < high:
            x[beat, :, low - start[beat] : high - start[beat]] = signal[low:high].T
    return x


def scaled(signal: np.ndarray, at: np.ndarray, rate: float) -> np.ndarray:
    """`signal` less its median, in units of the recording's typical beat: the median over the beats at `at` of the
    range (max - min) within 0.1 s of the R peak, lead by lead."""
    reach = max(round(QRS * rate), 1)
    signal = signal - median(signal, axis=0)
    if not len(at):
        return signal
    size = median(np.ptp(cut_windows(signal, at, reach, reach + 1), axis=2), axis=0)  # (leads,)
    return np.asfortranarray(signal / np.where(size > 0, size, 1))  # lead by lead in memory, as beats are cut


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
