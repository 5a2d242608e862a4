"""Paired differences over patients, Holm's correction, McNemar's test."""

import numpy as np
import pytest

from toolbox.metrics.paired import Difference, holm, mcnemar, paired_differences

NAMES = ("Normal", "Ventricular ectopic")


def counts(*wrong: int) -> np.ndarray:
    """(P, 2, 2) counts of patients with 100 beats of each class, so many of the first one called the second."""
    return np.array([[[100 - each, each], [0, 100]] for each in wrong])


def test_equal_networks_differ_by_nothing():
    result = paired_differences(counts(3, 5, 9), counts(3, 5, 9), NAMES)
    assert result["accuracy"] == Difference(0.0, 0.0, 0.0, 1.0)


def test_a_network_that_is_better_in_every_patient_is_better_in_every_draw():
    result = paired_differences(counts(10, 12, 14, 11), counts(8, 10, 12, 9), NAMES)["accuracy"]
    assert result.value == pytest.approx(0.01) and result.low == pytest.approx(0.01) == result.high
    assert result.p == pytest.approx(2 / 2001)  # the least there is with 2,000 draws: never 0


def test_one_patient_can_carry_a_difference_alone_and_the_interval_says_so():
    result = paired_differences(counts(50, 0, 0, 0, 0), counts(0, 0, 0, 0, 0), NAMES)["accuracy"]
    assert result.value == pytest.approx(0.05)
    assert result.low == 0.0 and result.high > 0.1
    assert result.p > 0.5  # (4/5)^5 = 33 % of the draws lack this patient


def test_of_one_patient_there_is_no_interval():
    result = paired_differences(counts(5), counts(1), NAMES)["accuracy"]
    assert result == Difference(pytest.approx(0.02), None, None, None)


def test_holm_by_hand():
    # 0.01 x 4, 0.02 x 3, 0.03 x 2, then 0.5; never falling
    assert holm([0.02, None, 0.5, 0.01, 0.03]) == pytest.approx([0.06, None, 0.5, 0.04, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_mcnemar_by_hand():
    assert mcnemar(0, 5) == pytest.approx(2 * 0.5**5)
    assert mcnemar(4, 4) == 1.0
    assert mcnemar(0, 0) == 1.0


def test_a_class_of_one_patient_alone_has_no_interval() -> None:
    first, second = np.zeros((3, 2, 2), dtype=int), np.zeros((3, 2, 2), dtype=int)
    first[:, 0, 0] = second[:, 0, 0] = 10
    first[0, 1] = [5, 5]
    second[0, 1] = [0, 10]
    second[1, 0] = [9, 1]
    differences = paired_differences(first, second, ("a", "b"))
    assert differences["Se b"] == (0.5, None, None, None)  # all beats of b are the first patient's
    assert differences["+P b"].low is not None and differences["accuracy"].low is not None  # two patients' calls
