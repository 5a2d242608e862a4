"""Optimizers and learning-rate schedules by name."""

from __future__ import annotations

import inspect
import math
from argparse import Namespace
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, lr_scheduler

from toolbox import OPTIMIZERS, SCHEDULERS


def without_compiler(kind: type[Any]) -> type[Any]:
    """`kind` with the same arithmetic and state, but without the hooks for torch.compile around its methods.

    Each of these hooks imports the compiler when it is first called, which takes as long as importing torch itself;
    no optimizer is compiled here. Where a release of torch has no such hooks, nothing changes.
    """
    plain = {name: inspect.unwrap(getattr(kind, name)) for name in HOOKED}
    return type(kind.__name__, (kind,), {**plain, "step": torch.no_grad()(inspect.unwrap(kind.step))})


HOOKED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def sgd(groups: list[dict[str, Any]], args: Namespace) -> Optimizer:
    """Stochastic gradient descent with --momentum."""
    return without_compiler(SGD)(groups, args.lr, momentum=args.momentum, weight_decay=args.weight_decay, fused=True)


def adam(groups: list[dict[str, Any]], args: Namespace) -> Optimizer:
    """Adam (Kingma & Ba 2015); weight decay is added to the gradient."""
    return without_compiler(Adam)(groups, args.lr, betas=tuple(args.betas), weight_decay=args.weight_decay, fused=True)


def adamw(groups: list[dict[str, Any]], args: Namespace) -> Optimizer:
    """AdamW (Loshchilov & Hutter 2019); weight decay is taken off the weights themselves."""
    return without_compiler(AdamW)(groups, args.lr, betas=tuple(args.betas), weight_decay=args.weight_decay, fused=True)


def get_optimizer(args: Namespace, model: nn.Module) -> Optimizer:
    """The optimizer `args.optimizer` over the model's parameters.

    Weight decay is for weights: biases and the gains of batch normalisation go without (He et al., CVPR 2019, 3.1).
    """
    weights = [p for p in model.parameters() if p.requires_grad and p.dim() > 1]
    others = [p for p in model.parameters() if p.requires_grad and p.dim() <= 1]
    return OPTIMIZERS[args.optimizer]([{"params": weights}, {"params": others, "weight_decay": 0.0}], args)


KEPT = ("last_epoch", "_step_count", "_last_lr", "best", "num_bad_epochs", "cooldown_counter")  # of a schedule


PARTS = {  # what each keeps of a parameter; sgd without momentum keeps nothing
    SGD: ("momentum_buffer",),
    Adam: ("step", "exp_avg", "exp_avg_sq"),
    AdamW: ("step", "exp_avg", "exp_avg_sq"),
}


def load_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Take up the state of an optimizer; torch's own loading believes what it is given.

    Raises:
        ValueError: it belongs to another optimizer or to other weights.
    """
    parts = next(parts for kind, parts in PARTS.items() if isinstance(optimizer, kind))
    fresh = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for own, group in zip(fresh, optimizer.param_groups, strict=True):
        for key, value in own.items():
            if key in group and (not same_kind(group[key], value) if key == "lr" else group[key] != value):
                raise ValueError(f"the optimizer's {key} is {group[key]!r}, expected {value!r}")
        for weights in group["params"]:
            _check_moments(optimizer.state.get(weights, {}), parts, weights)
    every = [weights for group in optimizer.param_groups for weights in group["params"]]
    if len({bool(optimizer.state.get(weights)) for weights in every}) > 1:
        raise ValueError("the optimizer has a state of some weights only")


def same_kind(value: Any, number: float) -> bool:
    """Whether `value` is a finite number as `number` is one."""
    return type(value) in (int, float) and type(number) in (int, float) and math.isfinite(value)


def _check_moments(state: dict[str, Any], names: tuple[str, ...], weights: Tensor) -> None:
    """ValueError unless `state`, if there is one, is what an optimizer keeps of `weights`."""
    if state and state.keys() != set(names):
        raise ValueError(f"the optimizer keeps {', '.join(map(str, state)) or 'nothing'}, expected {', '.join(names)}")
    for name, part in state.items():
        shape = () if name == "step" else weights.shape
        if not isinstance(part, Tensor) or part.shape != shape or not part.is_floating_point():
            raise ValueError(f"the optimizer's {name} is no tensor of shape {tuple(shape)}")


class LRSchedule:
    """A learning-rate schedule that knows when it moves.

    Args:
        scheduler: one of torch's.
        moves: "step" (after each optimizer step), "epoch", or "score" (after each epoch, by validation accuracy).
    """

    def __init__(self, scheduler: Any, moves: str) -> None:
        self.scheduler = scheduler
        self.moves = moves

    def after_step(self) -> None:
        """To be called after each optimizer step."""
        if self.moves == "step":
            self.scheduler.step()

    def after_epoch(self, accuracy: float) -> None:
        """To be called after each epoch with the validation accuracy."""
        if self.moves == "epoch":
            self.scheduler.step()
        elif self.moves == "score":
            self.scheduler.step(accuracy)

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule stands; its shape (total steps, factors) follows from the flags and is left out."""
        return {key: value for key, value in self.scheduler.state_dict().items() if key in KEPT}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` stood, also when there are now more epochs to go."""
        # the schedulers' own loaders want the parts that are left out here
        vars(self.scheduler).update({key: value for key, value in state.items() if key in KEPT})
        if self.moves == "step":  # with more epochs to go, the same step has another rate
            s = self.scheduler
            for group, base, factor in zip(s.optimizer.param_groups, s.base_lrs, s.lr_lambdas, strict=True):
                group["lr"] = base * factor(s.last_epoch)


@dataclass(frozen=True)
class StepClock:
    """Where in a training a step stands, so that every epoch has an equal part in a schedule.

    Attributes:
        epochs: how many there are.
        first: steps of the first epoch, which are the unit of time.
        later: steps of each epoch after it; with --prune there are fewer, and each counts for more.
    """

    epochs: int
    first: int
    later: int

    @property
    def total(self) -> int:
        """When the last epoch ends."""
        return max(self.first * self.epochs, 1)

    def time(self, step: int) -> float:
        """The time at which step number `step` (from 0) begins."""
        if step <= self.first or self.later == self.first:
            return step
        return self.first + (step - self.first) * self.first / max(self.later, 1)


def step_lr(optimizer: Optimizer, args: Namespace, clock: StepClock) -> LRSchedule:
    """Times --lr-decay after every --step epochs."""
    return LRSchedule(lr_scheduler.StepLR(optimizer, args.step, gamma=args.lr_decay), "epoch")


def exponential_lr(optimizer: Optimizer, args: Namespace, clock: StepClock) -> LRSchedule:
    """Times --lr-decay after every epoch."""
    return LRSchedule(lr_scheduler.ExponentialLR(optimizer, gamma=args.lr_decay), "epoch")


def reduce_on_plateau(optimizer: Optimizer, args: Namespace, clock: StepClock) -> LRSchedule:
    """Times --lr-decay when the validation accuracy has not improved for more than --step epochs."""
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, mode="max", factor=args.lr_decay, patience=args.step)
    return LRSchedule(scheduler, "score")


def cosine(optimizer: Optimizer, args: Namespace, clock: StepClock) -> LRSchedule:
    """A linear warm-up over --warmup of all steps, then half a cosine down to zero (Loshchilov & Hutter 2017)."""
    total = clock.total
    rise = round(args.warmup * total)

    def factor(number: int) -> float:
        step = clock.time(number)
        if step < rise:
            return (step + 1) / (rise + 1)
        return 0.5 * (1 + math.cos(math.pi * min((step - rise) / max(total - rise, 1), 1.0)))

    return LRSchedule(lr_scheduler.LambdaLR(optimizer, factor), "step")


def onecycle(optimizer: Optimizer, args: Namespace, clock: StepClock) -> LRSchedule:
    """One cycle (Smith & Topin 2018): from lr / 25 up to --lr over --warmup of all steps, then down to nearly zero.

    The values are those of torch's OneCycleLR without a cycle of the momentum, but for its refusals of few steps.
    """
    total = clock.total
    top, end = args.warmup * total - 1, total - 1  # the steps of the highest and of the lowest rate

    def factor(number: int) -> float:
        step = clock.time(number)
        if step < top:
            return _halfway(1 / 25, 1.0, step / top)
        return _halfway(1.0, 1 / 25e4, min((step - top) / (end - top), 1.0) if end > top else 1.0)

    return LRSchedule(lr_scheduler.LambdaLR(optimizer, factor), "step")


def _halfway(start: float, end: float, share: float) -> float:
    """Half a cosine from `start` (share 0) to `end` (share 1)."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


def get_scheduler(args: Namespace, optimizer: Optimizer, steps: int, later: int | None = None) -> LRSchedule:
    """The schedule `args.scheduler` over `args.epochs` epochs.

    Args:
        args: the flags.
        optimizer: whose learning rate it sets.
        steps: optimizer steps of an epoch, or of the first one.
        later: steps of each epoch after the first, where they differ.
    """
    clock = StepClock(args.epochs, steps, steps if later is None else later)
    return SCHEDULERS[args.scheduler](optimizer, args, clock)


def learning_rate(optimizer: torch.optim.Optimizer) -> float:
    """The learning rate that the next step will take."""
    return float(optimizer.param_groups[0]["lr"])
