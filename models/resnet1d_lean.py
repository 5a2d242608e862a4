"""A residual network shaped for speed: what costs time is channels times samples, so the samples go first."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from models.layers import BatchNorm1d, Conv1d, to_image
from models.resnet1d import BasicBlock, init_convolutions


class ResNet1dLean(nn.Module):
    """Stem (conv k16 stride 4, BN, ReLU), two basic blocks of stride 2 without convolution biases, average, linear.

    A stem of 16 samples (0.13 s at 120 Hz) spans a QRS complex, as max pooling after a short one would.

    Args:
        num_classes: number of logits.
        in_channels: leads.
    """

    def __init__(self, num_classes: int = 5, in_channels: int = 1) -> None:
        super().__init__()
        self.conv1 = Conv1d(in_channels, 32, kernel_size=16, stride=4, padding=7, bias=False)
        self.bn1 = BatchNorm1d(32)
        self.layer1 = BasicBlock(32, 48, stride=2, bias=False)
        self.layer2 = BasicBlock(48, 64, stride=2, bias=False)
        self.fc = nn.Linear(64, num_classes)
        init_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:
        x = to_image(x)  # (B, 1, 187) -> (B, 1, 1, 187)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)  # (B, 32, 1, 47)
        x = self.layer2(self.layer1(x))  # (B, 64, 1, 12)
        return self.fc(x.mean(dim=(2, 3)))


def resnet1d_lean(num_classes: int = 5, in_channels: int = 1) -> ResNet1dLean:
    """61,221 parameters at 5 classes; the network of recipes/fast.yaml."""
    return ResNet1dLean(num_classes, in_channels)
