"""Accumulation, clipping and averaging, against what they are by definition."""

import copy

import pytest
import torch
from torch import nn

from toolbox.training.step import OptimizerStep, WeightEMA


class Still:
    """A schedule that counts."""

    def __init__(self):
        self.steps = 0

    def after_step(self):
        """One more."""
        self.steps += 1


def stepper_of(model, **options):
    """A stepper with plain gradient descent."""
    return OptimizerStep(model, torch.optim.SGD(model.parameters(), 0.1), Still(), **options)


def small():
    """A model and four batches."""
    torch.manual_seed(0)
    return nn.Linear(3, 2), [(torch.randn(4, 3), torch.randint(2, (4,))) for _ in range(4)]


def test_accumulated_batches_make_the_step_of_one_large_batch():
    model, batches = small()
    whole = copy.deepcopy(model)
    stepper = stepper_of(model, accumulate=4)
    for number, (x, y) in enumerate(batches, start=1):
        stepper.backward(nn.functional.cross_entropy(model(x), y), last=number == 4)
    x, y = (torch.cat(part) for part in zip(*batches, strict=True))
    stepper_of(whole).backward(nn.functional.cross_entropy(whole(x), y), last=True)
    torch.testing.assert_close(model.state_dict(), whole.state_dict())
    assert stepper.schedule.steps == 1


def test_the_last_batch_of_an_epoch_always_steps():
    model, batches = small()
    stepper = stepper_of(model, accumulate=3)
    for number, (x, y) in enumerate(batches, start=1):
        stepper.backward(nn.functional.cross_entropy(model(x), y), last=number == 4)
    assert stepper.schedule.steps == 2 and stepper.waiting == 0


def test_clipping_bounds_the_gradient():
    model, batches = small()
    before = copy.deepcopy(model)
    stepper = stepper_of(model, clip=0.01)
    stepper.backward(100 * nn.functional.cross_entropy(model(batches[0][0]), batches[0][1]), last=True)
    moved = torch.cat([(new - old).flatten() for new, old in zip(model.parameters(), before.parameters(), strict=True)])
    assert moved.norm().item() == pytest.approx(0.1 * 0.01, rel=1e-3)  # learning rate times the longest gradient


def test_the_average_follows_its_formula_buffers_included():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    average = WeightEMA(model, 0.9)
    expected = {key: value.clone() for key, value in model.state_dict().items() if value.is_floating_point()}
    for step in range(1, 60):
        with torch.no_grad():
            for value in model.state_dict().values():
                if value.is_floating_point():
                    value.add_(torch.randn_like(value))
        average.update()
        decay = min(0.9, (1 + step) / (10 + step))
        for key, value in expected.items():
            value.mul_(decay).add_((1 - decay) * model.state_dict()[key])
    torch.testing.assert_close(average.weights(), expected)
    assert "1.running_mean" in expected


def test_swapping_twice_changes_nothing_and_once_shows_the_average():
    model, _ = small()
    average = WeightEMA(model, 0.5)
    start = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        model.weight.fill_(7)
    average.swap()
    torch.testing.assert_close(model.state_dict(), start)
    average.swap()
    assert (model.weight == 7).all()


def test_a_restored_average_goes_on_alike():
    model, _ = small()
    first, second = WeightEMA(model, 0.99), WeightEMA(model, 0.99)
    with torch.no_grad():
        model.weight.add_(1)
    first.update()
    second.restore(first.steps, copy.deepcopy(first.weights()))
    with torch.no_grad():
        model.weight.add_(1)
    first.update()
    second.update()
    torch.testing.assert_close(first.weights(), second.weights(), rtol=0, atol=0)
