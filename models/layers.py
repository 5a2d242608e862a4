"""One-dimensional layers that run as two-dimensional ones of height 1.

The kernels for 2-D convolution with channels last are the fastest that processors and GPUs have (Intel oneDNN, cuDNN);
the 1-D ones have no such layout. The modules keep nn.Conv1d's parameter names and shapes, so that a state_dict does not
show it. All of them take and return (batch, channels, 1, samples).
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


def to_image(x: Tensor) -> Tensor:
    """(batch, channels, samples) -> (batch, channels, 1, samples), channels last in memory.

    With one channel both layouts are the same numbers in the same places, and torch takes the strides to tell which is
    meant: those of the usual layout would make the whole network run in it. A trace, which ONNX files are made from,
    knows no strides.
    """
    x = x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
    if x.shape[1] == 1 and not torch.jit.is_tracing():
        samples = x.shape[3]
        x = x.as_strided(x.shape, (samples, 1, samples, 1))
    return x


class Conv1d(nn.Conv1d):
    """nn.Conv1d for (batch, channels, 1, samples)."""

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.unsqueeze(2)  # (out, in, kernel) -> (out, in, 1, kernel)
        stride, padding = (1, self.stride[0]), (0, int(self.padding[0]))
        return F.conv2d(x, weight, self.bias, stride, padding, (1, self.dilation[0]), self.groups)


class BatchNorm1d(nn.BatchNorm1d):
    """nn.BatchNorm1d for (batch, channels, 1, samples); the arithmetic is the same for any number of axes."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() != 4:
            raise ValueError(f"expected (batch, channels, 1, samples), got {input.dim()} axes")


class MaxPool1d(nn.Module):
    """nn.MaxPool1d for (batch, channels, 1, samples)."""

    def __init__(self, kernel_size: int, stride: int | None = None, padding: int = 0) -> None:
        super().__init__()
        self.kernel_size = (1, kernel_size)
        self.stride = (1, stride or kernel_size)
        self.padding = (0, padding)

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_inference_mode_enabled():  # torch's kernel also notes where each maximum stands, for the gradient
            return _max_of_slices(x, self.kernel_size[1], self.stride[1], self.padding[1])
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding)


def _max_of_slices(x: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """Max pooling as the maximum of `kernel` strided views; the same numbers in half the time."""
    samples = x.shape[-1]
    count = (samples + 2 * padding - kernel) // stride + 1
    pooled = torch.full((*x.shape[:-1], count), -torch.inf, dtype=x.dtype, device=x.device)
    pooled = pooled.contiguous(memory_format=torch.channels_last)
    for tap in range(kernel):
        first = max(0, -(-(padding - tap) // stride))  # windows whose sample number `tap` is not padding
        last = min(count, (samples - 1 - tap + padding) // stride + 1)
        start = first * stride + tap - padding
        part = pooled[..., first:last]
        torch.maximum(part, x[..., start : start + (last - first - 1) * stride + 1 : stride], out=part)
    return pooled


@torch.no_grad()
def fold_batch_norm(model: nn.Module) -> nn.Module:
    """Fold each batch normalisation into the convolution before it, for prediction; changes `model` and returns it.

    Modules are paired in the order they are registered, conv then norm, as all networks here register them. What is
    left of a folded normalisation is nn.Identity; outputs stay the same but for rounding.
    """
    model.eval()
    for parent in list(model.modules()):
        children = list(parent.named_children())
        for (_, conv), (name, norm) in itertools.pairwise(children):
            if isinstance(conv, Conv1d) and isinstance(norm, BatchNorm1d):
                assert norm.running_mean is not None and norm.running_var is not None
                conv.weight, bias = fuse_conv_bn_weights(
                    conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
                )
                conv.bias = bias
                setattr(parent, name, nn.Identity())
    return model
