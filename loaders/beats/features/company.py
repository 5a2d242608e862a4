"""Sums over the last beats before each, as arrays: how alike they are, and means that they are weighed in.

`new` is always the number of the last rows that are asked for; the rows ahead of them only serve as their past.
"""

from __future__ import annotations

import numpy as np

LAST = 100  # beats before one that it is compared with
BLOCK = 256  # beats at a time
ALIKE = (0.85, 0.95)  # correlations of two QRS complexes from which on they count as of one shape: a little, wholly


def last_of(values: np.ndarray, new: int) -> np.ndarray:
    """(new, LAST): the values (n,) of the last beats before each, the nearest first; 0 where there is none."""
    padded = np.concatenate([np.zeros(LAST, dtype=values.dtype), values[:-1]])
    return np.lib.stride_tricks.sliding_window_view(padded, LAST)[len(values) - new :, ::-1]


def given_of(n: int, new: int) -> np.ndarray:
    """(new, LAST) bool: whether there is such a beat, of n beats."""
    return np.arange(n - new, n)[:, None] > np.arange(LAST)


def products(beats: np.ndarray, new: int) -> np.ndarray:
    """(new, LAST): the scalar products of beats (n, samples) with each of the last before them, the nearest first."""
    n, padded = len(beats), _padded(beats)
    result = np.empty((new, LAST))
    for first in range(n - new, n, BLOCK):
        stop = min(first + BLOCK, n)
        every = beats[first:stop] @ padded[first : stop + LAST - 1].T
        result[first - n + new : stop - n + new] = _diagonals(every)[:, ::-1]
    return result


def weighed_mean(weights: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """(new, samples): means of the last beats before each of `beats` (n, samples), by `weights` (new, LAST); zeros
    where these are none."""
    n, new, padded = len(beats), len(weights), _padded(beats)
    result = np.zeros((new, beats.shape[1]))
    for first in range(n - new, n, BLOCK):
        stop = min(first + BLOCK, n)
        every = np.zeros((stop - first, stop - first + LAST - 1), dtype=beats.dtype)
        _diagonals(every)[:] = weights[first - n + new : stop - n + new, ::-1]
        result[first - n + new : stop - n + new] = every @ padded[first : stop + LAST - 1]
    total = weights.sum(axis=1)[:, None]
    return np.divide(result, total, out=np.zeros_like(result), where=total > 1e-9)


def _padded(beats: np.ndarray) -> np.ndarray:
    """(LAST + n, samples): empty beats, then these; the last ones before beat k stand at k to k + LAST - 1."""
    return np.concatenate([np.zeros((LAST, beats.shape[1]), dtype=beats.dtype), beats])


def _diagonals(every: np.ndarray) -> np.ndarray:
    """A view (rows, LAST) of an array (rows, rows + LAST - 1): of row k the columns k to k + LAST - 1."""
    down, along = every.strides
    return np.lib.stride_tricks.as_strided(every, (len(every), LAST), (down + along, along))


def normed(beats: np.ndarray) -> np.ndarray:
    """Beats (n, samples) less their means, of length 1; zeros where one is flat."""
    beats = beats - beats.mean(axis=-1, keepdims=True)
    size = np.linalg.norm(beats, axis=-1, keepdims=True)
    return np.divide(beats, size, out=np.zeros_like(beats), where=size > 1e-9)


def correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(n,): of two arrays (n, samples), row by row."""
    return (normed(one) * normed(other)).sum(axis=1)


def share_alike(likeness: np.ndarray) -> np.ndarray:
    """How far correlations count as one shape, 0 to 1."""
    low, high = ALIKE
    return np.clip((likeness - low) / (high - low), 0, 1)
