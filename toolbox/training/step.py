"""Optimizer steps: gradients, their accumulation and clipping, the schedule, and the average of the weights."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from toolbox.schedulers import LRSchedule
from toolbox.training.distributed import ALONE, Processes

Forward = Callable[[tuple[Tensor, ...], Tensor], tuple[Tensor, Tensor]]
Learn = Callable[[Forward, tuple[Tensor, ...], Tensor, bool], tuple[Tensor, Tensor]]


class WeightEMA:
    """An exponential moving average of a model's weights and buffers (Polyak & Juditsky 1992).

    The first steps count more, decay(n) = min(decay, (1 + n) / (10 + n)), so that the random start is soon forgotten.

    Args:
        model: whose weights are averaged.
        decay: the share of the average that stays at each step.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.live = [value for value in model.state_dict().values() if value.is_floating_point()]
        self.names = [name for name, value in model.state_dict().items() if value.is_floating_point()]
        self.mean = [value.clone() for value in self.live]

    @torch.no_grad()
    def update(self) -> None:
        """Add the weights as they are now."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.mean, self.live, 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the model's weights and the average; twice leaves everything as it was."""
        for mean, live in zip(self.mean, self.live, strict=True):
            weights = live.clone()
            live.copy_(mean)
            mean.copy_(weights)

    def weights(self) -> dict[str, Tensor]:
        """The average, by the names of the model's state_dict; integer buffers are left out."""
        return dict(zip(self.names, self.mean, strict=True))

    @torch.no_grad()
    def restore(self, steps: int, weights: dict[str, Tensor]) -> None:
        """Restore an average of `steps` steps."""
        self.steps = steps
        for name, mean in zip(self.names, self.mean, strict=True):
            mean.copy_(weights[name])


class OptimizerStep:
    """Turns the losses of batches, one by one, into steps of the optimizer.

    Args:
        model: the model that learns.
        optimizer: of its weights; schedule: of the learning rate.
        accumulate: batches per step; their losses are averaged.
        clip: the longest gradient (norm over all weights) that a step takes, None for any.
        average: moved after each step, or None.
        processes: whose gradients are summed.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        schedule: LRSchedule,
        accumulate: int = 1,
        clip: float | None = None,
        average: WeightEMA | None = None,
        processes: Processes = ALONE,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.schedule = schedule
        self.accumulate = accumulate
        self.clip = clip
        self.average = average
        self.processes = processes
        self.waiting = 0  # batches since the last step
        self.graphs: Learn | None = None  # `learn`, replayed as CUDA graphs

    def learn(self, forward: Forward, inputs: tuple[Tensor, ...], y: Tensor, last: bool) -> tuple[Tensor, Tensor]:
        """Train on a batch.

        Args:
            forward: inputs and labels (B,) to logits (B, num_classes) and loss ().
            last: it is the last of its epoch.

        Returns:
            Logits and loss, without the way to them.
        """
        logits, loss = forward(inputs, y)
        self.backward(loss, last)
        return logits.detach(), loss.detach()

    def backward(self, loss: Tensor, last: bool) -> None:
        """Add a batch's gradient; step after `accumulate` batches, and after the `last` batch of an epoch."""
        if self.waiting == 0:
            self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.waiting += 1
        if self.waiting == self.accumulate or last:
            self.step()

    def step(self) -> None:
        """Take one step; the gradients stay until the next batch, for inspection."""
        self.update(self.waiting, self.rates())
        self.finish()

    def rates(self) -> list[float]:
        """The learning rates of the optimizer's groups, on a GPU in float32, which is how a CUDA graph reads them."""
        rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        on_gpu = next(self.model.parameters()).is_cuda
        return torch.tensor(rates, dtype=torch.float32).tolist() if on_gpu else rates

    def update(self, batches: int, rates: Sequence[float | Tensor]) -> None:
        """Move the weights along the gradients of some batches, at the learning rates of the optimizer's groups."""
        if batches > 1:  # the last group of an epoch may be smaller than the others
            gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
            torch._foreach_div_(gradients, float(batches))
        self.processes.sum_gradients(self.model)
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        with with_rates(self.optimizer, rates):
            self.optimizer.step()

    def finish(self) -> None:
        """Go on from a step that was taken: schedule, average, next batches."""
        self.schedule.after_step()
        if self.average is not None:
            self.average.update()
        self.waiting = 0


@contextlib.contextmanager
def with_rates(optimizer: Optimizer, rates: Sequence[float | Tensor]) -> Iterator[None]:
    """In this block the groups of `optimizer` have other learning rates."""
    before = [group["lr"] for group in optimizer.param_groups]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    try:
        yield
    finally:
        for group, rate in zip(optimizer.param_groups, before, strict=True):
            group["lr"] = rate
