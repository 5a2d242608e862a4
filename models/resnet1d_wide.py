"""A wider residual network for Kaggle's rows, where a score counts more than the time it takes."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.layers import BatchNorm1d, Conv1d, to_image
from models.resnet1d import BasicBlock, init_convolutions


class ResNet1dWide(nn.Module):
    """Stem (conv k16 stride 2, BN, ReLU), three basic blocks of kernel 7 and stride 2 without convolution biases,
    average and maximum over time side by side, linear.

    Twice the samples and channels of resnet1d_lean. The last block sees all of a row, so where the next beat stands
    and where the padding begins, which tell the RR interval, are within its reach.

    Args:
        num_classes: number of logits.
        in_channels: leads.
        planes: channels of the stem and of each block.
    """

    def __init__(self, num_classes: int = 5, in_channels: int = 1, planes: tuple[int, ...] = (48, 48, 96, 128)) -> None:
        super().__init__()
        self.conv1 = Conv1d(in_channels, planes[0], kernel_size=16, stride=2, padding=7, bias=False)
        self.bn1 = BatchNorm1d(planes[0])
        pairs = itertools.pairwise(planes)
        self.blocks = nn.Sequential(*(BasicBlock(a, b, stride=2, kernel_size=7, bias=False) for a, b in pairs))
        self.fc = nn.Linear(2 * planes[-1], num_classes)
        init_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:
        x = to_image(x)  # (B, 1, 187) -> (B, 1, 1, 187)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)  # (B, 48, 1, 93)
        x = self.blocks(x)  # (B, 128, 1, 12)
        return self.fc(torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1))


def resnet1d_wide(num_classes: int = 5, in_channels: int = 1) -> ResNet1dWide:
    """352,709 parameters at 5 classes; the network of recipes/best_rows.yaml and balanced_rows.yaml."""
    return ResNet1dWide(num_classes, in_channels)
