"""Encoders that networks of several inputs share: a row of signal, and the features beside it, as channels."""

from __future__ import annotations

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

from models.layers import BatchNorm1d, Conv1d, to_image
from models.resnet1d import BasicBlock, init_convolutions


class BeatEncoder(nn.Module):
    """Stem (conv k15 stride 2, BN, ReLU), three basic blocks of stride 2 without convolution biases, global average.

    A stem of 15 samples (0.125 s at 120 Hz) spans a QRS complex.

    Args:
        in_channels: leads.
        planes: channels of the stem and of each block; `forward` returns (batch, planes[-1]).
    """

    def __init__(self, in_channels: int = 1, planes: tuple[int, ...] = (32, 32, 48, 64)) -> None:
        super().__init__()
        self.conv1 = Conv1d(in_channels, planes[0], kernel_size=15, stride=2, padding=7, bias=False)
        self.bn1 = BatchNorm1d(planes[0])
        pairs = itertools.pairwise(planes)
        self.blocks = nn.Sequential(*(BasicBlock(before, after, stride=2, bias=False) for before, after in pairs))
        self.width = planes[-1]
        init_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(to_image(x))), inplace=True)  # (B, leads, L) -> (B, 32, 1, L / 2)
        return self.blocks(x).mean(dim=(2, 3))  # (B, 64)


class FeatureEncoder(nn.Module):
    """linear, ReLU: the features beside a row as `width` channels. Zeros stand for unknown ones."""

    def __init__(self, features: int, width: int = 32) -> None:
        super().__init__()
        self.fc = nn.Linear(features, width)
        self.features, self.width = features, width

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(self.fc(features))
