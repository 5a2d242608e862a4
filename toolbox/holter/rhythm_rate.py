"""Stretches of a slow or fast heart: bradycardia and sinus tachycardia."""

from __future__ import annotations

import numpy as np

from toolbox.holter.beat_context import rolling_sum

AVERAGED = 8  # RR intervals whose mean is the rate
SLOW, FAST = 50.0, 100.0  # beats per minute: below, bradycardia (ACC/AHA/HRS 2018); from there on, tachycardia
SHORTEST_SLOW, SHORTEST_FAST = 10.0, 30.0  # s of an episode


def find_slow(times: np.ndarray, rr: np.ndarray) -> list[tuple[int, int]]:
    """(first, last) beat of each stretch in which every AVERAGED intervals in a row are below SLOW on average."""
    mean = _mean_interval(rr)
    return _stretches(times, mean > 60 / SLOW, SHORTEST_SLOW)


def find_fast_sinus(times: np.ndarray, rr: np.ndarray, letters: np.ndarray) -> list[tuple[int, int]]:
    """(first, last) beat of each stretch of beats called N in which AVERAGED intervals in a row are of FAST and more.

    A supraventricular tachycardia begins with a beat that comes early, which is called S, as those are that follow.
    """
    others = rolling_sum((letters != "N").astype(float), AVERAGED)
    return _stretches(times, (_mean_interval(rr) <= 60 / FAST) & (others <= 1), SHORTEST_FAST)


def _mean_interval(rr: np.ndarray) -> np.ndarray:
    """(n,) the mean of the AVERAGED intervals that end with each beat; NaN where one is missing."""
    if len(rr) < AVERAGED:
        return np.full(len(rr), np.nan)
    means = np.lib.stride_tricks.sliding_window_view(rr, AVERAGED).mean(axis=1)
    return np.append(np.full(AVERAGED - 1, np.nan), means)


def _stretches(times: np.ndarray, ends: np.ndarray, shortest: float) -> list[tuple[int, int]]:
    """(first, last) of the beats of all windows of AVERAGED intervals that end at `ends` (n,), joined, where long."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], ends, [False]]).astype(np.int8))).reshape(-1, 2)
    joined: list[tuple[int, int]] = []
    for start, stop in edges.tolist():
        first, last = start - AVERAGED, stop - 1
        if joined and first <= joined[-1][1]:
            first = joined.pop()[0]
        joined.append((max(first, 0), last))
    return [(first, last) for first, last in joined if times[last] - times[first] >= shortest]
