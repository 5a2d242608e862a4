"""The rivals: nearest neighbours by hand, and the figures of Kaggle's classes."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.rivals import kaggle_figures, methods, nearest, shown


def test_the_nearest_row_is_found_beyond_one_piece_of_work() -> None:
    train = np.array([[0.0, 0], [10, 0], [0, 10]])
    test = np.repeat([[1.0, 1], [9, 2], [1, 8], [100, 0]], 200, axis=0)
    assert nearest(train, test).tolist() == [0] * 200 + [1] * 200 + [2] * 200 + [1] * 200


def test_figures_of_five_classes() -> None:
    figures = kaggle_figures(np.array([0, 0, 1, 2, 3, 4]), np.array([0, 1, 1, 2, 3, 0]))
    assert figures["accuracy"] == pytest.approx(4 / 6) and figures["mean_sensitivity"] == pytest.approx(3.5 / 5)
    assert figures["S +P"] == 0.5 and figures["Q Se"] == 0 and figures["V F1"] == 1
    assert "| kaggle | nearest | 0.6667 |" in shown({"kaggle": {"nearest": figures}})


def test_each_method_learns() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 50)
    inputs = rng.standard_normal((200, 3)) + 10 * labels[:, None]
    for name, classifier in methods().items():
        assert (classifier.fit(inputs, labels).predict_proba(inputs).argmax(axis=1) == labels).mean() > 0.98, name
