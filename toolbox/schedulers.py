"""Learning-rate schedules by name.

The cosine schedules are functions of the training's own time, not torch's: a run may be resumed with more --epochs,
and --prune makes later epochs shorter.
"""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from torch.optim import Optimizer, lr_scheduler

from toolbox.options import SchedulerOptions
from toolbox.utils.registry import check_name

# The state of a torch scheduler that a checkpoint keeps.
STATE = ("last_epoch", "_step_count", "_last_lr", "best", "num_bad_epochs", "cooldown_counter")


class LRSchedule:
    """A scheduler of torch, stepped at the right moments.

    Args:
        scheduler: one of torch's.
        moves: "step" (after each optimizer step), "epoch", or "score" (after each epoch, by validation accuracy).
    """

    def __init__(self, scheduler: Any, moves: str) -> None:
        self.scheduler = scheduler
        self.moves = moves

    def after_step(self) -> None:
        """Call after each optimizer step."""
        if self.moves == "step":
            self.scheduler.step()

    def after_epoch(self, accuracy: float) -> None:
        """Call after each epoch with the validation accuracy."""
        if self.moves == "epoch":
            self.scheduler.step()
        elif self.moves == "score":
            self.scheduler.step(accuracy)

    def state_dict(self) -> dict[str, Any]:
        """Its position; its shape (total steps, factors) follows from the flags and is left out."""
        return {key: value for key, value in self.scheduler.state_dict().items() if key in STATE}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue at the position in `state`, also when there are now more epochs to go."""
        # the schedulers' own loaders want the parts that are left out here
        vars(self.scheduler).update({key: value for key, value in state.items() if key in STATE})
        if self.moves == "step":  # with more epochs to go, the same step has another rate
            s = self.scheduler
            for group, base, factor in zip(s.optimizer.param_groups, s.base_lrs, s.lr_lambdas, strict=True):
                group["lr"] = base * factor(s.last_epoch)


@dataclass(frozen=True)
class StepClock:
    """The time of a step within a training, in which every epoch has an equal part of a schedule.

    Attributes:
        epochs: number of epochs.
        first: steps of the first epoch, which are the unit of time.
        later: steps of each epoch after it; with --prune there are fewer, and each counts for more.
    """

    epochs: int
    first: int
    later: int

    @property
    def total(self) -> int:
        """The time at which the last epoch ends."""
        return max(self.first * self.epochs, 1)

    def time(self, step: int) -> float:
        """The time at which step number `step` (from 0) begins."""
        if step <= self.first or self.later == self.first:
            return step
        return self.first + (step - self.first) * self.first / max(self.later, 1)


def step_lr(optimizer: Optimizer, options: SchedulerOptions, clock: StepClock) -> LRSchedule:
    """Times --lr-decay after every --step epochs."""
    return LRSchedule(lr_scheduler.StepLR(optimizer, options.step, gamma=options.lr_decay), "epoch")


def exponential_lr(optimizer: Optimizer, options: SchedulerOptions, clock: StepClock) -> LRSchedule:
    """Times --lr-decay after every epoch."""
    return LRSchedule(lr_scheduler.ExponentialLR(optimizer, gamma=options.lr_decay), "epoch")


def reduce_on_plateau(optimizer: Optimizer, options: SchedulerOptions, clock: StepClock) -> LRSchedule:
    """Times --lr-decay when the validation accuracy has not improved for more than --step epochs."""
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, mode="max", factor=options.lr_decay, patience=options.step)
    return LRSchedule(scheduler, "score")


def cosine(optimizer: Optimizer, options: SchedulerOptions, clock: StepClock) -> LRSchedule:
    """A linear warm-up over --warmup of all steps, then half a cosine down to zero (Loshchilov & Hutter 2017)."""
    total = clock.total
    rise = round(options.warmup * total)

    def factor(number: int) -> float:
        step = clock.time(number)
        if step < rise:
            return (step + 1) / (rise + 1)
        return 0.5 * (1 + math.cos(math.pi * min((step - rise) / max(total - rise, 1), 1.0)))

    return LRSchedule(lr_scheduler.LambdaLR(optimizer, factor), "step")


def onecycle(optimizer: Optimizer, options: SchedulerOptions, clock: StepClock) -> LRSchedule:
    """One cycle (Smith & Topin 2018): from lr / 25 up to --lr over --warmup of all steps, then down to nearly zero.

    The values are those of torch's OneCycleLR without a cycle of the momentum, but for its refusals of few steps.
    """
    total = clock.total
    top, end = options.warmup * total - 1, total - 1  # the steps of the highest and of the lowest rate

    def factor(number: int) -> float:
        step = clock.time(number)
        if step < top:
            return _halfway(1 / 25, 1.0, step / top)
        return _halfway(1.0, 1 / 25e4, min((step - top) / (end - top), 1.0) if end > top else 1.0)

    return LRSchedule(lr_scheduler.LambdaLR(optimizer, factor), "step")


def _halfway(start: float, end: float, share: float) -> float:
    """Half a cosine from `start` (share 0) to `end` (share 1)."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


SCHEDULERS: dict[str, Callable[[Optimizer, SchedulerOptions, StepClock], LRSchedule]] = {
    "StepLR": step_lr,
    "ExponentialLR": exponential_lr,
    "ReduceLROnPlateau": reduce_on_plateau,
    "cosine": cosine,
    "onecycle": onecycle,
}


def get_scheduler(
    args: Namespace | SchedulerOptions, optimizer: Optimizer, steps: int, later: int | None = None, epochs: int = 0
) -> LRSchedule:
    """The schedule `args.scheduler` of a training.

    Args:
        args: SchedulerOptions, or a namespace that holds the flags of the schedule and `epochs`.
        optimizer: the optimizer whose learning rate is set.
        steps: optimizer steps of an epoch, or of the first one.
        later: steps of each epoch after the first, where they differ.
        epochs: number of epochs; 0: `args.epochs`.

    Raises:
        UserError: the name is unknown.
    """
    total = epochs or cast(Namespace, args).epochs
    clock = StepClock(total, steps, steps if later is None else later)
    builder = SCHEDULERS[check_name("scheduler", args.scheduler, SCHEDULERS)]
    return builder(optimizer, cast(SchedulerOptions, args), clock)
