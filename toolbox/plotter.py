"""Pictures of a run: confusion matrices, ROC and precision-recall curves, curves over epochs.

Figures are made through Matplotlib's object interface: no pyplot, no global state, so any thread may draw. Matplotlib
and scikit-learn are imported when a picture is drawn.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolbox.utils import atomic_write
from toolbox.utils.aami import CLASS_COLOURS, LETTERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008), "Color Universal Design": distinct under common colour blindness. Line styles differ as well.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
GREY = "#767676"
# What Matplotlib would sign a file of each format with; the bytes would differ from one minute or version to the next.
UNSIGNED = {"png": ("Software",), "pdf": ("CreationDate", "Producer", "Creator"), "svg": ("Date", "Creator")}
SIZE = (8.0, 6.4)  # inches: 960 x 768 pixels at 120 dpi


def _new_figure(title: str, x_label: str, y_label: str, size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.15, h_pad=0.15)  # type: ignore[union-attr, call-arg]  # inches
    axes = figure.subplots()
    axes.set_title(title, fontsize=15, pad=12)
    axes.set_xlabel(x_label, fontsize=13, labelpad=8)
    axes.set_ylabel(y_label, fontsize=13, labelpad=8)
    axes.tick_params(labelsize=11)
    return figure, axes


def _open_axes(axes: Axes) -> None:
    """A light grid behind the curves, no box around them."""
    axes.grid(True, color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _legend_below(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=11, frameon=False)


def plot_confusion_matrix(
    confusion: np.ndarray, class_names: Sequence[str], normalize: bool = False, title: str | None = None
) -> Figure:
    """Draw a confusion matrix, coloured by the share of each true class.

    Args:
        confusion: counts (C, C), rows true, columns predicted.
        class_names: C names.
        normalize: print per cent of the row's total instead of counts; the row of an absent class reads "–".
        title: "Confusion matrix" when None.

    Raises:
        ValueError: `confusion` is not (C, C).
    """
    counts = np.asarray(confusion)
    classes = len(class_names)
    if counts.shape != (classes, classes):
        raise ValueError(f"confusion is {counts.shape}, expected ({classes}, {classes}) for {classes} class names")
    support = counts.sum(axis=1)  # (C,)
    share = counts / np.maximum(support, 1)[:, None]  # (C, C), an absent class's row is zeros

    default_title = "Confusion matrix" + (", per cent of each true class" if normalize else "")
    figure, axes = _new_figure(default_title if title is None else title, "Predicted class", "True class", (9.6, 7.2))
    image = axes.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0)
    names = [textwrap.fill(str(name), 16) for name in class_names]
    rows = [f"{name}\n(n = {int(total):,})" for name, total in zip(names, support, strict=True)]
    axes.set_xticks(range(classes), names, fontsize=10)
    axes.set_yticks(range(classes), rows)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.grid(True, which="minor", color="white", linewidth=2)  # gaps between the cells
    axes.tick_params(which="minor", length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    for row, column in np.ndindex(counts.shape):
        absent = "–" if support[row] == 0 else f"{100 * share[row, column]:.1f}%"
        text = absent if normalize else f"{int(counts[row, column]):,}"
        colour = "white" if share[row, column] > 0.55 else "#1a1a1a"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=12)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, format=lambda value, _: f"{100 * value:.0f}%")
    bar.set_label("Share of the true class", fontsize=11)
    bar.outline.set_visible(False)
    return figure


def one_vs_rest(
    probabilities: np.ndarray, labels: np.ndarray, class_names: Sequence[str]
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Every class against the rest; of two classes the second (Abnormal) alone, as it is the positive one.

    Args:
        probabilities: (n, C). Beats with a probability that is not finite are left out.
        labels: (n,), 0..C-1.
        class_names: C names.

    Returns:
        (class name, scores (m,), whether each beat is of the class (m,)) per class, m <= n.

    Raises:
        ValueError: the shapes do not fit each other.
    """
    scores, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    if scores.ndim != 2 or scores.shape != (truth.size, len(class_names)):
        raise ValueError(f"probabilities are {scores.shape}, expected ({truth.size}, {len(class_names)})")
    finite = np.isfinite(scores).all(axis=1)
    scores, truth = scores[finite], truth.reshape(-1)[finite]
    first = 1 if len(class_names) == 2 else 0
    return [(str(class_names[k]), scores[:, k], truth == k) for k in range(first, len(class_names))]


def _draw_curves(
    axes: Axes,
    classes: list[tuple[str, np.ndarray, np.ndarray]],
    curve: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, str]],
    drawstyle: str,
) -> None:
    """One curve per class; a class without one is named in the legend, with the reason."""
    for k, (name, scores, positive) in enumerate(classes):
        if not positive.any() or positive.all():
            reason = "the only class, no curve" if positive.any() else "no beats, no curve"
            axes.plot([], [], " ", label=f"{name}: {reason}")
            continue
        x, y, score = curve(positive, scores)
        (line,) = axes.plot(x, y, linewidth=2.2, label=f"{name}: {score}", clip_on=False)
        colour = CLASS_COLOURS.get(LETTERS.get(name, ""), COLOURS[k % len(COLOURS)])
        line.set(color=colour, linestyle=STYLES[k % len(STYLES)], drawstyle=drawstyle)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    _open_axes(axes)


def plot_roc_curve(probabilities: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> Figure:
    """Receiver operating characteristic of each class against the rest (see `one_vs_rest` for the arguments).

    The legend gives the area under each curve (AUROC) and names the classes that can have none.
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    def curve(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
        false_rate, true_rate, _ = roc_curve(positive, scores)
        return false_rate, true_rate, f"AUROC {roc_auc_score(positive, scores):.4f}"

    figure, axes = _new_figure("ROC curve", "False positive rate (1 − specificity)", "Sensitivity (Se)", (8.0, 8.0))
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (2, 3)), label="chance: AUROC 0.5")
    _draw_curves(axes, one_vs_rest(probabilities, labels, class_names), curve, "default")
    _legend_below(figure, axes)
    return figure


def plot_pr_curve(probabilities: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> Figure:
    """Precision over recall of each class against the rest (see `one_vs_rest` for the arguments).

    The legend gives each class's average precision (AP) and names the classes that can have none.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve

    def curve(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
        precision, recall, _ = precision_recall_curve(positive, scores)
        return recall, precision, f"AP {average_precision_score(positive, scores):.4f}"

    title = "Precision-recall curve"
    figure, axes = _new_figure(title, "Sensitivity (Se)", "Positive predictivity (+P)", (8.0, 8.0))
    _draw_curves(axes, one_vs_rest(probabilities, labels, class_names), curve, "steps-post")
    _legend_below(figure, axes)
    return figure


def _draw_history(axes: Axes, logged: Mapping[str, Any], lines: Sequence[tuple[str, str, str, int]]) -> np.ndarray:
    """Draw `lines` of (split, score, label, colour number) over epochs; returns every finite value drawn."""
    from matplotlib.ticker import MaxNLocator

    drawn = [np.empty(0)]
    for split, score, label, colour in lines:
        rows = [row for row in logged.get(split, ()) if row.get(score) is not None]
        values = np.array([row[score] for row in rows], dtype=np.float64)
        if not np.isfinite(values).any():
            continue
        values[~np.isfinite(values)] = np.nan  # a gap in the line
        style, marker = ("--", "o") if split == "train" and score != "lr" else ("-", "s")
        (line,) = axes.plot([row["epoch"] for row in rows], values, linewidth=2, markersize=5, label=label)
        line.set(color=COLOURS[colour], linestyle=style, marker=marker if len(rows) <= 40 else "")
        drawn.append(values[np.isfinite(values)])
    _open_axes(axes)
    axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    values = np.concatenate(drawn)
    if not values.size:
        axes.text(0.5, 0.5, "nothing logged", transform=axes.transAxes, ha="center", color=GREY, fontsize=13)
        axes.set(xticks=(), yticks=())
    return values


def plot_history(logged: Mapping[str, Any]) -> dict[str, Figure]:
    """Curves over epochs from `logged` ({"train": [{"epoch": 1, "loss": ..., ...}, ...], "val": [...]}).

    Returns:
        Figures under "loss", "accuracy" (acc1 and macro_f1) and "learning_rate". Values that are None or not finite,
        and scores that were not logged, are left out.
    """
    from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter

    loss, axes = _new_figure("Loss", "Epoch", "Loss")
    _draw_history(axes, logged, [("train", "loss", "training", 0), ("val", "loss", "validation", 3)])
    _legend_below(loss, axes)

    accuracy, axes = _new_figure("Accuracy and macro F1", "Epoch", "Score")
    pairs = [("acc1", "accuracy", 0), ("macro_f1", "macro F1", 3)]
    splits = [("train", "training"), ("val", "validation")]
    lines = [(split, score, f"{label}, {word}", k) for score, label, k in pairs for split, word in splits]
    if _draw_history(axes, logged, lines).size:
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, 0.0), min(high, 1.0))
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1.0))
    _legend_below(accuracy, axes)

    rate, axes = _new_figure("Learning rate", "Epoch", "Learning rate")
    rates = _draw_history(axes, logged, [("train", "lr", "", 0)])
    if rates.size:
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        if rates.min() > 0 and rates.max() >= 10 * rates.min():
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
    return {"loss": loss, "accuracy": accuracy, "learning_rate": rate}


def save_plot(figure: Figure, path: str | Path, dpi: int = 120) -> Path:
    """Write `figure` to `path`, atomically; the same figure gives the same bytes. Makes the folder.

    The ending of `path` is the format: .pdf, .svg, or else PNG.
    """
    from matplotlib import rc_context

    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    kind = kind if kind in UNSIGNED else "png"
    path.parent.mkdir(parents=True, exist_ok=True)
    # letters as fonts, as journals ask for; ids that stay the same
    with rc_context({"pdf.fonttype": 42, "svg.hashsalt": "pytorch-ecg"}), atomic_write(path) as handle:
        figure.savefig(handle, format=kind, dpi=dpi, metadata=dict.fromkeys(UNSIGNED[kind]))
    return path


def plot_reliability(curves: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Draw the share called right over the given probability, a curve for each name; the diagonal is calibrated.

    Args:
        curves: name -> a curve as toolbox.metrics.calibration.reliability gives it.
    """
    figure, axes = _new_figure("Reliability", "Probability of the called class", "Share called right")
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="calibrated")
    for (name, curve), colour in zip(curves.items(), COLOURS, strict=False):
        filled = curve["rows"] > 0
        axes.plot(curve["confidence"][filled], curve["accuracy"][filled], color=colour, marker="o", label=name)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    _open_axes(axes)
    _legend_below(figure, axes)
    return figure
