"""Numbers that compare a beat with the patient's own beats around it, whatever their majority rhythm is.

Three groups for `features.py`: `tempo` (intervals), `qrs` and `pwave`. What a patient's dominant beat is says little
where the majority rhythm is atrial: then the beats that come *late* are those that the sinus node makes. So P waves are
compared with those of late beats, and how steady that likeness is around a beat tells fibrillation and noise from a
rhythm with P waves.

Nothing sees a label. All three need the whole recording: templates are medians over it, neighbourhoods reach 25 beats
ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from loaders.beats.features.alignment import likeness, template
from loaders.beats.features.rr import Group, Recording, following, intervals, recent_mean

SHORTEST, LONGEST = 0.2, 3.0  # s; an interval outside is counted as that
NEAR, FAR = 10, 25  # beats to either side of a beat
BEHIND = (-2, -1, 1, 2)  # neighbours whose intervals come along
BEAT = (0.25, 0.40)  # s before and after the R peak, as the next
WIDTH = (0.14, 0.20)
P_WAVE = (0.24, -0.06)  # s before the R peak: from, to
P_END = 6 / 360  # s at the end of a P wave's stretch whose mean is its level
ALIKE = 0.93  # correlation from which on two QRS complexes count as of one shape
BESIDE = 5  # neighbours to either side that a QRS complex is compared with
SAMPLED = 300  # beats, spread over the recording, that one is compared with


class Tempo(NamedTuple):
    """What `pwave` needs of the rhythm, each (n,): log of the interval before, against the mean of 25 beats to either
    side, and against the recording's mean."""

    local: np.ndarray
    mean: np.ndarray


def rolling(values: np.ndarray, reach: int, of: Callable[..., np.ndarray]) -> np.ndarray:
    """(n,): `of` the values (n,) within `reach` beats of each; mirrored at the ends of the recording."""
    padded = np.pad(values, reach, "reflect") if len(values) > reach else np.pad(values, reach, "edge")
    return of(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1), axis=1)


def clipped_intervals(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """(n,) s, (n,) s: the intervals before and after each beat, within what a heart can do."""
    rr = intervals(recording.times)
    return np.clip(rr, SHORTEST, LONGEST), np.clip(following(rr), SHORTEST, LONGEST)


def lateness(before: np.ndarray) -> Tempo:
    """How late each beat comes; `before` (n,) s are the intervals before the beats."""
    return Tempo(np.log(before / rolling(before, FAR, np.mean)), np.log(before / before.mean()))


def tempo(recording: Recording) -> np.ndarray:
    """(n, 20) logarithms, see TEMPO_NAMES."""
    if not len(recording.times):
        return np.zeros((0, len(TEMPO_NAMES)))
    before, after = clipped_intervals(recording)
    log = np.log(before)
    late = lateness(before)

    def quantile(percent: float) -> np.ndarray:
        return rolling(before, FAR, lambda view, axis: np.percentile(view, percent, axis=axis))

    change = np.abs(np.diff(log, prepend=log[0]))
    columns = [log, np.log(after), late.mean, np.log(after / before.mean())]
    columns += [np.log(before / recent_mean(before)), np.log(before / rolling(before, NEAR, np.mean))]
    columns += [np.log(after / before), late.local]
    columns += [np.log(before / quantile(percent)) for percent in (80, 95, 15)]
    columns += [np.log(before / rolling(before, NEAR, np.median))]
    columns += [rolling(log, NEAR, np.std), rolling(change, NEAR, np.median)]
    columns += [np.log(quantile(90) / rolling(before, FAR, np.median))]
    columns += [np.roll(late.local, -k) for k in BEHIND]  # the first and last beats see the other end: no matter
    return np.stack([*columns, log - np.roll(log, 1)], axis=1)


def peakedness(beat: np.ndarray, rate: float) -> np.ndarray:
    """(..., ): log of area over height of |beat| (..., samples), s: how wide a QRS complex is, whatever its shape."""
    size = np.abs(beat)
    return np.log(size.sum(axis=-1) / (size.max(axis=-1) + 0.02) / rate + 1e-3)


def qrs(recording: Recording) -> np.ndarray:
    """(n, 7 * leads), see QRS_NAMES."""
    n, leads = len(recording.at), recording.signal.shape[1]
    if not n:
        return np.zeros((0, len(QRS_NAMES) * leads))
    beats, usual = recording.complexes, recording.dominant
    wholes, wides = (recording.around_peaks(*part) for part in (BEAT, WIDTH))
    wides = wides - np.median(wides, axis=-1, keepdims=True)
    width = peakedness(wides, recording.rate) - peakedness(template(wides, usual), recording.rate)  # (n, leads)
    spread = np.linspace(0, n - 1, min(n, SAMPLED)).astype(int)
    columns = [likeness(beats, template(beats, usual)), width, likeness(wholes, template(wholes, usual))]
    unit = beats - beats.mean(axis=-1, keepdims=True)
    unit = unit / (np.linalg.norm(unit, axis=-1, keepdims=True) + 1e-6)
    near = [(unit * np.roll(unit, k, axis=0)).sum(axis=-1) > ALIKE for k in range(-BESIDE, BESIDE + 1) if k]
    columns += [np.mean(near, axis=0)]
    alike = [(unit[:, lead] @ unit[spread, lead].T > ALIKE).mean(axis=1) for lead in range(leads)]
    columns += [np.stack(alike, axis=1)]
    columns += [likeness(beats, np.roll(beats, 1, axis=0)), likeness(beats, np.roll(beats, -1, axis=0))]
    return np.concatenate([column[:, lead : lead + 1] for lead in range(leads) for column in columns], axis=1)


def pwave(recording: Recording) -> np.ndarray:
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
        columns += [rolling(one, FAR, np.median), steady, one - steady, distance - rolling(distance, FAR, np.median)]
    return np.stack(columns, axis=1)


TEMPO_NAMES = [
    "RR", "RR after", "RR/record", "RR after/record", "RR/10 past", "RR/10 around", "RR after/RR", "RR/25 around",
    "RR/80 % of 25", "RR/95 % of 25", "RR/15 % of 25", "RR/median of 10", "spread of 10", "change of 10",
    "90 %/median of 25", *(f"RR{k:+d}/25 around" for k in BEHIND), "RR/RR before",
]  # fmt: skip
QRS_NAMES = ("QRS", "width", "beat", "alike of 10", "alike of all", "QRS before", "QRS after")
P_NAMES = (
    "late - early", "distance late - early", "late", "height", "place", "late of 25", "steady", "late - steady",
    "distance - of 25",
)  # fmt: skip


def by_lead(names: tuple[str, ...]) -> Callable[[int], list[str]]:
    """The names of a group that is the same for each lead, lead by lead."""
    return lambda leads: [f"{name} in lead {lead + 1}" for lead in range(leads) for name in names]


TEMPO = Group(lambda leads: TEMPO_NAMES, f"{FAR} beats, and the recording's mean interval", tempo, ("RR", "RR after"))
QRS_GROUP = Group(by_lead(QRS_NAMES), "0.4 s of signal, 5 beats, and the recording's dominant beat", qrs)
PWAVE = Group(by_lead(P_NAMES), f"{FAR} beats, and the recording's dominant beat and its late beats", pwave)
