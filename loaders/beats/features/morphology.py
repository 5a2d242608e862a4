"""Features of shape: QRS complex, P wave and whole beat against the recording's own beats.

What a patient's dominant beat is says little where the majority rhythm is atrial: then the beats that come *late* are
those that the sinus node makes. So P waves are compared with those of late beats, and how steady that likeness is
around a beat tells fibrillation and noise from a rhythm with P waves.

All groups need the whole recording: templates are medians over it, neighbourhoods reach 25 beats ahead.
"""

from __future__ import annotations

import numpy as np

from loaders.beats.features.alignment import likeness, template
from loaders.beats.features.base import FeatureGroup, FeatureInput, by_lead
from loaders.beats.features.rr import FAR, clipped_intervals, lateness, rolling
from loaders.beats.windows import cut_windows
from loaders.dsp.medians import median

BEAT = (0.25, 0.40)  # s before and after the R peak, as the next
WIDTH = (0.14, 0.20)
P_WAVE = (0.24, -0.06)  # s before the R peak: from, to
P_END = 6 / 360  # s at the end of the P wave's window whose mean is its level
ALIKE = 0.93  # correlation from which on two QRS complexes count as of one shape
BESIDE = 5  # neighbours to either side that a QRS complex is compared with
SAMPLED = 300  # beats, spread over the recording, that one is compared with


def shape(recording: FeatureInput) -> np.ndarray:
    """(n, 7 * leads): per lead, likeness (correlation) to the recording's median beat of the QRS complex (0.12 s to
    either side), of the whole beat (-0.25 to 0.40 s) and of the P wave's place (-0.25 to -0.06 s); likeness of the QRS
    to that of the beat before; height, area and P wave's height of the beat against the median beat's (logarithms)."""
    before, after = round(0.25 * recording.rate), round(0.40 * recording.rate)
    x = cut_windows(recording.signal, recording.at, before, after)  # (n, leads, samples)
    qrs = slice(before - round(0.12 * recording.rate), before + round(0.12 * recording.rate) + 1)
    p_wave = slice(0, before - round(0.06 * recording.rate))
    columns = []
    for lead in range(x.shape[1]):
        beat = x[:, lead]
        usual = median(beat, axis=0) if len(beat) else np.zeros(before + after)
        columns += [likeness(beat[:, part], usual[part]) for part in (qrs, slice(None), p_wave)]
        columns += [likeness(beat[:, qrs], np.roll(beat[:, qrs], 1, axis=0))]
        columns += [np.log((np.ptp(beat[:, part], axis=1) + 0.05) / (np.ptp(usual[part]) + 0.05)) for part in (qrs,)]
        columns += [np.log((np.abs(beat[:, qrs]).mean(axis=1) + 0.02) / (np.abs(usual[qrs]).mean() + 0.02))]
        columns += [np.log((np.ptp(beat[:, p_wave], axis=1) + 0.02) / (np.ptp(usual[p_wave]) + 0.02))]
    return np.stack(columns, axis=1)


def peakedness(beat: np.ndarray, rate: float) -> np.ndarray:
    """(..., ): log of area over height of |beat| (..., samples), s: how wide a QRS complex is, whatever its shape."""
    size = np.abs(beat)
    return np.log(size.sum(axis=-1) / (size.max(axis=-1) + 0.02) / rate + 1e-3)


def qrs(recording: FeatureInput) -> np.ndarray:
    """(n, 7 * leads), see QRS_NAMES."""
    n, leads = len(recording.at), recording.signal.shape[1]
    if not n:
        return np.zeros((0, len(QRS_NAMES) * leads))
    beats, usual = recording.complexes, recording.dominant
    wholes, wides = (recording.around_peaks(*part) for part in (BEAT, WIDTH))
    wides = wides - median(wides)[..., None]
    width = peakedness(wides, recording.rate) - peakedness(template(wides, usual), recording.rate)  # (n, leads)
    spread = np.linspace(0, n - 1, min(n, SAMPLED)).astype(int)
    columns = [likeness(beats, template(beats, usual)), width, likeness(wholes, template(wholes, usual))]
    unit = beats - beats.mean(axis=-1, keepdims=True)
    unit = unit / (np.linalg.norm(unit, axis=-1, keepdims=True) + 1e-6)
    before = [(unit * np.roll(unit, k, axis=0)).sum(axis=-1) > ALIKE for k in range(1, BESIDE + 1)]
    near = [*before, *(np.roll(one, -k, axis=0) for k, one in enumerate(before, 1))]
    columns += [np.mean(near, axis=0)]
    alike = [(unit[:, lead] @ unit[spread, lead].T > ALIKE).mean(axis=1) for lead in range(leads)]
    columns += [np.stack(alike, axis=1)]
    columns += [likeness(beats, np.roll(beats, 1, axis=0)), likeness(beats, np.roll(beats, -1, axis=0))]
    return np.concatenate([column[:, lead : lead + 1] for lead in range(leads) for column in columns], axis=1)


def pwave(recording: FeatureInput) -> np.ndarray:
    """(n, 9 * leads), see P_NAMES."""
    n, leads = len(recording.at), recording.signal.shape[1]
    if not n:
        return np.zeros((0, len(P_NAMES) * leads))
    rate = recording.rate
    late_by = lateness(clipped_intervals(recording)[0])
    late = recording.dominant & (late_by.local >= 0) & (late_by.mean >= -0.02)
    early = recording.dominant & (late_by.local < -0.1) & (late_by.mean < -0.1)
    waves = recording.around_peaks(*P_WAVE)
    waves = waves - waves[..., -max(round(P_END * rate), 1) :].mean(axis=-1, keepdims=True)
    of_late, of_early = template(waves, late), template(waves, early)
    like, unlike = likeness(waves, of_late), likeness(waves, of_early)  # (n, leads)
    away, away_early = (np.log(np.sqrt(((waves - one) ** 2).mean(axis=-1)) + 0.01) for one in (of_late, of_early))
    height = np.ptp(waves, axis=-1) - np.ptp(of_late, axis=-1)
    place = (waves.argmax(axis=-1) - of_late.argmax(axis=-1)) / rate
    columns = []
    weight = late + 1e-3
    for lead in range(leads):
        one, distance = like[:, lead], away[:, lead]
        steady = rolling(one * weight, FAR, np.sum) / rolling(weight, FAR, np.sum)
        columns += [one - unlike[:, lead], distance - away_early[:, lead], one, height[:, lead], place[:, lead]]
        columns += [rolling(one, FAR, median), steady, one - steady, distance - rolling(distance, FAR, median)]
    return np.stack(columns, axis=1)


SHAPE_NAMES = ("QRS", "beat", "P", "QRS before", "height", "area", "P height")
QRS_NAMES = ("QRS", "width", "beat", "alike of 10", "alike of all", "QRS before", "QRS after")
P_NAMES = (
    "late - early", "distance late - early", "late", "height", "place", "late of 25", "steady", "late - steady",
    "distance - of 25",
)  # fmt: skip

SHAPE = FeatureGroup(by_lead(SHAPE_NAMES), "0.4 s of signal, and the recording's median beat", shape)
QRS_GROUP = FeatureGroup(by_lead(QRS_NAMES), "0.4 s of signal, 5 beats, and the recording's dominant beat", qrs)
PWAVE = FeatureGroup(by_lead(P_NAMES), f"{FAR} beats, and the recording's dominant beat and its late beats", pwave)
