"""toolbox.metrics.epoch against scikit-learn."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from sklearn import metrics as reference

from toolbox.metrics.epoch import (
    MONITORS,
    AverageMeter,
    ConfusionMeter,
    better,
    evaluate,
    make_meters,
    monitored,
    ranking_scores,
)

FIVE = ("Normal", "Supraventricular ectopic", "Ventricular ectopic", "Fusion", "Unknown")
TWO = ("Normal", "Abnormal")


def calls(classes: int, seed: int, n: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted classes (n,) of a classifier that is right more often than not, classes unevenly frequent."""
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.full(classes, 0.7)) + 0.02
    true = rng.choice(classes, n, p=share / share.sum())
    predicted = np.where(rng.random(n) < 0.7, true, rng.integers(0, classes, n))
    return true, predicted


def confusion_of(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    return reference.confusion_matrix(true, predicted, labels=range(classes))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("names", [FIVE, TWO], ids=["five", "two"])
def test_scores_are_those_of_scikit_learn(names: tuple[str, ...], seed: int) -> None:
    true, predicted = calls(len(names), seed)
    scores = evaluate(confusion_of(true, predicted, len(names)), names)
    assert scores["acc1"] == pytest.approx(reference.accuracy_score(true, predicted))
    assert scores["acc_class"] == pytest.approx(reference.balanced_accuracy_score(true, predicted))
    assert scores["macro_f1"] == pytest.approx(reference.f1_score(true, predicted, average="macro"))
    assert scores["meanIoU"] == pytest.approx(reference.jaccard_score(true, predicted, average="macro"))
    assert scores["fwavacc"] == pytest.approx(reference.jaccard_score(true, predicted, average="weighted"))
    figures = reference.precision_recall_fscore_support(true, predicted, labels=range(len(names)), zero_division=0)
    for k, name in enumerate(names):
        precision, recall, f1, support = (column[k] for column in figures)
        got = scores["per_class"][name]
        assert got["support"] == support
        assert got["Se"] == (pytest.approx(recall) if support else None)
        assert got["+P"] == (pytest.approx(precision) if (predicted == k).any() else None)
        assert got["F1"] == (pytest.approx(f1) if support or (predicted == k).any() else None)
    assert scores["confusion"] == confusion_of(true, predicted, len(names)).tolist()


def test_scores_by_hand() -> None:
    scores = evaluate(np.array([[8, 2], [1, 9]]), TWO)
    assert scores["acc1"] == pytest.approx(17 / 20)
    assert scores["acc_class"] == pytest.approx((0.8 + 0.9) / 2)
    assert scores["macro_f1"] == pytest.approx((16 / 19 + 18 / 21) / 2)
    assert scores["meanIoU"] == pytest.approx((8 / 11 + 9 / 12) / 2)
    assert scores["fwavacc"] == pytest.approx((10 * 8 / 11 + 10 * 9 / 12) / 20)
    assert scores["per_class"]["Abnormal"] == {
        "Se": pytest.approx(0.9),
        "+P": pytest.approx(9 / 11),
        "F1": pytest.approx(18 / 21),
        "support": 10,
    }


def test_a_class_without_rows_and_calls_has_no_scores_and_enters_no_mean() -> None:
    three = evaluate(np.array([[8, 2, 0], [1, 9, 0], [0, 0, 0]]), ("a", "b", "c"))
    two = evaluate(np.array([[8, 2], [1, 9]]), ("a", "b"))
    assert three["per_class"]["c"] == {"Se": None, "+P": None, "F1": None, "support": 0}
    for score in ("acc1", "acc_class", "macro_f1", "meanIoU", "fwavacc"):
        assert three[score] == two[score]


def test_a_class_without_rows_that_is_called_has_no_se_but_an_f1_of_zero() -> None:
    confusion = np.array([[8, 0, 2], [0, 10, 0], [0, 0, 0]])
    scores = evaluate(confusion, ("a", "b", "c"))
    assert scores["per_class"]["c"] == {"Se": None, "+P": 0.0, "F1": 0.0, "support": 0}
    assert scores["acc_class"] == pytest.approx((0.8 + 1) / 2)
    assert scores["macro_f1"] == pytest.approx((16 / 18 + 1 + 0) / 3)
    assert scores["meanIoU"] == pytest.approx((0.8 + 1 + 0) / 3)


def test_no_rows_at_all_give_no_scores_and_no_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = evaluate(np.zeros((5, 5), dtype=np.int64), FIVE)
    assert [scores[name] for name in ("acc1", "acc_class", "macro_f1", "meanIoU", "fwavacc")] == [None] * 5


def probabilities_for(labels: np.ndarray, classes: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(labels), classes))
    logits[np.arange(len(labels)), labels] += 1
    exponents = np.exp(logits)
    return exponents / exponents.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
def test_ranking_scores_are_those_of_scikit_learn(seed: int) -> None:
    labels = np.concatenate([np.arange(5), np.random.default_rng(seed).integers(0, 5, 300)])
    probabilities = probabilities_for(labels, 5, seed)
    one_hot = np.eye(5)[labels]
    scores = ranking_scores(probabilities, labels)
    assert scores["mAP"] == pytest.approx(reference.average_precision_score(one_hot, probabilities, average="macro"))
    assert scores["AUROC"] == pytest.approx(
        reference.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    )


def test_ranking_scores_of_two_classes_pair_each_class_with_its_own_probability() -> None:
    labels = np.random.default_rng(1).integers(0, 2, 200)
    probabilities = probabilities_for(labels, 2, 1)
    scores = ranking_scores(probabilities, labels)
    assert scores["AUROC"] == pytest.approx(reference.roc_auc_score(labels, probabilities[:, 1]))
    assert scores["mAP"] == pytest.approx(
        (
            reference.average_precision_score(labels == 0, probabilities[:, 0])
            + reference.average_precision_score(labels == 1, probabilities[:, 1])
        )
        / 2
    )


def test_ranking_scores_leave_out_absent_classes() -> None:
    labels = np.random.default_rng(2).choice([0, 2], 100)
    probabilities = probabilities_for(labels, 3, 2)
    scores = ranking_scores(probabilities, labels)
    areas = [reference.roc_auc_score(labels == k, probabilities[:, k]) for k in (0, 2)]
    assert scores["AUROC"] == pytest.approx(np.mean(areas))
    assert ranking_scores(probabilities, np.zeros(100, dtype=int)) == {"mAP": None, "AUROC": None}


@pytest.mark.parametrize("as_tensor", [False, True])
def test_average_meter_weighs_by_rows(as_tensor: bool) -> None:
    meter = AverageMeter()
    assert meter.avg == 0.0
    for value, n in ((1.0, 128), (4.0, 32)):
        meter.update(torch.tensor(value) if as_tensor else value, n)
    assert meter.avg == pytest.approx((128 + 4 * 32) / 160)
    assert isinstance(meter.avg, float)
    assert meter.count == 160


@pytest.mark.parametrize("classes", [2, 5])
def test_confusion_meter_counts_as_scikit_learn(classes: int) -> None:
    true, predicted = calls(classes, 3)
    meter = ConfusionMeter(classes)
    for start in range(0, len(true), 64):
        part = slice(start, start + 64)
        meter.update(torch.from_numpy(predicted[part]), torch.from_numpy(true[part]))
    assert np.array_equal(meter.value(), confusion_of(true, predicted, classes))
    assert meter.value().dtype == np.int64


def test_confusion_meter_keeps_rows_true_and_columns_predicted() -> None:
    meter = ConfusionMeter(3)
    meter.update(predicted=torch.tensor([2, 2, 0]), labels=torch.tensor([1, 1, 0]))
    assert meter.value().tolist() == [[1, 0, 0], [0, 0, 2], [0, 0, 0]]


def test_make_meters_are_fresh() -> None:
    one, other = make_meters(5), make_meters(5)
    one["loss"].update(2.0, 3)
    one["confusion"].update(torch.tensor([1]), torch.tensor([1]))
    assert other["loss"].avg == 0.0
    assert other["confusion"].value().sum() == 0
    assert other["confusion"].value().shape == (5, 5)


@pytest.mark.parametrize("name", MONITORS)
def test_better_knows_which_way_is_up(name: str) -> None:
    up = name != "loss"
    assert better(name, 0.6, 0.5) is up
    assert better(name, 0.4, 0.5) is not up
    assert not better(name, 0.5, 0.5)
    assert better(name, 0.5, None)


@pytest.mark.parametrize("name", MONITORS)
def test_an_undefined_score_never_wins_and_always_loses(name: str) -> None:
    for undefined in (None, math.nan, math.inf):
        assert not better(name, undefined, 0.5)
        assert not better(name, undefined, None)
        assert better(name, 0.5, undefined)


def test_the_last_epoch_can_be_monitored_whatever_its_scores() -> None:
    scores = [monitored("last", {"acc1": acc}, epoch) for epoch, acc in ((1, 0.9), (2, None), (3, 0.1))]
    assert scores == [1, 2, 3] and better("last", scores[2], scores[1])
    assert monitored("acc1", {"acc1": 0.9}, 3) == 0.9 and monitored("kappa", {}, 3) is None


def test_every_monitor_is_a_score() -> None:
    true, predicted = calls(5, 0)
    known = {"loss", "last", *evaluate(confusion_of(true, predicted, 5), FIVE)}
    known |= set(ranking_scores(np.eye(5)[predicted], true))
    assert set(MONITORS) <= known
