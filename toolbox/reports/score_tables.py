"""Write the test scores by class, patient and record: JSON, CSV, LaTeX, the reliability diagram."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toolbox.metrics.calibration import reliability, reliability_by_class, tempered
from toolbox.metrics.ec57_scores import ECTOPIC_SCORES
from toolbox.metrics.patients import OVERALL, calibration, database_scores, patient_scores
from toolbox.metrics.proportions import Share, shares
from toolbox.metrics.subgroups import subgroup_scores
from toolbox.options import FigureOptions
from toolbox.plotter import plot_reliability
from toolbox.reports.latex import NEEDS, escaped, latex_table
from toolbox.reports.run_files import PLAIN, save_figures
from toolbox.reports.score_text import ALIKE, score_text
from toolbox.training.outputs import EpochResult
from toolbox.utils import atomic_write, write_json
from toolbox.utils.aami import SUPRAVENTRICULAR, VENTRICULAR

LABELS = {"accuracy": "accuracy", "macro_f1": "macro F1", "kappa": "kappa", "j_kappa": "j-kappa"}
PER_CENT = ("accuracy", "macro_f1")
KINDS = ("Se", "+P", "F1")
Row = tuple[str, str, str, float | None, float | None, float | None]
DAGGER = r"$^\dagger$"  # marks intervals that say nothing about patients


def patient_results(
    epoch: int,
    outcome: EpochResult,
    origin: Mapping[str, np.ndarray],
    names: tuple[str, ...],
    split: str,
    held_out: EpochResult | None,
    unit: str = "patients",
    subjects: Mapping[str, tuple[int | None, str]] | None = None,
) -> dict[str, Any]:
    """The scores of the test beats with intervals, by label map, database, age and sex, and calibration: plain values.

    Args:
        outcome: result of the test beats.
        origin: record, patient, symbol and time of each test beat.
        split: the flag; all but "kaggle" go by patient.
        held_out: result of the validation beats; None where they are the test beats.
        unit: "records" where it is not known which of them are of one patient.
        subjects: record -> age in years and sex of its patient, as far as they are known; see `subgroup_scores`.
    """
    probabilities, labels = outcome.probabilities.numpy(), outcome.labels.numpy()
    results: dict[str, Any] = {
        "epoch": epoch,
        "split": split,
        **patient_scores(probabilities, labels, origin, names, split != "kaggle", unit),
    }
    if split != "kaggle" and (databases := database_scores(probabilities, labels, origin, names, unit)):
        results["databases"] = databases
    validation = None if held_out is None else (held_out.probabilities.numpy(), held_out.labels.numpy())
    if split != "kaggle" and {SUPRAVENTRICULAR, VENTRICULAR} <= set(names):
        results["subgroups"] = subgroup_scores(labels, probabilities.argmax(axis=1), origin, names, subjects or {})
    results["calibration"] = calibrated = calibration(probabilities, labels, validation)
    results["reliability"] = {"as it is": reliability_by_class(probabilities, labels, names)}
    if calibrated["temperature"] is not None:
        cooler = tempered(probabilities, calibrated["temperature"])
        results["reliability"]["tempered"] = reliability_by_class(cooler, labels, names)
    return results


def write_patient_results(
    folder: Path, results: Mapping[str, Any], outcome: EpochResult, style: FigureOptions = PLAIN
) -> None:
    """Write pred/scores_epN.json, .csv and .tex, pred/records_epN.tex, and pred/reliability_epN.png.

    Args:
        folder: of the run.
        results: of `patient_results`.
        outcome: result of the test beats.
        style: of the picture.
    """
    probabilities, labels = outcome.probabilities.numpy(), outcome.labels.numpy()
    epoch = results["epoch"]
    pred = folder / "pred"
    pred.mkdir(exist_ok=True)
    write_json(pred / f"scores_ep{epoch}.json", results)
    texts = {"scores.csv": as_csv(results), "scores.tex": as_latex(results), "records.tex": records_as_latex(results)}
    for name, text in texts.items():
        stem, _, extension = name.partition(".")
        if text:
            with atomic_write(pred / f"{stem}_ep{epoch}.{extension}", "w") as handle:
                handle.write(text)
    curves = {"as it is": reliability(probabilities, labels)}
    temperature = results["calibration"]["temperature"]
    if temperature is not None:
        curves[f"temperature {temperature:.2f}"] = reliability(tempered(probabilities, temperature), labels)
    save_figures(plot_reliability(curves), pred / f"reliability_ep{epoch}", style)


def rows(results: Mapping[str, Any]) -> Iterator[Row]:
    """Iterate over all scores: label map, class or record, name, value, lower and upper end of the interval. Of each of
    several databases, the label map's name begins with the database's."""
    for database, each in results.get("databases", {}).items():
        yield from ((f"{database}: {row[0]}", *row[1:]) for row in rows({**each, "calibration": {}}))
    for name, result in results["maps"].items():
        for key in OVERALL:
            yield name, "all", LABELS[key], *result[key].values()
        for of, each in result["per_class"].items():
            for kind in KINDS:
                yield name, of, kind, *each[kind].values()
            yield name, of, "beats", each["beats"], None, None
        for true, counts in zip(results["classes"], result["confusion"], strict=True):
            for called, count in zip(results["classes"], counts, strict=True):
                yield name, true, f"called {called}", count, None, None
        ec57 = result.get("ec57", {"records": {}})
        tables = {f"EC57 {of}": ec57[of] for of in ("gross", "average") if of in ec57}
        tables |= {f"EC57 record {record}": each for record, each in ec57["records"].items()}
        for of, each in tables.items():
            for key in ECTOPIC_SCORES:
                yield name, of, key, each[key], None, None
        for record, each in result.get("without", {}).items():
            for key in OVERALL:
                yield name, f"without record {record}", LABELS[key], each[key], None, None
    for key, value in results["calibration"].items():
        yield "", "calibration", key, value, None, None
    yield from subgroup_rows(results)
    yield from reliability_rows(results)


def subgroup_rows(results: Mapping[str, Any]) -> Iterator[Row]:
    """Iterate over the scores by age and sex, as `rows` does."""
    for group, each in results.get("subgroups", {}).items():
        for key in OVERALL:
            yield group, "all", LABELS[key], *each[key].values()
        for of, figures in each["per_class"].items():
            for kind in KINDS:
                yield group, of, kind, *figures[kind].values()


def reliability_rows(results: Mapping[str, Any]) -> Iterator[Row]:
    """Iterate over the beats called a class and those that were so, by the probability given, as `rows` does."""
    for way, by_class in results.get("reliability", {}).items():
        for of, steps in by_class.items():
            for step in steps:
                place = f"called with {step['above']:g} to {step['to']:g}"
                yield f"reliability {way}", of, f"{place}, beats", step["beats"], None, None
                yield f"reliability {way}", of, f"{place}, right", step["right"], None, None


def as_csv(results: Mapping[str, Any]) -> str:
    """All scores in long form, a line each; a value that does not exist is empty."""
    columns = ["label map", "of", "figure", "value", "low", "high"]
    return pd.DataFrame(rows(results), columns=columns, dtype=object).to_csv(index=False, lineterminator="\n")


def as_latex(results: Mapping[str, Any]) -> str:
    """LaTeX tables of each label map: the classes in per cent with intervals, overall scores, the confusion matrix."""
    intervals = results["intervals"] or "no intervals"
    tables = []
    for name, result in results["maps"].items():
        parts = shares(result, results["classes"])
        rows = [
            [escaped(of), *(_latex(kind, each[kind], parts.get((of, kind))) for kind in KINDS), str(each["beats"])]
            for of, each in result["per_class"].items()
        ]
        shown = [
            f"{LABELS[key]} {_latex(key, result[key], parts.get(('all', key)))}\\,\\%"
            if key in PER_CENT
            else f"{LABELS[key].replace('kappa', '$' + chr(92) + 'kappa$')} {_latex(key, result[key])}"
            for key in OVERALL
            if result[key]["value"] is not None
        ]
        caption = f"Scores by class, labels by {escaped(name)}" + (
            f"; in brackets {escaped(intervals)}." * bool(results["intervals"]) or "."
        )
        foot = [[rf"\multicolumn{{5}}{{l}}{{{', '.join(shown)}}}"]]
        if any(DAGGER in cell for cell in [*shown, *(cell for row in rows for cell in row)]):
            foot.append([rf"\multicolumn{{5}}{{l}}{{{DAGGER} {ALIKE}; intervals over beats (Wilson)}}"])
        head = ["Class", r"Se (\%)", r"+P (\%)", r"F1 (\%)", "Beats"]
        tables.append(latex_table(caption, f"classes {name}", "lrrrr", head, rows, foot, f"{name}; {intervals}"))
        counts = [
            [escaped(of), *map(str, row)] for of, row in zip(results["classes"], result["confusion"], strict=True)
        ]
        head = ["True, in columns called", *(escaped(of[0]) for of in results["classes"])]
        caption = f"Beats by true and called class, labels by {escaped(name)}."
        tables.append(latex_table(caption, f"confusion {name}", "l" + "r" * len(counts), head, counts))
    return "\n".join([NEEDS, *tables])


def records_as_latex(results: Mapping[str, Any]) -> str:
    """A LaTeX table of EC57's scores of each record, below them gross and average; "" where no record is named."""
    tables = []
    for name, result in results["maps"].items():
        ec57 = result.get("ec57") or {}
        if not ec57.get("records"):
            continue
        rows = [
            [escaped(record), str(int(np.sum(each["confusion"]))), *_ec57_cells(each)]
            for record, each in ec57["records"].items()
        ]
        foot = [[of, "", *_ec57_cells(ec57[of])] for of in ("gross", "average") if of in ec57]
        head = ["Record", "Beats", *(rf"{escaped(key)} (\%)" for key in ECTOPIC_SCORES)]
        caption = f"Scores of ANSI/AAMI EC57 by record, labels by {escaped(name)}."
        tables.append(latex_table(caption, f"records {name}", "lr" + "r" * len(ECTOPIC_SCORES), head, rows, foot))
    return "\n".join([NEEDS, *tables]) if tables else ""


def _ec57_cells(scores: Mapping[str, float | None]) -> list[str]:
    return ["--" if (value := scores[key]) is None else f"{100 * value:.2f}" for key in ECTOPIC_SCORES]


def _latex(key: str, figure: Mapping[str, float | None], share: Share | None = None) -> str:
    """A score with its interval; so many of so many beats, marked, where that over patients says nothing."""
    if figure["value"] is None:
        return "--"
    return score_text(key, figure, share, digits=1).joined(DAGGER)
