"""Features of size and of the waves around the QRS complex, against the recording's own dominant beats.

They tell apart what time alone does not: a sinus beat after an interpolated V, an early beat with a P wave of its own,
a V that comes in time but is tall and has its T wave the other way. None depends on which way up a lead is.
"""

from __future__ import annotations

import numpy as np

from loaders.beats.features.alignment import likeness, template
from loaders.beats.features.base import FeatureGroup, FeatureInput, by_lead
from loaders.beats.features.morphology import WIDTH, peakedness

T_WAVE = (-0.12, 0.42)  # s before and after the R peak: from, to
BROAD = 0.25  # share of a QRS complex's height above which it lasts
SLACK = 0.1  # of the typical beat's height, added to heights so that their logarithms stay bounded


def heights(beats: np.ndarray) -> np.ndarray:
    """(..., ): the range of beats (..., samples)."""
    return np.ptp(beats, axis=-1)


def lasting(beats: np.ndarray, rate: float) -> np.ndarray:
    """(..., ) s: from the first to the last sample of beats (..., samples) that is higher than a share of the top."""
    size = np.abs(beats)
    above = size > BROAD * size.max(axis=-1, keepdims=True)
    first, last = above.argmax(axis=-1), above[..., ::-1].argmax(axis=-1)
    return (above.shape[-1] - last - first) / rate


def form(recording: FeatureInput) -> np.ndarray:
    """(n, 8 * leads), see FORM_NAMES: of the QRS complex height, steepness and duration against the dominant beat's, of
    the T wave likeness, height and area; then width of the beat before and of the next."""
    n, leads = len(recording.at), recording.signal.shape[1]
    if not n:
        return np.zeros((0, len(FORM_NAMES) * leads))
    usual = recording.dominant
    wides, tails = recording.around_peaks(*WIDTH), recording.around_peaks(*T_WAVE)
    wides = wides - np.median(wides, axis=-1, keepdims=True)
    wide, tail = template(wides, usual), template(tails, usual)
    steep, steep_usual = (np.abs(np.diff(part, axis=-1)).max(axis=-1) for part in (wides, wide))
    width = peakedness(wides, recording.rate) - peakedness(wide, recording.rate)
    size = heights(wide) + 1e-6
    columns = [np.log((heights(wides) + SLACK) / (heights(wide) + SLACK))]
    columns += [np.log((steep / size + 0.01) / (steep_usual / size + 0.01))]
    columns += [10 * (lasting(wides, recording.rate) - lasting(wide, recording.rate))]
    columns += [likeness(tails, tail)]
    columns += [np.log((heights(tails) + SLACK) / (heights(tail) + SLACK))]
    columns += [np.sqrt(np.mean((tails - tail) ** 2, axis=-1)) / (heights(tail) + SLACK)]
    columns += [np.roll(width, 1, axis=0), np.roll(width, -1, axis=0)]
    return np.concatenate([column[:, lead : lead + 1] for lead in range(leads) for column in columns], axis=1)


FORM_NAMES = ("height", "steepness", "duration", "T", "T height", "T distance", "width before", "width after")

FORM = FeatureGroup(by_lead(FORM_NAMES), "0.5 s of signal, the next beat, and the recording's dominant beat", form)
