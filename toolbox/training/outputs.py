"""What the batches of a pass give, kept where they are until the pass ends, or until a checkpoint within it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

PARTS = ("ids", "labels", "outputs")


class EpochOutputs:
    """The rows' ids (B,), labels (B,) and logits (B, num_classes) and the loss of each batch so far.

    Args:
        state: what `state` gave in the middle of a pass; None to start one.
        device: where labels, logits and losses meet those that follow.

    Raises:
        ValueError: the parts of `state` do not belong together.
    """

    def __init__(self, state: dict[str, Any] | None = None, device: torch.device | str = "cpu") -> None:
        self.ids: list[Tensor] = []
        self.labels: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self.losses: list[Tensor] = []
        self.sizes: list[int] = []  # rows of each batch
        self.rates: list[float] = []  # learning rate of the step that each batch belongs to
        self._begun = time.perf_counter()
        if state is not None:
            self.sizes, self.rates = list(state["sizes"]), list(state["rates"])
            self.ids, self.labels, self.outputs = ([state[name].to(device)] for name in PARTS)
            self.losses = list(state["losses"].to(device).unbind())
            self._begun -= state["seconds"]
            rows, batches = sum(self.sizes), len(self.sizes)
            if not (len(self.losses) == len(self.rates) == batches > 0 and min(self.sizes) > 0):
                raise ValueError("losses, rates and sizes of different numbers of batches")
            if any(len(state[name]) != rows for name in PARTS) or state["outputs"].dim() != 2:
                raise ValueError(f"ids, labels and logits that are not of {rows} rows")

    @property
    def batches(self) -> int:
        """How many batches have been gone through."""
        return len(self.sizes)

    @property
    def seconds(self) -> float:
        """Time spent in the pass, s; pauses between two processes are not counted."""
        return time.perf_counter() - self._begun

    def add(self, ids: Tensor, labels: Tensor, outputs: Tensor, loss: Tensor, rate: float = 0.0) -> None:
        """Take in a batch."""
        self.ids.append(ids)
        self.labels.append(labels)
        self.outputs.append(outputs.detach())
        self.losses.append(loss.detach())
        self.sizes.append(len(labels))
        self.rates.append(rate)

    def whole(self) -> tuple[Tensor, Tensor, Tensor]:
        """Ids, labels and logits of all rows so far, in the order of the batches."""
        ids = torch.cat([part.to(self.ids[-1].device) for part in self.ids])
        return ids, torch.cat(self.labels), torch.cat(self.outputs)

    def state(self) -> dict[str, Any]:
        """Tensors and plain values that a pass can be gone on with; of at least one batch."""
        parts = dict(zip(PARTS, self.whole(), strict=True))
        return {
            **parts,
            "losses": torch.stack(self.losses),
            "sizes": self.sizes,
            "rates": self.rates,
            "seconds": self.seconds,
        }


@dataclass
class EpochResult:
    """What a pass gave: scores, and for each row (in the order of the batches) its id, label and probabilities."""

    scores: dict[str, Any]
    ids: Tensor
    labels: Tensor
    probabilities: Tensor

    def results(self) -> dict[str, list[int]]:
        """{beat id: [predicted, true]}."""
        predicted = self.probabilities.argmax(dim=1)
        rows = zip(self.ids.tolist(), predicted.tolist(), self.labels.tolist(), strict=True)
        return {str(beat): [call, label] for beat, call, label in rows}
