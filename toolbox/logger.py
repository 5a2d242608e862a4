"""The history of a run: plain values, written as JSON."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from toolbox.utils import UserError, read_json, schema_error, write_json

NUMBER = (int, float, type(None))
SCORES = {  # the shape of an epoch's scores in files
    "epoch": int,
    **dict.fromkeys(("loss?", "lr?", "seconds?", "acc1?", "acc_class?", "macro_f1?", "meanIoU?", "fwavacc?"), NUMBER),
    **dict.fromkeys(("mAP?", "AUROC?"), NUMBER),
    "per_class?": {str: {"Se?": NUMBER, "+P?": NUMBER, "F1?": NUMBER, "support?": int}},
    "confusion?": [[int]],
}
STOPPED = "stopped"  # the key, in the log, of an early stop; absent where there was none
STOP = {"epoch": int, "epochs": int, "patience": int, "best": {"epoch": int, "monitor": str, "score": NUMBER}}
LOG = {
    "name": str,
    "date_and_time": str,
    "options": dict,
    "info": dict,
    "logged": {"train": [SCORES], "val": [SCORES], "hyperparams?": dict, f"{STOPPED}?": STOP},
}


class Experiment:
    """The log of a run.

    Args:
        name: the run's name.
        options: its flags.
        info: further facts, as model size and data source.

    Attributes:
        logged: {"train": [scores of an epoch, ...], "val": [...], "hyperparams": {...}}; each entry has its "epoch".
            After an early stop also "stopped": {"epoch", "epochs", "patience", "best"}; patience 0: by a search.
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
