"""A run as trackers show it, and the memory of a tracker about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolbox.utils import UserError, read_json, write_json


@dataclass(frozen=True)
class RunFacts:
    """A run, for people.

    Attributes:
        folder: of the run, ROOT/DATASET/runs/NAME.
        title: its name, of --name if there is one.
        tags: of --tag.
        texts: by heading: the note, the command, the flags that differ from their defaults.
        options: all flags.
    """

    folder: Path
    title: str
    tags: Sequence[str] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """ROOT, where trackers that keep the runs of all datasets together have their store."""
        return self.folder.absolute().parents[2]

    @property
    def group(self) -> str:
        """The dataset, which runs are grouped by."""
        return self.folder.absolute().parents[1].name


class Memory:
    """The id that a tracker gave a run, and the last epoch it was sent, in RUN/trackers/NAME.json."""

    def __init__(self, facts: RunFacts, name: str) -> None:
        self.path = facts.folder / "trackers" / f"{name}.json"
        self.id = ""
        self.epoch = 0
        try:
            kept = read_json(self.path) if self.path.is_file() else {}
            self.id, self.epoch = str(kept.get("id", "")), int(kept.get("epoch", 0))
        except (UserError, AttributeError, TypeError, ValueError):
            pass  # damaged: the tracker gets the run anew

    def keep(self, run: str, epoch: int) -> None:
        """Write both."""
        self.id, self.epoch = run, epoch
        self.path.parent.mkdir(exist_ok=True)
        write_json(self.path, {"id": run, "epoch": epoch})
