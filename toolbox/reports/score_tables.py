"""Write the test scores by class, patient and record: JSON, CSV, LaTeX, the reliability diagram."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toolbox.metrics.calibration import reliability, tempered
from toolbox.metrics.ec57_scores import ECTOPIC_SCORES
from toolbox.metrics.patients import OVERALL, calibration, database_scores, patient_scores
from toolbox.metrics.proportions import Share, shares
from toolbox.plotter import plot_reliability, save_plot
from toolbox.reports.score_text import ALIKE, score_text
from toolbox.training.outputs import EpochResult
from toolbox.utils import atomic_write, write_json

LABELS = {"accuracy": "accuracy", "macro_f1": "macro F1", "kappa": "kappa", "j_kappa": "j-kappa"}
PER_CENT = ("accuracy", "macro_f1")
KINDS = ("Se", "+P", "F1")
DAGGER = r"$^\dagger$"  # marks intervals that say nothing about patients


def patient_results(
    epoch: int,
    outcome: EpochResult,
    origin: Mapping[str, np.ndarray],
    names: tuple[str, ...],
    split: str,
    held_out: EpochResult | None,
    unit: str = "patients",
) -> dict[str, Any]:
    """The scores of the test beats with intervals, by label map and database, and calibration: plain values.

    Args:
        outcome: result of the test beats.
        origin: record, patient, symbol and time of each test beat.
        split: the flag; all but "kaggle" go by patient.
        held_out: result of the validation beats; None where they are the test beats.
        unit: "records" where it is not known which of them are of one patient.
    """
    probabilities, labels = outcome.probabilities.numpy(), outcome.labels.numpy()
    results = {
        "epoch": epoch,
        "split": split,
        **patient_scores(probabilities, labels, origin, names, split != "kaggle", unit),
    }
    if split != "kaggle" and (databases := database_scores(probabilities, labels, origin, names, unit)):
        results["databases"] = databases
    validation = None if held_out is None else (held_out.probabilities.numpy(), held_out.labels.numpy())
    results["calibration"] = calibration(probabilities, labels, validation)
    return results


def write_patient_results(folder: Path, results: Mapping[str, Any], outcome: EpochResult) -> None:
    """Write pred/scores_epN.json, .csv and .tex, and pred/reliability_epN.png.

    Args:
        folder: of the run.
        results: of `patient_results`.
        outcome: result of the test beats.
    """
    probabilities, labels = outcome.probabilities.numpy(), outcome.labels.numpy()
    epoch = results["epoch"]
    pred = folder / "pred"
    pred.mkdir(exist_ok=True)
    write_json(pred / f"scores_ep{epoch}.json", results)
    for extension, text in (("csv", as_csv(results)), ("tex", as_latex(results))):
        with atomic_write(pred / f"scores_ep{epoch}.{extension}", "w") as handle:
            handle.write(text)
    curves = {"as it is": reliability(probabilities, labels)}
    temperature = results["calibration"]["temperature"]
    if temperature is not None:
        curves[f"temperature {temperature:.2f}"] = reliability(tempered(probabilities, temperature), labels)
    save_plot(plot_reliability(curves), pred / f"reliability_ep{epoch}.png")


def rows(results: Mapping[str, Any]) -> Iterator[tuple[str, str, str, float | None, float | None, float | None]]:
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


def as_csv(results: Mapping[str, Any]) -> str:
    """All scores in long form, a line each; a value that does not exist is empty."""
    columns = ["label map", "of", "figure", "value", "low", "high"]
    return pd.DataFrame(rows(results), columns=columns, dtype=object).to_csv(index=False, lineterminator="\n")


def as_latex(results: Mapping[str, Any]) -> str:
    """LaTeX tables of each label map: the classes in per cent with intervals, overall scores, the confusion matrix."""
    lines = []
    for name, result in results["maps"].items():
        counts = shares(result, results["classes"])
        lines += [f"% {name}; {results['intervals'] or 'no intervals'}", r"\begin{tabular}{lrrrr}", r"\hline"]
        lines += [r"Class & Se (\%) & +P (\%) & F1 (\%) & Beats \\", r"\hline"]
        for of, each in result["per_class"].items():
            cells = [_latex(kind, each[kind], counts.get((of, kind))) for kind in KINDS]
            lines.append(f"{of} & {' & '.join(cells)} & {each['beats']} \\\\")
        shown = [
            f"{LABELS[key]} {_latex(key, result[key], counts.get(('all', key)))}\\,\\%"
            if key in PER_CENT
            else f"{LABELS[key].replace('kappa', '$' + chr(92) + 'kappa$')} {_latex(key, result[key])}"
            for key in OVERALL
            if result[key]["value"] is not None
        ]
        lines += [r"\hline", rf"\multicolumn{{5}}{{l}}{{{', '.join(shown)}}} \\", r"\hline"]
        if any(DAGGER in line for line in lines):
            lines.append(rf"\multicolumn{{5}}{{l}}{{{DAGGER} {ALIKE}; intervals over beats (Wilson)}} \\")
        lines += [r"\end{tabular}", ""]
        columns, called = "r" * len(results["classes"]), " & ".join(name[0] for name in results["classes"])
        lines += [rf"\begin{{tabular}}{{l{columns}}}", r"\hline", rf"True, in columns called & {called} \\", r"\hline"]
        for of, row in zip(results["classes"], result["confusion"], strict=True):
            lines.append(f"{of} & {' & '.join(map(str, row))} \\\\")
        lines += [r"\hline", r"\end{tabular}", ""]
    return "\n".join(lines)


def _latex(key: str, figure: Mapping[str, float | None], share: Share | None = None) -> str:
    """A score with its interval; so many of so many beats, marked, where that over patients says nothing."""
    if figure["value"] is None:
        return "--"
    return score_text(key, figure, share, digits=1).joined(DAGGER)
