"""Batches gathered from a dataset's arrays, in a shuffled order that can be resumed in mid-epoch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from loaders.beats.input_spec import InputGeometry
from loaders.datasets.augment import change, light
from loaders.datasets.dataset import Batch, ECGLoader
from loaders.names import parse_augment
from toolbox.utils import UserError
from toolbox.utils.signals import STOPPING, held_back, leave_signals

DESCRIPTORS, OTHERS = 12, 8  # open files that a worker takes (queues, a pipe, tensors on their way), and a run's own
CHUNK = 4096  # rows gathered at once,
CHUNK_VALUES = 1 << 22  # but no more samples than that (16 MB)


class Batches:
    """Iterates over a dataset in batches; each epoch draws its order from `generator`, if there is one.

    Args:
        dataset: the rows.
        batch_size: rows of a batch; the last may have fewer.
        generator: source of the random order; None keeps the rows' own order.
        weights: (n,) to draw rows with replacement in proportion to, or None for each row once.
        workers: processes that gather batches ahead; the order is the same with any number.
        augment: how rows are changed, as --augment takes it; drawn from `generator` too.
        mixup: alpha of the Beta distribution that rows are mixed in shares of (Zhang et al., ICLR 2018); 0 for none.
        prune: share of the rows that an epoch leaves out once all have been seen, see `_pruned`.
        limit: at most that many batches per epoch; rows in their own order are then picked evenly.

    Attributes:
        begun: the state of `generator` at the start of the epoch under way; None before the first.
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
        if workers:
            check_descriptors(workers)
        self.workers = workers
        self.limit = limit
        self.light, self.changes = augment == "light", parse_augment(augment)
        self.mixup = mixup
        self.samples = dataset.x.shape[-1]  # of each row, from its start; --progressive asks for fewer
        self.begun: Tensor | None = None
        self.prune = prune
        self.losses = torch.full((len(dataset),), torch.inf) if prune else None
        self._broken_off: tuple[Tensor, Tensor, int] | None = None

    def __len__(self) -> int:
        return self.batches_of(self.rows())

    def batches_of(self, rows: int) -> int:
        """Number of batches that `rows` rows make."""
        whole = -(-rows // self.batch_size)
        return whole if self.limit is None else min(whole, self.limit)

    def rows(self, first: bool | None = None) -> int:
        """Number of rows of the next epoch; or of the first one (`first` True), or of a later one (False)."""
        n = len(self.dataset)
        if self.losses is None or (not self.losses.isfinite().any() if first is None else first):
            return n
        return max(round((1 - self.prune) * n), 1)

    def order(self) -> Tensor:
        """(n,) int64: the positions of the next epoch."""
        n = len(self.dataset)
        if self.generator is None:
            shown = min(n, len(self) * self.batch_size)  # with a limit, rows from all over: files are sorted by label
            return torch.arange(n) if shown == n else torch.arange(shown) * n // shown
        if self.weights is None:
            return self._pruned(torch.randperm(n, generator=self.generator))
        return torch.multinomial(self.weights, n, replacement=True, generator=self.generator)

    def _pruned(self, order: Tensor) -> Tensor:
        """The part of `order` (n,) that an epoch takes: rows whose last loss was above the mean, and the first others.

        Most beats are normal and soon learned; seeing each of them in every epoch teaches little (Qin et al.,
        InfoBatch, ICLR 2024, who keep a random share of them and weigh it up; here nothing is weighed, so steps keep
        their size and lean towards rows that are not learned yet).
        """
        count = self.rows()
        if self.losses is None or count == len(order):
            return order
        easy = self.losses[order] < self.losses.mean()
        taken = torch.cat([order[~easy], order[easy]])[:count]
        return taken[torch.randperm(count, generator=self.generator)]  # hard ones do not come first

    def record_losses(self, ids: Tensor, losses: Tensor) -> None:
        """Note the losses (B,) of the rows `ids` (B,), by which the next epochs leave rows out."""
        if self.losses is not None:
            self.losses[self.dataset.positions(ids)] = losses

    def resume_at(self, begun: Tensor, now: Tensor, done: int) -> None:
        """Let the next epoch be the rest of one that was broken off after `done` batches.

        Args:
            begun, now: the states of the generator at the start of that epoch and when it was broken off.

        Raises:
            RuntimeError, TypeError: they are no states of a generator.
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
        if self.light:
            batches = (batch._replace(x=light(batch.x, generator)) for batch in batches)
        elif self.changes:
            batches = (_change(batch, self.changes, generator, self.dataset.geometry) for batch in batches)
        return (_mix(batch, self.mixup, generator) for batch in batches) if self.mixup else batches

    def _begin(self) -> tuple[Tensor, int]:
        """The order (n,) of the epoch that begins, and how many of its batches are done already."""
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
            self.dataset, batch_sampler=lists, num_workers=self.workers, collate_fn=_unchanged, generator=own,
            worker_init_fn=leave_signals,
        )  # fmt: skip
        with held_back(*STOPPING):  # a signal may reach a worker before it ignores them
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
        batches = (batch for chunk in chunks for batch in _split(self.dataset.batch(chunk), self.batch_size))
        return islice(batches, done % each, None)


def check_descriptors(workers: int) -> None:
    """Refuse to start workers that could open no more files: they and this process would wait for ever.

    Raises:
        UserError: the limit of open files is too low for so many workers.
    """
    try:
        from resource import RLIMIT_NOFILE, getrlimit  # not on Windows
    except ImportError:
        return
    limit, in_use = getrlimit(RLIMIT_NOFILE)[0], len(list(Path("/dev/fd").iterdir()))
    needed = in_use + DESCRIPTORS * workers + OTHERS
    if 0 <= limit < needed:
        raise UserError(
            f"{workers} workers need {needed} open files, and this process may have {limit}; raise the limit (ulimit "
            f"-n {needed}) or take fewer --workers"
        )


def _split(whole: Batch, size: int) -> Iterator[Batch]:
    """`whole` in batches of `size`, views of its memory."""
    parts = zip(*(part.split(size) for part in whole[:4] if part is not None), strict=True)
    return (Batch(*part) for part in parts)


def _change(batch: Batch, changes: dict[str, float], generator: torch.Generator, geometry: InputGeometry) -> Batch:
    x, features = change(batch.x, batch.features, changes, generator, geometry)
    return batch._replace(x=x, features=features)


def _mix(batch: Batch, alpha: float, generator: torch.Generator) -> Batch:
    """Mix each row with another of the batch, all in the same shares."""
    seed = int(torch.randint(2**62, (1,), generator=generator))  # torch draws Beta from the global generator only
    share = float(np.random.default_rng(seed).beta(alpha, alpha))
    order = torch.randperm(len(batch.y), generator=generator).to(batch.y.device)
    x, features = torch.lerp(batch.x[order], batch.x, share), batch.features
    if features is not None:
        features = torch.lerp(features[order], features, share)
    return batch._replace(x=x, features=features, other=batch.y[order], share=share)


def _unchanged(batch: Any) -> Any:
    return batch
