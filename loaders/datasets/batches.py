"""Batches that are gathered from a dataset's arrays, in an order that can be taken up in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from loaders import augmentation
from loaders.beats.input_geometry import InputGeometry
from loaders.datasets.augment import change, light
from toolbox.utils.signals import leave_signals

if TYPE_CHECKING:
    from loaders.datasets.dataset import ECGLoader

CHUNK = 4096  # rows gathered at once,
CHUNK_VALUES = 1 << 22  # but no more samples than that (16 MB)


class Batch(NamedTuple):
    """Rows x (B, leads, samples) float32, labels y (B,) int64, ids (B,) int64: the rows' numbers in their split's file;
    features (B, k) float32, what else is known of each beat, or None.

    After mixup, x and features are `share` parts of the rows with labels y, the rest of rows with labels other (B,).
    """

    x: Tensor
    y: Tensor
    ids: Tensor
    features: Tensor | None = None
    other: Tensor | None = None
    share: float = 1.0

    def inputs(self, device: torch.device) -> tuple[Tensor, ...]:
        """What a model takes, on `device`: x, and features if there are any."""
        parts = (self.x,) if self.features is None else (self.x, self.features)
        return tuple(part.to(device, non_blocking=True) for part in parts)


class Batches:
    """Goes through a dataset in batches; each pass draws its order from `generator`, if there is one.

    Args:
        dataset: the rows.
        batch_size: rows of a batch; the last may have fewer.
        generator: where the order is drawn from; None keeps the rows' own order.
        weights: (n,) to draw rows with replacement in proportion to, or None for each row once.
        workers: processes that gather batches ahead; the order is the same with any number.
        augment: how rows are changed, see `loaders.augmentation`; drawn from `generator` too.
        mixup: alpha of the Beta distribution that rows are mixed in shares of (Zhang et al., ICLR 2018); 0 for none.
        prune: share of the rows that a pass leaves out once all have been seen: see `choose`.
        limit: at most that many batches per pass; rows in their own order are then picked evenly.

    Attributes:
        begun: the state of `generator` at the start of the pass under way; None before the first.
        losses: (n,) float32, the loss of each row when it was last seen; None unless rows are left out.
    """

    def __init__(
        self,
        dataset: ECGLoader,
        batch_size: int,
        generator: torch.Generator | None = None,
        weights: Tensor | None = None,
        workers: int = 0,
        limit: int | None = None,
        augment: str = "none",
        prune: float = 0.0,
        mixup: float = 0.0,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.generator = generator
        self.weights = weights.cpu() if weights is not None else None
        self.workers = workers
        self.limit = limit
        self.augment = augment
        self.mixup = mixup
        self.samples = dataset.x.shape[-1]  # of each row, from its start; whoever goes through them may ask for fewer
        self.begun: Tensor | None = None
        self.prune = prune
        self.losses = torch.full((len(dataset),), torch.inf) if prune else None
        self._broken_off: tuple[Tensor, Tensor, int] | None = None

    def __len__(self) -> int:
        return self.batches_of(self.rows())

    def batches_of(self, rows: int) -> int:
        """How many batches `rows` rows make."""
        whole = -(-rows // self.batch_size)
        return whole if self.limit is None else min(whole, self.limit)

    def rows(self, first: bool | None = None) -> int:
        """Rows of the next pass, or of the `first` one and those after it."""
        n = len(self.dataset)
        if self.losses is None or (not self.losses.isfinite().any() if first is None else first):
            return n
        return max(round((1 - self.prune) * n), 1)

    def order(self) -> Tensor:
        """(n,) int64: the positions of the next pass."""
        n = len(self.dataset)
        if self.generator is None:
            shown = min(n, len(self) * self.batch_size)  # with a limit, rows from all over: files are sorted by label
            return torch.arange(n) if shown == n else torch.arange(shown) * n // shown
        if self.weights is None:
            return self.choose(torch.randperm(n, generator=self.generator))
        return torch.multinomial(self.weights, n, replacement=True, generator=self.generator)

    def choose(self, order: Tensor) -> Tensor:
        """What a pass takes of `order` (n,): the rows whose last loss was above the mean, and of the others the first.

        Most beats are normal and soon known; seeing each of them in every epoch teaches little (Qin et al., InfoBatch,
        ICLR 2024, who keep a random share of them and weigh it up; here nothing is weighed, so steps keep their size
        and lean towards rows that are not known yet).
        """
        count = self.rows()
        if self.losses is None or count == len(order):
            return order
        easy = self.losses[order] < self.losses.mean()
        taken = torch.cat([order[~easy], order[easy]])[:count]
        return taken[torch.randperm(count, generator=self.generator)]  # hard ones do not come first

    def learned(self, ids: Tensor, losses: Tensor) -> None:
        """Note the losses (B,) of the rows `ids` (B,) of the split's file, for the passes to come."""
        if self.losses is not None:
            rows = self.dataset.rows.cpu()
            order = rows.argsort()  # those of Kaggle's split beside a window come by label and do not rise
            self.losses[order[torch.searchsorted(rows, ids, sorter=order)]] = losses

    def go_on(self, begun: Tensor, now: Tensor, done: int) -> None:
        """Let the next pass be the rest of one that was broken off after `done` batches.

        Args:
            begun, now: the states of the generator at the start of that pass and when it was broken off.

        Raises:
            RuntimeError, TypeError: they are none.
        """
        for state in (begun, now):
            torch.Generator().set_state(state)
        self._broken_off = (begun, now, done)

    def __iter__(self) -> Iterator[Batch]:
        if self.samples < self.dataset.x.shape[-1]:
            return (batch._replace(x=batch.x[:, :, : self.samples]) for batch in self._changed())
        return self._changed()

    def _changed(self) -> Iterator[Batch]:
        batches, generator = self._gather(), self.generator
        if generator is None:
            return batches
        if self.augment == "light":
            batches = (batch._replace(x=light(batch.x, generator)) for batch in batches)
        elif steps := augmentation(self.augment):
            batches = (_change(batch, steps, generator, self.dataset.frame) for batch in batches)
        return (_mix(batch, self.mixup, generator) for batch in batches) if self.mixup else batches

    def _begin(self) -> tuple[Tensor, int]:
        """The order (n,) of the pass that begins, and how many of its batches have been gone through before."""
        broken_off, self._broken_off = self._broken_off, None
        if self.generator is None:
            return self.order(), 0
        if broken_off is not None:
            self.generator.set_state(broken_off[0])
        self.begun = self.generator.get_state()
        order = self.order()
        if broken_off is None:
            return order, 0
        self.generator.set_state(broken_off[1])  # changes of the batches were drawn from it since
        return order, broken_off[2]

    def _gather(self) -> Iterator[Batch]:
        order, done = self._begin()
        order = order.to(self.dataset.rows.device)
        if self.workers == 0:
            return self._gather_chunks(order[: len(self) * self.batch_size], done)
        positions = order.split(self.batch_size)[done : len(self)]
        own = torch.Generator()  # a DataLoader without one draws from the global generator, which dropout needs
        lists = [part.tolist() for part in positions]
        loader = DataLoader(
            self.dataset, batch_sampler=lists, num_workers=self.workers, collate_fn=_as_it_is, generator=own,
            worker_init_fn=leave_signals,
        )  # fmt: skip
        return iter(loader)

    def _gather_chunks(self, order: Tensor, done: int) -> Iterator[Batch]:
        """Several batches in one gather: for small networks a gather costs a good part of a step.

        The first gather is that of the batch after `done`, whole, so that each batch lies where it would have lain in
        memory: kernels may sum in another order elsewhere.
        """
        shape = self.dataset.shape()
        rows = min(CHUNK, CHUNK_VALUES // (shape["in_channels"] * shape["length"]))
        each = max(1, rows // self.batch_size)  # batches
        chunks = order.split(self.batch_size * each)[done // each :]
        pieces = (piece for chunk in chunks for piece in _pieces(self.dataset.batch(chunk), self.batch_size))
        return islice(pieces, done % each, None)


def _pieces(whole: Batch, size: int) -> Iterator[Batch]:
    """`whole` in batches of `size`, views of its memory."""
    parts = zip(*(part.split(size) for part in whole[:4] if part is not None), strict=True)
    return (Batch(*part) for part in parts)


def _change(batch: Batch, steps: dict[str, float], generator: torch.Generator, frame: InputGeometry) -> Batch:
    x, features = change(batch.x, batch.features, steps, generator, frame)
    return batch._replace(x=x, features=features)


def _mix(batch: Batch, alpha: float, generator: torch.Generator) -> Batch:
    """Each row mixed with another of the batch, all in the same shares."""
    seed = int(torch.randint(2**62, (1,), generator=generator))  # torch draws Beta from the global generator only
    share = float(np.random.default_rng(seed).beta(alpha, alpha))
    order = torch.randperm(len(batch.y), generator=generator).to(batch.y.device)
    x, features = torch.lerp(batch.x[order], batch.x, share), batch.features
    if features is not None:
        features = torch.lerp(features[order], features, share)
    return batch._replace(x=x, features=features, other=batch.y[order], share=share)


def _as_it_is(batch: Any) -> Any:
    return batch
