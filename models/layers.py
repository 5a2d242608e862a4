"""One-dimensional layers that run as two-dimensional ones of height 1.

The kernels for 2-D convolution with channels last are the fastest that processors and GPUs have (Intel oneDNN, cuDNN);
the 1-D ones have no such layout. The modules keep nn.Conv1d's parameter names and shapes, so that a state_dict does not
show it. All of them take and return (batch, channels, 1, samples).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def to_image(x: Tensor) -> Tensor:
    """(batch, channels, samples) -> (batch, channels, 1, samples), channels last in memory."""
    return x.unsqueeze(2).contiguous(memory_format=torch.channels_last)


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


class MaxPool1d(nn.MaxPool1d):
    """nn.MaxPool1d for (batch, channels, 1, samples)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, (1, self.kernel_size), (1, self.stride), (0, self.padding))
