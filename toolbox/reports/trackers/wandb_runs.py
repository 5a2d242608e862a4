"""Weights & Biases: offline in RUN/wandb unless WANDB_MODE says otherwise; `wandb sync` sends it when you want to."""

from __future__ import annotations

import os
import secrets
from typing import Any

import wandb

from toolbox.reports.trackers.facts import Memory, RunFacts
from toolbox.reports.trackers.numbers import Numbers


class WandbRun(Numbers):
    """A run of Weights & Biases; `NullLogger` documents the methods."""

    def __init__(self, facts: RunFacts, memory: Memory, run: Any) -> None:
        super().__init__(facts, memory)
        self._run = run
        for axis, names in (("within", "within/*"), ("epoch", "*")):
            run.define_metric(axis, hidden=True)
            run.define_metric(names, step_metric=axis)

    def _send(self, values: dict[str, float], axis: str, step: float) -> None:
        self._run.log({**values, axis: step})

    def _summarize(self, values: dict[str, float]) -> None:
        self._run.summary.update(values)

    def _end(self) -> None:
        self._run.finish()


def build(facts: RunFacts, first_epoch: int | None) -> WandbRun:
    """The run, opened or taken up again."""
    memory = Memory(facts, "wandb")
    mode: Any = os.environ.get("WANDB_MODE", "offline")
    run = wandb.init(
        project=os.environ.get("WANDB_PROJECT", "pytorch-ecg"),
        dir=facts.folder,
        id=memory.id or secrets.token_hex(6),
        name=facts.title,
        group=facts.group,
        tags=list(facts.tags),
        notes="\n\n".join(f"{head}: {text}" for head, text in facts.texts.items()),
        config=dict(facts.options),
        mode=mode,
        resume="allow" if mode == "online" else None,
        settings=wandb.Settings(silent=True, console="off"),
    )
    memory.keep(run.id, memory.epoch)
    return WandbRun(facts, memory, run)
