"""Fusion beats by shape and time: between a patient's own N and V, on time, where V are frequent."""

from __future__ import annotations

import numpy as np
import pytest

from inference.adapt import adapted
from inference.fusion import CONFIDENCE, Shapes, fusion_beats, relative_intervals, shape_distances, with_fusion
from toolbox.utils.aami import CLASS_NAMES

NAMES = CLASS_NAMES[:4]
RATE = 360.0
FUSED = np.array([65, 125, 245])


def bigeminal(beats: int = 400, every: int = 5) -> tuple[np.ndarray, Shapes]:
    """Probabilities (n, 4) and shapes of N with every fifth beat an early, wide V and a pause behind it; the beats at
    FUSED are on time and half of either shape, and the network takes them for N."""
    t = np.arange(-36, 36) / RATE
    narrow, wide = np.exp(-((t / 0.012) ** 2)), -0.9 * np.exp(-(((t - 0.005) / 0.04) ** 2))
    normal, ventricular = np.stack([narrow, -0.6 * narrow]), np.stack([wide, 1.2 * wide])
    numbers = np.arange(beats)
    is_v = (numbers % every == 3) & ~np.isin(numbers, FUSED)
    windows = np.where(is_v[:, None, None], ventricular, normal)
    windows[FUSED] = 0.5 * normal + 0.5 * ventricular + 0.55 * np.stack([wide, -wide])
    windows = windows + np.random.default_rng(0).normal(0, 0.01, windows.shape)
    probabilities = np.full((beats, 4), [0.97, 0.01, 0.01, 0.01], dtype=np.float32)
    probabilities[is_v] = [0.01, 0.01, 0.97, 0.01]
    probabilities[FUSED] = [0.6, 0.01, 0.35, 0.04]
    times = 0.8 * numbers - 0.25 * is_v
    return probabilities, Shapes(windows, times, RATE)


def test_a_beat_between_both_shapes_on_time_is_a_fusion_beat() -> None:
    probabilities, shapes = bigeminal()
    assert fusion_beats(probabilities, shapes, NAMES).nonzero()[0].tolist() == FUSED.tolist()
    result = with_fusion(probabilities, shapes, NAMES)
    assert np.allclose(result[FUSED, 3], CONFIDENCE) and np.allclose(result.sum(axis=1), 1, atol=1e-6)
    assert np.allclose(result[FUSED[0], 0] / result[FUSED[0], 2], 0.6 / 0.35)
    others = np.delete(np.arange(len(result)), FUSED)
    assert np.array_equal(result[others], probabilities[others])


@pytest.mark.parametrize("way", ["early", "S", "few V", "V shape", "noise"])
def test_what_is_no_fusion_beat_keeps_its_class(way: str) -> None:
    probabilities, shapes = bigeminal(every=20 if way == "few V" else 5)
    windows, times = shapes.windows.copy(), shapes.times.copy()
    if way == "early":
        times[FUSED] -= 0.2
    if way == "S":
        probabilities[FUSED] = [0.1, 0.8, 0.05, 0.05]
    if way == "V shape":
        windows[FUSED] = windows[3]
    if way == "noise":
        windows += np.random.default_rng(1).normal(0, 0.4, windows.shape)
    assert not fusion_beats(probabilities, Shapes(windows, times, RATE), NAMES).any()


def test_distances_are_in_those_of_both_shapes_whatever_the_beats_are_shifted_by() -> None:
    probabilities, shapes = bigeminal()
    windows = np.roll(shapes.windows, 2, axis=2)
    normal, ventricular = probabilities[:, 0] > 0.9, probabilities[:, 2] > 0.9
    for each in (shapes.windows, np.where(np.arange(400)[:, None, None] % 2, windows, shapes.windows)):
        from_normal, from_ventricular = shape_distances(each, normal, ventricular, RATE)
        assert from_normal[normal].max() < 0.15 and np.allclose(from_normal[ventricular], 1, atol=0.1)
        assert from_ventricular[ventricular].max() < 0.15 and np.allclose(from_ventricular[normal], 1, atol=0.1)


def test_intervals_are_in_the_usual_one_around() -> None:
    before, after = relative_intervals(np.cumsum([1.0] * 10 + [0.5, 1.5] + [1.0] * 10))
    assert before[0] == after[-1] == 1 and before[10] == 0.5 and before[11] == 1.5 and after[10] == 1.5
    assert [len(part) for part in relative_intervals(np.array([2.0]))] == [1, 1]


def test_adapted_calls_them_after_the_votes_and_without_shapes_none() -> None:
    probabilities, shapes = bigeminal()
    rng = np.random.default_rng(0)
    features = (probabilities @ rng.normal(0, 2, (4, 6)) + rng.normal(0, 0.1, (400, 6))).astype(np.float32)
    called = adapted(probabilities, features, NAMES, "fusion", shapes).argmax(axis=1)
    assert (called == 3).nonzero()[0].tolist() == FUSED.tolist()
    votes = adapted(probabilities, features, NAMES, "votes", shapes)
    assert np.array_equal(adapted(probabilities, features, NAMES, "fusion"), votes)
    assert not (votes.argmax(axis=1) == 3).any()
    assert adapted(probabilities[:150], features[:150], NAMES, "fusion", shapes.take(np.arange(150))).shape == (150, 4)
    assert with_fusion(probabilities[:, :2], shapes, ("Normal", "Abnormal")) is not None
