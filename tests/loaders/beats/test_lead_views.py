"""Records as other leads show them: the leads exchanged, and mixtures of them."""

from __future__ import annotations

import numpy as np
import pytest

from loaders.beats.input_spec import InputSpec
from loaders.beats.lead_views import other_lead
from loaders.beats.segment_record import rows_of
from loaders.beats.splice_rhythms import BEATS
from loaders.beats.spliced import EVERY, LEAD_EVERY, splices
from tests.loaders.beats.test_spliced import RATE, source


def seen(number: int, leads: int) -> np.ndarray:
    _, signal, at, _ = source()
    return other_lead(signal * [1.0, -3.0], at, RATE, leads, number, np.random.default_rng(7))


def test_the_first_is_the_other_channel_and_the_rest_are_mixtures_in_units_of_a_beat() -> None:
    _, signal, at, _ = source()
    second = -signal[:, 1] / np.ptp(signal[at[0] - 36 : at[0] + 37, 1])
    assert seen(0, 1)[:, 0] - np.median(seen(0, 1)) == pytest.approx(second - np.median(second), abs=0.02)
    both = seen(0, 2)
    assert np.array_equal(both[:, :1], seen(0, 1)) and both[at[0], 1] > 0.9  # exchanged
    one, two = seen(1, 2), seen(2, 2)
    assert one.shape == signal.shape and np.array_equal(one, two)  # the generator draws, not the number
    assert abs(np.corrcoef(one[:, 0], signal[:, 0])[0, 1]) > 0.99  # these channels are one wave: so are mixtures


def test_rows_of_other_leads_have_the_records_labels_and_learn_as_synthetic_patients() -> None:
    record, _, _, labels = source()
    spec = InputSpec("window", 0.1, 0.1, RATE, 1, features=("tempo", "form"), spliced=(("lead", 2), ("symmetric", 2)))
    beats = rows_of(record, spec)
    of_lead = beats.y[beats.record == "r+lead1"]
    assert np.array_equal(of_lead, labels[::LEAD_EVERY])
    names, counts = np.unique(beats.record, return_counts=True)
    per_record = dict(zip(names.tolist(), counts.tolist(), strict=True))
    assert per_record == {
        "r": 300, "r+lead0": 100, "r+lead1": 100, "r+symmetric0": BEATS // EVERY, "r+symmetric1": BEATS // EVERY,
    }  # fmt: skip


def test_other_kinds_are_shown_by_other_leads_only_where_these_are_asked_for() -> None:
    record, signal, at, labels = source()
    leads = signal * [1.0, -3.0]
    plain = list(splices(record, leads, at, labels, RATE, {"block": 2}, 1))
    mixed = list(splices(record, leads, at, labels, RATE, {"block": 2, "lead": 1}, 1))
    assert np.array_equal(plain[0].signal, mixed[0].signal) and plain[1].signal.shape == mixed[1].signal.shape
    assert np.array_equal(plain[1].at, mixed[1].at) and not np.allclose(plain[1].signal, mixed[1].signal)
    assert [one.name for one in mixed] == ["r+block0", "r+block1", "r+lead0"]
