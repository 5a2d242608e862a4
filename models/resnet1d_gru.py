"""A sequence model over neighbouring beats: each is read by the same residual network, a GRU reads them in order."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.encoders import BeatEncoder, FeatureEncoder


class ResNet1dGRU(nn.Module):
    """Beat by beat an encoder (and its features), a GRU in both directions (Cho et al. 2014), the middle beat's state.

    It looks as many beats ahead as it looks back; with one beat it is a residual network.

    Args:
        num_classes: number of logits.
        in_channels: beats * leads.
        features: numbers beside each beat's row.
        beats: rows that come together, the one to be classified in their middle; zeros beyond a recording's ends.
        hidden: width of the GRU, in each direction.
        dropout: of the GRU's input.
    """

    def __init__(
        self,
        num_classes: int = 5,
        in_channels: int = 1,
        features: int = 0,
        beats: int = 1,
        hidden: int = 48,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.beats = beats
        self.encoder = BeatEncoder(in_channels // beats)
        self.beside = FeatureEncoder(features) if features else None
        joined = self.encoder.width + (self.beside.width if self.beside is not None else 0)
        self.dropout = nn.Dropout(dropout)
        self.rnn = nn.GRU(joined, hidden, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * hidden + joined, num_classes)

    def forward(self, x: Tensor, features: Tensor | None = None) -> Tensor:
        rows, beats = x.shape[0], self.beats
        h = self.encoder(x.reshape(rows * beats, -1, x.shape[-1]))  # (B * beats, 64)
        if self.beside is not None:
            if features is None:
                features = h.new_zeros(rows, beats * self.beside.features)
            beside = self.beside(features.reshape(rows * beats, -1))
            h = torch.cat([h, beside], dim=1)
        h = self.dropout(h.view(rows, beats, -1))  # (B, beats, joined)
        states, _ = self.rnn(h)  # (B, beats, 2 * hidden)
        middle = beats // 2
        return self.fc(torch.cat([states[:, middle], h[:, middle]], dim=1))


def resnet1d_gru(num_classes: int = 5, in_channels: int = 1, features: int = 0, beats: int = 1) -> ResNet1dGRU:
    """105,957 parameters at 5 classes without features."""
    return ResNet1dGRU(num_classes, in_channels, features, beats)
