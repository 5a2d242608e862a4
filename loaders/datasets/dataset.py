"""Datasets over cached arrays, and the batches that are gathered from them."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from loaders.beats.input_geometry import KAGGLE_GEOMETRY, InputGeometry
from loaders.beats.spliced import is_spliced
from loaders.beats.table import CLASS_NAMES, Beats
from loaders.datasets.batches import Batch, Batches
from loaders.datasets.kaggle_split import stratified
from loaders.sources import finder as sources
from loaders.sources.cache import Cache
from toolbox.utils import UserError

__all__ = ["Batch", "Batches", "Data", "ECGLoader", "ECGLoader_bin", "make_data"]

# What "importance" adds to 1 / n_class: an error on a sick beat weighs more (the predecessor's weights).
IMPORTANCE = {5: (1.0, 2.0, 2.0, 2.0, 0.5), 4: (1.0, 2.0, 2.0, 2.0), 2: (1.0, 2.0)}
FULL = 20  # rows of a class from which on a patient counts fully in it under --sampler patients
KAGGLE_WARNING = (
    "Kaggle's split mixes patients: every patient is in both train and test, so its scores show how well a model fits, "
    "not how it does on new patients."
)
SYNTHETIC_WARNING = (
    "Synthetic recordings, patients mixed as in Kaggle's split: scores on them say nothing about people."
)
LEARNED_WARNING = (
    "--validate-on train: nothing is held out; validation scores are of rows that the network learns from, and the "
    "last epoch is the run's. Choose nothing by them."
)
LEAK_WARNING = (
    "--validate-on test: the epoch is chosen on the test rows themselves, so test scores are too good "
    "(the predecessor's protocol, for comparison only)."
)


class ECGLoader(Dataset[Batch]):
    """Rows of one split with the five AAMI classes.

    Args:
        beats: the split, as cached; or all beats, in order of record and time.
        rows: which of its rows, all if None.
        frame: how the rows lie.
        neighbours: rows of that many beats before and after come along, as further channels; zeros beyond a record.
    """

    class_names: tuple[str, ...] = CLASS_NAMES

    def __init__(
        self, beats: Beats, rows: np.ndarray | None = None, neighbours: int = 0, frame: InputGeometry = KAGGLE_GEOMETRY
    ) -> None:
        self.beats = beats
        self.x = torch.from_numpy(beats.x)  # (rows of the file, 187) or (rows, leads, samples), memory-mapped
        self.y = torch.from_numpy(self.fold(beats.y))
        self.rows = torch.arange(len(beats)) if rows is None else torch.from_numpy(rows)
        self.neighbours = neighbours
        self.frame = frame
        self.features = None if beats.features is None else torch.from_numpy(beats.features)
        self.whose = torch.from_numpy(np.unique(beats.record, return_inverse=True)[1]) if neighbours else None

    @classmethod
    def without_q(cls) -> type[ECGLoader]:
        """The dataset of the same classes but Q."""
        return ECGLoaderWithoutQ

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
        """The rows at `positions` (B,) of this dataset, in one gather on the device that holds the rows."""
        ids = self.rows.index_select(0, positions.to(self.rows.device))
        y = self.y.index_select(0, ids)
        if self.whose is not None:
            x, features = self._around(self.x, ids), None
            if self.features is not None:
                features = self._around(self.features, ids).flatten(1)
            return Batch(x.flatten(1, 2) if x.dim() == 4 else x, y, ids, features)
        x = self.x.index_select(0, ids)
        features = None if self.features is None else self.features.index_select(0, ids)
        return Batch(x.unsqueeze(1) if x.dim() == 2 else x, y, ids, features)

    def _around(self, values: Tensor, ids: Tensor) -> Tensor:
        """(B, beats, ...): the `values` (n, ...) of the beats around each of `ids` (B,), in order of time."""
        assert self.whose is not None
        around = ids.unsqueeze(1) + torch.arange(-self.neighbours, self.neighbours + 1, device=ids.device)  # (B, beats)
        inside = around.clamp(0, len(self.whose) - 1)
        same = (inside == around) & (self.whose[inside] == self.whose[ids].unsqueeze(1))
        return values[inside] * same.view(*same.shape, *[1] * (values.dim() - 1))

    def to(self, device: torch.device) -> ECGLoader:
        """Keep the split on `device`, so that batches are gathered there."""
        if device.type != "cpu":
            self.x, self.y, self.rows = (part.to(device) for part in (self.x, self.y, self.rows))
            self.features = None if self.features is None else self.features.to(device)
            self.whose = None if self.whose is None else self.whose.to(device)
        return self

    def shape(self) -> dict[str, int]:
        """What a model must know of a batch's x (B, in_channels, length) and features (B, beats * features)."""
        leads, beats = (1 if self.x.dim() == 2 else self.x.shape[1]), 2 * self.neighbours + 1
        features = 0 if self.features is None else self.features.shape[1]
        return {"in_channels": leads * beats, "length": self.x.shape[-1], "features": features, "beats": beats}

    def inputs(self) -> tuple[Tensor, Tensor | None]:
        """All rows x (n, leads, samples) and features (n, k), as a model takes them, on the CPU."""
        whole = self.batch(torch.arange(len(self)))
        return whole.x, whole.features

    def origin(self, ids: Tensor) -> dict[str, np.ndarray]:
        """Whose beats these are: record, patient and symbol ("" for CSV rows), and time in s where it is known, each
        (len(ids),)."""
        known = self.beats.arrays()
        return {name: known[name][ids.numpy()] for name in ("record", "patient", "symbol", "time") if name in known}

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

    def class_weights(self, kind: str, beta: float = 0.999) -> Tensor:
        """(num_classes,) float32: "equal" is 1 / n_class, "importance" that times IMPORTANCE, "effective" one over the
        effective number of rows, (1 - beta) / (1 - beta^n_class) (Cui et al., CVPR 2019); 0 for an absent class."""
        counts = self.class_counts().double()
        effective = (1 - beta**counts) / (1 - beta) if kind == "effective" else counts
        weights = torch.where(counts > 0, 1 / effective.clamp(min=1), 0.0)
        if kind == "importance":
            weights = weights * torch.tensor(IMPORTANCE[self.num_classes], device=weights.device)
        return weights.float()

    def sample_weights(self, kind: str, beta: float = 0.999) -> Tensor:
        """(n,) float32, to draw rows by: the class weight of each row, or with "patients" what lets every patient count
        alike within a class and leaves the classes' shares as they are.

        Raises:
            UserError: the rows do not tell whose they are.
        """
        if kind != "patients":
            return self.class_weights(kind, beta)[self.labels()]
        chosen, labels = self.rows.cpu().numpy(), self.labels().cpu().numpy()
        whose, made = self.beats.patient[chosen], is_spliced(self.beats.record[chosen])
        if not whose.astype(bool).all():
            raise UserError("--sampler patients: these rows do not tell whose they are; it needs raw records")
        patients = np.unique(whose, return_inverse=True)[1] * 2 + made  # who was spliced is a patient apart
        counts = np.zeros((patients.max() + 1, self.num_classes))
        np.add.at(counts, (patients, labels), 1)
        shares = np.minimum(counts / FULL, 1)  # of a patient in a class: 1 from FULL rows on
        weights = shares / np.maximum(counts, 1) * (counts.sum(axis=0) / np.maximum(shares.sum(axis=0), 1e-9))
        return torch.from_numpy(weights[patients, labels]).float().to(self.rows.device)


class ECGLoaderWithoutQ(ECGLoader):
    """Rows of N, S, V and F; those of Q are in none of its parts."""

    class_names = CLASS_NAMES[:4]


class ECGLoader_bin(ECGLoader):  # noqa: N801 - the predecessor's name
    """Rows of one split as normal (N) and abnormal (S, V, F and Q)."""

    class_names = ("Normal", "Abnormal")

    def fold(self, labels: np.ndarray) -> np.ndarray:
        return (labels > 0).astype(np.int64)

    @classmethod
    def without_q(cls) -> type[ECGLoader]:
        return cls


@dataclass
class Data:
    """The rows of a dataset.

    Attributes:
        train, val, test: its parts; val is test itself under --validate-on test, and of train's rows under
            --validate-on train.
        cache: where they came from.
        warnings: what whoever reads the scores must know.
        facts: what else config.json keeps: the recipe of a row, who is in which part.
        lines: what else --prepare prints.
    """

    train: ECGLoader
    val: ECGLoader
    test: ECGLoader
    cache: Cache
    warnings: list[str]
    facts: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        """Plain values that say which data these are."""
        return {
            "source": self.cache.meta["source"]["where"],
            "kind": self.cache.meta["kind"],
            "fingerprint": self.cache.fingerprint,
            "rows": {"train": len(self.train), "val": len(self.val), "test": len(self.test)},
            **self.facts,
        }


def make_data(args: Namespace, cache: Cache, kind: type[ECGLoader], warnings: list[str]) -> Data:
    """Train, validation and test rows out of a cache: validation is a stratified part of train, drawn by the seed."""
    train, test = cache.splits["train"], cache.splits["test"]
    if len(train) < 2 or not len(test):
        raise UserError(f"{cache.meta['source']['where']}: {len(train)} train and {len(test)} test rows are too few")
    if args.validate_on == "test":
        whole = kind(test)
        return Data(kind(train), whole, whole, cache, [*warnings, LEAK_WARNING])
    if args.validate_on == "train":
        return Data(kind(train), kind(train), kind(test), cache, [*warnings, LEARNED_WARNING])
    rest, held = stratified(kind(train).y.numpy(), args.val_fraction, np.random.default_rng(args.seed))
    return Data(kind(train, rest), kind(train, held), kind(test), cache, warnings)


def _is_plain(args: Namespace) -> bool:
    """Whether Kaggle's rows and split are asked for, which CSV files have as well."""
    return args.split == "kaggle" and args.context == "kaggle" and not args.features and not args.neighbours


def _mitdb(args: Namespace, kind: type[ECGLoader]) -> Data:
    if _is_plain(args):
        return make_data(args, sources.SourceFinder(args).find(), kind, [KAGGLE_WARNING])
    from loaders.datasets import build as context

    return context.load(args, kind)


def _synthetic(args: Namespace, kind: type[ECGLoader]) -> Data:
    if _is_plain(args):
        return make_data(args, sources.synthetic_cache(args), kind, [SYNTHETIC_WARNING])
    from loaders.datasets import build as context

    return context.load(args, kind)


def ecg(args: Namespace) -> Data:
    """MIT-BIH, five classes (four where --split goes by patient)."""
    return _mitdb(args, ECGLoader)


def ecg_bin(args: Namespace) -> Data:
    """MIT-BIH, normal and abnormal."""
    return _mitdb(args, ECGLoader_bin)


def synthetic(args: Namespace) -> Data:
    """Synthetic recordings, five classes (four where --split goes by patient)."""
    return _synthetic(args, ECGLoader)


def synthetic_bin(args: Namespace) -> Data:
    """Synthetic recordings, normal and abnormal."""
    return _synthetic(args, ECGLoader_bin)
