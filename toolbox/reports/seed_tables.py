"""The scores of several seeds of a training as a LaTeX table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolbox.reports.latex import NEEDS, escaped, latex_table

OVERALL = {"acc1": r"accuracy (\%)", "acc_class": r"mean Se (\%)", "macro_f1": r"macro F1 (\%)", "AUROC": r"AUROC (\%)"}
KAPPAS = {"kappa": r"$\kappa$", "j_kappa": r"$j$-$\kappa$"}
KINDS = ("Se", "+P", "F1")
PARTS = {"val": "validation", "test": "test"}


def as_latex(experiment: Mapping[str, Any], part: str) -> str:
    """A table of mean and standard deviation over seeds: of each class, below them overall.

    Args:
        experiment: content of the experiment's file, see commands.seeds.
        part: "val" or "test".
    """
    figures, seeds = experiment[part], len(experiment["seeds"])
    names = dict.fromkeys(key.split("/")[1] for key in figures if key.startswith("per_class/"))
    rows = [
        [escaped(name), *(_cell(figures.get(f"per_class/{name}/{kind}"), 100, 2) for kind in KINDS)] for name in names
    ]
    foot = [[title, _cell(figures[key], 100, 2), "", ""] for key, title in OVERALL.items() if key in figures]
    foot += [[title, _cell(figures[key], 1, 3), "", ""] for key, title in KAPPAS.items() if key in figures]
    model = escaped(str(experiment["options"].get("model_name", "?")))
    caption = f"Scores of {model} on {PARTS[part]} beats, mean $\\pm$ standard deviation of {seeds} seeds."
    head = ["Class", r"Se (\%)", r"+P (\%)", r"F1 (\%)"]
    return f"{NEEDS}\n" + latex_table(caption, f"seeds {model} {part}", "lrrr", head, rows, foot, experiment["name"])


def _cell(figure: Mapping[str, Any] | None, times: float, digits: int) -> str:
    if figure is None or figure["mean"] is None:
        return "--"
    mean = f"{times * figure['mean']:.{digits}f}"
    return f"${mean}$" if figure["std"] is None else rf"${mean} \pm {times * figure['std']:.{digits}f}$"
