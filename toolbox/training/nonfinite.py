"""What is not a number ends a run before it is saved, and says where it came from."""

from __future__ import annotations

from typing import NoReturn

import torch
from torch import Tensor, nn

from toolbox.training.outputs import EpochOutputs, EpochResult
from toolbox.utils import UserError

SHOWN = 256  # ids of a bad batch that a message lists


def check_losses(gathered: EpochOutputs, accumulate: int, what: str) -> None:
    """Stop at the first batch whose loss is not finite.

    Args:
        gathered: the batches of the pass so far.
        accumulate: batches per step.
        what: the epoch, as the message names it.

    Raises:
        UserError: with the step, the learning rate and the ids of its rows.
    """
    bad = torch.nonzero(~torch.isfinite(torch.stack(gathered.losses)))
    if len(bad):
        k = int(bad[0])
        diverged(f"the training loss became {float(gathered.losses[k])}", gathered, k, accumulate, what)


def check_weights(model: nn.Module, gathered: EpochOutputs, accumulate: int, what: str) -> None:
    """The same for what the model has become by its last step, whose own loss may have been finite still."""
    floats = (value for value in model.state_dict().values() if value.is_floating_point())
    if not all(bool(value.isfinite().all()) for value in floats):
        diverged("the weights are not finite any more", gathered, gathered.batches - 1, accumulate, what)


def diverged(problem: str, gathered: EpochOutputs, k: int, accumulate: int, what: str) -> NoReturn:
    """Raise UserError about batch `k` (from 0)."""
    start = sum(gathered.sizes[:k])
    rows = listed(gathered.whole()[0][start : start + gathered.sizes[k]])
    raise UserError(
        f"{problem} in {what}, step {k // accumulate + 1} (batch {k + 1} of the epoch), learning rate "
        f"{gathered.rates[k]:g}; the last checkpoint is kept. Try a lower --lr, or look at the batch's rows: {rows}"
    )


def listed(ids: Tensor) -> str:
    """Ids (n,) in a line, not too many of them."""
    return ", ".join(map(str, ids[:SHOWN].tolist())) + (" ..." if len(ids) > SHOWN else "")


def finite(outcome: EpochResult, what: str) -> EpochResult:
    """`outcome`, unless its loss or a probability is not a number: UserError, with the ids of the rows."""
    loss, bad = outcome.scores["loss"], ~outcome.probabilities.isfinite().all(dim=1)
    if not abs(loss) < float("inf") or bad.any():
        rows = f", or look at the rows: {listed(outcome.ids[bad])}" if bad.any() else ""
        raise UserError(f"the {what} loss became {loss}; the last checkpoint is kept. Try a lower --lr{rows}")
    return outcome
