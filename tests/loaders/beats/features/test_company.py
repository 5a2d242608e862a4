"""Sums over the last beats, against the same done one by one."""

from __future__ import annotations

import numpy as np
import pytest

from loaders.beats.features import company
from loaders.beats.features.company import (
    LAST,
    correlation,
    given_of,
    last_of,
    products,
    share_alike,
    weighed_mean,
)


def test_the_last_values_come_nearest_first() -> None:
    values = np.arange(1.0, 151.0)
    last = last_of(values, 150)
    assert last.shape == (150, LAST)
    assert last[0].sum() == 0 and last[3, :4].tolist() == [3, 2, 1, 0]
    assert last[149].tolist() == values[49:149][::-1].tolist()
    assert last_of(values, 2).tolist() == last[-2:].tolist()
    assert given_of(150, 150).sum(axis=1).tolist() == np.minimum(np.arange(150), LAST).tolist()
    assert given_of(150, 2).tolist() == given_of(150, 150)[-2:].tolist()


@pytest.mark.parametrize(("n", "new"), [(1, 1), (90, 90), (230, 230), (230, 3)])
def test_products_and_means_are_those_of_one_beat_after_the_other(
    n: int, new: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(company, "BLOCK", 64)  # so that blocks meet
    rng = np.random.default_rng(n)
    beats, weights = rng.normal(size=(n, 7)), rng.uniform(size=(new, LAST)) * given_of(n, new)
    every, means = products(beats, new), weighed_mean(weights, beats)
    for row, k in enumerate(range(n - new, n)):
        past = beats[max(k - LAST, 0) : k][::-1]
        assert np.allclose(every[row, : len(past)], past @ beats[k]) and not every[row, len(past) :].any()
        own = weights[row, : len(past)]
        assert np.allclose(means[row], own @ past / own.sum() if len(past) else 0.0)


def test_how_far_beats_count_as_of_one_shape() -> None:
    wave = np.sin(np.arange(30.0))
    assert correlation(np.stack([wave, wave, 0 * wave]), np.stack([3 * wave + 1, -wave, wave])) == pytest.approx(
        [1, -1, 0]
    )
    assert share_alike(np.array([-1.0, 0.85, 0.9, 0.95, 1.0])) == pytest.approx([0, 0, 0.5, 1, 1])
