"""A residual network over a window of signal, joined by what else is known of the beat, such as its RR intervals."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.layers import BatchNorm1d, Conv1d, to_image
from models.resnet1d import BasicBlock, init_convolutions


class BeatEncoder(nn.Module):
    """Stem (conv k15 stride 2, BN, ReLU), three basic blocks of stride 2 without convolution biases, global average.

    A stem of 15 samples (0.125 s at 120 Hz) spans a QRS complex.

    Args:
        in_channels: leads.
        planes: channels of the stem and of each block; the last is what `forward` gives, (batch, planes[-1]).
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
    """linear, ReLU: the numbers beside a row as `width` channels. Zeros stand for what is not known."""

    def __init__(self, features: int, width: int = 32) -> None:
        super().__init__()
        self.fc = nn.Linear(features, width)
        self.features, self.width = features, width

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(self.fc(features))


class ResNet1dFusion(nn.Module):
    """The signal's channels and the features' side by side, dropout, a hidden layer, the last layer.

    Args:
        num_classes: number of logits.
        in_channels: leads; where neighbours' rows come along, beats * leads.
        features: numbers beside each beat's row; without any it is the signal's network alone.
        beats: rows that come together, and their features with them.
        dropout: of the joined channels.
    """

    def __init__(
        self, num_classes: int = 5, in_channels: int = 1, features: int = 0, beats: int = 1, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.encoder = BeatEncoder(in_channels)
        self.beside = FeatureEncoder(features * beats) if features else None
        joined = self.encoder.width + (self.beside.width if self.beside is not None else 0)
        self.hidden = nn.Linear(joined, 64)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(64, num_classes)

    def forward(self, x: Tensor, features: Tensor | None = None) -> Tensor:
        found = self.encoder(x)  # (B, 64)
        if self.beside is not None:
            if features is None:
                features = found.new_zeros(len(x), self.beside.features)
            found = torch.cat([found, self.beside(features)], dim=1)  # (B, 96)
        return self.fc(F.relu(self.hidden(self.dropout(found))))


def resnet1d_fusion(num_classes: int = 5, in_channels: int = 1, features: int = 0, beats: int = 1) -> ResNet1dFusion:
    """76,805 parameters at 5 classes without features."""
    return ResNet1dFusion(num_classes, in_channels, features, beats)
