"""Which beats train, validate and test."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from loaders.beats.table import Beats
from toolbox.utils import UserError

# The beats of Kaggle's mitbih_test.csv in its order: `beat` counts through all records (in order of name) and their
# beats (in order of time); `records` and `counts` say how many beats each record has. Recovered by matching the file's
# rows against the records, which identifies every one of them.
KAGGLE_TEST = Path(__file__).with_name("kaggle_test.npz")


def stratified(labels: np.ndarray, fraction: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Split rows at random within each class.

    Args:
        labels: (n,) int.
        fraction: the share of each class that goes into the second part; of a class with two rows or more, at least
            one row goes to either part.
        rng: what the choice is drawn from.

    Returns:
        Two rising arrays of row numbers, disjoint, together all rows.
    """
    chosen = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = round(fraction * len(rows))
        if len(rows) > 1 and fraction > 0:
            count = min(max(count, 1), len(rows) - 1)
        chosen[rng.permutation(rows)[:count]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def by_label(beats: Beats, rows: np.ndarray) -> np.ndarray:
    """`rows` in the order of their labels, otherwise as they stand: as Kaggle's files are sorted."""
    return rows[np.argsort(beats.y[rows], kind="stable")]


def kaggle_rows(beats: Beats) -> tuple[np.ndarray, np.ndarray]:
    """The row numbers of Kaggle's train and test file, in their order, in all beats of the 48 records (in order of
    record, then time).

    It was drawn at random within each class, so every patient is in both: scores on it show how well a model fits,
    not how it does on new patients.

    Raises:
        UserError: the beats are not those of the 48 records.
    """
    with np.load(KAGGLE_TEST) as listed:
        test, names, counts = listed["beat"].astype(np.int64), listed["records"], listed["counts"]
    found = dict(zip(*np.unique(beats.record, return_counts=True), strict=True))
    odd = [name for name, count in zip(names, counts, strict=True) if found.pop(name, 0) != count]
    if odd or found:
        problem = f"missing or altered: {', '.join(odd)}" if odd else f"not of the database: {', '.join(found)}"
        raise UserError(
            f"Kaggle's split needs the 48 records of the MIT-BIH Arrhythmia Database as published; {problem}"
        )
    rest = np.setdiff1d(np.arange(len(beats)), test)
    return by_label(beats, rest), test


def kaggle(beats: Beats) -> dict[str, Beats]:
    """Kaggle's train and test rows out of all beats of the 48 records (see `kaggle_rows`)."""
    train, test = kaggle_rows(beats)
    return {"train": beats.take(train), "test": beats.take(test)}


def fifth_rows(beats: Beats, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The row numbers of train and test in a split like Kaggle's for other recordings: a fifth of each class, at
    random, is the test set."""
    train, test = stratified(beats.y, 0.2, np.random.default_rng(seed))
    return by_label(beats, train), by_label(beats, test)


def random_fifth(beats: Beats, seed: int) -> dict[str, Beats]:
    """A split like Kaggle's for other recordings (see `fifth_rows`)."""
    train, test = fifth_rows(beats, seed)
    return {"train": beats.take(train), "test": beats.take(test)}
