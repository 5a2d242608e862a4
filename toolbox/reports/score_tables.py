"""Write the test scores by class, patient and record: JSON, CSV, LaTeX, text, the reliability diagram."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toolbox.metrics.calibration import reliability, tempered
from toolbox.metrics.ec57_scores import ECTOPIC_SCORES
from toolbox.metrics.patients import (
    EC57_MAP,
    OVERALL,
    calibration,
    database_scores,
    most_decisive_record,
    patient_scores,
)  # fmt: skip
from toolbox.plotter import plot_reliability, save_plot
from toolbox.reports.console import percent
from toolbox.training.outputs import EpochResult
from toolbox.utils import atomic_write, write_json

LABELS = {"accuracy": "accuracy", "macro_f1": "macro F1", "kappa": "kappa", "j_kappa": "j-kappa"}
PER_CENT = ("accuracy", "macro_f1")
KINDS = ("Se", "+P", "F1")


def write_patient_results(
    folder: Path,
    epoch: int,
    outcome: EpochResult,
    origin: Mapping[str, np.ndarray],
    names: tuple[str, ...],
    split: str,
    held_out: EpochResult | None,
    unit: str = "patients",
) -> tuple[dict[str, Any], list[str]]:
    """Write pred/scores_epN.json, .csv and .tex, and pred/reliability_epN.png.

    Args:
        folder: of the run.
        outcome: result of the test beats.
        origin: record, patient, symbol and time of each test beat.
        split: the flag; all but "kaggle" go by patient.
        held_out: result of the validation beats; None where they are the test beats.
        unit: "records" where it is not known which of them are of one patient.

    Returns:
        The content of the JSON file, and the lines to print.
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
    return results, as_lines(results)


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
        lines += [f"% {name}; {results['intervals'] or 'no intervals'}", r"\begin{tabular}{lrrrr}", r"\hline"]
        lines += [r"Class & Se (\%) & +P (\%) & F1 (\%) & Beats \\", r"\hline"]
        for of, each in result["per_class"].items():
            cells = [_latex(each[kind], 100, 1) for kind in KINDS]
            lines.append(f"{of} & {' & '.join(cells)} & {each['beats']} \\\\")
        shown = [
            f"{LABELS[key]} {_latex(result[key], 100, 1)}\\,\\%"
            if key in PER_CENT
            else f"{LABELS[key].replace('kappa', '$' + chr(92) + 'kappa$')} {_latex(result[key], 1, 3)}"
            for key in OVERALL
            if result[key]["value"] is not None
        ]
        lines += [r"\hline", rf"\multicolumn{{5}}{{l}}{{{', '.join(shown)}}} \\", r"\hline", r"\end{tabular}", ""]
        columns, called = "r" * len(results["classes"]), " & ".join(name[0] for name in results["classes"])
        lines += [rf"\begin{{tabular}}{{l{columns}}}", r"\hline", rf"True, in columns called & {called} \\", r"\hline"]
        for of, counts in zip(results["classes"], result["confusion"], strict=True):
            lines.append(f"{of} & {' & '.join(map(str, counts))} \\\\")
        lines += [r"\hline", r"\end{tabular}", ""]
    return "\n".join(lines)


def _latex(figure: Mapping[str, float | None], times: float, digits: int) -> str:
    if figure["value"] is None:
        return "--"
    text = f"{times * figure['value']:.{digits}f}"
    if figure["low"] is None or figure["high"] is None:
        return text
    return f"{text} [{times * figure['low']:.{digits}f}, {times * figure['high']:.{digits}f}]"


def _shown(key: str, figure: Mapping[str, float | None]) -> str:
    """A score with its interval for the terminal."""
    value, low, high = figure["value"], figure["low"], figure["high"]
    if key in PER_CENT or key in KINDS:
        text = percent(value)
        return text if low is None or high is None else f"{text} [{100 * low:.1f}, {100 * high:.1f}]"
    text = "-" if value is None else f"{value:.3f}"
    return text if low is None or high is None else f"{text} [{low:.3f}, {high:.3f}]"


def _confusion_lines(confusion: Sequence[Sequence[int]], names: Sequence[str]) -> list[str]:
    """The counts, true classes in rows, predicted ones in columns."""
    width, letters = max(map(len, names)), [name[0] for name in names]
    lines = [f"{'true, in columns called':{width}} {' '.join(f'{letter:>8}' for letter in letters)}"]
    return lines + [
        f"{name:{width}} {' '.join(f'{count:8d}' for count in counts)}"
        for name, counts in zip(names, confusion, strict=True)
    ]


def _record_lines(records: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The table of EC57's scores of each record."""
    lines = [f"{'record':8} {'beats':>6} " + " ".join(f"{key:>9}" for key in ECTOPIC_SCORES)]
    for record, each in records.items():
        beats = int(np.sum(each["confusion"]))
        lines.append(f"{record:8} {beats:6d} " + " ".join(f"{percent(each[key]):>9}" for key in ECTOPIC_SCORES))
    return lines


def as_lines(results: Mapping[str, Any]) -> list[str]:
    """All tables as lines for the terminal: of each database, where they are several, of all, and calibration."""
    lines = []
    for database, each in results.get("databases", {}).items():
        lines += [f"database {database}", *map_lines(each), ""]
    lines += ["all databases"] if lines else []
    calibrated = results["calibration"]
    line, temperature = f"calibration: expected error {percent(calibrated['ece'])}", calibrated["temperature"]
    if temperature is not None:
        line += f"; {percent(calibrated['ece_tempered'])} at temperature {temperature:.2f}, fitted on validation"
    return [*lines, *map_lines(results), line]


def map_lines(results: Mapping[str, Any]) -> list[str]:
    """The tables of each label map as lines for the terminal."""
    lines = []
    if results["intervals"]:
        unit = "records" if "over records" in results["intervals"] else "patients"
        lines.append(f"{results['patients']} {unit}; in brackets {results['intervals']}")
    for name, result in results["maps"].items():
        width = max(map(len, results["classes"]))
        lines += ["", f"labels by {name}", f"{'':{width}} {'Se':>22} {'+P':>22} {'F1':>22} {'beats':>8}"]
        for of, each in result["per_class"].items():
            cells = " ".join(f"{_shown(kind, each[kind]):>22}" for kind in KINDS)
            lines.append(f"{of:{width}} {cells} {each['beats']:8d}")
        lines += _confusion_lines(result["confusion"], results["classes"])
        there = [key for key in OVERALL if result[key]["value"] is not None]
        lines.append("  ".join(f"{LABELS[key]} {_shown(key, result[key])}" for key in there))
        for of in ("gross", "average") if "ec57" in result else ():
            each = result["ec57"][of]
            lines.append(f"EC57 {of:7}  " + "  ".join(f"{key} {percent(each[key])}" for key in ECTOPIC_SCORES))
        if name == EC57_MAP:
            lines += _record_lines(result["ec57"]["records"])
        if (record := most_decisive_record(result)) is not None:
            rest = result["without"][record]
            figure = {key: {"value": rest[key], "low": None, "high": None} for key in OVERALL}
            shown = "  ".join(f"{LABELS[key]} {_shown(key, figure[key])}" for key in OVERALL)
            lines.append(f"without record {record}, which moves j-kappa most: {shown}")
    return lines
