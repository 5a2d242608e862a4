"""The predecessor's data path and plain one-dimensional layers, which the project is measured against.

Rebuilt from a description of the predecessor: a pandas DataFrame as read_csv gives it, a row looked up and tensors
made for each beat (its samples and its label are looked up one after the other, as the predecessor did it), a
DataLoader with one worker process and batches of 128, float32, nn.Conv1d on (batch, channels, samples). It runs in a
process of its own, as it would for its users: with the threads as torch sets them up by itself.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from argparse import Namespace
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks import PREDECESSOR
from loaders.sources import cache
from loaders.sources.kaggle_csv import FILES
from models import get_model, layers
from models.cnn1d import CNN1d
from models.resnet1d import ResNet1d
from toolbox.utils.process import THREAD_VARIABLES

BATCH = 128
READY = 3  # batches that may lie ready when a measurement begins; they are gone through before


def write_csv(root: str | Path, folder: Path) -> dict[str, Path]:
    """The rows cached in `root` as Kaggle's CSV files in `folder`, by split, for the predecessor."""
    built = cache.find(Path(root) / "ecg" / "cache", kind="records")
    if built is None:
        raise SystemExit(f"no cache of the records was built in {root}")
    folder.mkdir(parents=True)
    for split, name in FILES.items():
        table = np.concatenate([built.splits[split].x, built.splits[split].y[:, None]], axis=1)
        np.savetxt(folder / name, table, fmt="%.18e", delimiter=",")
    return {split: folder / name for split, name in FILES.items()}


class FrameRows(Dataset[tuple[Tensor, Tensor]]):
    """A lookup of the samples and one of the label, and their tensors, per beat.

    Args:
        path: a CSV file of Kaggle's form.
    """

    def __init__(self, path: Path) -> None:
        self.frame = pd.read_csv(path, header=None)

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        samples, label = self.frame.iloc[index, :-1].to_numpy(), self.frame.iloc[index, -1]
        return torch.tensor(samples.astype(np.float32)).unsqueeze(0), torch.tensor(int(label))  # (1, 187), ()


class Steps:
    """Steps of a network of this project with plain layers, on the predecessor's data path.

    Args:
        model: the network's name.
        path: a CSV file of Kaggle's form.
        learn: training steps; otherwise evaluation.
    """

    def __init__(self, model: str, path: Path, learn: bool = True) -> None:
        torch.manual_seed(0)
        self.model = Plain(get_model(Namespace(model_name=model, num_classes=5))).train(learn)
        self.optimizer = torch.optim.Adam(self.model.parameters(), 0.001)
        self.learn = learn
        loader = DataLoader(FrameRows(path), batch_size=BATCH, shuffle=learn, num_workers=1)
        self.batches: Iterator[Any] = (batch for _ in cycle([0]) for batch in loader)
        self.count = len(loader)  # steps of an epoch

    def step(self, x: Tensor, y: Tensor) -> None:
        """One batch."""
        with torch.set_grad_enabled(self.learn):
            loss = F.nll_loss(F.log_softmax(self.model(x), dim=1), y)
        if self.learn:
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def seconds(self, steps: int) -> float:
        """Seconds of a step, the mean over `steps` of them."""
        for x, y in islice(self.batches, READY):
            self.step(x, y)
        start = time.perf_counter()
        for x, y in islice(self.batches, steps):
            self.step(x, y)
        return (time.perf_counter() - start) / steps


def _serve(pipe: Any, arguments: tuple[Any, ...]) -> None:
    steps = Steps(*arguments)
    pipe.send(steps.count)
    while (wanted := pipe.recv()) is not None:
        pipe.send(steps.seconds(wanted))


class Predecessor:
    """`Steps` in a process of its own, which sleeps between two measurements. A context; takes the arguments of Steps.

    Attributes:
        count: steps of an epoch.
    """

    def __init__(self, model: str, path: Path, learn: bool = True) -> None:
        self.arguments = (model, path, learn)

    def __enter__(self) -> Predecessor:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        ours = {name: os.environ.pop(name) for name in THREAD_VARIABLES if name in os.environ}
        self.process = context.Process(target=_serve, args=(other, self.arguments), name=PREDECESSOR)
        self.process.start()
        os.environ.update(ours)
        self.count: int = self.pipe.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self.pipe.send(None)
        self.process.join()

    def seconds(self, steps: int) -> float:
        """Seconds of a step, the mean over `steps` of them."""
        self.pipe.send(steps)
        return float(self.pipe.recv())


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
