"""Residual networks for one-dimensional signals, after He et al., CVPR 2016."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from models.layers import BatchNorm1d, Conv1d, MaxPool1d, to_image


class BasicBlock(nn.Module):
    """conv, BN, ReLU, conv, BN, added to the input (through a 1x1 convolution where the shape changes), ReLU."""

    def __init__(self, inplanes: int, planes: int, stride: int, kernel_size: int = 5, bias: bool = True) -> None:
        super().__init__()
        padding = kernel_size // 2
        self.conv1 = Conv1d(inplanes, planes, kernel_size, stride=stride, padding=padding, bias=bias)
        self.bn1 = BatchNorm1d(planes)
        self.conv2 = Conv1d(planes, planes, kernel_size, padding=padding, bias=bias)
        self.bn2 = BatchNorm1d(planes)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inplanes != planes:
            self.downsample = nn.Sequential(
                Conv1d(inplanes, planes, kernel_size=1, stride=stride, bias=False), BatchNorm1d(planes)
            )

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.bn2(self.conv2(x))
        return F.relu(x + skip, inplace=True)


def init_convolutions(model: nn.Module) -> None:
    """Draw the weights of all convolutions after He et al., ICCV 2015."""
    for module in model.modules():
        if isinstance(module, nn.Conv1d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


class ResNet1d(nn.Module):
    """Stem (conv k5, BN, ReLU, max pooling 3/2), four stages of basic blocks, global average, linear.

    Args:
        blocks: basic blocks of each stage.
        planes: channels of each stage; every stage but the first halves the samples.
        num_classes: number of logits.
        in_channels: leads.
    """

    def __init__(
        self, blocks: Sequence[int], planes: Sequence[int], num_classes: int = 5, in_channels: int = 1
    ) -> None:
        super().__init__()
        self.conv1 = Conv1d(in_channels, planes[0], kernel_size=5, padding=2, bias=False)
        self.bn1 = BatchNorm1d(planes[0])
        self.maxpool = MaxPool1d(3, stride=2, padding=1)
        self.layer1 = self._stage(planes[0], planes[0], blocks[0], stride=1)
        self.layer2 = self._stage(planes[0], planes[1], blocks[1], stride=2)
        self.layer3 = self._stage(planes[1], planes[2], blocks[2], stride=2)
        self.layer4 = self._stage(planes[2], planes[3], blocks[3], stride=2)
        self.fc = nn.Linear(planes[3], num_classes)
        init_convolutions(self)

    @staticmethod
    def _stage(inplanes: int, planes: int, blocks: int, stride: int) -> nn.Sequential:
        first = BasicBlock(inplanes, planes, stride)
        return nn.Sequential(first, *(BasicBlock(planes, planes, 1) for _ in range(blocks - 1)))

    def forward(self, x: Tensor) -> Tensor:
        x = to_image(x)  # (B, 1, 187) -> (B, 1, 1, 187)
        x = F.relu(self.maxpool(self.bn1(self.conv1(x))), inplace=True)  # (B, 32, 1, 94); the same as ReLU first
        x = self.layer2(self.layer1(x))  # (B, 32, 1, 47)
        x = self.layer4(self.layer3(x))  # (B, 32, 1, 12)
        return self.fc(x.mean(dim=(2, 3)))


def resnet1d_10(num_classes: int = 5, in_channels: int = 1) -> ResNet1d:
    """45,381 parameters at 5 classes."""
    return ResNet1d((1, 1, 1, 1), (32, 32, 32, 32), num_classes, in_channels)


def resnet1d_18(num_classes: int = 5, in_channels: int = 1) -> ResNet1d:
    """87,109 parameters at 5 classes."""
    return ResNet1d((2, 2, 2, 2), (32, 32, 32, 32), num_classes, in_channels)
