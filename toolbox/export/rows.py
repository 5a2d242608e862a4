"""The rows that an exported network is checked, quantized and scored on: the types that loaders' datasets fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

CPU = torch.device("cpu")


class Batch(Protocol):
    """Rows that a model takes at once."""

    def inputs(self, device: torch.device) -> tuple[Tensor, ...]:
        """x (B, leads, samples), and features (B, k) if there are any, on `device`."""


class Rows(Protocol):
    """The rows of a split."""

    def __len__(self) -> int: ...

    @property
    def rows(self) -> Tensor:
        """(n,) their ids."""

    def batch(self, positions: Tensor) -> Batch:
        """The rows at `positions` (B,)."""

    def labels(self) -> Tensor:
        """(n,) int64."""

    def class_counts(self) -> Tensor:
        """(classes,) int64, rows of each class."""

    def origin(self, ids: Tensor) -> dict[str, np.ndarray]:
        """Record, patient, symbol and time of the rows `ids`."""


class Splits(Protocol):
    """The rows of all splits."""

    @property
    def train(self) -> Rows:
        """Rows to learn from."""

    @property
    def val(self) -> Rows:
        """Rows to choose an epoch by."""

    @property
    def test(self) -> Rows:
        """Rows to score."""

    @property
    def warnings(self) -> Sequence[str]:
        """Notes for the readers of scores."""

    def describe(self) -> dict[str, Any]:
        """Plain values that identify the data."""


def in_order(rows: Rows, size: int) -> Iterator[Batch]:
    """Batches of all rows in their order."""
    for positions in torch.arange(len(rows)).split(size):
        yield rows.batch(positions)


def spread(rows: Rows, size: int, count: int) -> Iterator[Batch]:
    """Batches of at most `count` rows, evenly from all over: files are sorted by label."""
    taken = min(len(rows), count)
    for positions in (torch.arange(taken) * len(rows) // taken).split(size):
        yield rows.batch(positions)


def labels_of(rows: Rows) -> np.ndarray:
    """(n,) the classes of the rows."""
    return rows.labels().cpu().numpy()
