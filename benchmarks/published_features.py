"""The features of Mondejar-Guerra et al., Biomed Signal Process Control 47:41-48, 2019, for benchmarks/published.py.

Where the paper is short, the details are those of its authors' public code (github.com/mondejar/ecg-classification,
read for its facts; what stands here is written anew). Numbers of samples are of 360 Hz.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.ndimage import median_filter
from scipy.stats import kurtosis, skew

from loaders.beats.table import labels_of
from loaders.datasets.splits import SCORED
from loaders.io.wfdb_record import Record
from toolbox.utils import UserError

BEFORE = AFTER = 90  # samples of a beat's window, 0.25 s to either side
NEAR = 20  # samples to either side of an annotation within which the R peak is looked for
RECENT = 300 * 360  # samples: 5 minutes


def without_baseline(lead: np.ndarray) -> np.ndarray:
    """(n,) the signal less its running medians over 71 and then 215 samples (0.2 and 0.6 s), zeros beyond the ends."""
    return lead - median_filter(median_filter(lead, 71, mode="constant"), 215, mode="constant")


def at_maximum(lead: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """(m,) each annotation moved to the first maximum of the signal from 20 samples before to 19 after it."""
    inside = (sample > NEAR) & (sample < len(lead) - NEAR)
    around = sample[inside, None] + np.arange(-NEAR, NEAR)
    moved = sample.copy()
    moved[inside] += lead[around].argmax(axis=1) - NEAR
    return moved


def rr_intervals(at: np.ndarray) -> np.ndarray:
    """(m, 4) in samples: the interval before, the one after, the mean of the last ten before (this one among them), and
    the mean of all before in the last 5 minutes (this one not among them). `at`: (m,) R peaks, m at least 2."""
    gaps = np.diff(at).astype(np.float64)
    before, after = np.append(gaps[0], gaps), np.append(gaps, gaps[-1])
    total = np.append(0, before.cumsum())  # total[k]: of the first k
    here = np.arange(len(at))
    first = np.maximum(here - 9, 0)
    local = (total[here + 1] - total[first]) / (here + 1 - first)
    oldest = np.minimum(np.searchsorted(np.maximum.accumulate(at), at - RECENT, side="right"), np.maximum(here - 1, 0))
    mean = (total[here] - total[oldest]) / np.maximum(here - oldest, 1)
    return np.stack([before, after, local, np.where(here > 0, mean, before)], axis=1)


def wavelet(beats: np.ndarray) -> np.ndarray:
    """(n, 23): approximation of beats (n, 180) by Haar's wavelet at level 3; odd lengths repeat their last sample."""
    for _ in range(3):
        if beats.shape[1] % 2:
            beats = np.concatenate([beats, beats[:, -1:]], axis=1)
        beats = (beats[:, ::2] + beats[:, 1::2]) / np.sqrt(2)
    return beats


def moments(beats: np.ndarray) -> np.ndarray:
    """(n, 10): skewness, then kurtosis, of beats (n, 180) in five stretches of 30 samples, the first one from 15 on; 0
    where a stretch is flat."""
    stretches = beats[:, 15:165].reshape(len(beats), 5, 30)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # where a stretch is flat
        parts = [skew(stretches, axis=2), kurtosis(stretches, axis=2, fisher=False)]
    return np.nan_to_num(np.concatenate(parts, axis=1))


def amplitudes(beats: np.ndarray) -> np.ndarray:
    """(n, 4): how far the R peak of beats (n, 180) is from the maximum of samples 0 to 39, the minima of 75 to 84 and
    of 95 to 104, and the maximum of 150 to 179, in time and amplitude, both scaled to [0, 1] over these points; 0 where
    all amplitudes are alike."""
    rows = np.arange(len(beats))[:, None]
    parts = ((0, 40, 1), (75, 85, -1), (95, 105, -1), (150, 180, 1))
    place = np.stack([first + (sign * beats[:, first:last]).argmax(axis=1) for first, last, sign in parts], axis=1)
    height = beats[rows, np.append(place, np.full_like(rows, BEFORE), axis=1)]  # (n, 5), the R peak's last
    low, span = height.min(axis=1, keepdims=True), np.ptp(height, axis=1)[:, None]
    height = np.divide(height - low, span, out=np.zeros(height.shape), where=span > 0)
    start, stop = place[:, :1], place[:, 3:]
    moment = (BEFORE - place) / (stop - start)
    return np.hypot(moment, height[:, 4:] - height[:, :4]) * (span > 0)


def features_of(record: Record) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The features of each kind (n, k) and the symbols (n,) of the record's beats of N, S, V and F.

    Intervals are counted between all annotations, also those that are no beats (rhythm changes, noise, flutter waves),
    and are given twice: in samples, and against their mean over the record, which knows the future.

    Raises:
        UserError: the record has no lead MLII.
    """
    if "MLII" not in record.leads:
        raise UserError(f"record {record.name} has no lead MLII, only {', '.join(record.leads)}; the method needs it")
    lead = without_baseline(record.digital[:, record.leads.index("MLII")].astype(np.int64))
    at = at_maximum(lead, record.sample)
    labels = labels_of(record.symbol)
    chosen = (labels >= 0) & (labels < SCORED) & (at > BEFORE) & (at < len(lead) - AFTER)
    intervals_ = rr_intervals(at)[chosen]
    beats = lead[at[chosen, None] + np.arange(-BEFORE, AFTER)].astype(np.float64)
    features = {
        "RR": np.concatenate([intervals_, intervals_ / intervals_.mean(axis=0)], axis=1),
        "wavelet": wavelet(beats),
        "HOS": moments(beats),
        "amplitudes": amplitudes(beats),
    }
    return features, record.symbol[chosen]
