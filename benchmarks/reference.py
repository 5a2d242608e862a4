"""What the project is measured against: the predecessor's data path and plain one-dimensional layers.

Rebuilt from a description of the predecessor: a pandas DataFrame, one row looked up and one tensor made per beat, a
DataLoader with one worker process and batches of 128, float32, nn.Conv1d on (batch, channels, samples).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from models import layers
from models.cnn1d import CNN1d
from models.resnet1d import ResNet1d

BATCH = 128


class FrameRows(Dataset[tuple[Tensor, Tensor]]):
    """One DataFrame row lookup and one tensor per beat.

    Args:
        x: (n, 187) float32 rows.
        y: (n,) int64 labels.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.frame = pd.DataFrame(np.concatenate([x, y[:, None].astype(x.dtype)], axis=1))

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        row = self.frame.iloc[index]
        x = torch.tensor(row[:-1].values.astype(np.float32)).unsqueeze(0)  # (1, 187)
        return x, torch.tensor(int(row.iloc[-1]))


def frame_loader(x: np.ndarray, y: np.ndarray) -> DataLoader[tuple[Tensor, Tensor]]:
    """The predecessor's DataLoader over these rows."""
    return DataLoader(FrameRows(x, y), batch_size=BATCH, shuffle=True, num_workers=1)


class Plain(nn.Module):
    """A network of this project, its layers swapped for torch's one-dimensional ones; the weights stay its own.

    Args:
        model: a ResNet1d, a CNN1d, or one that has no such layers (it runs as it is).
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        if not isinstance(model, (ResNet1d, CNN1d)):
            return
        for module in list(model.modules()):
            if isinstance(module, layers.Conv1d):
                module.__class__ = nn.Conv1d  # type: ignore[assignment]
            elif isinstance(module, layers.BatchNorm1d):
                module.__class__ = nn.BatchNorm1d  # type: ignore[assignment]
        for name, child in list(model.named_children()):
            if isinstance(child, layers.MaxPool1d):
                setattr(model, name, nn.MaxPool1d(child.kernel_size[1], child.stride[1], child.padding[1]))

    def forward(self, x: Tensor) -> Tensor:
        m = self.model
        if isinstance(m, ResNet1d):
            x = m.maxpool(F.relu(m.bn1(m.conv1(x))))
            x = m.layer4(m.layer3(m.layer2(m.layer1(x))))
            return m.fc(x.mean(dim=2))
        if isinstance(m, CNN1d):
            x = m.pool(F.relu(m.conv1(x)))
            x = m.pool(F.relu(m.conv2(x)))
            return m.fc(x.flatten(1))
        return m(x)
