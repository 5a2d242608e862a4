"""What a network reads of a beat while one of its leads is bad: what the lead showed of the beats that are most alike.

A beat whose lead is off gets the lead's numbers from the ten beats of the recording that are most like it in the leads
that are good and in their rhythm, and that the lead showed. Without enough of them another lead stands in its place as
it is. docs/results.md has what either costs.
"""

from __future__ import annotations

import numpy as np

from loaders.beats.features.base import FeatureInput
from loaders.beats.features.table import compute, group
from loaders.beats.input_spec import InputSpec

ALIKE = 10  # beats whose mean stands for a lead
FEWEST = 100  # beats that they are chosen from
TOGETHER = 512  # beats that are compared at once


def values_of_good_leads(
    spec: InputSpec, signal: np.ndarray, at: np.ndarray, times: np.ndarray, good: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Windows (n, leads, samples) and features (n, k) or None of beats: `InputSpec.values` where all leads are good.

    Args:
        signal: (samples, channels) at the spec's rate, from `InputSpec.clean`: first the leads that the network reads,
            then others that may stand in. There may be fewer than the network reads.
        at, times: (n,) samples and s of the R peaks.
        good: (n, channels) bool: whether each channel shows each beat.
    """
    leads, channels = np.arange(spec.leads), signal.shape[1]
    usable = np.pad(good[:, : spec.leads], ((0, 0), (0, max(spec.leads - channels, 0))))  # one that is missing is bad
    complete = usable.all(axis=1)
    if complete.all():
        return spec.values(signal[:, : spec.leads], at, times)
    takes = np.where(usable, leads, good.argmax(axis=1)[:, None])  # (n, leads) the channel that stands for each lead
    x = np.zeros((len(at), spec.leads, round(spec.before * spec.rate) + round(spec.after * spec.rate)), np.float32)
    columns = _lead_of_columns(spec)
    features = np.zeros((len(at), len(columns)), np.float32)
    features[:, columns < 0] = _rhythm(spec, at, times, signal)
    for each in [leads, *np.unique(takes[~complete], axis=0)]:
        rows = complete if each is leads else ~complete & (takes == each).all(axis=1)
        alike = rows | (good.any(axis=1) & good[:, each].all(axis=1)) if each is not leads else rows
        if not rows.any():
            continue
        part_x, part = spec.values(signal[:, each], at[alike], times[alike])
        x[rows] = part_x[rows[alike]]
        key = part_x.reshape(len(part_x), -1)
        if part is not None:
            part[:, columns < 0] = features[alike][:, columns < 0]
            features[rows], key = part[rows[alike]], part
        shown = (complete & alike)[alike]
        if each is not leads and shown.sum() >= FEWEST:
            like = np.flatnonzero(complete & alike)[_most_alike(key[rows[alike]], key[shown])]  # (rows, ALIKE)
            missing = each != leads
            x[np.ix_(rows, missing)] = x[like].mean(axis=1)[:, missing]
            for lead in leads[missing]:
                features[np.ix_(rows, columns == lead)] = features[like].mean(axis=1)[:, columns == lead]
    return x, features if spec.features else None


def _lead_of_columns(spec: InputSpec) -> np.ndarray:
    """(k,) the lead of each feature, -1 for those of no lead."""
    parts = [np.zeros(0, dtype=np.int64)]
    for name in spec.features:
        names = group(name).names
        count = len(names(spec.leads))
        of_leads = len(names(2)) > len(names(1))
        parts.append(np.arange(count) // (count // spec.leads) if of_leads else np.full(count, -1))
    return np.concatenate(parts)


def _rhythm(spec: InputSpec, at: np.ndarray, times: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """(n, columns) float32: the features of no lead, which depend on the times of all beats alone."""
    names = [name for name in spec.features if len(group(name).names(2)) == len(group(name).names(1))]
    if not names:
        return np.zeros((len(at), 0), np.float32)
    return compute(names, FeatureInput(times, signal, at, spec.rate))


def _most_alike(beats: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n, ALIKE) the numbers of the `others` (m, k) nearest to each of `beats` (n, k), by columns of equal spread."""
    spread = others.std(axis=0)
    spread = np.where(spread > 0, spread, 1)
    beats, others = (np.clip(part / spread, -1e3, 1e3).astype(np.float32) for part in (beats, others))
    size = (others**2).sum(axis=1)
    nearest = [np.zeros((0, ALIKE), dtype=np.int64)]
    for first in range(0, len(beats), TOGETHER):
        distance = size - 2 * beats[first : first + TOGETHER] @ others.T  # less the beat's own size, which is no matter
        nearest.append(np.argpartition(distance, ALIKE - 1, axis=1)[:, :ALIKE])
    return np.concatenate(nearest)
