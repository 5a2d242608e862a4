"""EC57's scores (QRS, VEB, SVEB) from counts of pairs: by record, gross and average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from toolbox.metrics.confusion import confusion_by_group, divided, plain
from toolbox.metrics.ec57 import LETTERS, OTHER, Comparison, samples
from toolbox.utils.aami import CLASS_NAMES, FUSION, LEARNING_PERIOD, SUPRAVENTRICULAR, UNKNOWN, VENTRICULAR

# The two kinds of ectopic beats: their class, and the classes that may be called so without reward or punishment.
ECTOPIC = {"VEB": (VENTRICULAR, (FUSION, UNKNOWN)), "SVEB": (SUPRAVENTRICULAR, (UNKNOWN,))}
ECTOPIC_SCORES = tuple(f"{group} {score}" for group in ECTOPIC for score in ("Se", "+P", "FPR"))

# A score as numerator and denominator; a denominator of 0 leaves it undefined.
Counts = tuple[np.ndarray, np.ndarray]


def ectopic_counts(pairs: np.ndarray, names: Sequence[str]) -> dict[str, dict[str, Counts]]:
    """Se, +P and FPR of VEB and SVEB as EC57 has them, each as (numerator, denominator), both (...).

    sumstats, which sums up bxb's line format, cannot tell F called S from Q called S there and leaves both out of a
    gross SVEB +P; here, as in bxb's own figures, F called S is punished.

    Args:
        pairs: (..., R, R) counts, rows the reference, columns the test; the first rows and columns are those of the
            classes `names`, any others are of beats without a partner.
    """
    beats = slice(0, len(names))
    counts = {}
    for group, (name, pardoned) in ECTOPIC.items():
        k, excused = names.index(name), [names.index(one) for one in pardoned if one in names]
        hit, called = pairs[..., k, k], pairs[..., :, k].sum(axis=-1)
        wrong = called - hit - pairs[..., excused, k].sum(axis=-1)
        neither = pairs[..., :, beats].sum(axis=(-2, -1)) - pairs[..., k, beats].sum(axis=-1) - called + hit
        se = hit, pairs[..., k, :].sum(axis=-1)
        counts[group] = {"Se": se, "+P": (hit, hit + wrong), "FPR": (wrong, wrong + neither)}
    return counts


def ectopic_scores(confusion: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The six ECTOPIC_SCORES of confusion counts (..., C, C), NaN where one is not defined."""
    counts = ectopic_counts(confusion, names)
    return {
        f"{group} {score}": divided(part.astype(np.float64), whole)
        for group, scores in counts.items()
        for score, (part, whole) in scores.items()
    }


def record_scores(
    labels: np.ndarray, called: np.ndarray, origin: Mapping[str, np.ndarray], names: Sequence[str]
) -> dict[str, Any]:
    """ECTOPIC_SCORES at the reference's own beat times, as plain values: gross (from the summed counts), average (mean
    over the records that define a score) and each record.

    No beat is missed and none is extra. Beats of class Q, which the networks are not asked about, are in neither.

    Args:
        labels, called: (n,) int, classes by `names`.
        origin: record (n,) and time (n,) in s; the first five minutes of each record are left out.
    """
    scored = origin["time"] >= LEARNING_PERIOD
    records, counts = confusion_by_group(labels[scored], called[scored], origin["record"][scored], len(names))
    each = ectopic_scores(counts, names)
    gross = ectopic_scores(counts.sum(axis=0), names)
    defined = {name: values[np.isfinite(values)] for name, values in each.items()}
    return {
        "gross": {name: plain(gross[name]) for name in ECTOPIC_SCORES},
        "average": {name: plain(np.mean(defined[name])) if len(defined[name]) else None for name in ECTOPIC_SCORES},
        "records": {
            record: {"confusion": counts[k].tolist(), **{name: plain(each[name][k]) for name in ECTOPIC_SCORES}}
            for k, record in enumerate(records.tolist())
        },
    }


def scores(matrix: np.ndarray) -> dict[str, dict[str, tuple[int, int]]]:
    """EC57's scores from the table (7, 7) of a Comparison: QRS, VEB (V) and SVEB (S), as in `ectopic_counts`."""
    m, beats = matrix.astype(np.int64), slice(0, OTHER)
    hits, missed, extra = int(m[beats, beats].sum()), int(m[beats, OTHER:].sum()), int(m[OTHER:, beats].sum())
    ectopic = {
        group: {score: (int(part), int(whole)) for score, (part, whole) in counts.items()}
        for group, counts in ectopic_counts(m, CLASS_NAMES).items()
    }
    return {"QRS": {"Se": (hits, hits + missed), "+P": (hits, hits + extra)}, **ectopic}


def summary(compared: Mapping[str, Comparison]) -> dict[str, Any]:
    """The scores of each record, of all together (gross: from the summed table) and their mean over the records that
    define them (average). Plain values; scores are fractions, None where undefined."""
    records = {name: _entry([one]) for name, one in compared.items()}
    gross = _entry(list(compared.values()))
    average: dict[str, Any] = {}
    for group, names in gross["scores"].items():
        average[group] = {name: _mean([entry["scores"][group][name] for entry in records.values()]) for name in names}
    return {
        "records": records,
        "gross": gross,
        "average": {"scores": average, "rr_rms_ms": _mean([entry["rr_rms_ms"] for entry in records.values()])},
    }


def _entry(parts: list[Comparison]) -> dict[str, Any]:
    matrix = sum((part.matrix for part in parts), np.zeros((len(LETTERS), len(LETTERS)), dtype=np.int64))
    pairs = sum(part.rr_pairs for part in parts)
    squares = sum(part.rr_squares * (1000 / samples(1, part.fs)) ** 2 for part in parts if part.rr_pairs)
    counts = scores(matrix)
    return {
        "scores": {group: {name: ratio(*count) for name, count in named.items()} for group, named in counts.items()},
        "counts": {group: {name: list(count) for name, count in named.items()} for group, named in counts.items()},
        "matrix": matrix.tolist(),
        "rr_rms_ms": (squares / pairs) ** 0.5 if pairs else None,
        "shutdown_s": sum(part.shutdown for part in parts),
    }


def ratio(part: float, whole: float) -> float | None:
    """part / whole, None where whole is 0."""
    return part / whole if whole else None


def _mean(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None
