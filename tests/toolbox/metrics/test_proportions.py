"""toolbox.metrics.proportions: Wilson's interval, and which intervals over patients say nothing."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from toolbox.metrics.proportions import Share, is_degenerate, shares, wilson


@pytest.mark.parametrize(("hits", "beats"), [(0, 28), (28, 28), (1, 3), (8, 388), (44036, 44259)])
def test_wilson_is_scipys(hits: int, beats: int) -> None:
    expected = binomtest(hits, beats).proportion_ci(0.95, method="wilson")
    assert wilson(Share(hits, beats)) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_no_beats_says_nothing() -> None:
    assert wilson(Share(0, 0)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.0, 0.0, True), (0.5, 0.5, True), (0.0, 0.1, False), (None, None, False)]
)
def test_an_interval_that_is_a_point_is_degenerate(low: float | None, high: float | None, expected: bool) -> None:
    assert is_degenerate({"value": 0.0, "low": low, "high": high}) is expected


def test_shares_are_read_off_the_confusion_matrix() -> None:
    counts = shares({"confusion": [[90, 10], [5, 0]]}, ["Normal", "Fusion"])
    assert counts == {
        ("all", "accuracy"): Share(90, 105),
        ("Normal", "Se"): Share(90, 100),
        ("Normal", "+P"): Share(90, 95),
        ("Fusion", "Se"): Share(0, 5),
        ("Fusion", "+P"): Share(0, 10),
    }
