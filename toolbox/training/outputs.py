"""Outputs of an epoch, accumulated on the device so that the loop never synchronizes; can be saved in mid-epoch.

They are checked at its end, and before each checkpoint within it: a loss, weight or probability that is not finite
stops the run before it is saved.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from toolbox.training.distributed import Processes
from toolbox.utils import UserError

ROWS = ("ids", "labels", "outputs")  # the names of the tensors of rows in a checkpoint
IDS_SHOWN = 16  # of a bad batch, in a message


class EpochOutputs:
    """The ids (B,), labels (B,) and logits (B, num_classes) of all rows so far, and the loss of each batch.

    Args:
        state: of an epoch that was interrupted, see `state`; None to start one.
        device: the device of the labels, logits and losses that follow.

    Raises:
        ValueError: the parts of `state` do not belong together.
    """

    def __init__(self, state: dict[str, Any] | None = None, device: torch.device | str = "cpu") -> None:
        self.ids: list[Tensor] = []
        self.labels: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self.losses: list[Tensor] = []
        self.sizes: list[int] = []  # rows of each batch, over all processes
        self.rates: list[float] = []  # learning rate of the step that each batch belongs to
        self.merged = 0  # batches at the start whose rows and losses are those of all processes
        self._begun = time.perf_counter()
        if state is not None:
            self.sizes, self.rates = list(state["sizes"]), list(state["rates"])
            self.ids, self.labels, self.outputs = ([state[name].to(device)] for name in ROWS)
            self.losses = list(state["losses"].to(device).unbind())
            self.merged = len(self.sizes)
            self._begun -= state["seconds"]
            rows, batches = sum(self.sizes), len(self.sizes)
            if not (len(self.losses) == len(self.rates) == batches > 0 and min(self.sizes) > 0):
                raise ValueError("losses, rates and sizes of different numbers of batches")
            if any(len(state[name]) != rows for name in ROWS) or state["outputs"].dim() != 2:
                raise ValueError(f"ids, labels and logits that are not of {rows} rows")

    @property
    def batches(self) -> int:
        """The number of batches so far."""
        return len(self.sizes)

    @property
    def seconds(self) -> float:
        """Time spent in the epoch, s; pauses between two processes are not counted."""
        return time.perf_counter() - self._begun

    def add(
        self, ids: Tensor, labels: Tensor, outputs: Tensor, loss: Tensor, rate: float = 0.0, rows: int | None = None
    ) -> None:
        """Add a batch, or this process's part of one of `rows`."""
        self.ids.append(ids)
        self.labels.append(labels)
        self.outputs.append(outputs.detach())
        self.losses.append(loss.detach())
        self.sizes.append(len(labels) if rows is None else rows)
        self.rates.append(rate)

    def joined(self) -> tuple[Tensor, Tensor, Tensor]:
        """Ids, labels and logits of all rows so far, in the order of the batches."""
        ids = torch.cat([part.to(self.ids[-1].device) for part in self.ids])
        return ids, torch.cat(self.labels), torch.cat(self.outputs)

    def merge(self, processes: Processes) -> None:
        """Exchange rows and losses, so that all that was added is as one process alone would have added it."""
        if processes.size == 1 or self.merged == self.batches:
            return
        sizes, before = self.sizes[self.merged :], sum(self.sizes[: self.merged])
        parts = [processes.part(size) for size in sizes]
        counts = torch.tensor([part.stop - part.start for part in parts])
        numbers = torch.arange(len(sizes)).repeat_interleave(counts)  # the batch of each row
        new = [tensor[before:].cpu() for tensor in self.joined()]
        if not processes.first:  # all have computed these; one speaks for them
            own = ~torch.tensor([part.whole for part in parts])[numbers]
            numbers, new = numbers[own], [tensor[own] for tensor in new]
        gathered = [torch.cat(column) for column in zip(*processes.gather([numbers, *new]), strict=True)]
        order = gathered[0].argsort(stable=True)
        for lists, rows in zip((self.ids, self.labels, self.outputs), gathered[1:], strict=True):
            whole = [rows[order].to(lists[-1].device)]
            lists[:] = [torch.cat(lists)[:before], *whole] if before else whole
        losses = processes.sum(torch.stack(self.losses[self.merged :]))
        self.losses[self.merged :] = list(losses.unbind())
        self.merged = self.batches

    def loss_curve(self, points: int = 20) -> list[tuple[float, float]]:
        """The loss within the epoch: (share of its batches, mean over the batches since the point before)."""
        losses, batches = torch.stack(self.losses).double().cpu(), len(self.losses)
        ends = sorted({-(-batches * k // points) for k in range(1, points + 1)})
        return [(end / batches, float(losses[start:end].mean())) for start, end in zip([0, *ends], ends, strict=False)]

    def mean_loss(self) -> float:
        """The mean loss over the rows; summed up on the CPU, as not every device has float64."""
        losses = torch.stack(self.losses).cpu().double()
        return float(losses @ torch.tensor(self.sizes, dtype=torch.float64) / sum(self.sizes))

    def state(self) -> dict[str, Any]:
        """Tensors and plain values from which the epoch can be resumed; of at least one batch."""
        rows = dict(zip(ROWS, self.joined(), strict=True))
        return {
            **rows,
            "losses": torch.stack(self.losses),
            "sizes": self.sizes,
            "rates": self.rates,
            "seconds": self.seconds,
        }

    def check_finite(self, model: nn.Module, accumulate: int, epoch: str) -> None:
        """Stop at the first batch whose loss is not finite; or at the last one, when the weights are not.

        Args:
            model: as it is after the last step, whose own loss may still have been finite.
            accumulate: batches per step.
            epoch: the epoch, as the message names it.

        Raises:
            UserError: with the step, the learning rate and the ids of the batch's rows.
        """
        bad = torch.nonzero(~torch.isfinite(torch.stack(self.losses)))
        if len(bad):
            k = int(bad[0])
            self._diverged(f"the training loss became {float(self.losses[k])}", k, accumulate, epoch)
        floats = (value for value in model.state_dict().values() if value.is_floating_point())
        if not all(bool(value.isfinite().all()) for value in floats):
            self._diverged("the weights are not finite any more", self.batches - 1, accumulate, epoch)

    def check_origin(self, batches: int, batch_size: int, rows: int, classes: int) -> None:
        """Raise ValueError unless these are outputs of the first batches of an epoch of another process.

        Args:
            batches: of the epoch, each of `batch_size` rows but perhaps the last.
            rows: of the dataset.
            classes: the number of logits.
        """
        ids, labels, outputs = self.joined()
        if self.batches >= batches or set(self.sizes) != {batch_size}:
            raise ValueError(f"{self.batches} batches of {sorted(set(self.sizes))[:9]} rows")
        if outputs.shape[1] != classes or not (labels.min() >= 0 and labels.max() < classes):
            raise ValueError(f"logits or labels that are not of {classes} classes")
        if not (ids.min() >= 0 and ids.max() < rows):
            raise ValueError(f"rows {ids.min()} to {ids.max()} of {rows}")

    def _diverged(self, problem: str, k: int, accumulate: int, epoch: str) -> NoReturn:
        """Raise UserError about batch `k` (from 0)."""
        start = sum(self.sizes[:k])
        rows = _listed(self.joined()[0][start : start + self.sizes[k]])
        raise UserError(
            f"{problem} in {epoch}, step {k // accumulate + 1} (batch {k + 1} of the epoch), learning rate "
            f"{self.rates[k]:g}; the last checkpoint is kept. Try a lower --lr, or look at the batch's rows: {rows}"
        )


@dataclass
class EpochResult:
    """Scores of an epoch; the id, label and probabilities of each row, in the order of the batches, on the CPU; of a
    training epoch the loss within it, see EpochOutputs.loss_curve."""

    scores: dict[str, Any]
    ids: Tensor
    labels: Tensor
    probabilities: Tensor
    losses: list[tuple[float, float]] = field(default_factory=list)

    def predictions(self) -> dict[str, list[int]]:
        """{beat id: [predicted, true]}."""
        predicted = self.probabilities.argmax(dim=1)
        rows = zip(self.ids.tolist(), predicted.tolist(), self.labels.tolist(), strict=True)
        return {str(beat): [called, label] for beat, called, label in rows}

    def check_finite(self, epoch: str) -> None:
        """Raise UserError, with the ids of the rows, when the loss or a probability is not finite."""
        loss, bad = self.scores["loss"], ~self.probabilities.isfinite().all(dim=1)
        if not abs(loss) < float("inf") or bad.any():
            rows = f", or look at the rows: {_listed(self.ids[bad])}" if bad.any() else ""
            raise UserError(f"the {epoch} loss became {loss}; the last checkpoint is kept. Try a lower --lr{rows}")


def _listed(ids: Tensor) -> str:
    """Ids (n,) in a line, not too many of them."""
    return ", ".join(map(str, ids[:IDS_SHOWN].tolist())) + (f" ... ({len(ids)} rows)" if len(ids) > IDS_SHOWN else "")
