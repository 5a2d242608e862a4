"""Write the results of a run: res/, pred/ and pics/."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolbox.options import FigureOptions
from toolbox.plotter import plot_confusion_matrix, plot_history, plot_roc_curve, save_plot
from toolbox.utils import write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure


PLAIN = FigureOptions()  # PNG alone, with titles


def save_figures(figure: Figure, stem: Path, style: FigureOptions = PLAIN) -> Path:
    """Write `figure` as STEM.png and in the other formats of `style`; return the path of the PNG file."""
    if not style.titles:
        for axes in figure.axes:
            axes.set_title("")
    for kind in dict.fromkeys((*style.figures, "png")):
        save_plot(figure, stem.with_name(f"{stem.name}.{kind}"), style.dpi)
    return stem.with_name(f"{stem.name}.png")


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
    style: FigureOptions = PLAIN,
) -> Path:
    """Write scores, predictions, confusion matrices and ROC curves to pred/; return the path of the scores."""
    pred = folder / "pred"
    pred.mkdir(exist_ok=True)
    path = pred / f"test_results_ep{epoch}.json"
    write_json(path, {"epoch": epoch, **scores})
    write_json(pred / f"test_results_list_ep{epoch}.json", results, indent=None)
    confusion = np.array(scores["confusion"])
    figures = {
        "cm": plot_confusion_matrix(confusion, class_names),
        "norm_cm": plot_confusion_matrix(confusion, class_names, normalize=True),
        "roc": plot_roc_curve(probabilities, labels, class_names),
    }
    for name, figure in figures.items():
        save_figures(figure, pred / f"{name}_ep{epoch}", style)
    return path


def write_pictures(folder: Path, logged: dict[str, Any], style: FigureOptions = PLAIN) -> list[Path]:
    """Write the curves of loss, accuracy and learning rate to pics/."""
    (folder / "pics").mkdir(exist_ok=True)
    return [save_figures(figure, folder / "pics" / name, style) for name, figure in plot_history(logged).items()]
