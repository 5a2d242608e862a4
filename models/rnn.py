"""Recurrent networks that read a beat as it is: a sequence of 187 samples."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence


def true_lengths(x: Tensor) -> Tensor:
    """(B,) int64: the samples before the zero padding of rows x (B, leads, samples), at least 1.

    Derived from the row itself, so that it holds for rows of any origin. A row whose last true sample is its minimum
    (0 after scaling) comes out one sample short.
    """
    filled = (x != 0).any(dim=1)  # (B, samples)
    steps = torch.arange(1, x.shape[-1] + 1, device=x.device)
    return (filled * steps).amax(dim=1).clamp(min=1)


class SequenceRNN(nn.Module):
    """A recurrent layer over the samples; its state at the end of the beat goes to a linear layer.

    Args:
        cell: nn.LSTM or nn.GRU.
        num_classes: number of logits.
        in_channels: leads.
        masking: stop at the end of the signal (packed sequences) instead of reading the zero padding too.
        hidden: width; 64 is enough for a beat and keeps 187 steps affordable.
    """

    def __init__(
        self,
        cell: type[nn.LSTM] | type[nn.GRU],
        num_classes: int = 5,
        in_channels: int = 1,
        masking: bool = False,
        hidden: int = 64,
    ) -> None:
        super().__init__()
        self.masking = masking
        self.rnn = cell(in_channels, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        steps = x.transpose(1, 2)  # (B, leads, 187) -> (B, 187 steps, leads)
        if self.masking and torch.jit.is_tracing():  # ONNX has no packed sequences; the same states, picked afterwards
            states, _ = self.rnn(steps)  # (B, 187, hidden)
            last = (true_lengths(x) - 1).view(-1, 1, 1).expand(-1, 1, states.shape[2])
            return self.fc(states.gather(1, last).squeeze(1))
        if self.masking:
            lengths = true_lengths(x).cpu()  # packing wants them on the CPU
            _, state = self.rnn(pack_padded_sequence(steps, lengths, batch_first=True, enforce_sorted=False))
        else:
            _, state = self.rnn(steps)
        last = state[0] if isinstance(state, tuple) else state  # LSTM: (hidden, cell); GRU: hidden
        return self.fc(last[-1])  # (layers, B, hidden) -> (B, hidden)


def lstm_seq(num_classes: int = 5, in_channels: int = 1, masking: bool = False) -> SequenceRNN:
    """LSTM over the samples (Hochreiter & Schmidhuber 1997)."""
    return SequenceRNN(nn.LSTM, num_classes, in_channels, masking)


def gru_seq(num_classes: int = 5, in_channels: int = 1, masking: bool = False) -> SequenceRNN:
    """GRU over the samples (Cho et al. 2014)."""
    return SequenceRNN(nn.GRU, num_classes, in_channels, masking)
