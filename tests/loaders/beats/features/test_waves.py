"""Sizes and T waves of beats that are known."""

from __future__ import annotations

import numpy as np
import pytest

from loaders.beats.features.base import FeatureInput
from loaders.beats.features.table import compute
from loaders.beats.features.waves import FORM_NAMES, lasting
from tests.loaders.beats.features.test_morphology import RATE, column, recording, widened

AMONG = np.full(80, 0.8)


def changed(seen: FeatureInput, number: int, factor: float, after: float = 0.0) -> FeatureInput:
    """The same, with the QRS complex of one beat so many times as high, and a T wave of so many mV behind it."""
    signal, seconds = seen.signal.copy(), np.arange(len(seen.signal)) / RATE
    near = slice(seen.at[number] - 30, seen.at[number] + 30)
    signal[near] *= factor
    signal += after * np.exp(-(((seconds - seen.times[number] - 0.28) / 0.04) ** 2))[:, None]
    return FeatureInput(seen.times, signal, seen.at, RATE)


def test_height_and_t_wave_of_a_beat_are_held_against_the_dominant_one() -> None:
    plain = recording(AMONG, noise=0.001)
    odd = changed(plain, 40, 2.0, 0.5)
    for lead in (1, 2):
        height = column(f"height in lead {lead}", odd, "form")
        assert height[40] == pytest.approx(np.log(2), abs=0.1)
        assert np.abs(np.delete(height, 40)).max() < 0.05
        tall, apart = (column(f"{name} in lead {lead}", odd, "form") for name in ("T height", "T distance"))
        assert tall[40] > np.abs(np.delete(tall, 40)).max() + 0.5 and apart[40] > 5 * np.delete(apart, 40).max()
    assert column("T in lead 1", changed(plain, 40, 1.0, -0.5), "form")[40] < 0.5


def test_neighbours_see_that_a_beat_is_wide() -> None:
    seen = widened(recording(AMONG, noise=0.001), 40)
    before, after = (column(f"width {side} in lead 1", seen, "form") for side in ("before", "after"))
    assert before.argmax() == 41 and after.argmax() == 39 and before[41] > 0.5
    assert column("duration in lead 1", seen, "form").argmax() == 40


def test_which_way_up_a_lead_is_does_not_matter() -> None:
    seen = widened(changed(recording(AMONG), 20, 1.5, 0.3), 40)
    turned = FeatureInput(seen.times, -seen.signal, seen.at, RATE)
    assert np.allclose(compute(["form"], seen), compute(["form"], turned), atol=1e-5)
    assert compute(["form"], seen).shape == (80, 2 * len(FORM_NAMES))


def test_a_complex_lasts_while_it_is_higher_than_a_quarter() -> None:
    beat = np.zeros(100)
    beat[40:60], beat[50] = 0.5, -1.0
    assert lasting(np.stack([beat, beat / 3]), 100.0).tolist() == [0.2, 0.2]
