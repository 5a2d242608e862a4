"""Rhythms of synthetic patients (--spliced): classes and RR intervals, beat by beat."""

from __future__ import annotations

import numpy as np

BEATS = 400  # of a spliced recording
Rhythm = list[tuple[int, float]]  # class and RR interval in s, beat by beat
RUNS = (1.0, 50.0)  # beats: a run's mean length in a patient of `symmetric_rhythm`
SINUS = (0.5, 1.3)  # s, of its sinus beats: 46 to 120 a minute


def atrial_rhythm(rng: np.random.Generator) -> Rhythm:
    """Runs of S: in a quarter of the patients paroxysms of 8 to 50 beats, in the others short runs that outnumber N."""
    usual = np.exp(rng.uniform(np.log(0.5), np.log(2.0)))  # s, of sinus beats
    fast = np.clip(usual * rng.uniform(0.4, 0.8), 0.33, 1.2)
    if rng.random() < 0.25:
        run = np.exp(rng.uniform(np.log(8), np.log(50)))
        between = run * rng.uniform(0.2, 1.0)
    else:
        run = rng.uniform(1.0, 7.0)
        between = rng.uniform(0, 0.6) * min(run, 3) / 2
    pause, (jitter, jitter_fast) = rng.uniform(1.0, 1.5), rng.uniform(0.02, 0.07, size=2)
    beats: Rhythm = []
    while len(beats) < BEATS:
        for k in range(1 + rng.poisson(between)):
            beats.append((0, usual * (pause if k == 0 and beats else 1) * np.exp(jitter * rng.normal())))
        coupling = rng.uniform(0.9, 1.1)
        for k in range(1 + rng.poisson(run)):
            beats.append((1, fast * (coupling if k == 0 else 1) * np.exp(jitter_fast * rng.normal())))
    return beats[:BEATS]


def block_rhythm(rng: np.random.Generator) -> Rhythm:
    """Runs of conducted beats, then one that fails: an interval of about two cycles."""
    cycle, run, jitter = np.exp(rng.uniform(np.log(0.6), np.log(1.1))), rng.uniform(1, 8), rng.uniform(0.01, 0.05)
    pause = rng.choice([2.0, 2.0, rng.uniform(1.5, 2.2)])
    wenckebach, regular = rng.random() < 0.4, rng.random() < 0.5
    beats: Rhythm = []
    while len(beats) < BEATS:
        beats.append((0, cycle * pause * np.exp(jitter * rng.normal())))
        for k in range(1 + (int(run) if regular else rng.poisson(run))):
            shortening = 1.15 - 0.05 * min(k, 4) if wenckebach else 1.0
            beats.append((0, cycle * shortening * np.exp(jitter * rng.normal())))
    return beats[:BEATS]


def fibrillation_rhythm(rng: np.random.Generator) -> Rhythm:
    """Intervals that are independent of each other, log-normal."""
    cycle, spread = np.exp(rng.uniform(np.log(0.5), np.log(1.1))), rng.uniform(0.13, 0.30)
    return [(0, max(0.33, cycle * np.exp(spread * rng.normal()))) for _ in range(BEATS)]


def symmetric_rhythm(rng: np.random.Generator) -> Rhythm:
    """Runs of S and runs of N, whose mean lengths are drawn alike: neither class is the usual one.

    Lone premature beats, bigeminy, salvoes, paroxysms and an atrial rhythm that sinus beats interrupt all come of it,
    and none of them is made more of than another; nothing is taken from a record's statistics.
    """
    usual = np.exp(rng.uniform(np.log(SINUS[0]), np.log(SINUS[1])))
    fast = np.clip(usual * rng.uniform(0.4, 0.8), 0.33, 1.2)
    run, between = np.exp(rng.uniform(np.log(RUNS[0]), np.log(RUNS[1]), size=2))
    pause, (jitter, jitter_fast) = rng.uniform(1.0, 1.5), rng.uniform(0.02, 0.07, size=2)
    beats: Rhythm = []
    while len(beats) < BEATS:
        for k in range(1 + rng.poisson(between - 1)):
            beats.append((0, usual * (pause if k == 0 and beats else 1) * np.exp(jitter * rng.normal())))
        coupling = rng.uniform(0.9, 1.1)
        for k in range(1 + rng.poisson(run - 1)):
            beats.append((1, fast * (coupling if k == 0 else 1) * np.exp(jitter_fast * rng.normal())))
    return beats[:BEATS]
