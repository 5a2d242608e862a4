"""Datasets over cached arrays, and the batches that are gathered from them."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from loaders import sources
from loaders.batches import Batch, Batches
from loaders.beats import CLASS_NAMES, Beats
from loaders.cache import Cache
from loaders.splits import stratified
from toolbox.utils import UserError

__all__ = ["Batch", "Batches", "Data", "ECGLoader", "ECGLoader_bin", "make_data"]

# What "importance" adds to 1 / n_class: an error on a sick beat weighs more (the predecessor's weights).
IMPORTANCE = {5: (1.0, 2.0, 2.0, 2.0, 0.5), 2: (1.0, 2.0)}
KAGGLE_WARNING = (
    "Kaggle's split mixes patients: every patient is in both train and test, so its scores show how well a model fits, "
    "not how it does on new patients."
)
SYNTHETIC_WARNING = (
    "Synthetic recordings, patients mixed as in Kaggle's split: scores on them say nothing about people."
)
LEAK_WARNING = (
    "--validate-on test: the epoch is chosen on the test rows themselves, so test scores are too good "
    "(the predecessor's protocol, for comparison only)."
)


class ECGLoader(Dataset[Batch]):
    """Rows of one split with the five AAMI classes.

    Args:
        beats: the split, as cached.
        rows: which of its rows, all if None.
    """

    class_names: tuple[str, ...] = CLASS_NAMES

    def __init__(self, beats: Beats, rows: np.ndarray | None = None) -> None:
        self.beats = beats
        self.x = torch.from_numpy(beats.x)  # (rows of the file, 187), memory-mapped
        self.y = torch.from_numpy(self.fold(beats.y))
        self.rows = torch.arange(len(beats)) if rows is None else torch.from_numpy(rows)

    def fold(self, labels: np.ndarray) -> np.ndarray:
        """(n,) int64: the cache's labels 0..4 as this dataset's classes."""
        return labels

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Batch:
        return self.batch(torch.tensor([index]))

    def __getitems__(self, indices: list[int]) -> Batch:
        return self.batch(torch.tensor(indices))

    def batch(self, positions: Tensor) -> Batch:
        """The rows at `positions` (B,) of this dataset, in one gather."""
        ids = self.rows.index_select(0, positions)
        return Batch(self.x.index_select(0, ids).unsqueeze(1), self.y.index_select(0, ids), ids)

    def to(self, device: torch.device) -> ECGLoader:
        """Keep the split on `device`, so that batches are gathered there."""
        if device.type != "cpu":
            self.x, self.y, self.rows = (part.to(device) for part in (self.x, self.y, self.rows))
        return self

    @property
    def num_classes(self) -> int:
        """How many classes the labels have."""
        return len(self.class_names)

    def labels(self) -> Tensor:
        """(n,) int64, the label of each row."""
        return self.y[self.rows]

    def class_counts(self) -> Tensor:
        """(num_classes,) int64, rows of each class."""
        return torch.bincount(self.labels(), minlength=self.num_classes)

    def class_weights(self, kind: str) -> Tensor:
        """(num_classes,) float32: "equal" is 1 / n_class, "importance" that times IMPORTANCE; 0 for an absent class."""
        counts = self.class_counts().double()
        weights = torch.where(counts > 0, 1 / counts.clamp(min=1), 0.0)
        if kind == "importance":
            weights = weights * torch.tensor(IMPORTANCE[self.num_classes], device=weights.device)
        return weights.float()

    def sample_weights(self, kind: str) -> Tensor:
        """(n,) float32, the class weight of each row, to draw rows by."""
        return self.class_weights(kind)[self.labels()]


class ECGLoader_bin(ECGLoader):  # noqa: N801 - the predecessor's name
    """Rows of one split as normal (N) and abnormal (S, V, F and Q)."""

    class_names = ("Normal", "Abnormal")

    def fold(self, labels: np.ndarray) -> np.ndarray:
        return (labels > 0).astype(np.int64)


@dataclass
class Data:
    """The rows of a dataset.

    Attributes:
        train, val, test: its parts; val is test itself under --validate-on test.
        cache: where they came from.
        warnings: what whoever reads the scores must know.
    """

    train: ECGLoader
    val: ECGLoader
    test: ECGLoader
    cache: Cache
    warnings: list[str]

    def describe(self) -> dict[str, Any]:
        """Plain values that say which data these are."""
        return {
            "source": self.cache.meta["source"]["where"],
            "kind": self.cache.meta["kind"],
            "fingerprint": self.cache.fingerprint,
            "rows": {"train": len(self.train), "val": len(self.val), "test": len(self.test)},
        }


def make_data(args: Namespace, cache: Cache, kind: type[ECGLoader], warnings: list[str]) -> Data:
    """Train, validation and test rows out of a cache: validation is a stratified part of train, drawn by the seed."""
    train, test = cache.splits["train"], cache.splits["test"]
    if len(train) < 2 or not len(test):
        raise UserError(f"{cache.meta['source']['where']}: {len(train)} train and {len(test)} test rows are too few")
    if args.validate_on == "test":
        whole = kind(test)
        return Data(kind(train), whole, whole, cache, [*warnings, LEAK_WARNING])
    rest, held = stratified(kind(train).y.numpy(), args.val_fraction, np.random.default_rng(args.seed))
    return Data(kind(train, rest), kind(train, held), kind(test), cache, warnings)


def ecg(args: Namespace) -> Data:
    """MIT-BIH, five classes, Kaggle's split."""
    return make_data(args, sources.Finder(args).find(), ECGLoader, [KAGGLE_WARNING])


def ecg_bin(args: Namespace) -> Data:
    """MIT-BIH, normal and abnormal, Kaggle's split."""
    return make_data(args, sources.Finder(args).find(), ECGLoader_bin, [KAGGLE_WARNING])


def synthetic(args: Namespace) -> Data:
    """Synthetic recordings, five classes; patients are mixed as in Kaggle's split."""
    return make_data(args, sources.synthetic_cache(args), ECGLoader, [SYNTHETIC_WARNING])


def synthetic_bin(args: Namespace) -> Data:
    """Synthetic recordings, normal and abnormal."""
    return make_data(args, sources.synthetic_cache(args), ECGLoader_bin, [SYNTHETIC_WARNING])
