"""Scores as text for the terminal."""

from __future__ import annotations

from typing import Any


def percent(score: float | None) -> str:
    """A fraction as per cent, "-" where it is not defined."""
    return "-" if score is None else f"{100 * score:.2f} %"


def epoch_line(title: str, train: dict[str, Any], val: dict[str, Any]) -> str:
    """The training and validation scores of an epoch in one line."""
    return (
        f"{title}: train loss {train['loss']:.4f} acc1 {percent(train['acc1'])} | "
        f"val loss {val['loss']:.4f} acc1 {percent(val['acc1'])} "
        f"acc_class {percent(val['acc_class'])} macro_f1 {percent(val['macro_f1'])} | "
        f"lr {train['lr']:.3g} | {train['seconds']:.1f} + {val['seconds']:.1f} s"
    )


def print_predictions(results: dict[str, list[int]], names: tuple[str, ...]) -> None:
    """Print a line for each beat of {beat id: [predicted, true]}."""
    for beat, (predicted, label) in results.items():
        print(f"beat {beat}: {names[predicted]}, is {names[label]}{'' if predicted == label else '  WRONG'}")


def scores_table(scores: dict[str, Any]) -> str:
    """The scores of a split as lines, of each class and over all."""
    per_class = scores.get("per_class", {})
    width = max(map(len, per_class), default=0)
    lines = [f"{'':{width}} {'Se':>9} {'+P':>9} {'F1':>9} {'rows':>8}"]
    for name, of_class in per_class.items():
        cells = " ".join(f"{percent(of_class.get(key)):>9}" for key in ("Se", "+P", "F1"))
        lines.append(f"{name:{width}} {cells} {of_class.get('support', 0):8d}")
    keys = ("acc1", "acc_class", "macro_f1", "meanIoU", "fwavacc", "mAP", "AUROC")
    overall = [f"{key} {percent(scores[key])}" for key in keys if key in scores]
    overall += [f"{key} {scores[key]:.3f}" for key in ("kappa", "j_kappa") if scores.get(key) is not None]
    lines.append("  ".join(overall))
    return "\n".join(lines)
