"""Features of size and of the waves around the QRS complex, against the recording's own dominant beats.

They tell apart what time alone does not: a sinus beat after an interpolated V, an early beat with a P wave of its own, a
V that comes in time but is tall and has its T wave the other way. None depends on which way up a lead is.
"""

from __future__ import annotations

import numpy as np

from loaders.beats.features.alignment import likeness, template
from loaders.beats.features.base import FeatureGroup, FeatureInput, by_lead
from loaders.beats.features.morphology import P_END, P_WAVE, WIDTH, peakedness
from loaders.beats.features.rr import FAR, clipped_intervals, lateness, rolling

T_WAVE = (-0.12, 0.42)  # s before and after the R peak: from, to
BROAD = 0.25  # share of a QRS complex's height above which it lasts
SLACK = 0.1  # of the typical beat's height, added to heights so that their logarithms stay bounded
P_REACH, P_STEP = 0.06, 0.02  # s: a P wave is looked for that much earlier and later, in steps
EARLIEST_P = 0.32  # s before the R peak


def heights(beats: np.ndarray) -> np.ndarray:
    """(..., ): the range of beats (..., samples)."""
    return np.ptp(beats, axis=-1)


def lasting(beats: np.ndarray, rate: float) -> np.ndarray:
    """(..., ) s: from the first to the last sample of beats (..., samples) that is higher than a share of the highest."""
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


def psearch(recording: FeatureInput) -> np.ndarray:
    """(n, 5 * leads), see SEARCH_NAMES: the recording's P wave of late beats, looked for ahead of each QRS complex."""
    n, leads = len(recording.at), recording.signal.shape[1]
    if not n:
        return np.zeros((0, len(SEARCH_NAMES) * leads))
    rate = recording.rate
    late_by = lateness(clipped_intervals(recording)[0])
    late = recording.dominant & (late_by.local >= 0) & (late_by.mean >= -0.02)
    waves = recording.around_peaks(*P_WAVE)
    wave = template(waves - waves[..., -max(round(P_END * rate), 1) :].mean(axis=-1, keepdims=True), late)
    wave = wave - wave.mean(axis=-1, keepdims=True)
    power = (wave**2).sum(axis=-1)
    best = np.full((n, leads), -2.0)
    lag, share = np.zeros((n, leads)), np.zeros((n, leads))
    for shift in np.arange(-P_REACH, P_REACH + P_STEP / 2, P_STEP).tolist():
        here = recording.around_peaks(P_WAVE[0] - shift, P_WAVE[1] + shift)[..., : wave.shape[-1]]
        here = here - here.mean(axis=-1, keepdims=True)
        like = likeness(here, wave)
        better = like > best
        best, lag = np.where(better, like, best), np.where(better, shift, lag)
        share = np.where(better, (here * wave).sum(axis=-1) / (power + 1e-4), share)
    size = np.broadcast_to(heights(wave), (n, leads))
    steady = np.stack([rolling(best[:, lead], FAR, np.median) for lead in range(leads)], axis=1)
    columns = [best, best - steady, 10 * lag, np.clip(share, -2.0, 3.0), np.log(size + 0.02)]
    return np.concatenate([column[:, lead : lead + 1] for lead in range(leads) for column in columns], axis=1)


def cycles(recording: FeatureInput) -> np.ndarray:
    """(n, 6), see CYCLE_NAMES: logarithms of two and of three intervals together against the usual cycle (the median of
    25 beats to either side): an interpolated beat shares one cycle with the next, one with a full pause two."""
    if not len(recording.times):
        return np.zeros((0, len(CYCLE_NAMES)))
    before, after = clipped_intervals(recording)
    usual = rolling(before, FAR, np.median)
    last, later = np.roll(before, 1), np.roll(after, -1)
    sums = [last + before, before + after, after + later]
    columns = [np.log(one / usual) for one in sums]
    columns += [np.abs(np.log(one / usual)) for one in sums[:2]]  # how near one cycle
    columns += [np.abs(np.log(sums[1] / (2 * usual)))]
    return np.stack(columns, axis=1)


FORM_NAMES = ("height", "steepness", "duration", "T", "T height", "T distance", "width before", "width after")
SEARCH_NAMES = ("P", "P - steady", "P lag", "P share", "P size")
CYCLE_NAMES = ["two before", "two around", "two after", "one cycle before", "one cycle around", "two cycles around"]

FORM = FeatureGroup(by_lead(FORM_NAMES), "0.5 s of signal, the next beat, and the recording's dominant beat", form)
SEARCH = FeatureGroup(by_lead(SEARCH_NAMES), f"{FAR} beats, and the recording's late beats", psearch)
CYCLES = FeatureGroup(lambda leads: CYCLE_NAMES, f"{FAR} beats", cycles)
