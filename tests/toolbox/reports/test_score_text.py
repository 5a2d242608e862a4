"""toolbox.reports.score_text: scores with intervals, and those whose interval says nothing."""

from __future__ import annotations

from toolbox.metrics.proportions import Share
from toolbox.reports.score_text import score_text


def figure(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, float | None]:
    return {"value": value, "low": low, "high": high}


def test_a_score_has_its_interval() -> None:
    assert score_text("Se", figure(0.85642, 0.701, 0.932)).joined(unit=" %") == "85.64 % [70.1, 93.2]"
    assert score_text("j_kappa", figure(0.8991, 0.7262, 0.953)).joined() == "0.899 [0.726, 0.953]"
    assert score_text("F1", figure(0.5)).joined() == "50.00"
    assert score_text("F1", figure(None)).joined() == "-"


def test_no_hits_are_counted_and_bounded_over_beats() -> None:
    assert score_text("Se", figure(0.0, 0.0, 0.0), Share(0, 28)).joined() == "0 of 28 [0.0, 12.1]*"
    assert score_text("+P", figure(1.0, 1.0, 1.0), Share(11, 11)).joined("!") == "11 of 11 [74.1, 100.0]!"


def test_a_class_of_one_patient_is_counted_too() -> None:
    assert score_text("Se", figure(0.5, 0.5, 0.5), Share(14, 28)).joined() == "14 of 28 [32.6, 67.4]*"


def test_a_score_that_is_no_share_is_marked_alone() -> None:
    assert score_text("F1", figure(0.0, 0.0, 0.0)).joined() == "0.00*"
    assert score_text("kappa", figure(1.0, 1.0, 1.0)).joined() == "1.000*"
