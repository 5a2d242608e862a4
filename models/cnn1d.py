"""Two convolutions and a linear layer: the smallest network that reads a beat's shape."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from models.layers import Conv1d, MaxPool1d, to_image
from toolbox.utils.aami import KAGGLE_ROW


class CNN1d(nn.Module):
    """conv 1-8, conv 8-32, each of kernel 7 with ReLU and max pooling by 3, then linear.

    Args:
        num_classes: number of logits.
        in_channels: leads.
        length: samples of a row.
    """

    def __init__(self, num_classes: int = 5, in_channels: int = 1, length: int = KAGGLE_ROW) -> None:
        super().__init__()
        self.conv1 = Conv1d(in_channels, 8, kernel_size=7)
        self.conv2 = Conv1d(8, 32, kernel_size=7)
        self.pool = MaxPool1d(3)
        left = ((length - 6) // 3 - 6) // 3  # 187 -> 181 -> 60 -> 54 -> 18
        self.fc = nn.Linear(32 * left, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = to_image(x)  # (B, 1, 187) -> (B, 1, 1, 187)
        x = F.relu(self.pool(self.conv1(x)))  # (B, 8, 1, 60); the same as ReLU first, on a third of the values
        x = F.relu(self.pool(self.conv2(x)))  # (B, 32, 1, 18)
        return self.fc(x.flatten(1))


def cnn1d_3(num_classes: int = 5, in_channels: int = 1, length: int = KAGGLE_ROW) -> CNN1d:
    """4,773 parameters at 5 classes."""
    return CNN1d(num_classes, in_channels, length)
