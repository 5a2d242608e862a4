"""Atrial fibrillation and flutter: RR intervals that never repeat, and no P wave that does."""

from __future__ import annotations

import numpy as np

from toolbox.holter.beat_context import WINDOW, BeatContext, rolling_sum
from toolbox.holter.rhythm_gate import chains_of

# Log odds of fibrillation: offset, of the logarithm of irregularity, of coherence. A logistic regression on DS1 and 32
# records of svdb_dev, each rhythm of a record weighing alike: python -m benchmarks.train_rhythm.
OFFSET, IRREGULARITY, COHERENCE = 8.858, 2.597, -22.75
IRREGULARITY_RANGE = (0.01, 1.0)
UNKNOWN_COHERENCE = 0.4  # where too few beats show: P waves, neither all alike nor absent
MOST_VENTRICULAR = 0.4  # share of V and F among the beats around; the RR intervals between the others tell nothing then
EDGE, SURE = -1.75, 0.0  # log odds of an episode's every beat, and of one at least
# s of an episode, and without a beat that end it; guidelines ask for 30 s before it is a diagnosis. On DS1 all from 6
# to 20 recognize the same.
SHORTEST = 15.0
RUN, BESIDE = 3, 2  # S beats in a row that belong to an episode which begins or ends within so many beats of them


def fibrillation_odds(context: BeatContext) -> np.ndarray:
    """(n,) log odds that atrial fibrillation surrounds each beat; where nothing is known, as of the beats around."""
    irregularity = np.clip(context.irregularity, *IRREGULARITY_RANGE)
    coherence = np.where(np.isnan(context.coherence), UNKNOWN_COHERENCE, np.clip(context.coherence, 0, 1))
    odds = OFFSET + IRREGULARITY * np.log(irregularity) + COHERENCE * coherence
    seen = np.flatnonzero(~np.isnan(odds))
    if not len(seen):
        return np.full(len(odds), -np.inf)
    ventricular = rolling_sum(np.isin(context.letters, ("V", "F")).astype(float), WINDOW) / WINDOW
    return np.where(ventricular > MOST_VENTRICULAR, -np.inf, np.interp(np.arange(len(odds)), seen, odds[seen]))


def find_fibrillation(context: BeatContext) -> list[tuple[int, int]]:
    """(first, last) beat of each episode of atrial fibrillation or flutter, SHORTEST and longer, in order, with the
    runs of S beats beside it: the WINDOW sees the first and last beats of an episode late. None leads across as much
    noise or silence as an episode has to last.

    Flutter that is conducted regularly has regular RR intervals and is not seen.
    """
    odds = fibrillation_odds(context)
    times, inside = context.times, odds > EDGE
    goes_on = np.append(False, inside[:-1] & (np.diff(times) < SHORTEST))
    starts = np.flatnonzero(inside & ~goes_on).tolist()
    stops = (1 + np.flatnonzero(inside & ~np.append(inside[1:] & goes_on[1:], False))).tolist()
    episodes = [
        (first, stop - 1)
        for first, stop in zip(starts, stops, strict=True)
        if times[stop - 1] - times[first] >= SHORTEST and (odds[first:stop] > SURE).any()
    ]
    runs = [(a, b - 1) for a, b in chains_of(context.letters == "S").tolist() if b - a >= RUN]
    grown: list[tuple[int, int]] = []
    for first, last in episodes:
        begin = min([first, *(a for a, b in runs if a < first <= b + 1 + BESIDE)])
        end = max([last, *(b for a, b in runs if a - 1 - BESIDE <= last < b)])
        if grown and begin <= grown[-1][1]:
            begin, _ = grown.pop()
        grown.append((begin, end))
    return grown
