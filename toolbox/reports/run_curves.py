"""The charts of a run's page: scores by epoch; ROC, precision-recall and reliability of the beats that were scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from toolbox.metrics.calibration import binned, expected_error, reliability
from toolbox.metrics.proportions import Share, wilson
from toolbox.plotter import one_vs_rest
from toolbox.reports.line_charts import Axis, Line, line_chart, per_cent
from toolbox.reports.scored_beats import ScoredBeats
from toolbox.utils.aami import CLASS_DASHES, CLASS_MARKS, LETTERS

OVERALL = (  # scores of an epoch -> name, dashes, mark
    ("j_kappa", "j-kappa", "", "round"),
    ("macro_f1", "macro F1", "7 3", "square"),
    ("acc_class", "mean sensitivity", "2 2.5", "triangle"),
    ("acc1", "accuracy", "9 3 2 3", "diamond"),
)
FEW = 10  # beats in a bin below which its share says little
STEP = 0.002  # of a curve's points, less than a pixel: the rest of them is not seen


def history_charts(logged: Mapping[str, Any], held: str) -> list[str]:
    """Loss, scores over all classes, F1 by class and learning rate, each by epoch; those that were not logged, and a
    rate that never changes, are left out.

    Args:
        logged: the scores of each epoch, under "train" and "val".
        held: the name of the rows of "val".
    """
    epochs = Axis("epoch", whole=True)
    loss = [
        _by_epoch(logged, "train", "loss", "training", "soft", "7 3", "square"),
        _by_epoch(logged, "val", "loss", held, "ink", "", "round"),
    ]
    scores = [_by_epoch(logged, "val", key, name, "ink", *style) for key, name, *style in OVERALL]
    charts = [("Loss", loss, Axis("loss")), (f"Scores: {held}", scores, Axis("", high=1.0))]
    names = list(dict.fromkeys(name for row in logged.get("val", ()) for name in row.get("per_class") or ()))
    if all(name in LETTERS for name in names):
        by_class = [_class_by_epoch(logged["val"], name) for name in names]
        charts.append((f"F1 by class: {held}", by_class, Axis("F1", high=1.0, show=per_cent)))
    rates = _by_epoch(logged, "train", "lr", "learning rate", "ink", "", "round")
    if rates is not None and len(set(rates.y.tolist())) > 1:
        low, high = rates.y.min(), rates.y.max()
        charts.append(("Learning rate", [rates], Axis("", log=bool(low > 0 and high >= 10 * low))))
    drawn = [(title, [line for line in lines if line is not None], axis) for title, lines, axis in charts]
    return [line_chart(title, lines, epochs, axis) for title, lines, axis in drawn if lines]


def _by_epoch(
    logged: Mapping[str, Any], split: str, key: str, name: str, colour: str, dashes: str, mark: str
) -> Line | None:
    """A score of each epoch, None where no epoch has one."""
    rows = [(row["epoch"], row[key]) for row in logged.get(split, ()) if row.get(key) is not None]
    values = np.array(rows, dtype=float).reshape(-1, 2)
    if not np.isfinite(values[:, 1]).any():
        return None
    return Line(name, values[:, 0], values[:, 1], colour, dashes, mark)


def _class_by_epoch(rows: Sequence[Mapping[str, Any]], name: str) -> Line | None:
    """The F1 of a class in each epoch."""
    f1 = [(row["epoch"], ((row.get("per_class") or {}).get(name) or {}).get("F1")) for row in rows]
    values = np.array([pair for pair in f1 if pair[1] is not None], dtype=float).reshape(-1, 2)
    return class_line(name, name, values[:, 0], values[:, 1]) if len(values) else None


def class_line(name: str, text: str, x: np.ndarray, y: np.ndarray) -> Line:
    """A line in the colour, dashes and marks of a class."""
    letter = LETTERS.get(name, "Q")
    return Line(text, x, y, letter, CLASS_DASHES[letter], CLASS_MARKS[letter])


def ranking_charts(beats: ScoredBeats) -> list[str]:
    """ROC and precision-recall curves of each class against the rest."""
    roc, precision = [], []
    for name, scores, positive in one_vs_rest(beats.probabilities, beats.labels, beats.names):
        letter = LETTERS.get(name, name)
        if not positive.any() or positive.all():
            nothing = np.empty(0)
            reason = f"{letter}: no curve, {'all' if positive.any() else 'none'} of the beats"
            roc.append(class_line(name, reason, nothing, nothing))
            precision.append(roc[-1])
            continue
        false_rate, true_rate, _ = roc_curve(positive, scores)
        area = f"{letter}: AUROC {roc_auc_score(positive, scores):.4f}"
        roc.append(class_line(name, area, *thinned(false_rate, true_rate)))
        worth, recall, _ = precision_recall_curve(positive, scores)
        area = f"{letter}: average precision {average_precision_score(positive, scores):.4f}"
        precision.append(class_line(name, area, *thinned(recall, worth)))
    return [
        line_chart("ROC, each class against the rest", roc, *_units("1 − specificity", "Se"), diagonal=True),
        line_chart("Precision and recall", precision, *_units("Se (recall)", "+P (precision)")),
    ]


def _units(x: str, y: str) -> tuple[Axis, Axis]:
    """Two axes from 0 to 1."""
    return Axis(x, 0.0, 1.0), Axis(y, 0.0, 1.0)


def thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points (n,) of a curve without those that lie where the one before does, at STEP."""
    at = np.round(np.stack([x, y]) / STEP)
    moved = np.append(True, (np.diff(at, axis=1) != 0).any(axis=0))
    moved[-1] = True
    return x[moved], y[moved]


def reliability_charts(beats: ScoredBeats) -> list[str]:
    """How often a probability came true: of the class that was called, and of each class; counts as bars beneath."""
    called = reliability(beats.probabilities, beats.labels)
    error = expected_error(beats.probabilities, beats.labels)
    charts = [_reliability(f"The class that was called; expected error {100 * error:.2f} %", called, "ink", "round")]
    for name, scores, positive in one_vs_rest(beats.probabilities, beats.labels, beats.names):
        letter = LETTERS.get(name, "Q")
        charts.append(_reliability(name, binned(scores, positive), letter, CLASS_MARKS[letter]))
    return charts


def _reliability(title: str, curve: Mapping[str, np.ndarray], colour: str, mark: str) -> str:
    """One curve: a point for each bin that has beats, with Wilson's interval, hollow where they are FEW."""
    filled = np.flatnonzero(curve["rows"] > 0)
    rows, share = curve["rows"][filled], curve["accuracy"][filled]
    ends = np.array([wilson(Share(round(s * n), int(n))) for s, n in zip(share, rows, strict=True)])
    line = Line("", curve["confidence"][filled], share, colour, "", mark, rows < FEW, ends[:, 0], ends[:, 1])
    return line_chart(
        title, [line], *_units("probability given", "share that was so"), diagonal=True, bars=curve["rows"]
    )
