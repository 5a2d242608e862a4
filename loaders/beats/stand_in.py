"""Stand in for a lead that is bad: by what the lead showed of the beats that are most alike.

A beat whose lead is off gets the lead's numbers from the ten beats of the recording that are most like it in the leads
that are good and in their rhythm, and that the lead showed. Without enough of them another lead stands in its place as
it is. docs/results.md has what either costs.
"""

from __future__ import annotations

from dataclasses import replace

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
    complete = np.asarray(usable.all(axis=1))
    if complete.all():
        return spec.values(signal[:, : spec.leads], at, times)
    of_lead = _lead_of_columns(spec)
    shapes = replace(spec, features=tuple(name for name in spec.features if not _is_rhythm(name)))
    x = np.zeros((len(at), spec.leads, round(spec.before * spec.rate) + round(spec.after * spec.rate)), np.float32)
    features = np.zeros((len(at), len(of_lead)), np.float32)
    features[:, of_lead < 0] = _rhythm(spec, at, times, signal)

    def fill(rows: np.ndarray, beats: np.ndarray, channels: np.ndarray) -> None:
        """Set windows and features of the `rows` (n,) bool by those of the `beats` (n,) bool that they are among."""
        shape, numbers = _values(shapes, signal[:, channels], at[beats], times[beats])
        x[rows], features[np.ix_(rows, of_lead >= 0)] = shape[rows[beats]], numbers[rows[beats]]

    if complete.any():
        fill(complete, complete, leads)
    takes = np.where(usable, leads, good.argmax(axis=1)[:, None])  # (n, leads) the channel that stands for each lead
    for taken in np.unique(takes[~complete], axis=0):
        rows = np.asarray(~complete & (takes == taken).all(axis=1))
        beats = np.asarray(rows | good[:, taken].all(axis=1))
        if (complete & beats).sum() < FEWEST:
            fill(rows, beats, taken)
            continue
        shape, numbers = _looked_at_once(shapes, signal, at[beats], times[beats], taken)
        key = np.concatenate([features[beats][:, of_lead < 0], numbers], axis=1)
        key = key if spec.features else shape.reshape(len(shape), -1)
        like = _most_alike(key[rows[beats]], key[complete[beats]])
        like = np.flatnonzero(complete & beats)[like]  # (rows, ALIKE)
        x[rows], features[np.ix_(rows, of_lead >= 0)] = shape[rows[beats]], numbers[rows[beats]]
        for lead in leads[taken != leads]:
            x[rows, lead] = x[like, lead].mean(axis=1)
            features[np.ix_(rows, of_lead == lead)] = features[like][..., of_lead == lead].mean(axis=1)
    return x, features if spec.features else None


def _looked_at_once(
    spec: InputSpec, signal: np.ndarray, at: np.ndarray, times: np.ndarray, taken: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`_values` of the channels `taken` (leads,), each looked at once however many leads it stands for."""
    channels, of_taken = np.unique(taken, return_inverse=True)
    once = replace(spec, leads=len(channels))
    shape, numbers = _values(once, signal[:, channels], at, times)
    of_lead, of_channel = _lead_of_columns(spec), _lead_of_columns(once)
    laid_out = np.zeros((len(at), len(of_lead)), np.float32)
    for lead, channel in enumerate(of_taken.tolist()):
        laid_out[:, of_lead == lead] = numbers[:, of_channel == channel]
    return shape[:, of_taken], laid_out


def _values(spec: InputSpec, signal: np.ndarray, at: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`InputSpec.values`, with features of no columns where there are none."""
    shape, numbers = spec.values(signal, at, times)
    return shape, np.zeros((len(shape), 0), np.float32) if numbers is None else numbers


def _is_rhythm(name: str) -> bool:
    """Whether a group of features is of no lead: it has no more columns for two."""
    return len(group(name).names(2)) == len(group(name).names(1))


def _lead_of_columns(spec: InputSpec) -> np.ndarray:
    """(k,) the lead of each feature, -1 for those of no lead."""
    parts = [np.zeros(0, dtype=np.int64)]
    for name in spec.features:
        count = len(group(name).names(spec.leads))
        parts.append(np.full(count, -1) if _is_rhythm(name) else np.arange(count) // (count // spec.leads))
    return np.concatenate(parts)


def _rhythm(spec: InputSpec, at: np.ndarray, times: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """(n, columns) float32: the features of no lead, which depend on the times of all beats alone."""
    names = [name for name in spec.features if _is_rhythm(name)]
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
