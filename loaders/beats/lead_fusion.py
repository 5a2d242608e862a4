"""Read several leads of one heart as one: where one is bad the others go on, where several are good they vote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import scipy

from loaders.dsp.chunks import Chunk
from loaders.dsp.noise import LeadReading
from loaders.dsp.quality import BadInterval, covered, runs_of
from loaders.dsp.resample import MITBIH_FS
from loaders.dsp.rpeaks import REFRACTORY, STEPS, THRESHOLD

STEP = round(MITBIH_FS) // STEPS  # samples for one probability of a beat
FIRST_WEIGHT = 1.5  # of the log odds of the lead to annotate; those of each other lead weigh 1
MOST_CERTAIN = 6.0  # log odds count as no more, so that one lead does not outvote all others for ever
STEADY = 10.0  # s that a lead is good for between two bad stretches, to be read again
TOGETHER = 0.15  # s between the R peaks of one beat in two leads


class FusedChunk(NamedTuple):
    """One chunk of several leads.

    Attributes:
        chunk: its signal is, moment by moment, that of the lead that is read; its bad intervals are those in which no
            lead is good.
        lead: (m,) the number of the lead that is read, for each STEP samples of the signal.
        peaks: (n,) int64, the R peaks, rising, in samples of the signal.
    """

    chunk: Chunk
    lead: np.ndarray
    peaks: np.ndarray


def fuse(chunks: Sequence[Chunk], readings: Sequence[LeadReading] | None, before: int = 0) -> FusedChunk:
    """Fuse a chunk of each lead, the one to annotate first.

    Args:
        chunks: of the same stretch of time; their bad intervals count as they stand.
        readings: of the same; None where no R peaks are asked for.
        before: the lead that was read last in the chunk before.
    """
    size = len(chunks[0].signal)
    bad = common([chunk.bad for chunk in chunks], size)
    good = good_steps([chunk.bad for chunk in chunks], size)
    lead = leading(good, before)
    signal = _composed(chunks, good, lead)
    peaks = np.zeros(0, dtype=np.int64) if readings is None else fused_peaks(readings, good, lead)
    return FusedChunk(replace(chunks[0], signal=signal, bad=bad), lead, peaks)


def common(bad: Sequence[Sequence[BadInterval]], size: int) -> list[BadInterval]:
    """The parts of `size` samples in which every lead is bad, in order: noise where one of them is noise, which may
    hide beats as a lead that is off does not, else with the first lead's reason."""
    if len(bad) == 1:
        return list(bad[0])
    every, noisy = covered(bad[0], size), np.zeros(size, dtype=bool)
    for intervals in bad:
        every &= covered(intervals, size)
        noisy |= covered([each for each in intervals if each.kind == "noise"], size)
    parts = [BadInterval(a, b, "noise") for a, b in runs_of(every & noisy)]
    silent = every & ~noisy
    for start, stop, kind in bad[0]:
        parts += [BadInterval(start + a, start + b, kind) for a, b in runs_of(silent[start:stop])]
    return sorted(parts)


def good_steps(bad: Sequence[Sequence[BadInterval]], size: int) -> np.ndarray:
    """(leads, steps) bool: whether each lead is good throughout each step of a signal of `size` samples."""
    good = np.ones((len(bad), -(-size // STEP)), dtype=bool)
    for k, intervals in enumerate(bad):
        for start, stop, _ in intervals:
            good[k, start // STEP : -(-stop // STEP)] = False
    return good


def leading(good: np.ndarray, before: int = 0) -> np.ndarray:
    """(steps,) the number of the lead that is read: the first that is good for a while, else the first that is good.

    Where none is, the lead before goes on.

    Args:
        good: (leads, steps) bool.
        before: the lead that was read before the first step.
    """
    leads, steps = good.shape
    length = round(STEADY * STEPS)
    steady = np.zeros_like(good)
    for k in range(leads):
        for start, stop in runs_of(good[k]):  # at the edges it may go on beyond
            steady[k, start:stop] = stop - start >= length or start == 0 or stop == steps
    order = np.concatenate([steady, good])
    any_good = good.any(axis=0)
    lead = np.where(any_good, order.argmax(axis=0) % leads, before)
    last = np.maximum.accumulate(np.where(any_good, np.arange(steps), -1))
    return np.where(last >= 0, lead[last], before)


def fused_likelihood(likely: np.ndarray, good: np.ndarray) -> np.ndarray:
    """(steps,) the probability of a beat by the mean log odds of the leads that are good, of all where none is.

    Args:
        likely: (leads, steps) the probability by each lead.
        good: (leads, steps) bool.
    """
    weight = np.where(good.any(axis=0), good, True).astype(np.float32)
    weight[0] *= FIRST_WEIGHT
    within = np.clip(likely, 1e-7, 1 - 1e-7)
    odds = np.clip(np.log(within / (1 - within)), -MOST_CERTAIN, MOST_CERTAIN)
    return 1 / (1 + np.exp(-(weight * odds).sum(axis=0) / weight.sum(axis=0)))


def fused_peaks(readings: Sequence[LeadReading], good: np.ndarray, lead: np.ndarray) -> np.ndarray:
    """(n,) int64 the R peaks that the leads agree on, each where the lead that is read has it, else where another has.

    Args:
        readings: of each lead.
        good: (leads, steps) bool.
        lead: (steps,) the lead that is read.
    """
    if len(readings) == 1:
        return readings[0].peaks
    likely = np.stack([np.pad(each.likely, (0, max(good.shape[1] - len(each.likely), 0))) for each in readings])
    likelihood = fused_likelihood(likely[:, : good.shape[1]], good)
    maxima, _ = scipy.signal.find_peaks(np.pad(likelihood, 1), height=THRESHOLD, distance=round(REFRACTORY * STEPS))
    steps = maxima - 1
    near = (steps * STEP + STEP // 2).astype(np.float64)
    places = [nearest_peaks(reading.peaks, near) for reading in readings]  # of each lead (n,) samples, -1 where too far
    at = np.full(len(steps), -1, dtype=np.int64)
    for k in range(len(readings)):
        usable = (places[k] >= 0) & good[k, steps]
        at = np.where(usable & ((lead[steps] == k) | (at < 0)), places[k], at)
    return _apart(np.unique(at[at >= 0]))


def nearest_peaks(peaks: np.ndarray, near: np.ndarray) -> np.ndarray:
    """(n,) the one of `peaks` next to each of `near` (n,), -1 where it is more than TOGETHER away."""
    if not len(peaks):
        return np.full(len(near), -1, dtype=np.int64)
    after = np.searchsorted(peaks, near).clip(0, len(peaks) - 1)
    before = (after - 1).clip(0)
    best = np.where(np.abs(peaks[before] - near) <= np.abs(peaks[after] - near), peaks[before], peaks[after])
    return np.where(np.abs(best - near) <= TOGETHER * MITBIH_FS, best, -1)


def _apart(peaks: np.ndarray) -> np.ndarray:
    """`peaks` without those that follow another within the refractory period, one beat seen in two leads."""
    kept: list[int] = []
    for peak in peaks.tolist():
        if not kept or peak - kept[-1] >= REFRACTORY * MITBIH_FS:
            kept.append(peak)
    return np.array(kept, dtype=np.int64)


def _composed(chunks: Sequence[Chunk], good: np.ndarray, lead: np.ndarray) -> np.ndarray:
    """(n,) float32: the signal of the lead that is read, all leads on one level."""
    first = chunks[0].signal
    if not lead.any():
        return first
    number = np.repeat(lead, STEP)[: len(first)]
    signal = first.copy()
    level = _level(first, good[0])
    for k in np.unique(lead[lead > 0]).tolist():
        other = chunks[k].signal
        here = (number == k)[: len(other)]
        signal[: len(here)][here] = other[: len(here)][here] + (level - _level(other, good[k]))
    return signal


def _level(signal: np.ndarray, good: np.ndarray) -> np.float32:
    """The median of a signal where it is good; 0 where it never is."""
    part = signal[::STEP][good[: len(signal[::STEP])]]
    return np.float32(np.median(part)) if len(part) else np.float32(0)
