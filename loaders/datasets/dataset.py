"""Datasets over cached arrays."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from loaders.beats.input_spec import KAGGLE_GEOMETRY, InputGeometry
from loaders.beats.mapped import gather_rows, is_large
from loaders.beats.spliced import is_spliced
from loaders.beats.table import Beats
from toolbox.utils import UserError
from toolbox.utils.aami import ABNORMAL, CLASS_NAMES, NORMAL

# Factors that "importance" multiplies 1 / n_class by: errors on sick beats weigh more (the predecessor's weights).
IMPORTANCE = {5: (1.0, 2.0, 2.0, 2.0, 0.5), 4: (1.0, 2.0, 2.0, 2.0), 2: (1.0, 2.0)}
FULL = 20  # rows of a class from which on a patient counts fully in it under --sampler patients


def as_tensor(values: np.ndarray) -> Tensor:
    """A tensor over an array's memory, also over a map that may only be read, which nothing here writes to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(values)


class Batch(NamedTuple):
    """Rows of a batch.

    Attributes:
        x: (B, leads, samples) float32.
        y: (B,) int64, the labels.
        ids: (B,) int64, the rows' numbers in the cached arrays.
        features: (B, k) float32, the numbers beside each row, or None.
        other: after mixup, (B,) int64, the labels of the rows that these were mixed with.
        share: after mixup, the share of the rows with labels `y` in `x` and `features`.
    """

    x: Tensor
    y: Tensor
    ids: Tensor
    features: Tensor | None = None
    other: Tensor | None = None
    share: float = 1.0

    def inputs(self, device: torch.device) -> tuple[Tensor, ...]:
        """The model's arguments on `device`: x, and features if there are any."""
        parts = (self.x,) if self.features is None else (self.x, self.features)
        return tuple(part.to(device, non_blocking=True) for part in parts)


class ECGLoader(Dataset[Batch]):
    """Rows of one split with the five AAMI classes.

    Args:
        beats: the split, as cached; or all beats, in order of record and time.
        rows: numbers of its rows that belong to this dataset, all if None.
        neighbours: rows of that many beats before and after come along, as further channels; zeros beyond a record.
        geometry: the geometry of the rows.
    """

    class_names: tuple[str, ...] = CLASS_NAMES

    def __init__(
        self,
        beats: Beats,
        rows: np.ndarray | None = None,
        neighbours: int = 0,
        geometry: InputGeometry = KAGGLE_GEOMETRY,
    ) -> None:
        self.beats = beats
        self.x = as_tensor(beats.x)  # (rows of the file, 187) or (rows, leads, samples), memory-mapped
        self.y = as_tensor(self.fold(beats.y))
        self.rows = torch.arange(len(beats)) if rows is None else torch.from_numpy(rows)
        self.neighbours = neighbours
        self.geometry = geometry
        self.features = None if beats.features is None else as_tensor(beats.features)
        self.owners = torch.from_numpy(np.unique(beats.record, return_inverse=True)[1]) if neighbours else None

    @classmethod
    def without_q(cls) -> type[ECGLoader]:
        """The dataset of the same classes but Q."""
        return ECGLoaderWithoutQ

    def fold(self, labels: np.ndarray) -> np.ndarray:
        """(n,) int64: this dataset's classes of the cache's labels 0..4."""
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
        if self.owners is not None:
            x, features = self._around(self.x, ids), None
            if self.features is not None:
                features = self._around(self.features, ids).flatten(1)
            return Batch(x.flatten(1, 2) if x.dim() == 4 else x, y, ids, features)
        x = self.x.index_select(0, ids)
        features = None if self.features is None else self.features.index_select(0, ids)
        return Batch(x.unsqueeze(1) if x.dim() == 2 else x, y, ids, features)

    def _around(self, values: Tensor, ids: Tensor) -> Tensor:
        """(B, beats, ...): the `values` (n, ...) of the beats around each of `ids` (B,), in order of time."""
        assert self.owners is not None
        around = ids.unsqueeze(1) + torch.arange(-self.neighbours, self.neighbours + 1, device=ids.device)  # (B, beats)
        inside = around.clamp(0, len(self.owners) - 1)
        same = (inside == around) & (self.owners[inside] == self.owners[ids].unsqueeze(1))
        return values[inside] * same.view(*same.shape, *[1] * (values.dim() - 1))

    def to(self, device: torch.device) -> ECGLoader:
        """Move the rows to `device`, so that batches are gathered there."""
        if device.type != "cpu":
            self.x, self.y, self.rows = (part.to(device) for part in (self.x, self.y, self.rows))
            self.features = None if self.features is None else self.features.to(device)
            self.owners = None if self.owners is None else self.owners.to(device)
        return self

    def shape(self) -> dict[str, int]:
        """The arguments that a model is built with for x (B, in_channels, length), features (B, beats * features)."""
        leads, beats = (1 if self.x.dim() == 2 else self.x.shape[1]), 2 * self.neighbours + 1
        features = 0 if self.features is None else self.features.shape[1]
        return {"in_channels": leads * beats, "length": self.x.shape[-1], "features": features, "beats": beats}

    def inputs(self) -> tuple[Tensor, Tensor | None]:
        """All rows x (n, leads, samples) and features (n, k), as a model takes them."""
        rows = self.rows.cpu().numpy()
        if self.owners is None and is_large(len(rows) * self.beats.x[:1].nbytes):
            x = as_tensor(gather_rows(self.beats.x, rows))
            features = None if self.features is None else self.features.cpu()[self.rows.cpu()]
            return x.unsqueeze(1) if x.dim() == 2 else x, features
        whole = self.batch(torch.arange(len(self)))
        return whole.x, whole.features

    def positions(self, ids: Tensor) -> Tensor:
        """(n,) int64, the positions of the rows with these numbers (n,) in the cached arrays."""
        rows = self.rows.cpu()
        order = rows.argsort()  # those of Kaggle's split beside a window come by label and do not rise
        return order[torch.searchsorted(rows, ids, sorter=order)]

    def origin(self, ids: Tensor) -> dict[str, np.ndarray]:
        """Record, patient and symbol ("" for CSV rows) of beats, and time in s where the cache has it, (len(ids),)."""
        arrays = self.beats.arrays()
        return {name: arrays[name][ids.numpy()] for name in ("record", "patient", "symbol", "time") if name in arrays}

    @property
    def num_classes(self) -> int:
        """Number of classes of the labels."""
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
        """(n,) float32, to draw rows by: the class weight of each row; with "patients", weights by which every patient
        counts alike within a class while the classes keep their shares.

        Raises:
            UserError: the rows are of unknown patients.
        """
        if kind != "patients":
            return self.class_weights(kind, beta)[self.labels()]
        chosen, labels = self.rows.cpu().numpy(), self.labels().cpu().numpy()
        names, synthetic = self.beats.patient[chosen], is_spliced(self.beats.record[chosen])
        if not names.astype(bool).all():
            raise UserError("--sampler patients: these rows do not tell whose they are; it needs raw records")
        patients = np.unique(names, return_inverse=True)[1] * 2 + synthetic  # counted apart from the real patient
        counts = np.zeros((patients.max() + 1, self.num_classes))
        np.add.at(counts, (patients, labels), 1)
        shares = np.minimum(counts / FULL, 1)  # of a patient in a class: 1 from FULL rows on
        weights = shares / np.maximum(counts, 1) * (counts.sum(axis=0) / np.maximum(shares.sum(axis=0), 1e-9))
        return torch.from_numpy(weights[patients, labels]).float().to(self.rows.device)


class ECGLoaderWithoutQ(ECGLoader):
    """Rows of N, S, V and F; the splits by patient leave Q out."""

    class_names = CLASS_NAMES[:4]


class ECGLoader_bin(ECGLoader):  # noqa: N801 - the predecessor's name
    """Rows of one split as normal (N) and abnormal (S, V, F and Q)."""

    class_names = (NORMAL, ABNORMAL)

    def fold(self, labels: np.ndarray) -> np.ndarray:
        return (labels > 0).astype(np.int64)

    @classmethod
    def without_q(cls) -> type[ECGLoader]:
        return cls
