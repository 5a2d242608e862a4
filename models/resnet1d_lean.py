"""A residual network shaped for speed: few samples early, few channels where there are many samples."""

from __future__ import annotations

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

from models.layers import BatchNorm1d, Conv1d, to_image
from models.resnet1d import BasicBlock, init_convolutions


class ResNet1dLean(nn.Module):
    """Stem (conv k8 stride 2, BN, ReLU), three basic blocks of kernel 7 that each halve the samples, average, linear.

    Args:
        num_classes: number of logits.
        in_channels: leads.
        planes: channels of the stem and of each block.
    """

    def __init__(self, num_classes: int = 5, in_channels: int = 1, planes: tuple[int, ...] = (32, 32, 64, 64)) -> None:
        super().__init__()
        self.conv1 = Conv1d(in_channels, planes[0], kernel_size=8, stride=2, padding=3, bias=False)
        self.bn1 = BatchNorm1d(planes[0])
        blocks = (
            BasicBlock(before, after, stride=2, kernel_size=7, bias=False)
            for before, after in itertools.pairwise(planes)
        )
        self.layers = nn.Sequential(*blocks)
        self.fc = nn.Linear(planes[-1], num_classes)
        init_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:
        x = to_image(x)  # (B, 1, 187) -> (B, 1, 1, 187)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)  # (B, 32, 1, 93)
        x = self.layers(x)  # (B, 64, 1, 12)
        return self.fc(x.mean(dim=(2, 3)))


def resnet1d_lean(num_classes: int = 5, in_channels: int = 1) -> ResNet1dLean:
    """The network of recipes/fast.yaml."""
    return ResNet1dLean(num_classes, in_channels)
