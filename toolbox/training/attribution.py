"""What counted when a network called beats wrong: the share of each number that it read in the mistake."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

STEPS = 32  # of captum's path
AT_ONCE = 512  # rows that are differentiated together, steps of one among them
EXACT = "integrated gradients, computed exactly"
BY_STEPS = f"integrated gradients by captum, {STEPS} steps"


class Attributions(NamedTuple):
    """Shares in logit "called" less logit "true", which add up to its change against the median training row.

    Attributes:
        x: (n, leads, samples) of the rows; None where the network reads the features alone.
        features: (n, k), None where there are none, or none are read.
        method: how they were computed, in words.
    """

    x: Tensor | None
    features: Tensor | None
    method: str


def attribute(
    model: nn.Module,
    inputs: tuple[Tensor, ...],
    typical: tuple[Tensor, ...],
    called: Tensor,
    true: Tensor,
) -> Attributions:
    """The attributions of rows; on the CPU, as some kernels of GPUs have no gradient of a network that is evaluated.

    A model that can compute them exactly has a method `integrated_gradients(x, features, called, other)`.

    Args:
        model: of these inputs; stays as it is.
        inputs: x (n, leads, samples), and features (n, k) if there are any.
        typical: of the median training row, (1, ...) each.
        called, true: (n,) int64, classes.

    Raises:
        ModuleNotFoundError: captum is needed and not installed.
    """
    own = copy.deepcopy(model).cpu().float().eval()
    x, *rest = (part.detach().cpu().float() for part in inputs)
    features = rest[0] if rest else None
    exact: Callable[..., Tensor] | None = getattr(own, "integrated_gradients", None)
    if exact is not None:
        shares = exact(x, features, called, true)
        of_rows = features is None
        return Attributions(shares.view_as(x) if of_rows else None, None if of_rows else shares, EXACT)
    from captum.attr import IntegratedGradients

    def gap(*parts: Tensor) -> Tensor:
        *read, one, other = parts
        logits, rows = own(*read), torch.arange(len(one))
        return logits[rows, one] - logits[rows, other]

    whole = (x,) if features is None else (x, features)
    parts = IntegratedGradients(gap).attribute(
        whole, tuple(part.cpu().float() for part in typical), additional_forward_args=(called, true), n_steps=STEPS,
        internal_batch_size=AT_ONCE,
    )  # fmt: skip
    return Attributions(parts[0].detach(), parts[1].detach() if len(parts) > 1 else None, BY_STEPS)
