"""Beats called S that the rhythm around them says are none."""

from __future__ import annotations

import numpy as np

from toolbox.holter.beat_context import BeatContext, rolling_median, rolling_sum

# In sinus arrhythmia: of the chains of S beats around one, few begin early, their P waves are those of the others, and
# the rhythm is not regular. Values chosen on DS1 and svdb_dev by the S beats that are lost and the false ones that go.
AROUND = 64  # beats to either side
FEWEST_CHAINS, FARTHEST = 6, 256  # the nearest of so many, in beats, where fewer are around
EARLY = 0.85  # of the interval before, and of the median of the four before and the four after
MOST_EARLY = 0.4  # share of the chains that begin EARLY
VERY_EARLY = 0.75  # such a beat stays S in any case
MOST_PREMATURE = 0.5  # share of S among the beats around; where most are, N beats are the exception
P_MATCH = 0.5  # median correlation of their P waves with those of N beats
IRREGULAR = 0.035  # median irregularity
# After an interpolated V: the two intervals around it are together one of the rhythm's.
ON_TIME = (0.85, 1.15)
NEAR = 4  # beats to either side whose median interval is the local rhythm


def chains_of(where: np.ndarray) -> np.ndarray:
    """(chains, 2) first beat and the one after the last of each run of True in `where` (n,)."""
    return np.flatnonzero(np.diff(np.concatenate([[False], where, [False]]).astype(np.int8))).reshape(-1, 2)


def in_sinus_arrhythmia(context: BeatContext, premature: np.ndarray) -> np.ndarray:
    """(n,) which beats `premature` (n,), called S, are sinus beats of a rhythm that breathes.

    Sinus arrhythmia changes its interval gradually, under P waves that stay: where the chains of S beats begin late
    rather than EARLY, and look like the N beats, all of them but VERY_EARLY ones are sinus beats.
    """
    sinus = np.zeros(len(premature), dtype=bool)
    chains = chains_of(premature)
    if len(chains) < FEWEST_CHAINS:
        return sinus
    first = chains[:, 0]
    before = context.rr[np.maximum(first - 1, 0)]
    with np.errstate(invalid="ignore"):
        step, local = context.rr[first] / before, context.rr[first] / _local_interval(context.rr)[first]
        early, very_early = (step < EARLY) & (local < EARLY), (step < VERY_EARLY) & (local < VERY_EARLY)
    match = np.array([np.median(context.match[a:b]) for a, b in chains.tolist()])
    irregularity = context.irregularity[first]
    share = rolling_sum(premature.astype(float), 2 * AROUND) / np.maximum(
        rolling_sum(np.ones(len(premature)), 2 * AROUND), 1
    )
    for k, (begin, end) in enumerate(chains.tolist()):
        distance = np.abs(first - begin)
        reach = min(max(AROUND, int(np.sort(distance)[FEWEST_CHAINS - 1])), FARTHEST)
        near = np.flatnonzero(distance <= reach)
        if len(near) < FEWEST_CHAINS or very_early[k] or early[near].mean() > MOST_EARLY:
            continue
        if share[begin] > MOST_PREMATURE:
            continue
        seen = irregularity[near][~np.isnan(irregularity[near])]
        sinus[begin:end] = np.median(match[near]) >= P_MATCH and len(seen) > 0 and np.median(seen) >= IRREGULAR
    return sinus


def after_interpolated(context: BeatContext, premature: np.ndarray) -> np.ndarray:
    """(n,) which beats `premature` (n,), called S, are sinus beats on time after an interpolated ventricular one."""
    rr, letters = context.rr, context.letters
    after_v = premature & (np.append("", letters[:-1]) == "V") & (np.append(["", ""], letters[:-2])[: len(rr)] != "V")
    together = rr + np.append(np.nan, rr[:-1])
    rhythm = rolling_median(context.normal, 32)
    with np.errstate(invalid="ignore"):
        return after_v & (together >= ON_TIME[0] * rhythm) & (together <= ON_TIME[1] * rhythm)


def _local_interval(rr: np.ndarray) -> np.ndarray:
    """(n,) the median of the NEAR intervals before and after each; NaN where there are none."""
    padded = np.pad(rr, NEAR, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEAR + 1)
    ordered = np.sort(np.delete(around, NEAR, axis=1), axis=1)
    count = (~np.isnan(ordered)).sum(axis=1)
    row = np.arange(len(rr))
    low, high = ordered[row, np.maximum(count - 1, 0) // 2], ordered[row, np.minimum(count // 2, 2 * NEAR - 1)]
    return (low + high) / 2
