"""Beats of rhythms that are known, held against the last hundred."""

from __future__ import annotations

import numpy as np
import pytest

from loaders.beats.features.base import FeatureInput
from loaders.beats.features.memory import NAMES, next_intervals
from loaders.beats.features.table import compute, names_of
from tests.loaders.beats.features.test_morphology import RATE, column, recording, widened

BIGEMINY = np.tile([0.5, 1.1], 60)  # s before each beat


def test_the_next_intervals_are_awaited_for_two_seconds() -> None:
    times = np.array([1.0, 1.8, 2.6, 5.0, 5.5])
    after, second = (np.exp(values).round(6).tolist() for values in next_intervals(times))
    assert after == [0.8, 0.8, 2.0, 0.5, 2.0]
    assert second == [0.8, 0.8, 2.0, 0.5, 2.0]  # the second interval would end later than 2 s: it counts as the first


def test_a_beat_is_early_against_a_hundred_intervals_however_many_are() -> None:
    seen = recording(BIGEMINY, noise=0.001)
    against_high = column("RR/80 %", seen, "tempo_memory")
    assert against_high[101::2] == pytest.approx(0, abs=0.02)
    assert against_high[100::2] == pytest.approx(np.log(0.5 / 1.1), abs=0.02)
    assert column("RR/mean", seen, "tempo_memory")[100] == pytest.approx(np.log(0.5 / 0.8), abs=0.02)
    after_next = column("RR after next/RR after", seen, "tempo_memory")
    assert after_next[100] == pytest.approx(np.log(0.5 / 1.1), abs=0.02)


def test_a_wide_beat_is_known_by_its_company() -> None:
    rr = np.full(120, 0.8)
    early = np.arange(20, 120, 10)
    rr[early], rr[early + 1 - 120 * (early == 119)] = 0.5, 1.1
    seen = recording(rr, noise=0.001)
    for beat in early.tolist():
        seen = widened(seen, beat)
    alike, company, width = (
        column(f"{name} in lead 1", seen, "memory") for name in ("alike", "early of alike", "width of alike")
    )
    assert alike[110] < 0.2 and alike[109] > 0.7
    assert company[110] < -0.2 and abs(company[109]) < 0.1  # beats of its shape were early, those of the other were not
    assert width[110] > 0.2 > abs(width[109])
    ahead = column("width after in lead 1", seen, "memory")
    assert ahead[109] == pytest.approx(column("width in lead 1", seen, "memory")[110], abs=1e-6) and ahead[109] > 0.3


def test_the_first_beat_has_no_past_and_the_unit_does_not_matter() -> None:
    seen = recording(np.full(30, 0.8))
    values = compute(["memory"], seen)
    assert values.shape == (30, 2 * len(NAMES)) and not values[0].any()
    known = names_of(["memory"], 2).index("memory: known in lead 2")
    assert values[:4, known] == pytest.approx([0, 0.01, 0.02, 0.03])
    other = FeatureInput(seen.times, 7 * seen.signal + 3, seen.at, RATE)
    assert np.allclose(values, compute(["memory"], other), atol=2e-3)
