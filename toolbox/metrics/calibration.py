"""Calibration of probabilities: expected calibration error, reliability curve, temperature.

All after Guo et al., "On calibration of modern neural networks", ICML 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax

BINS = 15
STEPS = (0.0, 0.7, 0.9, 0.99, 1.0)  # of the probability of a called class: most beats are called with more than 0.99
SMALLEST = float(np.finfo(np.float32).tiny)


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> dict[str, np.ndarray]:
    """Rows by the probability of the called class, in `bins` equal steps from 0 to 1: "rows", mean probability
    ("confidence") and share called right ("accuracy") of each, NaN where there are no rows.

    Args:
        probabilities: (n, C); labels: (n,).
    """
    return binned(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels, bins)


def binned(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> dict[str, np.ndarray]:
    """The same of any probability (n,) of something that came true or not, `right` (n,): of a single class, say."""
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)  # a bin holds its upper edge
    rows = np.bincount(bin_of, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(bin_of, values, bins) / rows for values in (confidence, right.astype(float))]
    return {"rows": rows, "confidence": means[0], "accuracy": means[1]}


def reliability_by_class(
    probabilities: np.ndarray, labels: np.ndarray, names: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Class -> of the beats that were called so, by the probability given, how many were so: {"above", "to", "beats",
    "right", "given"} of each of STEPS, "given" the mean probability, None of no beats.

    Args:
        probabilities: (n, C); labels: (n,); names: of the C classes.
    """
    called, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    by_class: dict[str, list[dict[str, Any]]] = {}
    for k, name in enumerate(names):
        by_class[name] = []
        for above, to in pairwise(STEPS):
            own = (called == k) & (confidence > above) & ((confidence <= to) | (to == STEPS[-1]))  # 1 + rounding, too
            beats = int(own.sum())
            given = float(confidence[own].mean()) if beats else None
            right = int((labels[own] == k).sum())
            by_class[name].append({"above": above, "to": to, "beats": beats, "right": right, "given": given})
    return by_class


def expected_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """The expected calibration error: |accuracy - confidence|, mean over the rows."""
    curve = reliability(probabilities, labels, bins)
    gaps = np.nan_to_num(np.abs(curve["accuracy"] - curve["confidence"]))
    return float((gaps * curve["rows"]).sum() / max(curve["rows"].sum(), 1))


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(logits / temperature), from softmax(logits): the same, as softmax does not see a constant."""
    return softmax(np.log(np.maximum(probabilities.astype(np.float64), SMALLEST)) / temperature, axis=1)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature (0.05 to 20) with the least negative log-likelihood of `labels`."""
    true_class = np.arange(len(labels)), labels

    def loss(log_temperature: float) -> float:
        likelihoods = tempered(probabilities, float(np.exp(log_temperature)))[true_class]
        return float(-np.log(np.maximum(likelihoods, SMALLEST)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded").x))
