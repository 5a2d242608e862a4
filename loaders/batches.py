"""Batches that are gathered from a dataset's arrays, in an order that can be taken up in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from loaders.augment import light
from loaders.workers import leave_signals

if TYPE_CHECKING:
    from loaders.ecg_loader import ECGLoader

CHUNK = 4096  # rows gathered at once


class Batch(NamedTuple):
    """Rows x (B, 1, 187) float32, labels y (B,) int64, ids (B,) int64: the rows' numbers in their split's file."""

    x: Tensor
    y: Tensor
    ids: Tensor


class Batches:
    """Goes through a dataset in batches; each pass draws its order from `generator`, if there is one.

    Args:
        dataset: the rows.
        batch_size: rows of a batch; the last may have fewer.
        generator: where the order is drawn from; None keeps the rows' own order.
        weights: (n,) to draw rows with replacement in proportion to, or None for each row once.
        workers: processes that gather batches ahead; the order is the same with any number.
        augment: "none" or "light": how rows are changed, drawn from `generator` too.
        limit: at most that many batches per pass; rows in their own order are then picked evenly.

    Attributes:
        begun: the state of `generator` at the start of the pass under way; None before the first.
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
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.generator = generator
        self.weights = weights.cpu() if weights is not None else None
        self.workers = workers
        self.limit = limit
        self.augment = augment
        self.samples = dataset.x.shape[1]  # of each row, from its start; whoever goes through them may ask for fewer
        self.begun: Tensor | None = None
        self._broken_off: tuple[Tensor, Tensor, int] | None = None

    def __len__(self) -> int:
        whole = -(-len(self.dataset) // self.batch_size)
        return whole if self.limit is None else min(whole, self.limit)

    def order(self) -> Tensor:
        """(n,) int64: the positions of the next pass."""
        n = len(self.dataset)
        if self.generator is None:
            shown = min(n, len(self) * self.batch_size)  # with a limit, rows from all over: files are sorted by label
            return torch.arange(n) if shown == n else torch.arange(shown) * n // shown
        if self.weights is None:
            return torch.randperm(n, generator=self.generator)
        return torch.multinomial(self.weights, n, replacement=True, generator=self.generator)

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
        if self.samples < self.dataset.x.shape[1]:
            return (batch._replace(x=batch.x[:, :, : self.samples]) for batch in self._changed())
        return self._changed()

    def _changed(self) -> Iterator[Batch]:
        if self.augment == "none" or self.generator is None:
            return self._gather()
        return (batch._replace(x=light(batch.x, self.generator)) for batch in self._gather())

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
        each = max(1, CHUNK // self.batch_size)  # batches
        chunks = order.split(self.batch_size * each)[done // each :]
        pieces = (piece for chunk in chunks for piece in _pieces(self.dataset.batch(chunk), self.batch_size))
        return islice(pieces, done % each, None)


def _pieces(whole: Batch, size: int) -> Iterator[Batch]:
    """`whole` in batches of `size`, views of its memory."""
    parts = zip(*(part.split(size) for part in whole), strict=True)
    return (Batch(x, y, ids) for x, y, ids in parts)


def _as_it_is(batch: Any) -> Any:
    return batch
