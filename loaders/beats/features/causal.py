"""Features that compare a beat with the patient's last beats, so that a stream can compute them.

After the R peak they see 0.4 s of signal, the beat itself, and the next beat's time.
"""

from __future__ import annotations

import numpy as np

from loaders.beats.features.alignment import QRS, extract_windows, likeness
from loaders.beats.features.base import FeatureGroup, FeatureInput, by_lead
from loaders.beats.features.morphology import BEAT, WIDTH, peakedness
from loaders.beats.features.rr import clipped_intervals

LAST = 16  # beats before one that it is compared with
LONGEST = 15.0  # s; beats longer ago count no more, so that a stream need not keep them
P_PLACE = (0.25, -0.06)  # s before the R peak: from, to
TOGETHER = 256  # beats whose last ones are held at once
ALIKE = 0.9  # correlation from which on two QRS complexes count as of one shape
NAMES = ("QRS", "alike", "best", "before", "beat", "P", "width", "height", "known")


def last_beats(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, LAST) the numbers of the last beats before each, the nearest first, and whether there is one within 15 s."""
    index = np.arange(len(times))[:, None] - np.arange(1, LAST + 1)
    given = index >= 0
    index = np.maximum(index, 0)
    return index, given & (times[:, None] - times[index] <= LONGEST)


def usual(beats: np.ndarray, index: np.ndarray, given: np.ndarray) -> np.ndarray:
    """(n, leads, samples): the median of the `given` last beats of each, sample by sample; zeros where there are none.

    Args:
        beats: (n, leads, samples).
        index, given: (n, LAST), see `last_beats`.
    """
    medians = np.zeros_like(beats)
    counts = given.sum(axis=1)
    for count in np.unique(counts[counts > 0]):
        alike = np.flatnonzero(counts == count)
        for first in range(0, len(alike), TOGETHER):
            rows = alike[first : first + TOGETHER]
            medians[rows] = np.median(beats[index[rows, :count]], axis=1)  # the nearest come first
    return medians


def past(recording: FeatureInput) -> np.ndarray:
    """(n, 9 * leads), see NAMES: per lead, likeness (correlation) of the QRS complex to the median of the last 16, the
    share of them that are alike, the likeness to the one most alike and to the one before; of the whole beat and of the
    P wave's place to those medians; width and height against them (logarithms); and how many there were, of 16. Zeros
    where there was none."""
    leads = recording.signal.shape[1]
    if not len(recording.at):
        return np.zeros((0, len(NAMES) * leads))
    index, given = last_beats(recording.times)
    given &= recording.at[index] >= round(BEAT[0] * recording.rate)  # a beat cut off by the start is like no other

    def around(before: float, after: float) -> np.ndarray:
        return extract_windows(recording.signal, recording.at, recording.rate, before, after)

    complexes, wholes, waves, wides = (around(*part) for part in (QRS, BEAT, P_PLACE, WIDTH))
    wides = wides - np.median(wides, axis=-1, keepdims=True)
    each = np.stack([likeness(complexes, complexes[index[:, k]]) for k in range(LAST)], axis=1)  # (n, LAST, leads)
    count = np.maximum(given.sum(axis=1), 1)[:, None]
    columns = [likeness(complexes, usual(complexes, index, given))]
    columns += [((each > ALIKE) & given[..., None]).sum(axis=1) / count]
    columns += [np.where(given[..., None], each, -1.0).max(axis=1), each[:, 0]]
    columns += [likeness(part, usual(part, index, given)) for part in (wholes, waves)]
    typical = usual(wides, index, given)
    size = np.ptp(typical, axis=-1, keepdims=True)
    size[size == 0] = 1
    wides, typical = wides / size, typical / size  # so that the unit of the signal does not matter
    columns += [peakedness(wides, recording.rate) - peakedness(typical, recording.rate)]
    columns += [np.log((np.ptp(wides, axis=-1) + 0.05) / (np.ptp(typical, axis=-1) + 0.05))]
    columns += [np.repeat(count / LAST, leads, axis=1)]
    values = np.stack(columns, axis=2)  # (n, leads, names)
    values[~given.any(axis=1)] = 0.0
    return values.reshape(len(values), -1)


def tempo_past(recording: FeatureInput) -> np.ndarray:
    """(n, 9) logarithms, see TEMPO_NAMES; of the intervals before the last 16 beats (at
    the start of a recording, of those there are)."""
    n = len(recording.times)
    before, after = clipped_intervals(recording)
    if not n:
        return np.zeros((0, len(TEMPO_NAMES)))
    index, _ = last_beats(recording.times)
    rr = np.log(before)
    past_rr = rr[index]
    middle = np.median(past_rr, axis=1)
    columns = [rr - middle, np.log(after) - middle, rr - past_rr.max(axis=1), rr - past_rr.min(axis=1)]
    columns += [past_rr[:, 0] - middle, past_rr[:, 1] - middle, past_rr[:, 2] - middle, past_rr.std(axis=1)]
    columns += [np.median(np.abs(np.diff(past_rr, axis=1)), axis=1)]
    return np.stack(columns, axis=1)


TEMPO_NAMES = [
    "RR/median of 16", "RR after/median of 16", "RR/longest of 16", "RR/shortest of 16", "RR-1/median of 16",
    "RR-2/median of 16", "RR-3/median of 16", "spread of 16", "change of 16",
]  # fmt: skip
TEMPO_PAST = FeatureGroup(lambda leads: TEMPO_NAMES, "the next beat's time", tempo_past, live=True)
PAST = FeatureGroup(by_lead(NAMES), "0.4 s of signal", past, live=True)
