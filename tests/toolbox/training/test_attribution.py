"""toolbox.training.attribution: shares that add up, exactly and by captum."""

from __future__ import annotations

import builtins

import pytest
import torch
from torch import Tensor, nn

from models.mlp import MLP
from models.resnet1d_fusion import ResNet1dFusion
from toolbox.training.attribution import BY_STEPS, EXACT, attribute

N = 6


def trained_mlp(features: int) -> MLP:
    """A perceptron whose batch norm and scaling are those of some rows."""
    torch.manual_seed(0)
    model = MLP(4, 1, 20, features, hidden=8)
    rows = torch.randn(200, 1, 20), torch.randn(200, features) * 2 + 1 if features else None
    model.fit_scaling(*rows)
    model.train()
    for _ in range(20):
        model(*rows)
    return model


def gap(model: nn.Module, inputs: tuple[Tensor, ...], called: Tensor, true: Tensor) -> Tensor:
    logits, rows = model.eval()(*inputs), torch.arange(len(called))
    return logits[rows, called] - logits[rows, true]


@pytest.mark.parametrize("features", [0, 5])
def test_shares_of_the_perceptron_add_up_exactly(features: int) -> None:
    model = trained_mlp(features)
    inputs = (torch.randn(N, 1, 20),) + ((torch.randn(N, features),) if features else ())
    called, true = torch.tensor([0, 1, 2, 3, 0, 1]), torch.tensor([1, 0, 3, 2, 2, 3])
    median = model.center.expand(N, -1)
    start = (torch.zeros(N, 1, 20), median) if features else (median.view(N, 1, 20),)
    shares = attribute(model, inputs, inputs, called, true)
    assert shares.method == EXACT and (shares.x is None) is bool(features)
    values = shares.features if features else shares.x
    assert values is not None and values.shape == inputs[-1].shape
    change = gap(model, inputs, called, true) - gap(model, start, called, true)
    assert values.flatten(1).sum(dim=1) == pytest.approx(change.detach(), abs=1e-5)


def test_shares_of_the_perceptron_are_the_limit_of_many_steps() -> None:
    model = trained_mlp(5).eval()
    x, features = torch.zeros(N, 1, 20), torch.randn(N, 5) * 3
    called, true = torch.tensor([0, 1, 2, 3, 0, 1]), torch.tensor([1, 0, 3, 2, 2, 3])
    scaled = model.scaled(x, features).detach()
    total = torch.zeros_like(scaled)
    steps = 4000
    for k in range(steps):
        point = (scaled * (k + 0.5) / steps).requires_grad_()
        logits, rows = model.fc(torch.relu(model.bn1(model.fc1(point)))), torch.arange(N)
        total += torch.autograd.grad((logits[rows, called] - logits[rows, true]).sum(), point)[0]
    expected = scaled * total / steps
    assert model.integrated_gradients(x, features, called, true) == pytest.approx(expected, abs=2e-3)


def test_captum_gives_shares_of_rows_and_features_that_add_up() -> None:
    torch.manual_seed(0)
    model = ResNet1dFusion(4, 2, 3).eval()
    inputs = torch.randn(N, 2, 60), torch.randn(N, 3)
    typical = torch.zeros(1, 2, 60), torch.zeros(1, 3)
    called, true = torch.tensor([0, 1, 2, 3, 0, 1]), torch.tensor([1, 0, 3, 2, 2, 3])
    model.train()
    shares = attribute(model, inputs, typical, called, true)
    assert model.training  # stays as it is
    assert shares.method == BY_STEPS and shares.x is not None and shares.features is not None
    assert shares.x.shape == (N, 2, 60) and shares.features.shape == (N, 3)
    start = tuple(part.expand(N, *part.shape[1:]) for part in typical)
    change = gap(model, inputs, called, true) - gap(model, start, called, true)
    whole = shares.x.flatten(1).sum(dim=1) + shares.features.sum(dim=1)
    assert whole == pytest.approx(change.detach(), rel=0.05, abs=0.01)


def test_without_captum_other_networks_have_no_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: object, **more: object) -> object:
        if name.startswith("captum"):
            raise ModuleNotFoundError("No module named 'captum'", name="captum")
        return real(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", missing)
    one = torch.tensor([0])
    with pytest.raises(ModuleNotFoundError):
        attribute(ResNet1dFusion(4, 1), (torch.randn(1, 1, 60),), (torch.zeros(1, 1, 60),), one, one)
    inputs = torch.randn(1, 1, 20), torch.randn(1, 5)
    assert attribute(trained_mlp(5), inputs, inputs, one, one + 1).method == EXACT
