"""The predecessor's baseline: an LSTM over ONE time step, whose 187 features are the beat's samples."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolbox.utils.aami import KAGGLE_ROW


class LSTM(nn.Module):
    """LSTM(187 -> hidden) and a linear layer. For a net that reads the samples one by one see models/rnn.py.

    Args:
        num_classes: number of logits.
        in_channels: leads; their samples stand one after the other in the step's features.
        layers: stacked LSTM layers.
        hidden: width.
        length: samples of a row.
    """

    def __init__(
        self, num_classes: int = 5, in_channels: int = 1, layers: int = 1, hidden: int = 100, length: int = KAGGLE_ROW
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(in_channels * length, hidden, layers, batch_first=True)
        for layer in range(layers):  # see _first_step
            getattr(self.lstm, f"weight_hh_l{layer}").requires_grad_(False)
        self.fc = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        h = x.flatten(1)  # (B, 1, 187) -> (B, 187 features)
        for layer in range(self.lstm.num_layers):
            h = self._first_step(layer, h)  # (B, hidden)
        return self.fc(h)

    def _first_step(self, layer: int, x: Tensor) -> Tensor:
        """The first step of nn.LSTM, x (B, features) -> h (B, hidden), in a third of its time.

        State and cell are zero before it, so the recurrent weights and the forget gate multiply zeros: they are left
        out, and the recurrent weights are not trained.
        """
        w, b_in, b_state = (getattr(self.lstm, f"{name}_l{layer}") for name in ("weight_ih", "bias_ih", "bias_hh"))
        enter, _, candidate, leave = F.linear(x, w, b_in + b_state).chunk(4, dim=1)  # gates in nn.LSTM's order
        return leave.sigmoid() * torch.tanh(enter.sigmoid() * candidate.tanh())


def lstm_1(num_classes: int = 5, in_channels: int = 1, length: int = KAGGLE_ROW) -> LSTM:
    """116,105 parameters at 5 classes."""
    return LSTM(num_classes, in_channels, layers=1, length=length)


def lstm_2(num_classes: int = 5, in_channels: int = 1, length: int = KAGGLE_ROW) -> LSTM:
    """196,905 parameters at 5 classes."""
    return LSTM(num_classes, in_channels, layers=2, length=length)


def lstm_3(num_classes: int = 5, in_channels: int = 1, length: int = KAGGLE_ROW) -> LSTM:
    """277,705 parameters at 5 classes."""
    return LSTM(num_classes, in_channels, layers=3, length=length)
