"""Layers and criterion that see a whole batch where each process of a job computes a part of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from toolbox.losses import total_weight
from toolbox.training.distributed import Job, Processes


def share_layers(model: nn.Module, criterion: nn.Module, processes: Processes) -> nn.Module:
    """Let the layers of `model` that look at a whole batch (normalisation, dropout) do so over the processes.

    Returns:
        `criterion`, whose loss while training is what this process's rows add to the batch's.
    """
    if not isinstance(processes, Job):
        return criterion
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm1d):
                setattr(parent, name, JobBatchNorm(child, processes))
            elif isinstance(child, nn.Dropout) or getattr(child, "draws_by_element", False):
                setattr(parent, name, JobDraws(child, processes))
    for value in model.state_dict().values():  # processors of different kinds may have drawn other last bits
        torch.distributed.broadcast(value, src=0)
    return JobCriterion(criterion, processes)


class JobCriterion(nn.Module):
    """While training, the part of a batch's mean loss that the rows of this process add; else `criterion` as it is."""

    def __init__(self, criterion: nn.Module, job: Job) -> None:
        super().__init__()
        self.criterion = criterion
        self.job = job

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        loss: Tensor = self.criterion(logits, labels)
        if not self.training:
            return loss
        part, weight = self.job.current, getattr(self.criterion, "weight", None)
        if part.whole:
            return loss / self.job.size
        if weight is None:
            return loss * (len(labels) / part.rows)
        own = total_weight(labels, weight)
        return loss * (own / self.job.sum(own.clone()))


class JobDraws(nn.Module):
    """A layer that changes each element of a batch at random, as it would change this part within the whole batch.

    Args:
        layer: nn.Dropout, or one of a network's own with `draws_by_element`; it has no weights.
    """

    def __init__(self, layer: nn.Module, job: Job) -> None:
        super().__init__()
        self.layer = layer
        self.job = job

    def forward(self, x: Tensor) -> Tensor:
        part = self.job.current
        if not self.training or part.whole:
            return self.layer(x)
        rows = x.new_zeros(part.rows, *x.shape[1:])
        rows[part.start : part.stop] = x
        return self.layer(rows)[part.start : part.stop]


class JobBatchNorm(nn.BatchNorm1d):
    """Batch normalisation by the mean and variance over the rows of all processes (torch.nn.SyncBatchNorm is for GPUs
    alone). Takes the parameters and buffers of `norm` over; x is (batch, channels, ...)."""

    def __init__(self, norm: nn.BatchNorm1d, job: Job) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self.job = job

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of axes will do."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.job.current.whole:
            return super().forward(x)
        y, mean, variance, count = _Normalise.apply(x, self.weight, self.bias, self.eps, self.job)
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        with torch.no_grad():
            self.num_batches_tracked += 1
            momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), momentum)
        return y


class _Normalise(torch.autograd.Function):
    """Batch normalisation over the processes of a job, one exchange in each direction.

    Means and variances of the parts are joined as by Chan, Golub & LeVeque (1983); gradients as in Ioffe & Szegedy
    (ICML 2015), where the sums are those over all processes.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, job: Job) -> tuple[Tensor, ...]:
        axes = [0, *range(2, x.dim())]
        wide = x.float()
        variance, mean = torch.var_mean(wide, axes, correction=0)  # (channels,) each
        own = torch.stack([torch.full_like(mean, wide.numel() / len(mean)), mean, variance])
        parts = [torch.empty_like(own) for _ in range(job.size)]
        torch.distributed.all_gather(parts, own)
        counts, means, variances = torch.stack(parts, dim=1)  # (processes, channels) each
        count = counts.sum(dim=0)
        mean = (counts * means).sum(dim=0) / count
        variance = (counts * (variances + (means - mean) ** 2)).sum(dim=0) / count
        inverse = (variance + eps).rsqrt()
        normal = (wide - _channels(mean, x)) * _channels(inverse, x)
        ctx.save_for_backward(normal, weight, inverse, count)
        ctx.job, ctx.axes = job, axes
        ctx.mark_non_differentiable(mean, variance, count)
        return (normal * _channels(weight, x) + _channels(bias, x)).to(x.dtype), mean, variance, count

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        normal, weight, inverse, count = ctx.saved_tensors
        gradient = gradients[0].float()
        own = torch.stack([gradient.sum(ctx.axes), (gradient * normal).sum(ctx.axes)])  # (2, channels)
        plain, along = ctx.job.sum(own.clone()) / count
        dx = gradient - _channels(plain, normal) - normal * _channels(along, normal)
        return (dx * _channels(weight * inverse, normal)).to(gradients[0].dtype), own[1], own[0], None, None


def _channels(values: Tensor, x: Tensor) -> Tensor:
    """(channels,) -> (1, channels, 1, ...), to be combined with x (batch, channels, ...)."""
    return values.view(1, -1, *(1,) * (x.dim() - 2))
