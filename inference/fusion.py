"""Call fusion beats (F) by the recording's own beats: as wide as its V, unlike both N and V, and not early.

A fusion beat arises where a ventricular focus fires about when the next sinus beat is due anyway, in a heart that has
many V. So it comes on time, no pause follows, and its QRS complex lies beside the patient's usual N and V shapes. No
network learns that from the few patients who have F; how the numbers were chosen is in docs/new-patients.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.cluster.vq import kmeans2, vq
from scipy.ndimage import median_filter

from toolbox.utils import one_blas_thread
from toolbox.utils.aami import FUSION, NORMAL, SUPRAVENTRICULAR, VENTRICULAR

SURE = 0.9  # probability from which on a beat counts for the usual shape of its class
EARLY = 0.88  # usual intervals: what comes sooner counts for the shape of V if it is V, and not for that of N
FEWEST_NORMAL, FEWEST_VENTRICULAR = 50, 20  # beats of either that are sure; with fewer no beat is called F
SHARE = 0.1  # of the beats that are V, at least
LIKE_EACH_OTHER = 0.25  # median distance of sure N from their shape, at most; else it is noise that widens beats
EARLIEST, LATEST, NEXT = 0.92, 1.12, 1.05  # interval before a beat, and after it at most, in usual intervals
AROUND = 17  # intervals that the usual one is the median of
FROM_NORMAL, FROM_VENTRICULAR, TOWARDS = 0.6, 0.5, 0.35  # distances and position, N being at 0 and V at 1
FAMILIES, SMALLEST_FAMILY = 4, 0.03  # shapes of V, and the share of V that makes one
SHIFTS_NORMAL, SHIFTS_VENTRICULAR = 0.006, 0.023  # s that a shape is shifted by at most, as R peaks are
STEPS = 4  # shifts to either side
CONFIDENCE = 0.6  # probability that a beat called F gets


class Shapes(NamedTuple):
    """The beats of a recording as a fusion beat is known by.

    Attributes:
        windows: (n, leads, samples) around the R peaks.
        times: (n,) s, of the R peaks, rising.
        rate: samples per s of the windows.
    """

    windows: np.ndarray
    times: np.ndarray
    rate: float

    def take(self, chosen: np.ndarray) -> Shapes:
        """Those of the beats at `chosen`."""
        return Shapes(self.windows[chosen], self.times[chosen], self.rate)


def fusion_beats(probabilities: np.ndarray, shapes: Shapes, names: Sequence[str]) -> np.ndarray:
    """Check which beats (n,) of one recording are fusion beats.

    Args:
        probabilities: (n, C) of the beats, in order of time.
        shapes: of the same beats.
        names: of the C classes.
    """
    called = probabilities.argmax(axis=1)
    before, after = relative_intervals(shapes.times)
    normal, ventricular = (probabilities[:, names.index(name)] > SURE for name in (NORMAL, VENTRICULAR))
    normal, ventricular = normal & (before > EARLY), ventricular & (before < EARLY)
    frequent = (called == names.index(VENTRICULAR)).mean() >= SHARE if len(called) else False
    if not frequent or normal.sum() < FEWEST_NORMAL or ventricular.sum() < FEWEST_VENTRICULAR:
        return np.zeros(len(called), dtype=bool)
    with one_blas_thread():
        from_normal, from_ventricular = shape_distances(shapes.windows, normal, ventricular, shapes.rate)
    if np.median(from_normal[normal]) > LIKE_EACH_OTHER:
        return np.zeros(len(called), dtype=bool)
    towards = (1 + from_normal**2 - from_ventricular**2) / 2  # by the law of cosines
    between = (from_normal > FROM_NORMAL) & (from_ventricular > FROM_VENTRICULAR) & (towards > TOWARDS)
    on_time = (before > EARLIEST) & (before < LATEST) & (after < NEXT)
    result: np.ndarray = between & on_time & (called != names.index(SUPRAVENTRICULAR))
    return result


def with_fusion(probabilities: np.ndarray, shapes: Shapes, names: Sequence[str]) -> np.ndarray:
    """Probabilities (n, C) in which fusion beats are most likely F, the other classes sharing the rest as before.

    Args:
        probabilities, shapes, names: see `fusion_beats`.
    """
    if FUSION not in names:
        return probabilities
    chosen = fusion_beats(probabilities, shapes, names)
    column = names.index(FUSION)
    result = probabilities.copy()
    rest = np.maximum(1 - result[chosen, column], np.finfo(np.float32).tiny)
    result[chosen] *= ((1 - CONFIDENCE) / rest)[:, None]
    result[chosen, column] = CONFIDENCE
    return result


def shape_distances(
    windows: np.ndarray, normal: np.ndarray, ventricular: np.ndarray, rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Distances (n,) of the beats from the N shape and from the nearest V shape, that of these two shapes being 1.

    Args:
        windows: (n, leads, samples).
        normal, ventricular: (n,) of either class for sure.
        rate: samples per s.
    """
    reaches = (SHIFTS_NORMAL, SHIFTS_VENTRICULAR)
    shifts = [np.unique(np.round(np.linspace(-s, s, 2 * STEPS + 1) * rate).astype(int)) for s in reaches]
    margin = int(shifts[1].max())
    beats = _centered(windows, 0, margin)  # (n, leads * samples)
    norms = (beats**2).sum(axis=1)
    typical = np.median(windows[normal], axis=0)
    nearest, from_normal = _nearest(beats, norms, typical, shifts[0], margin)
    best, size = np.full(len(beats), np.inf), np.ones(len(beats))
    for shape in families(windows[ventricular]):
        template, distance = _nearest(beats, norms, shape, shifts[1], margin)
        apart = ((template - nearest) ** 2).sum(axis=1)
        closer = distance < best
        best, size = np.where(closer, distance, best), np.where(closer, apart, size)
    size = np.maximum(size, np.finfo(np.float32).tiny)
    return np.sqrt(from_normal / size), np.sqrt(best / size)


def _nearest(
    beats: np.ndarray, norms: np.ndarray, shape: np.ndarray, shifts: np.ndarray, margin: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of a shape's shifts the nearest to each beat (n, leads * samples), and its squared distance (n,)."""
    templates = np.concatenate([_centered(shape[None], int(shift), margin) for shift in shifts])
    squared = norms[:, None] - 2 * beats @ templates.T + (templates**2).sum(axis=1)  # (n, shifts)
    which = squared.argmin(axis=1)
    return templates[which], np.maximum(squared[np.arange(len(beats)), which], 0)


def _centered(windows: np.ndarray, shift: int, margin: int) -> np.ndarray:
    """Windows (n, leads, samples) without `margin` samples at either end, shifted, each lead of mean 0: (n, k)."""
    cut = windows[:, :, margin - shift : windows.shape[2] - margin - shift].astype(np.float32)
    return (cut - cut.mean(axis=2, keepdims=True)).reshape(len(cut), -1)


def families(windows: np.ndarray) -> list[np.ndarray]:
    """Median shapes (leads, samples) of clusters of windows (n, leads, samples) that are no rare ones."""
    flat = windows.reshape(len(windows), -1).astype(np.float32)
    rng = np.random.default_rng(0)  # the same beats give the same classes
    centers, _ = kmeans2(flat, FAMILIES, minit="++", missing="warn", rng=rng)
    own, _ = vq(flat, centers)
    sizes = np.bincount(own, minlength=FAMILIES)
    chosen = np.flatnonzero(sizes >= max(3, SMALLEST_FAMILY * len(windows)))
    return [np.median(windows[own == k], axis=0) for k in chosen]


def relative_intervals(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The intervals before and after each beat (n,), in the usual interval around it; 1 where there is none.

    Args:
        times: (n,) s.
    """
    intervals = np.diff(times)
    usual = median_filter(intervals, AROUND, mode="nearest") if len(intervals) else intervals
    before = np.concatenate([[1.0], intervals / usual])
    after = np.concatenate([intervals / np.concatenate([usual[:1], usual[:-1]]), [1.0]])
    return before, after
