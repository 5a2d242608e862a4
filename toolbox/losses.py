"""Criteria: logits (batch, num_classes) and labels (batch,) int64 to a scalar, the mean over the batch.

With class weights w the mean is weighted by the rows' own classes, sum(w[y] * loss) / sum(w[y]), as torch's cross
entropy does it; so only the ratios of the weights matter.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolbox.options import CriterionOptions
from toolbox.utils import UserError
from toolbox.utils.registry import check_name

PerRow = Callable[[Tensor, Tensor], Tensor]


def weighted_mean(losses: Tensor, labels: Tensor, weight: Tensor | None) -> Tensor:
    """The mean of `losses` (batch,), each weighted by the weight of its label."""
    if weight is None:
        return losses.mean()
    return (losses * weight[labels]).sum() / total_weight(labels, weight)


def total_weight(labels: Tensor, weight: Tensor) -> Tensor:
    """The sum of the weights of `labels`; a tiny number instead of 0, so that rows without weight give a loss of 0."""
    return weight[labels].sum().clamp(min=torch.finfo(weight.dtype).tiny)


class FocalLoss(nn.Module):
    """Focal loss of each row, -(1 - p)^gamma log p of the true class's probability p (Lin et al., ICCV 2017, eq. 4).

    Args:
        gamma: how far easy rows are turned down; 0 is cross entropy.
        weight: (num_classes,) class weights, the alpha of the paper, or None.
    """

    def __init__(self, gamma: float = 2.0, weight: Tensor | None = None) -> None:
        super().__init__()
        self.gamma = gamma
        self.weight: Tensor | None
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        log_p = F.log_softmax(logits.float(), dim=1).gather(1, labels.unsqueeze(1)).squeeze(1)  # (batch,)
        rest = -torch.expm1(log_p)  # 1 - p
        if self.gamma < 1:
            rest = rest.clamp(min=1e-12)  # the slope of rest^gamma at 0 is infinite
        return weighted_mean(rest**self.gamma * -log_p, labels, self.weight)


class OneHotLoss(nn.Module):
    """A loss between per-class outputs and one-hot targets: mean over classes, then over rows.

    Args:
        per_element: (outputs, one-hot targets), both (batch, num_classes), to the loss of each element.
        weight: (num_classes,) class weights or None.
    """

    def __init__(self, per_element: PerRow, weight: Tensor | None = None) -> None:
        super().__init__()
        self.per_element = per_element
        self.weight: Tensor | None
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        logits = logits.float()
        target = F.one_hot(labels, logits.shape[1]).to(logits.dtype)  # (batch, num_classes)
        return weighted_mean(self.per_element(logits, target).mean(dim=1), labels, self.weight)


class CrossEntropy(nn.Module):
    """Cross entropy with optional label smoothing (Szegedy et al., CVPR 2016)."""

    def __init__(self, weight: Tensor | None = None, smoothing: float = 0.0) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.weight: Tensor | None
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        logits, smoothing = logits.float(), self.smoothing
        losses = F.cross_entropy(logits, labels, self.weight, reduction="none", label_smoothing=smoothing)
        return losses.mean() if self.weight is None else losses.sum() / total_weight(labels, self.weight)


class LogitAdjusted(nn.Module):
    """Cross entropy of the logits plus tau * log(class shares) (Menon et al., ICLR 2021, eq. 10): while training, rare
    classes must win by more. Where nothing is learned it is plain cross entropy, as the logits are used as they are.

    Args:
        counts: (num_classes,) training rows of each class; an absent one counts as one row. None: all alike.
        tau: 0 is plain cross entropy.
        weight: (num_classes,) class weights or None.
    """

    def __init__(self, counts: Tensor | None, tau: float = 1.0, weight: Tensor | None = None) -> None:
        super().__init__()
        rows = torch.ones(1) if counts is None else counts.clamp(min=1).double()
        self.bonus: Tensor
        self.register_buffer("bonus", (tau * (rows / rows.sum()).log()).float(), persistent=False)
        self.weight: Tensor | None
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        logits = logits.float() + self.bonus if self.training else logits.float()
        return weighted_mean(F.cross_entropy(logits, labels, reduction="none"), labels, self.weight)


class NLL(nn.Module):
    """Negative log-likelihood of the softmax."""

    def __init__(self, weight: Tensor | None = None) -> None:
        super().__init__()
        self.weight: Tensor | None
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        losses = F.nll_loss(F.log_softmax(logits.float(), dim=1), labels, reduction="none")
        return weighted_mean(losses, labels, self.weight)


def nll(options: CriterionOptions, weight: Tensor | None, counts: Tensor | None) -> nn.Module:
    """Negative log-likelihood of the softmax; the predecessor's default."""
    return NLL(weight)


def crossentropy(options: CriterionOptions, weight: Tensor | None, counts: Tensor | None) -> nn.Module:
    """Cross entropy; the same as nll, but for --label-smoothing."""
    return CrossEntropy(weight, options.label_smoothing)


def focal(options: CriterionOptions, weight: Tensor | None, counts: Tensor | None) -> nn.Module:
    """Focal loss with --focal-gamma."""
    return FocalLoss(options.focal_gamma, weight)


def logit_adjusted(options: CriterionOptions, weight: Tensor | None, counts: Tensor | None) -> nn.Module:
    """Cross entropy with logits adjusted by --logit-tau times the logarithm of the classes' shares."""
    return LogitAdjusted(counts, options.logit_tau, weight)


def bce(options: CriterionOptions, weight: Tensor | None, counts: Tensor | None) -> nn.Module:
    """Binary cross entropy of each class's logit against the one-hot target."""
    return OneHotLoss(
        lambda logits, target: F.binary_cross_entropy_with_logits(logits, target, reduction="none"), weight
    )


def mse(options: CriterionOptions, weight: Tensor | None, counts: Tensor | None) -> nn.Module:
    """Squared error of the probabilities against the one-hot target (Brier 1950)."""
    _refuse_weights("mse", weight)
    return OneHotLoss(lambda logits, target: (logits.softmax(dim=1) - target) ** 2)


def l1(options: CriterionOptions, weight: Tensor | None, counts: Tensor | None) -> nn.Module:
    """Absolute error of the probabilities against the one-hot target."""
    _refuse_weights("l1", weight)
    return OneHotLoss(lambda logits, target: (logits.softmax(dim=1) - target).abs())


def _refuse_weights(name: str, weight: Tensor | None) -> None:
    if weight is not None:
        raise UserError(
            f"--class-balance has no meaning for --criterion {name}, a regression of probabilities; "
            "take nll, crossentropy, focal or bce, or balance with --sampler"
        )


CRITERIA: dict[str, Callable[[CriterionOptions, Tensor | None, Tensor | None], nn.Module]] = {
    "nll": nll,
    "crossentropy": crossentropy,
    "focal": focal,
    "logitadjusted": logit_adjusted,
    "bce": bce,
    "mse": mse,
    "l1": l1,
}


def get_criterion(
    args: Namespace | CriterionOptions, weight: Tensor | None = None, counts: Tensor | None = None
) -> nn.Module:
    """The criterion `args.criterion`.

    Args:
        args: CriterionOptions, or a namespace that holds the flags of the criterion.
        weight: (num_classes,) float32 class weights or None.
        counts: (num_classes,) training rows of each class, for criteria that go by them.

    Raises:
        UserError: the name is unknown, or class weights have no meaning for it.
    """
    builder = CRITERIA[check_name("criterion", args.criterion, CRITERIA)]
    return builder(cast(CriterionOptions, args), weight, counts)


def mixed_loss(criterion: nn.Module, logits: Tensor, y: Tensor, other: Tensor | None, share: float) -> Tensor:
    """The loss of mixed rows: `share` parts of class y, the rest of class other (mixup; None: y alone)."""
    if other is None:
        return criterion(logits, y)
    return share * criterion(logits, y) + (1 - share) * criterion(logits, other.to(y.device, non_blocking=True))
