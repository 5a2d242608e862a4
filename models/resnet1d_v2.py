"""The wide residual networks: resnet1d with 32, 64, 128 and 254 channels."""

from __future__ import annotations

from models.resnet1d import ResNet1d

PLANES = (32, 64, 128, 254)  # 254, not 256, is what was published; state_dicts from there load here


def resnet1d_v2_10(num_classes: int = 5, in_channels: int = 1) -> ResNet1d:
    """696,991 parameters at 5 classes."""
    return ResNet1d((1, 1, 1, 1), PLANES, num_classes, in_channels)


def resnet1d_v2_18(num_classes: int = 5, in_channels: int = 1) -> ResNet1d:
    """1,560,059 parameters at 5 classes."""
    return ResNet1d((2, 2, 2, 2), PLANES, num_classes, in_channels)
