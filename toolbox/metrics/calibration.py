"""How far probabilities can be believed: expected calibration error, reliability diagram, temperature.

All after Guo et al., "On calibration of modern neural networks", ICML 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from toolbox.plotter import COLOURS, GREY, _legend_below, _new_figure, _open_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 15
SMALLEST = float(np.finfo(np.float32).tiny)


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> dict[str, np.ndarray]:
    """By the probability of the class that is called, in `bins` equal steps from 0 to 1: rows, mean probability
    ("confidence") and share called right ("accuracy") of each, NaN where there are no rows.

    Args:
        probabilities: (n, C); labels: (n,).
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    where = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)  # a bin holds its upper edge
    rows = np.bincount(where, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(where, values, bins) / rows for values in (confidence, right.astype(float))]
    return {"rows": rows, "confidence": means[0], "accuracy": means[1]}


def expected_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """The expected calibration error: |accuracy - confidence|, mean over the rows."""
    found = reliability(probabilities, labels, bins)
    gaps = np.nan_to_num(np.abs(found["accuracy"] - found["confidence"]))
    return float((gaps * found["rows"]).sum() / max(found["rows"].sum(), 1))


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(logits / temperature), from softmax(logits): the same, as softmax does not see a constant."""
    logs = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST)) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature (0.05 to 20) with the least negative log-likelihood of `labels`."""
    from scipy.optimize import minimize_scalar

    chosen = np.arange(len(labels)), labels

    def loss(log_temperature: float) -> float:
        found = tempered(probabilities, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum(found[chosen], SMALLEST)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded").x))


def plot_reliability(curves: dict[str, dict[str, np.ndarray]]) -> Figure:
    """Share called right over the probability that was given, one curve for each name; on the diagonal it is honest."""
    figure, axes = _new_figure("Reliability", "Probability of the class that is called", "Share called right")
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="what is said is so")
    for (name, found), colour in zip(curves.items(), COLOURS, strict=False):
        there = found["rows"] > 0
        axes.plot(found["confidence"][there], found["accuracy"][there], color=colour, marker="o", label=name)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    _open_axes(axes)
    _legend_below(figure, axes)
    return figure
