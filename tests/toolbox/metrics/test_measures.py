"""Measurement-by-measurement comparison: what is compared with what, the errors, and mxm's own sums."""

import json
from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from tests.toolbox.metrics.test_rhythm_episodes import drawn
from toolbox.metrics.measures import Series, compare_measures, measure_summary, measurements

# Sums by mxm's own comparison (app/mxm.c as of April 2020, compiled without the WFDB library), fed with the annotations
# that `drawn` makes, of measurements 0 and 1: how many the reference has, the test, the pairs, the sum of their squared
# differences and that of the reference's values.
MXM = json.loads(Path(__file__).with_name("mxm_sums.json").read_text(encoding="utf-8"))


def series(*pairs):
    return Series(np.array([at for at, _ in pairs], dtype=np.int64), np.array([value for _, value in pairs], float))


def written(marks):
    columns = list(zip(*marks, strict=True)) or [(), (), (), ()]
    return measurements(np.array(columns[0], dtype=np.int64), columns[1], np.array(columns[2]), columns[3])


def test_a_measurement_is_the_number_that_its_text_begins_with():
    marks = [(5, "=", 0, "85"), (6, "=", 2, " -12.4 mV"), (7, "N", 0, "9"), (8, "=", 0, "1.2e3"), (9, "=", 0, ""),
             (10, "=", 2, "none"), (11, "=", 2, ".5")]  # fmt: skip
    of_file = written(marks)
    assert list(of_file) == [0, 2]
    assert of_file[0].sample.tolist() == [5, 8, 9] and of_file[0].value.tolist() == [85, 1200, 1200]
    assert of_file[2].value.tolist() == [-12.4, 0, 0.5]


@pytest.mark.parametrize("seed", range(len(MXM)))
def test_sums_are_those_of_mxm(seed):
    reference, test, start, length = drawn(seed)
    sides = written(reference), written(test)
    for number, (of_reference, of_test, _, squares, total) in enumerate(MXM[seed]):
        if of_reference and of_test:
            got = compare_measures(sides[0][number], sides[1][number], start, length).as_mxm
            assert (got.n, got.squares, got.reference) == pytest.approx((of_test, squares, total), abs=1e-6)


def test_each_is_compared_with_the_nearest_and_of_two_as_near_with_the_later():
    reference = series((10, 60), (20, 70), (40, 90))
    test = series((5, 1), (14, 60), (15, 60), (16, 60), (29, 60), (31, 60), (99, 60))
    errors = compare_measures(reference, test, 10, 200).by_rule
    assert errors.n == 6  # the one before sample 10 is not scored
    assert errors.reference == 60 + 70 + 70 + 70 + 90 + 90
    assert errors.squares == 0 + 3 * 10**2 + 2 * 30**2


def test_errors_are_the_rms_and_its_share_of_the_mean_of_the_reference():
    reference, test = series((10, 60), (20, 80)), series((10, 63), (20, 76), (21, 80))
    one = compare_measures(reference, test, 0, 100)
    result = measure_summary({"rate": {"a": one}})["rate"]
    rms, mean = sqrt((9 + 16 + 0) / 3), (60 + 80 + 80) / 3
    entry = result["records"]["a"]
    assert (entry["rms"], entry["normalized_rms"], entry["reference_mean"], entry["n"]) == (rms, rms / mean, mean, 3)
    assert result["gross"] == {key: entry[key] for key in ("normalized_rms", "rms", "reference_mean", "n")}


def test_gross_is_of_all_pairs_and_average_over_records():
    one = compare_measures(series((10, 60)), series((10, 66)), 0, 100)
    two = compare_measures(series((10, 100)), series((10, 100), (20, 100), (30, 100)), 0, 100)
    none = compare_measures(series((10, 100)), series((10, 100)), 50, 100)
    result = measure_summary({"rate": {"a": one, "b": two, "c": none}})["rate"]
    assert result["gross"]["n"] == 4 and result["gross"]["rms"] == 3 and result["gross"]["reference_mean"] == 90
    assert result["average"] == {"normalized_rms": 0.05, "rms": 3, "reference_mean": 80}
    assert result["records"]["c"]["rms"] is None and result["records"]["c"]["n"] == 0


def test_a_mean_of_zero_normalizes_nothing():
    one = compare_measures(series((10, -1), (20, 1)), series((10, 0), (20, 1)), 0, 100)
    assert measure_summary({"x": {"a": one}})["x"]["gross"]["normalized_rms"] is None
