"""What a run has measured so far: plain values, so that it is JSON as it stands."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from toolbox.utils import UserError, read_json, schema_error, write_json

NUMBER = (int, float, type(None))
SCORES = {  # what files must hold where there are scores of an epoch
    "epoch": int,
    **dict.fromkeys(("loss?", "lr?", "seconds?", "acc1?", "acc_class?", "macro_f1?", "meanIoU?", "fwavacc?"), NUMBER),
    **dict.fromkeys(("mAP?", "AUROC?"), NUMBER),
    "per_class?": {str: {"Se?": NUMBER, "+P?": NUMBER, "F1?": NUMBER, "support?": int}},
    "confusion?": [[int]],
}
LOG = {
    "name": str,
    "date_and_time": str,
    "options": dict,
    "info": dict,
    "logged": {"train": [SCORES], "val": [SCORES], "hyperparams?": dict},
}


class Experiment:
    """The log of a run.

    Args:
        name: the run's name.
        options: its flags.
        info: what else is to be kept: model size, data source and the like.

    Attributes:
        logged: {"train": [scores of an epoch, ...], "val": [...], "hyperparams": {...}}; each entry has its "epoch".
    """

    def __init__(self, name: str, options: dict[str, Any] | None = None, info: dict[str, Any] | None = None) -> None:
        self.name = name
        self.date_and_time = time.strftime("%Y-%m-%d %H:%M:%S")
        self.options = dict(options or {})
        self.info = dict(info or {})
        self.logged: dict[str, Any] = {"train": [], "val": [], "hyperparams": {}}

    def log(self, split: str, epoch: int, scores: dict[str, Any]) -> None:
        """Note the `scores` of `epoch`, in place of those of the same or later epochs."""
        kept = [entry for entry in self.logged[split] if entry["epoch"] < epoch]
        self.logged[split] = [*kept, {"epoch": epoch, **scores}]

    def at(self, split: str, epoch: int) -> dict[str, Any] | None:
        """The scores of `epoch`, None when there are none."""
        return next((entry for entry in self.logged[split] if entry["epoch"] == epoch), None)

    def to_dict(self) -> dict[str, Any]:
        """The log as plain values."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Experiment:
        """The log that `to_dict` gave."""
        experiment = cls(state["name"], state["options"], state["info"])
        experiment.date_and_time = state["date_and_time"]
        experiment.logged = state["logged"]
        return experiment

    def to_json(self, path: str | Path) -> None:
        """Write the log to `path`, atomically."""
        write_json(path, self.to_dict())

    @classmethod
    def from_json(cls, path: str | Path) -> Experiment:
        """Read the log in `path`; UserError when it is not one."""
        state = read_json(path)
        if problem := schema_error(state, LOG, "it"):
            raise UserError(f"{path} is not the log of a run: {problem}")
        return cls.from_dict(state)


def percent(score: float | None) -> str:
    """A fraction as per cent, "-" where it is not defined."""
    return "-" if score is None else f"{100 * score:.2f} %"


def epoch_line(what: str, learned: dict[str, Any], held_out: dict[str, Any]) -> str:
    """One line on an epoch for the terminal."""
    return (
        f"{what}: train loss {learned['loss']:.4f} acc1 {percent(learned['acc1'])} | "
        f"val loss {held_out['loss']:.4f} acc1 {percent(held_out['acc1'])} "
        f"acc_class {percent(held_out['acc_class'])} macro_f1 {percent(held_out['macro_f1'])} | "
        f"lr {learned['lr']:.3g} | {learned['seconds']:.1f} + {held_out['seconds']:.1f} s"
    )


def print_predictions(results: dict[str, list[int]], names: tuple[str, ...]) -> None:
    """A line for each beat of {beat id: [predicted, true]}."""
    for beat, (called, label) in results.items():
        print(f"beat {beat}: {names[called]}, is {names[label]}{'' if called == label else '  WRONG'}")


def scores_table(scores: dict[str, Any]) -> str:
    """The scores of a split as lines for the terminal, per class and over all."""
    per_class = scores.get("per_class", {})
    width = max(map(len, per_class), default=0)
    lines = [f"{'':{width}} {'Se':>9} {'+P':>9} {'F1':>9} {'rows':>8}"]
    for name, figures in per_class.items():
        cells = " ".join(f"{percent(figures.get(key)):>9}" for key in ("Se", "+P", "F1"))
        lines.append(f"{name:{width}} {cells} {figures.get('support', 0):8d}")
    keys = ("acc1", "acc_class", "macro_f1", "meanIoU", "fwavacc", "mAP", "AUROC")
    shown = [f"{key} {percent(scores[key])}" for key in keys if key in scores]
    shown += [f"{key} {scores[key]:.3f}" for key in ("kappa", "j_kappa") if scores.get(key) is not None]
    lines.append("  ".join(shown))
    return "\n".join(lines)
