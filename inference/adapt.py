"""Draw the probabilities of a recording's beats towards those of its beats that look alike; no labels are needed.

A network that has learned from other people is unsure of a patient's beats one by one; but beats of one shape and
timing are mostly of one class. A lone beat has no such company and would be outvoted, so an S or V that is sure stays.
How it was chosen: docs/new-patients.md; benchmarks/decisions.py gives the figures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.cluster.vq import kmeans2, vq
from scipy.special import softmax

from inference.fusion import Shapes, with_fusion
from inference.options import FUSION, NO_ADAPTATION, SMOOTH
from toolbox.utils import one_blas_thread
from toolbox.utils.aami import SUPRAVENTRICULAR, VENTRICULAR

SMALLEST = float(np.finfo(np.float32).tiny)
BOUND = 2.0  # standard deviations that features are squashed to, as `models.mlp` reads them
WIDTH = 1.0  # of the kernel, in squashed standard deviations
CLUSTERS, STARTS, ITERATIONS = 20, 3, 10  # of k-means; the votes of the starts are averaged
FITTED = 1200  # beats of a piece, evenly spaced, that the centers are computed from
SURE = 0.7  # probability of S or V, after the kernel, from which on a beat is not outvoted
FEWEST = 200  # beats of a recording that has ten for each cluster; with fewer there are no votes
PIECE = 2500  # beats that are compared with each other; longer recordings are cut into equal pieces, as hearts change


def squashed(features: np.ndarray, center: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Features (n, k) as a network reads them: 2 tanh(((value - center) / spread) / 2), float32.

    Args:
        features: (n, k).
        center, spread: (k,), of the training rows.
    """
    scaled: np.ndarray = BOUND * np.tanh((features - center) / spread / BOUND)
    return scaled.astype(np.float32)


def adapted(
    probabilities: np.ndarray,
    features: np.ndarray,
    names: Sequence[str],
    method: str,
    shapes: Shapes | None = None,
) -> np.ndarray:
    """Probabilities (n, C) float32 of the beats of one recording, in order of time, after `method`.

    Args:
        probabilities: (n, C) of a network.
        features: (n, k), see `squashed`.
        names: of the C classes.
        method: "smooth", means over beats that are alike; "votes", these and then the votes of clusters; "fusion",
            these and then fusion beats by shape and time; or "none".
        shapes: of the beats, for "fusion".
    """
    if method == NO_ADAPTATION or not len(probabilities):
        return probabilities
    ectopic = [names.index(name) for name in (SUPRAVENTRICULAR, VENTRICULAR) if name in names]
    parts = []
    with one_blas_thread():
        for part in np.array_split(np.arange(len(probabilities)), -(-len(probabilities) // PIECE)):
            near = np.ascontiguousarray(features[part], dtype=np.float32)
            logs = smooth(np.log(np.maximum(probabilities[part], SMALLEST)).astype(np.float32), near)
            result = softmax(logs, axis=1)
            if method != SMOOTH and len(part) >= FEWEST:
                sure = (result[:, ectopic] > SURE).any(axis=1)
                result = np.where(sure[:, None], result, softmax(votes(logs, near), axis=1))
                if method == FUSION and shapes is not None:
                    result = with_fusion(result, shapes.take(part), names)
            parts.append(result)
    return np.concatenate(parts).astype(np.float32)


def smooth(logs: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Log probabilities (n, C): means over all beats, weighed by a Gaussian kernel of the distance of their features.

    Args:
        logs: (n, C) log probabilities.
        features: (n, k) float32.
    """
    half_norms = (features**2).sum(axis=1) / (2 * WIDTH**2)
    exponents = features @ features.T
    exponents /= WIDTH**2
    exponents -= half_norms[:, None]
    exponents -= half_norms[None]  # -distance² / (2 width²)
    weights = np.exp(np.minimum(exponents, 0, out=exponents), out=exponents)
    smoothed: np.ndarray = weights @ logs / weights.sum(axis=1, keepdims=True)
    return smoothed


def votes(logs: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Log probabilities (n, C): the mean of each beat's cluster, averaged over clusterings by k-means.

    Args:
        logs: (n, C) log probabilities.
        features: (n, k) float32.
    """
    total = np.zeros(logs.shape)
    rng = np.random.default_rng(0)  # the same beats give the same classes
    fitted = features[np.linspace(0, len(features) - 1, min(FITTED, len(features))).astype(int)]
    for _ in range(STARTS):
        centers, _ = kmeans2(fitted, CLUSTERS, iter=ITERATIONS, minit="++", missing="warn", rng=rng)
        own, _ = vq(features, centers)
        beats = np.maximum(np.bincount(own, minlength=CLUSTERS), 1)
        sums = np.stack([np.bincount(own, column, CLUSTERS) for column in logs.T], axis=1)
        total += (sums / beats[:, None])[own]
    return total / STARTS
