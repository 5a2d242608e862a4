"""The scores on a run's page, as values for its template: what to quote, by class, by record, by label map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from toolbox.metrics.ec57_scores import ECTOPIC_SCORES
from toolbox.metrics.patients import most_decisive_record
from toolbox.metrics.proportions import Share, shares, wilson
from toolbox.reports.html import ABSENT
from toolbox.reports.score_text import score_text
from toolbox.utils.aami import LETTERS, SUPRAVENTRICULAR, VENTRICULAR

SCORES = {  # name in the scores -> heading
    "acc1": "Accuracy",
    "acc_class": "Mean sensitivity",
    "macro_f1": "Macro F1",
    "j_kappa": "j-kappa",
    "kappa": "Cohen's kappa",
    "AUROC": "AUROC",
    "mAP": "mAP",
    "meanIoU": "Mean IoU",
    "fwavacc": "Weighted IoU",
}
QUOTED = {"accuracy": "acc1", "macro_f1": "macro_f1", "mean Se": "acc_class", "j_kappa": "j_kappa"}
HEADINGS = {"accuracy": "Accuracy", "macro_f1": "Macro F1", "mean Se": SCORES["acc_class"], "j_kappa": "j-kappa"}
KINDS = ("Se", "+P", "F1")
FORMATS = {"loss": "{:.4f}", "lr": "{:.3g}", "seconds": "{:,.1f}", "kappa": "{:.3f}", "j_kappa": "{:.3f}"}


class Cell(NamedTuple):
    """A score with its interval, as text and as a bar.

    Attributes:
        text: the score.
        between: its interval as text, "" for none.
        value, low, high: fractions for the bar, None where there is none.
        alike: whether the interval over patients says nothing.
    """

    text: str
    between: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    alike: bool = False


def per_cent(fraction: float | None) -> str:
    """A fraction as text in per cent."""
    return ABSENT if fraction is None else f"{100 * fraction:.2f} %"


def show(score: str, value: float | None) -> str:
    """A score as text: per cent if it is a fraction of beats."""
    if value is None:
        return ABSENT
    return FORMATS[score].format(value) if score in FORMATS else per_cent(value)


def cell(key: str, figure: Mapping[str, float | None], share: Share | None = None) -> Cell:
    """A score {"value", "low", "high"}; `share` are the beats that it is a share of, if it is one."""
    text = score_text(key, figure, share, digits=1)
    value, low, high = figure["value"], figure["low"], figure["high"]
    if value is None:
        return Cell(ABSENT)
    if text.alike:
        low, high = wilson(share) if share else (None, None)
    shown = text.value if " of " in text.value or key in ("kappa", "j_kappa") else f"{text.value} %"
    return Cell(shown, f"{text.low} to {text.high}" if text.low else "", value, low, high, text.alike)


def alone(value: float | None) -> dict[str, float | None]:
    """A score without an interval."""
    return {"value": value, "low": None, "high": None}


def quoted(scores: Mapping[str, Any], results: Mapping[str, Any] | None, by_patient: bool) -> list[tuple[str, Cell]]:
    """The scores to quote first, (heading, score): of a split by patient j-kappa, F1 of V and S, accuracy; of Kaggle's
    accuracy, macro F1, mean sensitivity.

    Args:
        scores: of an epoch, as logger.json and test_results_epN.json hold them.
        results: scores_epN.json, with intervals; None where there is none.
    """
    first = next(iter(results["maps"].values())) if results else None
    per_class = scores.get("per_class") or {}
    keys: tuple[str, ...] = ("accuracy", "macro_f1", "mean Se")
    if by_patient and {SUPRAVENTRICULAR, VENTRICULAR} <= per_class.keys():
        keys = ("j_kappa", VENTRICULAR, SUPRAVENTRICULAR, "accuracy")
    counts = shares(first, results["classes"]) if first and results else {}
    cards = []
    for key in keys:
        if key in per_class:
            figure = first["per_class"][key]["F1"] if first else alone(per_class[key].get("F1"))
            cards.append((f"{LETTERS[key]} F1", cell("F1", figure)))
            continue
        figure = first[key] if first and key in first else alone(scores.get(QUOTED[key]))
        shown = "macro_f1" if key == "mean Se" else key
        cards.append((HEADINGS[key], cell(shown, figure, counts.get(("all", key)))))
    return cards


def all_scores(splits: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any] | None:
    """Every score of every split, as a table."""
    if not splits:
        return None
    columns = [key for key in ("loss", *SCORES) if any(scores.get(key) is not None for _, scores in splits)]
    return {
        "head": ["", *(SCORES.get(key, key.capitalize()) for key in columns)],
        "rows": [[name, *(show(key, scores.get(key)) for key in columns)] for name, scores in splits],
    }


def of_epoch(title: str, scores: Mapping[str, Any], class_names: Sequence[str]) -> dict[str, Any]:
    """The classes and the confusion matrix of a split, without intervals."""
    rows = [
        class_row(name, [cell(kind, alone(each.get(kind))) for kind in KINDS], each.get("support"))
        for name, each in (scores.get("per_class") or {}).items()
    ]
    return {"title": title, "classes": rows, **confusion(scores.get("confusion") or [], class_names)}


def class_row(name: str, cells: list[Cell], beats: int | None) -> dict[str, Any]:
    """A class's row of the table of classes."""
    shown = ABSENT if beats is None else f"{int(beats):,}"
    return {"name": name, "letter": LETTERS.get(name, ""), "cells": cells, "beats": shown}


def of_map(name: str, result: Mapping[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    """The classes, the confusion matrix and EC57's scores of a label map, with intervals."""
    counts = shares(result, classes)
    rows = [
        class_row(of, [cell(kind, each[kind], counts.get((of, kind))) for kind in KINDS], each["beats"])
        for of, each in result["per_class"].items()
    ]
    ec57 = result.get("ec57")
    return {
        "title": name,
        "classes": rows,
        "alike": any(each.alike for row in rows for each in row["cells"]),
        **confusion(result["confusion"], classes),
        "ec57": {
            "head": ["", *ECTOPIC_SCORES],
            "rows": [[of, *(per_cent(ec57[of][key]) for key in ECTOPIC_SCORES)] for of in ("gross", "average")],
        }
        if ec57
        else None,
    }


def confusion(counts: Sequence[Sequence[int]], class_names: Sequence[str]) -> dict[str, Any]:
    """A confusion matrix for the template: names, and of each true class its cells."""
    names = [*map(str, class_names), *map(str, range(len(class_names), len(counts)))]
    named = [(name, LETTERS.get(name, "")) for name in names]
    rows = [(*name, _confusion_cells(row)) for name, row in zip(named, counts, strict=False)]
    return {"names": named, "confusion": rows}


def _confusion_cells(counts: Sequence[int]) -> list[dict[str, str]]:
    """A true class's row: counts, their share of the row, and how dark that is drawn."""
    total = sum(counts)
    values = [count / total if total else 0.0 for count in counts]
    return [
        {
            "count": f"{int(count):,}",
            "share": f"{100 * share:.1f}%" if total else ABSENT,
            "opacity": f"{0.5 * share:.3f}",
        }
        for count, share in zip(counts, values, strict=True)
    ]


def by_record(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """The table of the records: EC57's scores of each, and how j-kappa moves without it, the one that moves it most
    first named; None where the split has no records."""
    first, last = next(iter(results["maps"].values())), list(results["maps"].values())[-1]
    if "ec57" not in last or not last["ec57"]["records"]:
        return None
    whole = first["j_kappa"]["value"]
    without = {record: each["j_kappa"] for record, each in first.get("without", {}).items()}
    moved = {record: value - whole for record, value in without.items() if None not in (value, whole)}
    furthest = max((abs(value) for value in moved.values()), default=0.0) or 1.0
    classes = results["classes"]
    letters = [LETTERS.get(name, name) for name in classes]
    rows = []
    for record, each in last["ec57"]["records"].items():
        counts = np.array(each["confusion"])
        beats, wrong = int(counts.sum()), int(counts.sum() - np.trace(counts))
        rows.append({
            "record": record,
            "counts": counts.sum(axis=1).tolist(),
            "wrong": wrong,
            "share": wrong / beats if beats else 0.0,
            "scores": [(per_cent(each[key]), each[key]) for key in ECTOPIC_SCORES if "FPR" not in key],
            "moved": moved.get(record),
            "across": moved.get(record, 0.0) / furthest,
        })  # fmt: skip
    worst = max((row["share"] for row in rows), default=0.0) or 1.0
    for row in rows:
        row["bar"] = row["share"] / worst
    decisive = most_decisive_record(first)
    rest = first["without"][decisive]["j_kappa"] if decisive else None
    heads = [*letters, "Wrong", *(key for key in ECTOPIC_SCORES if "FPR" not in key), "j-kappa moves by"]
    return {"heads": heads, "rows": rows, "decisive": decisive, "whole": whole, "rest": rest}


def of_databases(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """What to quote of each database, where the test beats are of several."""
    each = results.get("databases")
    if not each:
        return None
    rows = []
    for name, result in each.items():
        first = next(iter(result["maps"].values()))
        figures = [("j_kappa", first["j_kappa"])]
        figures += [("F1", first["per_class"][of]["F1"]) for of in (VENTRICULAR, SUPRAVENTRICULAR)]
        figures.append(("accuracy", first["accuracy"]))
        texts = [cell(key, figure) for key, figure in figures]
        shown = [one.text + (f" ({one.between})" if one.between else "") for one in texts]
        rows.append([name, f"{result['patients']:,}", *shown])
    return {"head": ["Database", "Patients", "j-kappa", "V F1", "S F1", "Accuracy"], "rows": rows}
