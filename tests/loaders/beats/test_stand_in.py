"""values_of_good_leads: what a network reads of beats while one of its leads is bad."""

from __future__ import annotations

import numpy as np
import pytest

from loaders.beats.input_spec import InputSpec
from loaders.beats.stand_in import values_of_good_leads
from loaders.beats.windows import prepared
from loaders.dsp.resample import positions
from loaders.io.wfdb_record import Record
from tests.made import small_record

SPEC = InputSpec("window", 0.1, 0.1, 360.0, 2, "record", 0.0, ("tempo", "qrs", "pwave"), "median")
RHYTHM, EACH = 20, 16  # features of the rhythm; of each lead 7 of "qrs", then 9 of "pwave"
FIRST = [*range(20, 27), *range(34, 43)]
SECOND = [*range(27, 34), *range(43, 52)]


@pytest.fixture(scope="module")
def record() -> Record:
    return small_record(minutes=4.0)


@pytest.fixture(scope="module")
def beats(record: Record) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signal (samples, 2), samples of the beats, and their times in s."""
    sample = record.sample[record.symbol != "+"]
    signal = prepared(record, 2, 360.0, 0.0, "median")
    return signal, positions(sample, 360.0, 360.0, len(signal)), sample / 360.0


def test_all_leads_good_is_as_in_training_to_the_bit(beats) -> None:
    signal, at, times = beats
    x, features = values_of_good_leads(SPEC, signal, at, times, np.ones((len(at), 2), dtype=bool))
    expected = SPEC.values(signal, at, times)
    assert np.array_equal(x, expected[0]) and np.array_equal(features, expected[1])
    third = np.column_stack([signal, signal[:, 0]])
    with_third = values_of_good_leads(SPEC, third, at, times, np.ones((len(at), 3), dtype=bool))
    assert np.array_equal(with_third[1], expected[1])


@pytest.mark.parametrize("lead", [0, 1])
def test_a_lead_that_is_off_gets_the_numbers_of_beats_alike(beats, lead: int) -> None:
    signal, at, times = beats
    good = np.ones((len(at), 2), dtype=bool)
    off = slice(120, 180)
    good[off, lead] = False
    spoilt = signal.copy()
    spoilt[at[120] - 300 : at[179] + 300, lead] = 0.0
    x, features = values_of_good_leads(SPEC, spoilt, at, times, good)
    assert features is not None and np.isfinite(features).all() and np.isfinite(x).all()
    expected_x, expected = SPEC.values(signal, at, times)
    assert expected is not None
    assert np.array_equal(features[:, :RHYTHM], expected[:, :RHYTHM])  # the rhythm is that of all beats
    columns = [FIRST, SECOND][lead]
    naive = SPEC.values(spoilt, at, times)[1]
    assert naive is not None
    ours, zeros = (np.abs(each[off][:, columns] - expected[off][:, columns]).mean() for each in (features, naive))
    assert ours < 0.35 * zeros
    assert np.abs(x[off, lead] - expected_x[off, lead]).mean() < 0.25  # of a typical beat's height
    # Beats that all leads show are compared with one another alone.
    shown = good.all(axis=1)
    assert np.median(np.abs(features[shown] - expected[shown])) < 0.02


def test_a_lead_that_is_missing_throughout_is_the_other_one(beats) -> None:
    signal, at, times = beats
    twice = SPEC.values(signal[:, [0, 0]], at, times)
    good = np.ones((len(at), 1), dtype=bool)
    x, features = values_of_good_leads(SPEC, signal[:, :1], at, times, good)
    assert np.array_equal(x, twice[0]) and np.array_equal(features, twice[1])
    good = np.column_stack([good, ~good])
    x, features = values_of_good_leads(SPEC, signal, at, times, good)
    assert np.array_equal(x, twice[0]) and np.array_equal(features, twice[1])


def test_a_network_of_one_lead_reads_another_one_by_what_the_first_showed(beats) -> None:
    signal, at, times = beats
    spec = InputSpec("window", 0.1, 0.1, 360.0, 1, "record", 0.0, ("qrs",), "median")
    good = np.ones((len(at), 2), dtype=bool)
    good[120:180, 0] = False
    features = values_of_good_leads(spec, signal, at, times, good)[1]
    expected = spec.values(signal[:, :1], at, times)[1]
    assert features is not None and expected is not None
    assert np.abs(features[120:180] - expected[120:180]).mean() < 0.2


def test_windows_alone_are_filled_in_as_well(beats) -> None:
    signal, at, times = beats
    spec = InputSpec("window", 0.1, 0.1, 360.0, 2, "record", 0.0, (), "median")
    good = np.ones((len(at), 2), dtype=bool)
    good[:50, 1] = False
    x, features = values_of_good_leads(spec, signal, at, times, good)
    expected = spec.values(signal, at, times)[0]
    assert features is None and np.abs(x[:50, 1] - expected[:50, 1]).mean() < 0.25
    assert np.abs(x[50:] - expected[50:]).max() < 0.05
