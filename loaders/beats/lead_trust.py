"""Trust a lead that its reader doubts where it was right before, by what the other leads of the same heart showed.

A lead may be hard to read throughout, as V1 of many records: small or split QRS complexes give doubts, though hardly a
beat is missed. While another lead is good it shows how many of such a lead's beats are wrong. Where all others are off,
shutting the lead down would cost everything, and up to the doubt at which it was right before it is read. Where others
are noise, noise is to be expected in this one, too, and it is not trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from loaders.beats.lead_fusion import nearest_peaks
from loaders.dsp.chunks import Chunk
from loaders.dsp.noise import NOISY, SECOND, LeadReading, noise_of
from loaders.dsp.quality import BadInterval, covered, runs_of

# Chosen on DS1 and svdb_dev, each lead read alone from minute 10 to 20; benchmarks/lead_trust.py measures what it is
# worth there: QRS Se / +P of DS1's second leads 89.0 / 99.8 without trust, 97.8 / 99.3 with it.
MOST_ERRORS = 0.1  # missed and extra beats, of the beats in the seconds up to a doubt
LEAST = 20  # s beyond NOISY that were looked at; fewer tell nothing
STEP, STEPS = 0.01, 300  # doubts are counted in steps, the last for all above


class LeadTrust:
    """Learns up to which doubt the beats of one lead are right; memory does not grow with its length."""

    def __init__(self) -> None:
        self._counts = np.zeros((3, STEPS), dtype=np.int64)  # seconds, beats and errors by doubt

    def learn(self, doubt: np.ndarray, beats: np.ndarray, errors: np.ndarray) -> None:
        """Add seconds: of each (s,) the doubt, the number of beats that another lead shows, and how many of these are
        missed or extra in this one."""
        step = np.minimum((doubt / STEP).astype(np.int64), STEPS - 1)
        weights = np.ones(len(doubt)), beats, errors
        self._counts += np.stack([np.bincount(step, each, STEPS) for each in weights]).astype(np.int64)

    @property
    def limit(self) -> float:
        """The greatest doubt so far up to which at most MOST_ERRORS of the beats were wrong; NOISY where too little was
        seen."""
        seconds, beats, errors = np.cumsum(self._counts, axis=1)
        right = np.flatnonzero((self._counts[0] > 0) & (seconds >= LEAST) & (errors <= MOST_ERRORS * beats))
        return max(NOISY, float(right[-1] + 1) * STEP) if len(right) else NOISY


def trust(chunks: Sequence[Chunk], readings: Sequence[LeadReading], trusts: Sequence[LeadTrust]) -> list[Chunk]:
    """The chunks of several leads, without the noise in which a lead is right by what it showed before and all others
    are off: missing, flat or at the digitizer's limits.

    Args:
        chunks: of the same stretch of time, with all of their bad intervals.
        readings, trusts: of the same leads; the latter learn from the chunks themselves, too.
    """
    count = len(readings[0].around)
    if len(chunks) < 2 or any(len(each.around) != count for each in readings):
        return list(chunks)
    edges = readings[0].since + SECOND * np.arange(count + 1)
    size = len(chunks[0].signal)
    good = ~np.stack([_touched(chunk.bad, edges, size) for chunk in chunks])  # (leads, seconds)
    off = np.stack([_touched([each for each in chunk.bad if each.kind != "noise"], edges, size) for chunk in chunks])
    own = (edges[:-1] >= chunks[0].start) & (edges[1:] <= chunks[0].stop)
    for k, (reading, learned) in enumerate(zip(readings, trusts, strict=True)):
        seen = own & ~off[k] & (reading.around > NOISY)
        for other in range(len(chunks)):
            if other != k and (seen & good[other]).any():
                teaches = seen & good[other]
                beats, errors = _compared(readings[other].peaks, reading.peaks, edges)
                learned.learn(reading.around[teaches], beats[teaches], errors[teaches])
                seen &= ~good[other]
    return [
        _trusted(chunk, reading, learned.limit, np.asarray(np.delete(off, k, axis=0).all(axis=0)), edges)
        for k, (chunk, reading, learned) in enumerate(zip(chunks, readings, trusts, strict=True))
    ]


def _trusted(chunk: Chunk, reading: LeadReading, limit: float, alone: np.ndarray, edges: np.ndarray) -> Chunk:
    """The chunk of a lead, without the noise of the seconds `alone` (s,) whose doubt is no more than `limit`."""
    if limit <= NOISY or not reading.noise:
        return chunk
    size = len(chunk.signal)
    within = edges.clip(0, size).tolist()
    asked = covered([BadInterval(within[a], within[b], "noise") for a, b in runs_of(alone)], size)
    noise = covered([each for each in chunk.bad if each.kind == "noise"], size)
    beyond = covered(noise_of(reading.around, reading.since, size, limit), size)
    left = [BadInterval(a, b, "noise") for a, b in runs_of(noise & (beyond | ~asked))]
    return replace(chunk, bad=sorted([each for each in chunk.bad if each.kind != "noise"] + left))


def _touched(bad: Sequence[BadInterval], edges: np.ndarray, size: int) -> np.ndarray:
    """(s,) whether any of the seconds between `edges` (s + 1,), samples of `size`, lies in a bad interval in part."""
    within = edges.clip(0, size)
    touched = np.zeros(len(edges) - 1, dtype=bool)
    for start, stop, _ in bad:
        if start < min(stop, size):
            first = max(int(np.searchsorted(within, start, side="right")) - 1, 0)
            touched[first : int(np.searchsorted(within, min(stop, size)))] = True
    return touched & (np.diff(within) > 0)


def _compared(reference: np.ndarray, peaks: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(s,) how many R peaks of another lead each second holds, and how many of them and of `peaks` have no partner."""
    missed = reference[nearest_peaks(peaks, reference) < 0]
    extra = peaks[nearest_peaks(reference, peaks) < 0]
    beats, *wrong = (np.histogram(each, edges)[0] for each in (reference, missed, extra))
    return beats, wrong[0] + wrong[1]
