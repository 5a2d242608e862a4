"""A logger of a training that does nothing: the methods of each tracker, and names of scores as they write them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class NullLogger:
    """A logger whose methods do nothing, for runs without TensorBoard."""

    def scalars(self, split: str, scores: Mapping[str, Any], epoch: int) -> None:
        """Write every number in `scores` under SCORE/SPLIT; nested mappings under KEY/KEY/SPLIT.

        Left out: "epoch" (it is the x axis), values that are None, not finite, or not a number.
        """

    def about(self, texts: Mapping[str, str]) -> None:
        """Write texts about the run under their headings: the command, flags that differ from their defaults."""

    def within(self, epoch: int, losses: Sequence[tuple[float, float]]) -> None:
        """Write the training loss within an epoch: (share of the epoch that is past, mean loss since the one before).

        TensorBoard has it as loss/train of a run of its own, RUN/tensorboard/within, in thousandths of an epoch.
        """

    def learning_rate(self, lr: float, epoch: int) -> None:
        """Write the learning rate of `epoch` under "learning_rate"."""

    def graph(self, model: torch.nn.Module, example_input: Any) -> None:
        """Write the network, traced on `example_input` (a batch, or a tuple of forward's arguments).

        A model that cannot be traced costs one log line. Mode, random generators and gradients stay as they are.
        """

    def histograms(self, model: torch.nn.Module, epoch: int) -> None:
        """Write weights/NAME and gradients/NAME of every parameter that has values, all of them finite."""

    def pictures(
        self, split: str, confusion: Any, probabilities: Any, labels: Any, class_names: Sequence[str], epoch: int
    ) -> None:
        """Write confusion/SPLIT, confusion_normalised/SPLIT and roc/SPLIT as images, pr_curve/CLASS/SPLIT as PR curves.

        Args:
            confusion: counts (C, C), rows true.
            probabilities: (n, C).
            labels: (n,), 0..C-1.
            class_names: C names. A class of `labels` that has no beat has no PR curve; of two classes the second
                (Abnormal) alone has one.
        """

    def lacks(self, split: str, scores: Mapping[str, Any], epoch: int) -> bool:
        """Whether a picture of `epoch` with these `scores` is not on disk: the process ended while it was drawn."""
        return False

    def hparams(self, options: Mapping[str, Any], scores: Mapping[str, Any], planned: Sequence[str] = ()) -> None:
        """Write the flags with the final scores (hparam/SCORE) for the HPARAMS tab, into this run itself.

        Args:
            options: the first of them is the tab's first column.
            scores: may be empty at the start.
            planned: names of scores in the order of their columns, of those that follow later, too.
        """

    def flush(self) -> None:
        """Write pending events to disk."""

    def close(self) -> None:
        """Flush and close; no method is called afterwards."""


def clean(name: str) -> str:
    """A part of a tag: `name` in letters, digits, "_", "-" and "." ("+P" becomes "plusP")."""
    return re.sub(r"[^\w.-]", "_", str(name).replace("+", "plus"), flags=re.ASCII)


def flatten(scores: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """(tag, value) of every finite number in nested mappings, in order; keys joined by "/"."""
    for key, value in scores.items():
        tag = prefix + clean(key)
        if isinstance(value, Mapping):
            yield from flatten(value, f"{tag}/")
        elif hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # a NumPy or Torch scalar
            yield from flatten({key: value.item()}, prefix)
        elif isinstance(value, int | float) and math.isfinite(value):
            yield tag, float(value)
