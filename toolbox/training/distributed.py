"""Training over the processes of one job, as torchrun starts them: each takes its part of every batch.

All draw the same order, changes of rows and dropout from the same generators, and sum what a batch's rows are summed
over: gradients, statistics of batch normalisation, losses. So they do together what one process does alone with the
same batches, whatever their number; a checkpoint does not depend on it either.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from toolbox.utils import UserError
from toolbox.utils.process import rank_and_world_size
from toolbox.utils.signals import Interrupted

T = TypeVar("T")
LONGEST_WAIT = timedelta(minutes=30)  # for the others, which may build a cache of the data meanwhile
STEPS_BETWEEN_ASKING = 16  # optimizer steps after which the processes ask each other whether to save or to stop


@dataclass(frozen=True)
class Part:
    """The rows `start` to `stop` of a batch of `rows`, which a process computes.

    Attributes:
        whole: all processes compute the whole batch, as it has too few rows to be cut.
    """

    start: int
    stop: int
    rows: int
    whole: bool = False


class Processes:
    """One process alone, the usual case: it computes whole batches, and nothing is exchanged."""

    rank, size = 0, 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that prints and writes."""
        return self.rank == 0

    def part(self, rows: int) -> Part:
        """The rows of a batch of `rows` that this process computes."""
        return Part(0, rows, rows)

    def cut(self, batch: Any) -> Any:
        """The part of a batch that this process computes; layers that need to know it go by this call."""
        return batch

    def sum_gradients(self, model: nn.Module) -> None:
        """Sum the gradients of `model` over the processes."""

    def sum(self, values: Tensor) -> Tensor:
        """`values` summed over the processes."""
        return values

    def gather(self, value: T) -> list[T]:
        """The `value` of each process, by rank."""
        return [value]

    def any(self, flag: bool, step: int) -> bool:
        """Whether `flag` holds in any process; they ask each other every few steps only, by the `step`'s number."""
        return flag


ALONE = Processes()


class Job(Processes):
    """One of several processes that torchrun started.

    Args:
        rank: the number of this process, from 0; size: how many there are.
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self.current = Part(0, 0, 0)

    def part(self, rows: int) -> Part:
        if rows < 2 * self.size:  # normalisation needs two rows
            return Part(0, rows, rows, whole=True)
        return Part(rows * self.rank // self.size, rows * (self.rank + 1) // self.size, rows)

    def cut(self, batch: Any) -> Any:
        part = self.current = self.part(len(batch.y))
        rows = {name: getattr(batch, name) for name in ("x", "y", "ids", "features", "other")}
        cut = {name: None if value is None else value[part.start : part.stop] for name, value in rows.items()}
        return batch._replace(**cut)

    def sum_gradients(self, model: nn.Module) -> None:
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        summed = self.sum(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        parts = summed.split([gradient.numel() for gradient in gradients])
        torch._foreach_copy_(gradients, [part.view_as(g) for part, g in zip(parts, gradients, strict=True)])

    def sum(self, values: Tensor) -> Tensor:
        torch.distributed.all_reduce(values)
        return values

    def gather(self, value: T) -> list[T]:
        values: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(values, value)
        return values

    def any(self, flag: bool, step: int) -> bool:
        return step % STEPS_BETWEEN_ASKING == 0 and any(self.gather(flag))


# Parts of what Gloo says when another process has died.
LOST = ("closed by peer", "reset by peer", "Broken pipe", "connectFullMesh failed")


@contextmanager
def joined_processes(on_gpu: Callable[[], bool]) -> Iterator[Processes]:
    """The processes that torchrun started, in a block that they enter and leave together; only the first prints.

    Args:
        on_gpu: called when there are several: whether this one computes on a GPU, that of its LOCAL_RANK.

    Raises:
        UserError: RANK and WORLD_SIZE say that there are others, and nothing says where they meet.
    """
    rank, size = rank_and_world_size()
    if size == 1:
        yield ALONE
        return
    missing = [name for name in ("MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise UserError(
            f"WORLD_SIZE is {size} in the environment, but not {' and '.join(missing)}, where the processes meet: "
            f"start them by torchrun --nproc-per-node {size} commander.py ..., or one alone (unset RANK WORLD_SIZE)"
        )
    backend = "gloo"
    if on_gpu():
        torch.cuda.set_device(local_rank())
        backend = "cpu:gloo,cuda:nccl"
    own = not torch.distributed.is_initialized()  # a program that calls this one may have joined them already
    try:
        if own:
            store, *_ = next(torch.distributed.rendezvous("env://", rank, size))
            store = torch.distributed.PrefixStore(f"start {restarts()}", store)  # not the addresses of dead processes
            torch.distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=LONGEST_WAIT)
        with ExitStack() as stack:
            if rank > 0:
                nowhere = stack.enter_context(open(os.devnull, "w"))
                stack.enter_context(redirect_stdout(nowhere))
                stack.enter_context(redirect_stderr(nowhere))
            yield Job(rank, size)
    except (UserError, Interrupted) as error:  # raised in all processes
        if rank == 0:
            raise
        sys.exit(error.code if isinstance(error, Interrupted) else 2)
    except RuntimeError as error:
        if not any(part in str(error) for part in LOST):
            raise
        raise UserError(
            f"process {rank} of {size}: another process of the job ended; what was saved is kept"
        ) from error
    finally:
        if own and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def local_rank() -> int:
    """The number of this process among those of the job on this machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def job_name() -> str | None:
    """A name that the restarts of a job by torchrun have in common, and no other job has; None without torchrun."""
    name = os.environ.get("TORCHELASTIC_RUN_ID")
    if name == "none":  # torchrun was given no --rdzv-id: its process is the same for all restarts
        name = f"{socket.gethostname()}:{os.getppid()}"
    return name


def restarts() -> int:
    """How many times torchrun has started the processes of this job anew, after one of them had died."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def together(processes: Processes, work: Callable[[], T]) -> T:
    """The result of `work` in each process, once all have it.

    Raises:
        UserError: the first that was raised in any of them, in all of them, so that none waits for the others.
    """
    result: Any = None
    problem: UserError | None = None
    try:
        result = work()
    except UserError as error:
        problem = error
    if processes.size == 1 and problem is not None:
        raise problem
    reasons = processes.gather(None if problem is None else str(problem))
    for rank, reason in enumerate(reasons):
        if reason is not None:
            raise UserError(reason if rank == 0 else f"process {rank} of {processes.size}: {reason}") from problem
    return result


def of_first(processes: Processes, work: Callable[[], T]) -> T:
    """The result of `work`, which the first process alone does, in all processes; errors as in `together`."""
    result: T | None = together(processes, lambda: work() if processes.first else None)
    return processes.gather(result)[0]  # type: ignore[return-value]
