"""Intervals of a share of beats, where a bootstrap over patients has none to give: all that it drew were alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

from toolbox.metrics.confusion import INTERVAL_LEVEL


class Share(NamedTuple):
    """So many of so many beats."""

    hits: int
    beats: int


def wilson(share: Share) -> tuple[float, float]:
    """The interval of a share after Wilson, J Am Stat Assoc 22:209-212, 1927; (0, 1) of no beats.

    It takes beats for independent. Those of a patient are not, so that the truth is at least as uncertain.
    """
    hits, beats = share
    if not beats:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + INTERVAL_LEVEL) / 2)
    middle = (hits + z * z / 2) / (beats + z * z)
    reach = z / (beats + z * z) * math.sqrt(hits * (beats - hits) / beats + z * z / 4)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def is_degenerate(figure: Mapping[str, float | None]) -> bool:
    """Whether the interval of a {"value", "low", "high"} is a point: every draw of patients gave the same."""
    low, high = figure["low"], figure["high"]
    return low is not None and high is not None and math.isclose(low, high, abs_tol=1e-12)


def shares(result: Mapping[str, Any], classes: Sequence[str]) -> dict[tuple[str, str], Share]:
    """The scores of a label map that are shares of beats, as counts.

    Args:
        result: a label map's scores, as `metrics.patients.map_scores` returns them.
        classes: their names.

    Returns:
        (class, "Se" or "+P") -> its share; ("all", "accuracy") that of all beats.
    """
    confusion = result["confusion"]
    counts = {("all", "accuracy"): Share(sum(row[k] for k, row in enumerate(confusion)), sum(map(sum, confusion)))}
    for k, name in enumerate(classes):
        counts[name, "Se"] = Share(confusion[k][k], sum(confusion[k]))
        counts[name, "+P"] = Share(confusion[k][k], sum(row[k] for row in confusion))
    return counts
