"""Temperature, calibration error and reliability curve."""

from __future__ import annotations

import numpy as np
import pytest

from toolbox.metrics.calibration import (
    expected_error,
    fit_temperature,
    reliability,
    reliability_by_class,
    tempered,
)
from toolbox.metrics.patients import calibration
from toolbox.plotter import plot_reliability
from toolbox.reports.subgroup_lines import reliability_lines


def drawn(temperature: float, n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are honest once divided by `temperature`."""
    rng = np.random.default_rng(1)
    logits = 2 * rng.standard_normal((n, 4))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random((n, 1)) > honest.cumsum(axis=1)).sum(axis=1)
    return tempered(honest, 1 / temperature), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found_and_mends_the_error(temperature: float) -> None:
    probabilities, labels = drawn(temperature)
    assert fit_temperature(probabilities, labels) == pytest.approx(temperature, rel=0.05)
    found = calibration(probabilities, labels, drawn(temperature))
    assert found["ece_tempered"] < 0.015
    assert (found["ece"] < 0.015) == (temperature == 1)
    assert calibration(probabilities, labels, None)["temperature"] is None


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    labels = np.array([0, 1, 1, 0])  # right, wrong, right, wrong
    expected = (2 * abs(0.5 - 0.9) + abs(1 - 0.8) + abs(0 - 0.6)) / 4
    assert expected_error(probabilities, labels, 10) == pytest.approx(expected)
    found = reliability(probabilities, labels, 10)
    assert found["rows"].tolist() == [0] * 5 + [1, 0, 1, 2, 0]
    assert found["accuracy"][8] == 0.5 and np.isnan(found["accuracy"][0])


def test_tempering_keeps_the_order_and_stands_zeros() -> None:
    probabilities = np.array([[1.0, 0.0, 0.0], [0.5, 0.3, 0.2]])
    cooler = tempered(probabilities, 3.0)
    assert cooler.sum(axis=1) == pytest.approx([1, 1]) and np.isfinite(cooler).all()
    assert (np.diff(cooler[1]) < 0).all() and cooler[1, 0] < 0.5
    assert tempered(probabilities, 1.0) == pytest.approx(probabilities, rel=1e-12, abs=1e-30)


def test_the_diagram_shows_each_curve() -> None:
    figure = plot_reliability({"a": reliability(*drawn(1.0)), "b": reliability(*drawn(2.0))})
    assert [line.get_label() for line in figure.axes[0].lines] == ["calibrated", "a", "b"]


def test_reliability_by_class_counts_the_beats_called_so() -> None:
    given = [(0, 0.65), (0, 0.7), (0, 0.995), (1, 0.8), (1, 0.8), (1, 1.0)]  # class called, its probability
    probabilities = np.array([[p, 1 - p] if k == 0 else [1 - p, p] for k, p in given])
    labels = np.array([0, 1, 0, 1, 0, 1])
    by_class = reliability_by_class(probabilities, labels, ("Normal", "Ventricular ectopic"))
    counts = {name: [(each["beats"], each["right"]) for each in steps] for name, steps in by_class.items()}
    assert counts == {
        "Normal": [(2, 1), (0, 0), (0, 0), (1, 1)],
        "Ventricular ectopic": [(0, 0), (2, 1), (0, 0), (1, 1)],
    }
    assert by_class["Normal"][0]["given"] == pytest.approx(0.675) and by_class["Normal"][1]["given"] is None
    lines = reliability_lines(by_class, "tempered 1.23")
    assert len({len(line) for line in lines}) == 1 and len(lines[0]) <= 79
    assert lines[2].split()[-8:] == ["V", "-", "50.0%", "of", "2", "-", "100.0%", "of", "1"][-8:]
