"""toolbox.optimizers: what each does to weights, and each schedule's learning rates against its formula."""

from __future__ import annotations

import copy
import math
from argparse import Namespace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from args import parse_args
from toolbox import OPTIMIZERS, SCHEDULERS
from toolbox.optimizers import LRSchedule, get_optimizer, get_scheduler, learning_rate
from toolbox.utils import UserError

LR = 0.02
every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)
every_schedule = pytest.mark.parametrize("name", SCHEDULERS)


def flags(*more: str) -> Namespace:
    return parse_args(["--model-name", "cnn1d_3", "--lr", str(LR), *more])


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def learn(
    model: nn.Module, optimizer: Optimizer, steps: int, start: int = 0, schedule: LRSchedule | None = None
) -> None:
    """`steps` steps, each on rows of its own."""
    for step in range(start, start + steps):
        generator = torch.Generator().manual_seed(step)
        x, y = torch.randn(16, 4, generator=generator), torch.randint(3, (16,), generator=generator)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        if schedule is not None:
            schedule.after_step()


def weights(model: nn.Module, axes: tuple[int, ...] = (1, 2)) -> torch.Tensor:
    """All numbers of the parameters that have so many axes: 2 for weights, 1 for biases."""
    return torch.cat([p.detach().flatten().clone() for p in model.parameters() if p.dim() in axes])


def idle_steps(name: str, decay: float, steps: int = 1) -> tuple[nn.Module, nn.Module]:
    """A network before and after steps whose gradient is zero: what is left is the decay."""
    before, after = network(), network()
    optimizer = get_optimizer(flags("--optimizer", name, "--weight-decay", str(decay)), after)
    for _ in range(steps):
        for parameter in after.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
    return before, after


@every_optimizer
def test_weight_decay_shrinks_weights_and_leaves_biases(name: str) -> None:
    before, after = idle_steps(name, 0.1, steps=20)
    start, end = weights(before, (2,)), weights(after, (2,))
    large = start.abs() > 0.5 * start.abs().max()
    assert (end[large].abs() < start[large].abs()).all()
    assert torch.equal(weights(after, (1,)), weights(before, (1,)))
    before, after = idle_steps(name, 0.0, steps=20)
    assert torch.equal(weights(after), weights(before))


@every_optimizer
def test_weight_decay_has_effect_in_training(name: str) -> None:
    """The predecessor's adam ignored it."""
    ends = []
    for decay in ("0", "0.05"):
        model = network()
        learn(model, get_optimizer(flags("--optimizer", name, "--weight-decay", decay), model), 30)
        ends.append(weights(model, (2,)))
    assert not torch.allclose(ends[0], ends[1], atol=1e-4)
    assert ends[1].norm() < ends[0].norm()


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_decay_takes_lr_times_decay_off_the_weights(name: str) -> None:
    before, after = idle_steps(name, 0.1)
    assert torch.allclose(weights(after, (2,)), weights(before, (2,)) * (1 - LR * 0.1), rtol=1e-6)


def test_decay_of_adam_is_part_of_the_gradient() -> None:
    """So its first step is the learning rate itself, whatever the gradient's size."""
    before, after = (weights(model, (2,)) for model in idle_steps("adam", 0.1))
    assert torch.allclose(after, before - LR * before.sign(), atol=1e-5)


@every_optimizer
def test_defaults_come_from_the_flags_and_every_parameter_is_in_one_group(name: str) -> None:
    model = network()
    groups = get_optimizer(flags("--optimizer", name), model).param_groups
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert sum(len(group["params"]) for group in groups) == len(decays) == 4
    assert [decays[id(p)] for p in model.parameters()] == [1e-4, 0.0, 1e-4, 0.0]
    assert {group["lr"] for group in groups} == {LR}


@every_optimizer
def test_every_optimizer_reduces_the_loss(name: str) -> None:
    model = network()
    y = torch.arange(60) % 3
    x = torch.eye(4)[y] + 0.1 * torch.randn(60, 4)
    optimizer = get_optimizer(flags("--optimizer", name), model)
    before = nn.functional.cross_entropy(model(x), y).item()
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    assert nn.functional.cross_entropy(model(x), y).item() < 0.7 * before


def test_steps_are_those_of_plain_torch() -> None:
    """Fused kernels, betas and momentum as the flags say."""
    plain: dict[str, Any] = {
        "sgd": lambda groups: torch.optim.SGD(groups, LR, momentum=0.8, foreach=False),
        "adam": lambda groups: torch.optim.Adam(groups, LR, betas=(0.7, 0.95), foreach=False),
        "adamw": lambda groups: torch.optim.AdamW(groups, LR, betas=(0.7, 0.95), foreach=False),
    }
    assert set(plain) == set(OPTIMIZERS)
    for name, make in plain.items():
        given = flags("--optimizer", name, "--momentum", "0.8", "--betas", "0.7", "0.95", "--wd", "0.01")
        own, other = network(), network()
        learn(own, get_optimizer(given, own), 10)
        groups = [{"params": [p], "weight_decay": 0.01 if p.dim() > 1 else 0.0} for p in other.parameters()]
        learn(other, make(groups), 10)
        assert torch.allclose(weights(own), weights(other), rtol=1e-4, atol=1e-6), name


def test_frozen_parameters_are_left_out() -> None:
    model = network()
    model[0].requires_grad_(False)
    optimizer = get_optimizer(flags(), model)
    assert sum(p.numel() for group in optimizer.param_groups for p in group["params"]) == 8 * 3 + 3


@every_optimizer
def test_optimizer_state_round_trip_continues_identically(name: str) -> None:
    given = flags("--optimizer", name)
    whole = network()
    optimizer = get_optimizer(given, whole)
    learn(whole, optimizer, 5)
    saved = copy.deepcopy((whole.state_dict(), optimizer.state_dict()))
    learn(whole, optimizer, 5, start=5)

    resumed = network(seed=9)
    resumed.load_state_dict(saved[0])
    optimizer = get_optimizer(given, resumed)
    optimizer.load_state_dict(saved[1])
    learn(resumed, optimizer, 5, start=5)
    assert torch.equal(weights(resumed), weights(whole))


# schedules: the learning rate of each step, of `steps` steps an epoch


def built(name: str, epochs: int, steps: int, *more: str) -> tuple[Optimizer, LRSchedule]:
    given = flags("--scheduler", name, "--epochs", str(epochs), *more)
    optimizer = get_optimizer(given, network())
    return optimizer, get_scheduler(given, optimizer, steps)


def advance(optimizer: Optimizer, schedule: LRSchedule, epochs: int, steps: int, scores: list[float]) -> list[float]:
    """The learning rate of every step of `epochs` epochs; `scores` are the validation accuracies after them."""
    taken = []
    for epoch in range(epochs):
        for _ in range(steps):
            taken.append(learning_rate(optimizer))
            optimizer.step()
            schedule.after_step()
        schedule.after_epoch(scores[epoch])
    return taken


RISING = [0.5 + 0.01 * k for k in range(40)]


def each_epoch(rates: list[float], steps: int) -> list[float]:
    """The rates, a number per epoch, which must not change within one."""
    for start in range(0, len(rates), steps):
        assert len(set(rates[start : start + steps])) == 1
    return rates[::steps]


def test_step_lr_by_its_formula() -> None:
    rates = advance(*built("StepLR", 12, 3, "--step", "4", "--lr-decay", "0.5"), 12, 3, RISING)
    assert each_epoch(rates, 3) == pytest.approx([LR * 0.5 ** (epoch // 4) for epoch in range(12)])


def test_exponential_lr_by_its_formula() -> None:
    rates = advance(*built("ExponentialLR", 12, 3, "--lr-decay", "0.9"), 12, 3, RISING)
    assert each_epoch(rates, 3) == pytest.approx([LR * 0.9**epoch for epoch in range(12)])


def test_reduce_on_plateau_waits_for_more_than_step_epochs_without_a_better_score() -> None:
    scores = [0.5, 0.6, 0.6, 0.55, 0.6, 0.7, 0.7, 0.7, 0.7, 0.7]
    rates = advance(*built("ReduceLROnPlateau", 10, 2, "--step", "2", "--lr-decay", "0.1"), 10, 2, scores)
    # epochs 3, 4, 5 are no better than 2: reduced before epoch 6, which is better; 7, 8, 9 not: before epoch 10
    assert each_epoch(rates, 2) == pytest.approx([LR] * 5 + [LR / 10] * 4 + [LR / 100])


def test_reduce_on_plateau_leaves_a_run_that_improves_alone() -> None:
    rates = advance(*built("ReduceLROnPlateau", 20, 1, "--step", "1", "--lr-decay", "0.1"), 20, 1, RISING)
    assert rates == [LR] * 20


@pytest.mark.parametrize(("epochs", "steps", "warmup"), [(5, 20, 0.1), (3, 7, 0.0), (4, 10, 0.5)])
def test_cosine_by_its_formula(epochs: int, steps: int, warmup: float) -> None:
    total = epochs * steps
    rise = round(warmup * total)
    expected = [LR * (k + 1) / (rise + 1) for k in range(rise)]
    expected += [LR * 0.5 * (1 + math.cos(math.pi * k / (total - rise))) for k in range(total - rise)]
    optimizer, schedule = built("cosine", epochs, steps, "--warmup", str(warmup))
    rates = advance(optimizer, schedule, epochs, steps, RISING)
    assert rates == pytest.approx(expected)
    assert max(rates) == LR == rates[rise]
    assert learning_rate(optimizer) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("epochs", "steps", "warmup"), [(5, 20, 0.1), (3, 8, 0.25), (4, 10, 0.5)])
def test_onecycle_by_its_formula(epochs: int, steps: int, warmup: float) -> None:
    total = epochs * steps
    peak = warmup * total - 1  # as torch counts: the step at which the highest rate stands

    def between(start: float, end: float, share: float) -> float:
        return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share))

    low, end = LR / 25, LR / 25 / 1e4
    expected = [
        between(low, LR, k / peak) if k <= peak else between(LR, end, (k - peak) / (total - 1 - peak))
        for k in range(total)
    ]
    rates = advance(*built("onecycle", epochs, steps, "--warmup", str(warmup)), epochs, steps, RISING)
    assert rates == pytest.approx(expected)
    assert rates[0] == pytest.approx(LR / 25)
    assert max(rates) == pytest.approx(LR)
    assert rates[-1] == pytest.approx(end)


@pytest.mark.parametrize("name", ["cosine", "onecycle"])
def test_every_epoch_has_an_equal_part_in_a_schedule_though_later_ones_have_fewer_steps(name: str) -> None:
    given = flags("--scheduler", name, "--epochs", "5", "--warmup", "0.3")
    optimizer = get_optimizer(given, network())
    rates = advance(*built(name, 5, 12, "--warmup", "0.3"), 5, 12, RISING)
    schedule = get_scheduler(given, optimizer, 12, 3)
    first = advance(optimizer, schedule, 1, 12, RISING)
    later = advance(optimizer, schedule, 4, 3, RISING)
    assert first == pytest.approx(rates[:12])
    assert later == pytest.approx(rates[12::4])


@every_schedule
@pytest.mark.parametrize("warmup", ["0", "0.1", "1"])
@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (1, 2), (1, 10), (2, 5), (2, 10), (3, 1), (20, 1)])
def test_every_schedule_goes_to_its_end_and_past_it(name: str, epochs: int, steps: int, warmup: str) -> None:
    """10 steps are an epoch of a --short-run. Past the end a run gets when it goes on with fewer rows than before."""
    optimizer, schedule = built(name, epochs, steps, "--warmup", warmup)
    rates = advance(optimizer, schedule, epochs + 3, steps, RISING)
    assert all(math.isfinite(rate) and 0 <= rate <= LR * (1 + 1e-9) for rate in rates)
    if schedule.moves == "step":
        past = rates[epochs * steps + 1 :]
        assert max(past, default=0) <= 0.02 * LR or epochs * steps <= 2  # it does not rise again


@every_schedule
def test_only_its_own_occasion_moves_a_schedule(name: str) -> None:
    optimizer, schedule = built(name, 20, 10, "--step", "1", "--lr-decay", "0.5")
    optimizer.step()
    before = learning_rate(optimizer)
    if schedule.moves == "step":
        for _ in range(4):
            schedule.after_epoch(0.5)
    else:
        for _ in range(40):
            schedule.after_step()
    assert learning_rate(optimizer) == before


@every_schedule
def test_schedule_state_is_plain_values(name: str) -> None:
    optimizer, schedule = built(name, 4, 3)
    advance(optimizer, schedule, 2, 3, RISING)
    state = schedule.state_dict()
    assert all(isinstance(value, int | float | list) for value in state.values())
    assert state["last_epoch"] == (6 if schedule.moves == "step" else 2)


PLATEAU = [0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.7, 0.6, 0.6, 0.6, 0.6, 0.6]


def split_run(name: str, first: int, epochs: int, steps: int) -> tuple[list[float], Optimizer]:
    """The rates after going on at the end of epoch `first` of a run of `first` epochs, now of `epochs`."""
    more = ("--step", "2", "--lr-decay", "0.5")
    optimizer, schedule = built(name, first, steps, *more)
    advance(optimizer, schedule, first, steps, PLATEAU)
    saved = copy.deepcopy((optimizer.state_dict(), schedule.state_dict()))
    optimizer, schedule = built(name, epochs, steps, *more)
    optimizer.load_state_dict(saved[0])
    schedule.load_state_dict(saved[1])
    return advance(optimizer, schedule, epochs - first, steps, PLATEAU[first:]), optimizer


@every_schedule
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("first", [1, 3, 4, 7])
def test_schedule_state_round_trip_continues_identically(name: str, first: int) -> None:
    """Saved after epoch `first` of 12 and gone on with."""
    more = ("--step", "2", "--lr-decay", "0.5")
    whole = advance(*built(name, 12, 5, *more), 12, 5, PLATEAU)
    optimizer, schedule = built(name, 12, 5, *more)
    start = advance(optimizer, schedule, first, 5, PLATEAU)
    saved = copy.deepcopy((optimizer.state_dict(), schedule.state_dict()))
    optimizer, schedule = built(name, 12, 5, *more)
    optimizer.load_state_dict(saved[0])
    schedule.load_state_dict(saved[1])
    assert start + advance(optimizer, schedule, 12 - first, 5, PLATEAU[first:]) == whole  # to the last bit


@pytest.mark.parametrize("name", [name for name in SCHEDULERS if name not in ("cosine", "onecycle")])
@pytest.mark.parametrize("first", [1, 3, 4, 7])
def test_more_epochs_go_on_where_the_schedule_stood(name: str, first: int) -> None:
    whole = advance(*built(name, 12, 5, "--step", "2", "--lr-decay", "0.5"), 12, 5, PLATEAU)
    rates, _ = split_run(name, first, 12, 5)
    assert rates == whole[first * 5 :]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["cosine", "onecycle"])
@pytest.mark.parametrize("first", [1, 3, 4, 7])
def test_more_epochs_stretch_the_schedules_that_have_an_end(name: str, first: int) -> None:
    """From there on the rates are those of a run that was meant to be as long from the beginning."""
    whole = advance(*built(name, 12, 5), 12, 5, PLATEAU)
    rates, _ = split_run(name, first, 12, 5)
    assert rates == pytest.approx(whole[first * 5 :])
    assert all(later <= earlier for earlier, later in pairwise(rates[5:]))


@pytest.mark.parametrize("what", ["optimizer", "scheduler"])
def test_unknown_names_give_the_nearest(what: str) -> None:
    wrong, meant = {"optimizer": ("adan", "adam"), "scheduler": ("onecycel", "onecycle")}[what]
    given = Namespace(**{**vars(flags()), what: wrong})
    with pytest.raises(UserError, match=rf"^unknown {what} '{wrong}', did you mean '{meant}'\?"):
        if what == "optimizer":
            get_optimizer(given, network())
        else:
            get_scheduler(given, get_optimizer(flags(), network()), 10)
