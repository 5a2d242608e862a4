"""Whether two networks differ on the same test beats: paired differences over patients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from toolbox.metrics.confusion import BOOTSTRAP_DRAWS, INTERVAL_LEVEL, confusion_scores


class Difference(NamedTuple):
    """A score of one network less that of another.

    Attributes:
        value: of all beats.
        low, high: 95 % interval over patients; None where no draw defines it.
        p: two-sided, of no difference; None likewise.
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None


def paired_differences(
    first: np.ndarray, second: np.ndarray, names: Sequence[str], seed: int = 0
) -> dict[str, Difference]:
    """`second` less `first` for each score of `confusion_scores`, by a paired bootstrap over patients.

    Whole patients are drawn with replacement, the same for both networks (Efron & Tibshirani 1993, chapter 16), since
    beats of a patient are not independent and both networks find the same patients hard. p is twice the share of draws
    on the far side of 0, each tail with one draw added, so that it is never 0.

    A score of a class whose beats are all of one patient has no interval: nothing is known of other patients.

    Args:
        first, second: (P, C, C) confusion counts of each patient, the same patients in the same order.
        names: of the classes.
        seed: of the draws.
    """
    patients = len(first)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(patients, np.full(patients, 1 / patients), size=BOOTSTRAP_DRAWS)
    whole = [confusion_scores(counts.sum(axis=0), names) for counts in (first, second)]
    drawn = [confusion_scores(np.tensordot(weights, counts, axes=1), names) for counts in (first, second)]
    tails = 50 * (1 - INTERVAL_LEVEL), 50 * (1 + INTERVAL_LEVEL)
    differences = {}
    for name in whole[0]:
        value = float(whole[1][name] - whole[0][name])
        draws = drawn[1][name] - drawn[0][name]
        draws = draws[np.isfinite(draws)]
        if _carriers(name, first + second, names) < 2 or not len(draws) or not np.isfinite(value):
            differences[name] = Difference(value if np.isfinite(value) else None, None, None, None)
            continue
        low, high = np.percentile(draws, tails).tolist()
        tail = min((draws <= 0).sum(), (draws >= 0).sum())
        differences[name] = Difference(value, low, high, min(1.0, 2 * (int(tail) + 1) / (len(draws) + 1)))
    return differences


def _carriers(score: str, counts: np.ndarray, names: Sequence[str]) -> int:
    """How many patients have beats that a score is made of: all, or for a class those that have beats of it, or with
    +P and F1 beats called so.

    Args:
        counts: (P, C, C) of both networks.
    """
    kind, _, name = score.partition(" ")
    if name not in names:
        return len(counts)
    k = list(names).index(name)
    called = 0 if kind == "Se" else counts[:, :, k].sum(axis=1)
    return int((counts[:, k, :].sum(axis=1) + called > 0).sum())


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p values, corrected for their number (Holm, Scand J Stat 6:65-70, 1979); None stays None."""
    tested = sorted((p, k) for k, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    greatest = 0.0
    for rank, (p, k) in enumerate(tested):
        greatest = max(greatest, min(1.0, (len(tested) - rank) * p))
        corrected[k] = greatest
    return corrected


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p value of McNemar (Psychometrika 12:153-157, 1947), of beats that one network alone calls
    right. It takes beats for independent, which those of a patient are not."""
    from scipy.stats import binomtest

    beats = only_first + only_second
    return float(binomtest(only_first, beats, 0.5).pvalue) if beats else 1.0
