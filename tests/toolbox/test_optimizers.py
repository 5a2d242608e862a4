"""toolbox.optimizers: what each does to weights."""

from __future__ import annotations

import copy
import subprocess
import sys
from argparse import Namespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from args import get_parser
from tests.conftest import ROOT
from toolbox.optimizers import OPTIMIZERS, get_optimizer
from toolbox.options import OPTIMIZER_NAMES, OptimizerOptions
from toolbox.schedulers import LRSchedule
from toolbox.utils import UserError
from toolbox.utils.options import pick

LR = 0.02
every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)


def flags(*more: str) -> Namespace:
    return get_parser().parse_args(["--model-name", "cnn1d_3", "--lr", str(LR), *more])


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


def test_an_unknown_name_gives_the_nearest() -> None:
    given = Namespace(**{**vars(flags()), "optimizer": "adan"})
    with pytest.raises(UserError, match=r"^unknown optimizer 'adan', did you mean 'adam'\?"):
        get_optimizer(given, network())


@every_optimizer
def test_a_dataclass_of_flags_does_as_well_as_a_namespace(name: str) -> None:
    given = flags("--optimizer", name, "--wd", "0.01", "--momentum", "0.8")
    one, other = network(), network()
    learn(one, get_optimizer(given, one), 5)
    learn(other, get_optimizer(pick(OptimizerOptions, given), other), 5)
    assert torch.equal(weights(one), weights(other))


def test_the_predecessors_call_takes_parsed_flags() -> None:
    optimizer = get_optimizer(get_parser().parse_args(["--model-name", "cnn1d_3"]), network())
    assert type(optimizer).__name__ == "Adam" and isinstance(optimizer, torch.optim.Adam)
    assert optimizer.param_groups[0]["lr"] == 0.01


def test_the_names_of_the_flags_are_those_of_the_table() -> None:
    assert tuple(OPTIMIZERS) == OPTIMIZER_NAMES


def test_an_optimizer_starts_without_torchs_compiler() -> None:
    program = (
        "import sys, torch\n"
        "from toolbox.optimizers import get_optimizer\n"
        "from toolbox.options import OptimizerOptions\n"
        "model = torch.nn.Linear(3, 2)\n"
        "optimizer = get_optimizer(OptimizerOptions(), model)\n"
        "model(torch.rand(4, 3)).sum().backward(); optimizer.step(); optimizer.zero_grad(); optimizer.state_dict()\n"
        "print('torch._dynamo' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
