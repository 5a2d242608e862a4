"""Features that compare a beat with the last 100, so that a stream that remembers them can compute them.

What a network of whole recordings learns from the patient's dominant beat, from the P waves of its late beats and from
the rhythm around is here taken from the past alone: templates are means of the last beats, weighed by how many others
are alike. And a beat is known by its company: how early, wide and different the earlier beats of its shape were.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from loaders.beats.features.base import SHAPE, FeatureGroup, FeatureInput, Remembered, by_lead
from loaders.beats.features.company import (
    LAST,
    correlation,
    given_of,
    last_of,
    normed,
    products,
    share_alike,
    weighed_mean,
)
from loaders.beats.features.morphology import BEAT, P_WAVE, WIDTH, peakedness
from loaders.beats.features.rr import LONGEST, SHORTEST
from loaders.beats.features.waves import T_WAVE, lasting

DEPTH = LAST + 2  # beats that have to be remembered: the intervals before the last 100, too
QRS, P_LEVEL = (0.08, 0.10), (0.076, -0.06)  # s before and after the R peak
LATE, EARLY, VAGUE = -0.02, -0.10, 0.04  # of logarithms of an interval over the mean of the last 100
SOON = 2.0  # s after an R peak; beats that come later are not awaited
NEAR, RECENT = 25, 30  # beats whose P waves tell how steady they are; intervals that tell how regular the rhythm is
JUMP = 0.1  # of the logarithm of an interval from beat to beat
SLACK = 0.1  # of the usual beat's height, added to heights
NAMES = (
    "alike", "QRS", "third", "beat", "width", "height", "steepness", "duration", "T", "T height", "T distance", "P",
    "P late - early", "P distance", "P height", "P steady", "P - steady", "early of alike", "width of alike",
    "odd of alike", "pause of alike", "QRS after", "after like it", "width after", "known",
)  # fmt: skip
TEMPO_NAMES = (
    "RR/median", "RR after/median", "RR/80 %", "RR/95 %", "RR/15 %", "90 %/median", "spread of 30", "change of 30",
    "jumps of 30", "median of 16/median", "RR after next/median", "RR after next/RR after", "RR/mean",
)  # fmt: skip


def tempo_memory(recording: FeatureInput) -> np.ndarray:
    """(n, 13) logarithms, see TEMPO_NAMES; over the intervals before the last 100 beats."""
    n, new = len(recording.all_times), recording.new
    log = log_intervals(recording.all_times)
    after, after_next = (values[n - new :] for values in next_intervals(recording.all_times))
    past = np.where(given_of(n, new), last_of(log, new), np.nan) if n else np.zeros((0, LAST))
    log = log[n - new :]
    first = slice(0, 1 if new == n else 0)  # which has no beat before it
    past[first] = log[first, None]
    middle, high, top, low, tall = np.nanpercentile(past, (50, 80, 95, 15, 90), axis=1)
    near = past[:, :RECENT]
    change = np.abs(np.diff(near, axis=1))
    change[np.isnan(change).all(axis=1), 0] = 0.0  # one interval does not change
    columns = [log - middle, after - middle, log - high, log - top, log - low, tall - middle]
    columns += [np.nanstd(near, axis=1), np.nanmedian(change, axis=1)]
    columns += [np.nanmean(np.clip(change / JUMP, 0, 1), axis=1)]
    columns += [np.nanmedian(past[:, :16], axis=1) - middle, after_next - middle, after_next - after]
    columns += [log - np.log(np.nanmean(np.exp(past), axis=1))]
    return recording.padded(np.stack(columns, axis=1))


def log_intervals(times: np.ndarray) -> np.ndarray:
    """(n,): logarithms of the intervals in s before beats at `times` (n,), within the heart's range."""
    rr = np.diff(times, prepend=times[:1] - 0.8)
    if len(rr) > 1:
        rr[0] = rr[1]
    return np.log(np.clip(rr, SHORTEST, LONGEST))


def next_intervals(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,), (n,): logarithms of the intervals after each beat and after the next; one that does not end within 2 s of
    the beat counts as 2 s, or as the one before it."""
    n = len(times)
    late = times[-1:] + 2 * SOON  # where the recording ends
    next_one, next_two = (np.append(times[k:], np.repeat(late, min(k, n))) for k in (1, 2))
    after = np.clip(next_one - times, SHORTEST, SOON)
    second = np.where(next_two - times < SOON, np.clip(next_two - next_one, SHORTEST, SOON), after)
    return np.log(after), np.log(second)


class Marks(NamedTuple):
    """Memory of the beats of one lead beside their shapes: of each the share of the beats before that are
    alike, its lateness, its QRS complex's likeness to the usual one and width, and its P wave's likeness and distance
    to those of late beats; each (n,)."""

    density: np.ndarray
    lateness: np.ndarray
    fit: np.ndarray
    width: np.ndarray
    p_like: np.ndarray
    p_distance: np.ndarray


def memory(recording: FeatureInput) -> np.ndarray:
    """(n, 25 * leads), see NAMES."""
    parts = [_of_lead(recording, lead)[0] for lead in range(recording.signal.shape[1])]
    return recording.padded(np.concatenate(parts, axis=1))


def remembered(recording: FeatureInput) -> Remembered:
    """The memory that a stream keeps of the new beats of a recording, for the features of later ones."""
    leads = range(recording.signal.shape[1])
    marks = np.stack([np.stack(_of_lead(recording, lead)[1], axis=1) for lead in leads], axis=1)
    new = len(recording.all_times) - recording.new
    return Remembered(recording.all_times[new:], recording.shapes[new:], marks[-recording.new :])


def part(shapes: np.ndarray, rate: float, place: tuple[float, float]) -> np.ndarray:
    """(n, samples): a part of remembered beats (n, samples), from s before to s after the R peak."""
    middle = round(SHAPE[0] * rate)
    return shapes[:, middle - round(place[0] * rate) : middle + round(place[1] * rate)]


def _of_lead(recording: FeatureInput, lead: int) -> tuple[np.ndarray, Marks]:
    """The features (new, 25) of one lead, and the marks (n,) of its beats."""
    times, shapes, rate, new = recording.all_times, recording.shapes[:, lead], recording.rate, recording.new
    n, earlier = len(times), recording.earlier
    before = Marks(*(np.zeros((6, 0)) if earlier is None else earlier.marks[:, lead].T))
    given = given_of(n, new)
    count = given.sum(axis=1)
    log = log_intervals(times)
    rr = np.exp(log)
    mean = np.where(given, last_of(rr, new), 0).sum(axis=1) / np.maximum(count, 1) if n else rr
    lateness = np.append(before.lateness, np.where(count > 0, log[n - new :] - np.log(np.where(count > 0, mean, 1)), 0))
    each = products(normed(part(shapes, rate, QRS)), new)  # (new, LAST): likeness to each of the last
    alike = share_alike(each) * given
    density = np.append(before.density, (alike.sum(axis=1) + 1) / (count + 1))
    weights = last_of(density, new) ** 2 if n else given
    own, usual = shapes[n - new :], weighed_mean(weights, shapes)
    columns, size, fit, width = _complexes(own, usual, rate)
    fit, width = np.append(before.fit, fit), np.append(before.width, np.where(count > 0, width, 0.0))
    columns = [density[n - new :], fit[n - new :], np.sort(np.where(given, each, -1), axis=1)[:, -3], *columns]
    columns += _t_wave(own / size, usual / size, rate)
    p_columns, p_like, p_distance = _p_wave(shapes, size, lateness, weights, rate, before)
    pause = next_intervals(times)[0] - log + lateness
    columns += p_columns + [_mean_of_alike(alike, one) for one in (lateness, width, 1 - fit, pause)]
    soon = np.append(np.diff(times) < SOON, np.zeros(min(n, 1), dtype=bool))[n - new :]
    nexts = (fit[n - new :], each[:, 0], width[n - new :])
    columns += [np.where(soon, np.roll(one, -1), 0.0) for one in nexts]
    columns += [count / LAST]
    values = np.stack(columns, axis=1)
    values[count == 0] = 0.0
    return values, Marks(density, lateness, fit, width, p_like, p_distance)


def _complexes(own: np.ndarray, usual: np.ndarray, rate: float
               ) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Features of the QRS complexes of beats (n, samples) against the usual ones; the height of these (n, 1); likeness
    and width (n,)."""
    wide, wide_usual = (_level(part(one, rate, WIDTH)) for one in (own, usual))
    height, height_usual = np.ptp(wide, axis=1), np.ptp(wide_usual, axis=1)
    size = np.where(height_usual > 0, height_usual, 1.0)[:, None]
    fit = correlation(part(own, rate, QRS), part(usual, rate, QRS))
    width = peakedness(wide / size, rate) - peakedness(wide_usual / size, rate)
    steep, steep_usual = (np.abs(np.diff(one / size, axis=1)).max(axis=1) for one in (wide, wide_usual))
    columns = [correlation(part(own, rate, BEAT), part(usual, rate, BEAT)), width]
    columns += [np.log((height / size[:, 0] + SLACK) / (1 + SLACK)), np.log((steep + 0.01) / (steep_usual + 0.01))]
    columns += [10 * (lasting(wide, rate) - lasting(wide_usual, rate))]
    return columns, size, fit, width


def _mean_of_alike(alike: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(new,): means of the `values` (n,) of the last beats before each, by how far they are `alike` (new, LAST); drawn
    to 0 where few are."""
    if not len(values):
        return values
    return (alike * last_of(values, len(alike))).sum(axis=1) / (alike.sum(axis=1) + 1)


def _level(beats: np.ndarray) -> np.ndarray:
    """Beats (n, samples) less their medians."""
    return beats - np.median(beats, axis=1, keepdims=True)


def _t_wave(shapes: np.ndarray, usual: np.ndarray, rate: float) -> list[np.ndarray]:
    """Likeness, height and distance of the T wave to those of the usual beat."""
    tail, tail_usual = (part(one, rate, T_WAVE) for one in (shapes, usual))
    height, height_usual = np.ptp(tail, axis=1), np.ptp(tail_usual, axis=1)
    away = tail - tail_usual
    away -= away.mean(axis=1, keepdims=True)
    distance = np.sqrt((away**2).mean(axis=1)) / (height_usual + SLACK)
    return [correlation(tail, tail_usual), np.log((height + SLACK) / (height_usual + SLACK)), distance]


def _p_wave(
    shapes: np.ndarray, size: np.ndarray, lateness: np.ndarray, weights: np.ndarray, rate: float, before: Marks
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """The P waves, in units of `size` (new, 1), against the mean ones of late and of early beats, and how steady those
    of late beats are: features (new,), and of all beats likeness and distance (n,)."""
    n, new = len(shapes), len(size)
    waves = part(shapes, rate, P_WAVE) - part(shapes, rate, P_LEVEL).mean(axis=1, keepdims=True)
    late = np.clip((lateness - LATE) / VAGUE + 1, 0, 1)
    early = np.clip((EARLY - lateness) / VAGUE, 0, 1)
    of_late, of_early = (weighed_mean(weights * last_of(one, new), waves) / size for one in (late, early))
    own = waves[n - new :] / size
    like, unlike = correlation(own, of_late), correlation(own, of_early)
    distance = np.log(np.sqrt(((own - of_late) ** 2).mean(axis=1)) + 0.01)
    distance[~weights.any(axis=1)] = 0.0  # nothing to be compared with, no unit either
    every_like, every_distance = np.append(before.p_like, like), np.append(before.p_distance, distance)
    near = (last_of(late, new) + 1e-3) * (np.arange(LAST) < NEAR)
    steady, usual = ((near * last_of(one, new)).sum(axis=1) / near.sum(axis=1) for one in (every_like, every_distance))
    height = np.ptp(own, axis=1) - np.ptp(of_late, axis=1)
    columns = [like, like - unlike, distance - usual, 3 * height, steady, like - steady]
    return columns, every_like, every_distance


TEMPO_MEMORY = FeatureGroup(
    lambda leads: list(TEMPO_NAMES), f"the times of the beats within {SOON:g} s", tempo_memory, live=True,
    remembered=DEPTH,
)  # fmt: skip
MEMORY = FeatureGroup(
    by_lead(NAMES), f"{SOON:g} s of beats, and {WIDTH[1]} s of signal behind the next", memory, live=True,
    remembered=DEPTH,
)  # fmt: skip
