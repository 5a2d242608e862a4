"""A residual network over a window of signal, joined by the features beside it, such as RR intervals."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.encoders import BeatEncoder, FeatureEncoder


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
        h = self.encoder(x)  # (B, 64)
        if self.beside is not None:
            if features is None:
                features = h.new_zeros(len(x), self.beside.features)
            h = torch.cat([h, self.beside(features)], dim=1)  # (B, 96)
        return self.fc(F.relu(self.hidden(self.dropout(h))))


def resnet1d_fusion(num_classes: int = 5, in_channels: int = 1, features: int = 0, beats: int = 1) -> ResNet1dFusion:
    """76,805 parameters at 5 classes without features."""
    return ResNet1dFusion(num_classes, in_channels, features, beats)
