"""Atrial fibrillation and flutter: RR intervals that never repeat, and no P wave that does."""

from __future__ import annotations

import numpy as np

from toolbox.holter.beat_context import WINDOW, BeatContext, rolling_sum

# Log odds of fibrillation: offset, of the logarithm of irregularity, of coherence. A logistic regression on DS1 and 32
# records of svdb_dev, each rhythm of a record weighing alike: python -m benchmarks.train_rhythm.
OFFSET, IRREGULARITY, COHERENCE = 8.858, 2.597, -22.75
IRREGULARITY_RANGE = (0.01, 1.0)
UNKNOWN_COHERENCE = 0.4  # where too few beats show: P waves, neither all alike nor absent
MOST_VENTRICULAR = 0.4  # share of V and F among the beats around; the RR intervals between the others tell nothing then
EDGE, SURE = -1.75, 0.0  # log odds of an episode's every beat, and of one at least
SHORTEST = 20.0  # s of an episode; guidelines ask for 30 s before it is a diagnosis


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
    """(first, last) beat of each episode of atrial fibrillation or flutter, SHORTEST and longer, in order.

    Flutter that is conducted regularly has regular RR intervals and is not seen.
    """
    odds = fibrillation_odds(context)
    inside = np.concatenate([[False], odds > EDGE, [False]])
    edges = np.flatnonzero(np.diff(inside.astype(np.int8))).reshape(-1, 2).tolist()
    times = context.times
    return [
        (first, stop - 1)
        for first, stop in edges
        if times[stop - 1] - times[first] >= SHORTEST and (odds[first:stop] > SURE).any()
    ]
