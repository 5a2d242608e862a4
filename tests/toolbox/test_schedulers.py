"""toolbox.schedulers: each schedule's learning rates, step by step, against its formula."""

from __future__ import annotations

import copy
import math
from argparse import Namespace
from itertools import pairwise

import pytest
from torch.optim import Optimizer

from tests.toolbox.test_optimizers import LR, flags, network
from toolbox.optimizers import get_optimizer, learning_rate
from toolbox.options import SCHEDULER_NAMES, SchedulerOptions
from toolbox.schedulers import SCHEDULERS, LRSchedule, get_scheduler
from toolbox.utils import UserError
from toolbox.utils.options import pick

every_schedule = pytest.mark.parametrize("name", SCHEDULERS)


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


def test_an_unknown_name_gives_the_nearest() -> None:
    given = Namespace(**{**vars(flags()), "scheduler": "onecycel"})
    with pytest.raises(UserError, match=r"^unknown scheduler 'onecycel', did you mean 'onecycle'\?"):
        get_scheduler(given, get_optimizer(flags(), network()), 10)


def test_a_dataclass_of_flags_does_as_well_as_a_namespace() -> None:
    given = flags("--scheduler", "cosine", "--warmup", "0.3", "--epochs", "4")
    rates = advance(*built("cosine", 4, 5, "--warmup", "0.3"), 4, 5, RISING)
    optimizer = get_optimizer(given, network())
    assert (
        advance(optimizer, get_scheduler(pick(SchedulerOptions, given), optimizer, 5, epochs=4), 4, 5, RISING) == rates
    )


def test_the_names_of_the_flags_are_those_of_the_table() -> None:
    assert tuple(SCHEDULERS) == SCHEDULER_NAMES
