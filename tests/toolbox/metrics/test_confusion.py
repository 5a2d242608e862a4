"""Scores of confusion matrices against scikit-learn, against values by hand; intervals over patients."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score, precision_score, recall_score

from toolbox.metrics.confusion import bootstrap_intervals, confusion_by_group, confusion_scores, j_kappa, kappa

NAMES = ("Normal", "Supraventricular ectopic", "Ventricular ectopic", "Fusion")
# rows N S V F, columns what was called
CONFUSION = np.array([[900, 40, 10, 50], [30, 60, 10, 0], [5, 5, 180, 10], [4, 0, 6, 20]])


def calls(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels and calls that give these counts."""
    pairs = np.repeat(np.argwhere(confusion >= 0), confusion.ravel(), axis=0)
    return pairs[:, 0], pairs[:, 1]


def test_figures_are_those_of_scikit_learn() -> None:
    labels, called = calls(CONFUSION)
    found = {name: float(value) for name, value in confusion_scores(CONFUSION, NAMES).items()}
    assert found["accuracy"] == pytest.approx((labels == called).mean())
    assert found["kappa"] == pytest.approx(cohen_kappa_score(labels, called))
    assert found["macro_f1"] == pytest.approx(f1_score(labels, called, average="macro"))
    for kind, score in (("Se", recall_score), ("+P", precision_score), ("F1", f1_score)):
        assert [found[f"{kind} {name}"] for name in NAMES] == pytest.approx(
            score(labels, called, average=None).tolist()
        )


def test_j_kappa_by_hand() -> None:
    expected = cohen_kappa_score(*calls(CONFUSION)) / 2 + (60 / 100 + 60 / 105 + 180 / 200 + 180 / 206) / 8
    assert float(j_kappa(CONFUSION, NAMES)) == pytest.approx(expected)
    perfect = np.diag([9, 3, 4, 1])
    assert float(j_kappa(perfect, NAMES)) == pytest.approx(1)
    never = CONFUSION.copy()
    never[:, 0] += never[:, 1]
    never[:, 1] = 0  # S is never called: its +P counts as 0
    assert float(j_kappa(never, NAMES)) == pytest.approx(float(kappa(never)) / 2 + (180 / 200 + 180 / 206) / 8)
    assert np.isnan(j_kappa(np.diag([9, 0, 4, 1]), NAMES))
    assert np.isnan(j_kappa(np.diag([9, 3]), ("Normal", "Abnormal")))


def test_figures_of_many_matrices_are_those_of_each() -> None:
    many = np.random.default_rng(0).integers(0, 50, (7, 4, 4))
    together = confusion_scores(many, NAMES)
    for k in range(7):
        for name, value in confusion_scores(many[k], NAMES).items():
            assert together[name][k] == pytest.approx(float(value), nan_ok=True)


def test_undefined_figures_are_nan_and_not_zero() -> None:
    confusion = np.array([[5, 0, 0, 0], [0, 0, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0]])
    found = confusion_scores(confusion, NAMES)
    assert np.isnan(found["Se Fusion"]) and np.isnan(found["+P Ventricular ectopic"])
    assert found["Se Ventricular ectopic"] == 0
    assert found["macro_f1"] == pytest.approx((10 / 12 + 0) / 2)


def patients(count: int, beats: int, right: float, seed: int = 0) -> np.ndarray:
    """(count, 4, 4) counts of patients of two classes, each called right with a probability of its own."""
    rng = np.random.default_rng(seed)
    found = np.zeros((count, 4, 4), dtype=np.int64)
    for k, share in enumerate(rng.beta(10 * right, 10 * (1 - right), count)):
        hits = rng.binomial(beats, share)
        found[k, 0, 0], found[k, 0, 1] = hits, beats - hits
    return found


def test_intervals_come_from_patients_not_beats() -> None:
    """A hundred times the beats of each patient make the interval no narrower; more patients do."""
    few, many_beats, many_patients = patients(20, 100, 0.8), patients(20, 10_000, 0.8), patients(500, 100, 0.8)
    width = [np.diff(bootstrap_intervals(each, NAMES)["accuracy"])[0] for each in (few, many_beats, many_patients)]
    assert width[1] > 0.7 * width[0] and width[2] < 0.4 * width[0]
    low, high = bootstrap_intervals(few, NAMES)["accuracy"]
    assert low < few[:, 0, 0].sum() / few.sum() < high
    assert bootstrap_intervals(few, NAMES)["accuracy"] == (low, high)  # the draws are the same each time


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    inside = 0
    for seed in range(60):
        low, high = bootstrap_intervals(patients(40, 50, 0.8, seed), NAMES)["accuracy"]
        inside += low <= 0.8 <= high
    assert 0.85 <= inside / 60 <= 1


def test_alike_patients_have_no_spread_and_a_single_one_no_interval() -> None:
    same = np.repeat(CONFUSION[None], 10, axis=0)
    assert bootstrap_intervals(same, NAMES)["kappa"] == pytest.approx([float(kappa(CONFUSION))] * 2)
    assert np.isnan(bootstrap_intervals(CONFUSION[None], NAMES)["kappa"]).all()


def test_counts_by_group() -> None:
    groups, counts = confusion_by_group(
        np.array([0, 1, 1, 3]), np.array([0, 1, 0, 2]), np.array(["b", "a", "b", "a"]), 4
    )
    assert groups.tolist() == ["a", "b"] and counts.sum() == 4
    assert counts[0, 1, 1] == counts[0, 3, 2] == counts[1, 0, 0] == counts[1, 1, 0] == 1
