"""Where a rhythm is regular: a beat that is missed, and one that is invented, would break it."""

from __future__ import annotations

import numpy as np

WINDOW = 10  # s that are looked at together
FEWEST_INTERVALS = 4  # of them; fewer are no rhythm


def regular(
    times: np.ndarray, seconds: int, steady: float, span: tuple[float, float] = (-np.inf, np.inf)
) -> np.ndarray:
    """(seconds,) whether the rhythm is regular in the WINDOW around each second: all RR intervals within `steady` of
    their mean, none missing at the ends.

    Args:
        times: (n,) s, of the beats, rising; 0 is the first of the seconds.
        steady: share of the mean interval.
        span: s from and to which there is a signal.
    """
    result = np.zeros(seconds, dtype=bool)
    if len(times) <= FEWEST_INTERVALS:
        return result
    at, intervals = np.arange(seconds), np.append(np.diff(times), 0.0)  # one more: a slice may end with the last
    start, stop = np.maximum(at - WINDOW / 2, span[0]), np.minimum(at + WINDOW / 2, span[1])
    first = np.maximum(np.searchsorted(times, start) - 1, 0)
    last = np.minimum(np.searchsorted(times, stop), len(times) - 1)
    asked = np.flatnonzero(last - first >= FEWEST_INTERVALS)
    if not len(asked):
        return result
    first, last = first[asked], last[asked]
    usual = (times[last] - times[first]) / (last - first)
    slices = np.column_stack([first, last]).ravel()
    longest, shortest = (kind.reduceat(intervals, slices)[::2] for kind in (np.maximum, np.minimum))
    whole = (times[first] <= start[asked] + usual) & (times[last] >= stop[asked] - usual)
    result[asked] = whole & (shortest >= (1 - steady) * usual) & (longest <= (1 + steady) * usual)
    return result
