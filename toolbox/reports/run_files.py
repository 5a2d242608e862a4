"""Write the results of a run: res/, pred/ and pics/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from toolbox.plotter import plot_confusion_matrix, plot_history, plot_roc_curve, save_plot
from toolbox.utils import write_json


def write_val_results(folder: Path, epoch: int, results: dict[str, list[int]]) -> Path:
    """Write res/val_results_list_epN.json: {beat id: [predicted, true]}."""
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
    """Write scores, predictions, confusion matrices and ROC curves to pred/; return the path of the scores."""
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
    """Write the curves of loss, accuracy and learning rate to pics/."""
    (folder / "pics").mkdir(exist_ok=True)
    return [save_plot(figure, folder / "pics" / f"{name}.png") for name, figure in plot_history(logged).items()]
