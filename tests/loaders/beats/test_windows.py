"""Windows of whole records: filters, scales and places, on recordings small enough to do by hand."""

from __future__ import annotations

import numpy as np
import pytest

from loaders.beats.input_spec import InputSpec
from loaders.beats.segment_record import rows_of
from loaders.beats.windows import cut_windows, leads_of, prepared
from loaders.io.wfdb_record import Record
from loaders.names import FEATURE_NAMES
from loaders.sources.synthetic import synthesize
from toolbox.utils import UserError


@pytest.fixture(scope="module")
def record() -> Record:
    return list(synthesize(2, 2, 5))[1]  # of the kind with ventricular beats


def test_a_window_has_the_r_peak_where_it_should_and_zeros_beyond_the_ends() -> None:
    signal = np.stack([np.arange(1, 11), np.arange(101, 111)], axis=1).astype(float)  # (10 samples, 2 leads)
    rows = cut_windows(signal, np.array([0, 4, 9]), 2, 3)
    assert rows[:, 0].tolist() == [[0, 0, 1, 2, 3], [3, 4, 5, 6, 7], [8, 9, 10, 0, 0]]
    assert rows[:, 1].tolist() == [[0, 0, 101, 102, 103], [103, 104, 105, 106, 107], [108, 109, 110, 0, 0]]


@pytest.mark.parametrize("samples", [1, 4, 5, 200])
def test_windows_are_those_of_a_signal_with_zeros_around_it(samples: int) -> None:
    rng = np.random.default_rng(samples)
    signal, at = rng.normal(size=(samples, 2)), rng.integers(0, samples, 50)
    padded = np.pad(signal, ((7, 9), (0, 0)))
    expected = np.stack([padded[k : k + 16].T for k in at])
    assert (cut_windows(signal, at, 7, 9) == expected).all()


def peaks(at: list[int], samples: int = 3600) -> Record:
    """A recording of one lead with a peak of 1 mV and 30 ms at each of `at`."""
    time = np.arange(samples)[:, None] - np.array(at)
    signal = np.exp(-((time / 11) ** 2)).sum(axis=1)
    digital = np.round(200 * signal + 1024).astype(np.int16)[:, None]
    symbol = np.full(len(at), "N")
    return Record("r", "p", 360.0, ["MLII"], digital, np.full(1, 200.0), np.full(1, 1024.0), np.array(at), symbol)


@pytest.mark.parametrize("rate", [120.0, 180.0, 250.0])
def test_the_peak_of_a_window_stands_at_its_place(rate: float) -> None:
    """At another rate than the recording's, the annotated sample is the window's sample before * rate."""
    record = peaks([90, 400, 777, 1200, 1500, 2000, 3599])
    beats = rows_of(record, InputSpec("window", 0.2, 0.4, rate, 1, "none", 0))
    assert beats.x.shape == (7, 1, round(0.2 * rate) + round(0.4 * rate)) and beats.x.dtype == np.float32
    assert np.abs(beats.x[:-1, 0].argmax(axis=1) - round(0.2 * rate)).max() <= (rate == 250)  # half a sample's rounding
    assert beats.x[:-1, 0].max(axis=1) == pytest.approx(np.ones(6), abs=0.05)
    assert beats.sample.tolist() == record.sample.tolist()


def test_scales(record: Record) -> None:
    whole = rows_of(record, InputSpec("window", 0.3, 0.5, 120.0, 2, "record", 0.5)).x
    heights = np.ptp(whole[:, :, 36 - 12 : 36 + 13], axis=2)
    assert np.median(heights, axis=0) == pytest.approx([1, 1], rel=1e-5)
    own = rows_of(record, InputSpec("window", 0.3, 0.5, 120.0, 2, "window", 0.5)).x
    assert np.abs(own.mean(axis=2)).max() < 1e-5
    assert own.std(axis=2) == pytest.approx(np.ones(own.shape[:2]), rel=1e-4)
    plain = rows_of(record, InputSpec("window", 0.3, 0.5, 120.0, 2, "none", 0.5)).x
    ratio = whole[3, 0].std() / plain[3, 0].std()
    assert np.corrcoef(whole[9, 0], plain[9, 0])[0, 1] == pytest.approx(1, abs=1e-6) and ratio != pytest.approx(
        1, abs=0.01
    )


def test_the_high_pass_takes_out_the_baseline_and_leaves_the_beat() -> None:
    seconds = np.arange(36000) / 360
    sway = 2 * np.sin(2 * np.pi * 0.1 * seconds)
    digital = np.round(200 * sway + 1024).astype(np.int16)[:, None]
    one = Record(
        "r", "p", 360.0, ["MLII"], digital, np.full(1, 200.0), np.full(1, 1024.0), np.array([9]), np.array(["N"])
    )
    left = prepared(one, 1, 120.0, 0.5)[1200:-1200]
    assert np.abs(left).max() < 0.1 < np.abs(prepared(one, 1, 120.0, 0)).max()


def test_medians_take_out_a_baseline_that_steps_and_leave_the_beat() -> None:
    """A high-pass answers a step of the baseline with a swing of its own; medians follow it."""
    record = peaks([400, 800, 1200, 1600, 2000, 2400])
    record.digital[1000:] += 300  # 1.5 mV
    found = prepared(record, 1, 360.0, 0.5, "median")[:, 0]
    filtered = prepared(record, 1, 360.0, 0.5)[:, 0]
    assert found[[400, 800, 1200, 1600, 2000, 2400]] == pytest.approx(np.ones(6), abs=0.06)
    quiet = np.r_[880:960, 1060:1140]
    assert np.abs(found[quiet]).max() < 0.1 < np.abs(filtered[quiet]).max()
    fast = np.sin(2 * np.pi * 60 * np.arange(3600) / 360)
    record.digital[:, 0] = np.round(200 * fast + 1024)
    assert np.abs(prepared(record, 1, 360.0, 0, "median")[400:-400]).max() < 0.02  # mains hum is above 35 Hz


def test_mlii_comes_first_and_missing_leads_are_told(record: Record) -> None:
    assert leads_of(record, 2) == [0, 1]
    turned = Record(**{**vars(record), "leads": ["V5", "MLII"]})
    assert leads_of(turned, 1) == [1] and leads_of(turned, 2) == [1, 0]
    with pytest.raises(UserError, match=r"has 2 lead\(s\), --leads asks for 3"):
        leads_of(record, 3)


def test_rows_do_not_depend_on_labels(record: Record) -> None:
    """All beats called V: the same windows and features."""
    other = Record(**{**vars(record), "symbol": np.append("+", np.full(len(record.symbol) - 1, "V"))})
    for context in ("kaggle", "window"):
        recipe = InputSpec(context, 0.3, 0.5, 120.0, 2, features=FEATURE_NAMES)
        one, two = rows_of(record, recipe), rows_of(other, recipe)
        assert np.array_equal(one.x, two.x) and one.features is not None and two.features is not None
        assert np.array_equal(one.features, two.features)
        assert set(two.y) == {2} and len(set(one.y)) > 1
