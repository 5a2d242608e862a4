"""The files of a run folder that people and other programs read: res/, pred/, pics/ and report.html."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from toolbox.logger import SCORES
from toolbox.plotter import plot_confusion_matrix, plot_history, plot_roc_curve, save_plot
from toolbox.reports.run_page import write_report
from toolbox.runs.folders import Run
from toolbox.utils import UserError, read_json, schema_error, write_json


def write_val_results(folder: Path, epoch: int, results: dict[str, list[int]]) -> Path:
    """res/val_results_list_epN.json."""
    (folder / "res").mkdir(exist_ok=True)
    path = folder / "res" / f"val_results_list_ep{epoch}.json"
    write_json(path, results, indent=None)
    return path


def write_test_results(
    folder: Path,
    epoch: int,
    scores: dict[str, Any],
    results: dict[str, list[int]],
    probabilities: np.ndarray,
    labels: np.ndarray,
    class_names: tuple[str, ...],
) -> Path:
    """pred/: the scores, the predictions, the confusion matrices and the ROC curves of epoch N. Returns the scores'."""
    pred = folder / "pred"
    pred.mkdir(exist_ok=True)
    path = pred / f"test_results_ep{epoch}.json"
    write_json(path, {"epoch": epoch, **scores})
    write_json(pred / f"test_results_list_ep{epoch}.json", results, indent=None)
    confusion = np.array(scores["confusion"])
    save_plot(plot_confusion_matrix(confusion, class_names), pred / f"cm_ep{epoch}.png")
    save_plot(plot_confusion_matrix(confusion, class_names, normalize=True), pred / f"norm_cm_ep{epoch}.png")
    save_plot(plot_roc_curve(probabilities, labels, class_names), pred / f"roc_ep{epoch}.png")
    return path


def write_pictures(folder: Path, logged: dict[str, Any]) -> list[Path]:
    """pics/: the curves of loss, accuracy and learning rate."""
    (folder / "pics").mkdir(exist_ok=True)
    return [save_plot(figure, folder / "pics" / f"{name}.png") for name, figure in plot_history(logged).items()]


def write_page(run: Run, logged: dict[str, Any], best: dict[str, Any] | None) -> Path:
    """report.html, with the newest test there is."""
    test = newest_test(run.path)
    pictures = sorted((run.path / "pics").glob("*.png"))
    if test is not None:
        pictures += [run.path / "pred" / f"{kind}_ep{test['epoch']}.png" for kind in ("norm_cm", "roc")]
        pictures += sorted((run.path / "pred").glob(f"reliability_ep{test['epoch']}.png"))  # older runs have none
    at_best = next((entry for entry in logged["val"] if best and entry["epoch"] == best["epoch"]), None)
    warnings = run.config.get("warnings", [])
    return write_report(run.path / "report.html", run.config, logged, at_best, test, pictures, warnings)


def newest_test(folder: Path) -> dict[str, Any] | None:
    """The scores of the newest test, None when there is none; stderr names files that cannot be read."""
    tests = sorted((folder / "pred").glob("test_results_ep*.json"), key=lambda path: path.stat().st_mtime)
    for path in reversed(tests):
        try:
            test = read_json(path)
            if not (problem := schema_error(test, SCORES, "it")):
                return test
        except UserError as error:
            problem = str(error)
        print(f"warning: {path} is passed over: {problem}", file=sys.stderr)
    return None
