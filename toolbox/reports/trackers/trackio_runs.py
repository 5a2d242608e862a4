"""Trackio: runs of a project "pytorch-ecg-DATASET", in ROOT/trackio unless TRACKIO_DIR says where."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
from typing import Any

from toolbox.reports.trackers.facts import Memory, RunFacts
from toolbox.reports.trackers.numbers import Numbers


class TrackioRun(Numbers):
    """A run of Trackio; `NullLogger` documents the methods."""

    def __init__(self, facts: RunFacts, memory: Memory, run: Any, trackio: Any) -> None:
        super().__init__(facts, memory)
        self._run, self._trackio = run, trackio

    def _send(self, values: dict[str, float], axis: str, step: float) -> None:
        self._run.log({**values, axis: step})

    def _summarize(self, values: dict[str, float]) -> None:
        self._run.log({**values, "epoch": self._epoch})

    def _end(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            self._trackio.finish()  # of the package: at the program's end it would end its run once more


def build(facts: RunFacts, first_epoch: int | None) -> TrackioRun:
    """The run, opened or taken up again; Trackio knows runs by their names."""
    os.environ.setdefault("TRACKIO_DIR", str(facts.root / "trackio"))  # it is read when trackio is imported
    # Trackio looks for figures among the numbers; imported then, it would meet another thread that imports it, too.
    importlib.import_module("matplotlib.figure")
    import trackio

    memory = Memory(facts, "trackio")
    texts = {f"about {head}": text for head, text in facts.texts.items()}
    config = {**facts.options, **texts, "tags": " ".join(facts.tags), "folder": facts.folder.name}
    name = memory.id or (facts.title if facts.title == facts.folder.name else f"{facts.title} ({facts.folder.name})")
    with contextlib.redirect_stdout(io.StringIO()):  # a welcome of ten lines
        run = trackio.init(
            project=f"pytorch-ecg-{facts.group}", name=name, config=config, resume="allow", embed=False,
            auto_log_gpu=False, auto_log_cpu=False,
        )  # fmt: skip
    memory.keep(name, memory.epoch)
    return TrackioRun(facts, memory, run, trackio)
