"""Beat-by-beat figures as ANSI/AAMI EC57 has them (the way WFDB's bxb does it), over reference beat times.

Rows are the reference, columns what was called. As the reference's own times are used, no beat is missed and none is
extra. Beats of class Q, which the networks are not asked about, are in neither. Calling F a V is neither rewarded nor
punished.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from toolbox.metrics.confusion import confusion_by_group, divided
from toolbox.utils.aami import FUSION, SUPRAVENTRICULAR, VENTRICULAR

LEARNING = 300.0  # s at a recording's start that are not scored
FIGURES = ("VEB Se", "VEB +P", "VEB FPR", "SVEB Se", "SVEB +P", "SVEB FPR")


def ec57_figures(confusion: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The six figures of confusion counts (..., C, C), NaN where not defined."""
    found = {}
    for letter, name in (("VEB", VENTRICULAR), ("SVEB", SUPRAVENTRICULAR)):
        k = names.index(name)
        excused = [names.index(FUSION)] if name == VENTRICULAR and FUSION in names else []
        others = [j for j in range(len(names)) if j != k and j not in excused]
        hits = confusion[..., k, k].astype(np.float64)
        false = confusion[..., others, k].sum(axis=-1)
        rest = [j for j in range(len(names)) if j != k]
        quiet = confusion[..., rest, :][..., rest].sum(axis=(-2, -1))  # pairs that are neither
        found[f"{letter} Se"] = divided(hits, confusion[..., k, :].sum(axis=-1))
        found[f"{letter} +P"] = divided(hits, hits + false)
        found[f"{letter} FPR"] = divided(false.astype(np.float64), false + quiet)
    return found


def ec57(
    labels: np.ndarray, called: np.ndarray, origin: Mapping[str, np.ndarray], names: Sequence[str]
) -> dict[str, Any]:
    """Gross (from the summed counts), average (mean over the records that define a figure) and each record.

    Args:
        labels, called: (n,) int, classes by `names`.
        origin: record (n,) and time (n,) in s; the first five minutes of each record are left out.
    """
    late = origin["time"] >= LEARNING
    records, counts = confusion_by_group(labels[late], called[late], origin["record"][late], len(names))
    each = ec57_figures(counts, names)
    gross = ec57_figures(counts.sum(axis=0), names)
    table = {
        record: {"confusion": counts[k].tolist(), **{name: plain(each[name][k]) for name in FIGURES}}
        for k, record in enumerate(records.tolist())
    }
    average = {name: plain(np.mean(values)) if len(values := _defined(each[name])) else None for name in FIGURES}
    return {"gross": {name: plain(gross[name]) for name in FIGURES}, "average": average, "records": table}


def _defined(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]


def plain(value: Any) -> float | None:
    """A number for JSON, None for NaN."""
    return float(value) if np.isfinite(value) else None
