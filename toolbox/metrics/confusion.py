"""Scores of confusion matrices, many at once: Se, +P, F1, kappa, j-kappa; and their intervals over patients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from toolbox.utils.aami import SUPRAVENTRICULAR, VENTRICULAR

BOOTSTRAP_DRAWS = 2000
INTERVAL_LEVEL = 0.95


def divided(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where whole is 0."""
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole != 0)


def plain(value: Any) -> float | None:
    """A number for JSON, None for NaN."""
    return float(value) if np.isfinite(value) else None


def kappa(confusion: np.ndarray) -> np.ndarray:
    """Cohen's kappa (Educ Psychol Meas 20:37-46, 1960) of confusion counts (..., C, C)."""
    total = confusion.sum(axis=(-2, -1)).astype(np.float64)
    agreed = divided(np.trace(confusion, axis1=-2, axis2=-1).astype(np.float64), total)
    chance = divided((confusion.sum(axis=-1) * confusion.sum(axis=-2).astype(np.float64)).sum(axis=-1), total**2)
    return divided(agreed - chance, 1 - chance)


def j_kappa(confusion: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """The j-kappa index (Mar et al., IEEE TBME 58(8):2168-2177, 2011, as Mondejar-Guerra et al., Biomed Signal Process
    Control 47:41-48, 2019, weigh it): kappa / 2 + (Se_S + +P_S + Se_V + +P_V) / 8.

    NaN where there is no S or no V. A class that has rows but is never called has a +P of 0 here.
    """
    if SUPRAVENTRICULAR not in names or VENTRICULAR not in names:
        return np.full(confusion.shape[:-2], np.nan)
    index = kappa(confusion) / 2
    for k in (names.index(SUPRAVENTRICULAR), names.index(VENTRICULAR)):
        hits, called = confusion[..., k, k].astype(np.float64), confusion[..., :, k].sum(axis=-1)
        index = index + (divided(hits, confusion[..., k, :].sum(axis=-1)) + hits / np.maximum(called, 1)) / 8
    return index


def confusion_scores(confusion: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """All scores of confusion counts (..., C, C), rows true: name -> (...), NaN where one is not defined.

    "accuracy", "macro_f1" (over the classes that have rows or calls), "kappa", "j_kappa"; "Se NAME", "+P NAME" and
    "F1 NAME" of each class.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)  # (..., C)
    true, called = confusion.sum(axis=-1), confusion.sum(axis=-2)
    se, pp, f1 = divided(hits, true), divided(hits, called), divided(2 * hits, true + called)
    scores = {
        "accuracy": divided(hits.sum(axis=-1), true.sum(axis=-1)),
        "macro_f1": divided(np.nansum(f1, axis=-1), np.isfinite(f1).sum(axis=-1)),
        "kappa": kappa(confusion),
        "j_kappa": j_kappa(confusion, names),
    }
    for k, name in enumerate(names):
        scores |= {f"Se {name}": se[..., k], f"+P {name}": pp[..., k], f"F1 {name}": f1[..., k]}
    return scores


def confusion_by_group(
    labels: np.ndarray, called: np.ndarray, groups: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """The groups (G,), sorted, and the confusion counts (G, C, C) of each."""
    names, group = np.unique(groups, return_inverse=True)
    flat = np.bincount((group * classes + labels) * classes + called, minlength=len(names) * classes**2)
    return names, flat.reshape(len(names), classes, classes)


def bootstrap_intervals(by_patient: np.ndarray, names: Sequence[str], seed: int = 0) -> dict[str, tuple[float, float]]:
    """Percentile intervals of each score by a bootstrap over patients (Efron & Tibshirani 1993): whole patients are
    drawn with replacement, as beats of one patient are not independent.

    Args:
        by_patient: (P, C, C) confusion counts of each patient.

    Returns:
        name -> (2.5th, 97.5th percentile) over all draws; NaN where no draw defines it, or there is one patient only.
    """
    patients = len(by_patient)
    rng = np.random.default_rng(seed)
    # (draws, P): how often each patient is drawn
    weights = rng.multinomial(patients, np.full(patients, 1 / patients), size=BOOTSTRAP_DRAWS)
    drawn = confusion_scores(np.tensordot(weights, by_patient, axes=1), names)
    intervals = {}
    for name, values in drawn.items():
        defined = values[np.isfinite(values)]
        low = high = np.nan
        if patients > 1 and len(defined):
            low, high = np.percentile(defined, [50 * (1 - INTERVAL_LEVEL), 50 * (1 + INTERVAL_LEVEL)])
        intervals[name] = (float(low), float(high))
    return intervals
