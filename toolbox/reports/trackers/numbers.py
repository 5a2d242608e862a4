"""The part that trackers of numbers share: scores as flat names and values, each epoch sent once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolbox.reports.null_logger import NullLogger, clean, flatten
from toolbox.reports.trackers.facts import Memory, RunFacts

TEST = "test"  # the split whose scores come after the last epoch, maybe again


class Numbers(NullLogger):
    """A logger of scores, learning rates, losses within epochs and final scores; it has no pictures.

    A subclass sends what `_send` is given. Epochs that the tracker was sent before a resume are not sent again: a
    resumed run computes the same numbers.

    Args:
        memory: of the tracker about the run, with its id.
    """

    def __init__(self, facts: RunFacts, memory: Memory) -> None:
        self._facts = facts
        self._memory = memory
        self._sent = memory.epoch
        self._epoch = memory.epoch

    def _send(self, values: dict[str, float], axis: str, step: float) -> None:
        """Send numbers at a place of the x axis, "epoch"; losses within one have the axis "within"."""
        raise NotImplementedError

    def _summarize(self, values: dict[str, float]) -> None:
        """Send final scores, which tables of runs show."""
        raise NotImplementedError

    def _end(self) -> None:
        """End what was opened."""

    def about(self, texts: Mapping[str, str]) -> None:
        """The texts are sent when the run is opened."""

    def scalars(self, split: str, scores: Mapping[str, Any], epoch: int) -> None:
        values = {f"{split}/{tag}": value for tag, value in flatten(scores) if tag != "epoch"}
        if epoch > self._sent or split == TEST:
            self._send(values, "epoch", epoch)
        self._epoch = max(self._epoch, epoch)

    def learning_rate(self, lr: float, epoch: int) -> None:
        if epoch > self._sent:
            self._send({"learning_rate": lr}, "epoch", epoch)

    def within(self, epoch: int, losses: Sequence[tuple[float, float]]) -> None:
        if epoch > self._sent:
            for share, loss in losses:
                self._send({"within/loss": loss}, "within", epoch - 1 + share)

    def hparams(self, options: Mapping[str, Any], scores: Mapping[str, Any], planned: Sequence[str] = ()) -> None:
        values = {f"best/{clean(tag)}": value for tag, value in flatten(scores) if "/" not in tag and tag != "epoch"}
        if values:
            self._summarize(values)

    def flush(self) -> None:
        self._memory.keep(self._memory.id, self._epoch)

    def close(self) -> None:
        self.flush()
        self._end()
