"""toolbox.losses against values by hand and against torch's own functions."""

from __future__ import annotations

import math
from argparse import Namespace
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from args import get_parser
from toolbox.losses import CRITERIA, FocalLoss, get_criterion, mixed_loss
from toolbox.options import CRITERION_NAMES, CriterionOptions
from toolbox.utils import UserError
from toolbox.utils.options import pick

WEIGHT = torch.tensor([0.1, 2.0, 0.7, 3.0, 1.0])
WEIGHTED = ("nll", "crossentropy", "focal", "logitadjusted", "bce")
UNWEIGHTED = ("mse", "l1")
# Two rows: probabilities (1/2, 1/4, 1/4) and (1/8, 3/4, 1/8), true classes 0 and 2.
HAND_LOGITS = torch.tensor([[2.0, 1.0, 1.0], [1.0, 6.0, 1.0]]).log()
HAND_LABELS = torch.tensor([0, 2])
HAND = {
    "nll": (math.log(2) + math.log(8)) / 2,
    "crossentropy": (math.log(2) + math.log(8)) / 2,
    "focal": (0.25 * math.log(2) + (7 / 8) ** 2 * math.log(8)) / 2,
    "logitadjusted": (math.log(2) + math.log(8)) / 2,  # classes alike
    # sigmoid(log a) = a / (1 + a): 2/3 1/2 1/2 and 1/2 6/7 1/2
    "bce": ((math.log(3 / 2) + 2 * math.log(2)) / 3 + (math.log(2) + math.log(7) + math.log(2)) / 3) / 2,
    "mse": ((0.5**2 + 2 * 0.25**2) / 3 + (0.125**2 + 0.75**2 + 0.875**2) / 3) / 2,
    "l1": ((0.5 + 2 * 0.25) / 3 + (0.125 + 0.75 + 0.875) / 3) / 2,
}


def flags(name: str, *more: str) -> Namespace:
    return get_parser().parse_args(["--model-name", "cnn1d_3", "--criterion", name, *more])


def problem(rows: int = 64, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits (rows, 5) and labels (rows,)."""
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(rows, 5, generator=generator), torch.randint(5, (rows,), generator=generator)


def per_row(criterion: nn.Module, logits: Tensor, labels: Tensor) -> Tensor:
    """(rows,) the loss of each row on its own."""
    return torch.stack([criterion(logits[k : k + 1], labels[k : k + 1]) for k in range(len(labels))])


@pytest.mark.parametrize("name", CRITERIA)
def test_values_by_hand(name: str) -> None:
    loss = get_criterion(flags(name))(HAND_LOGITS, HAND_LABELS)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(HAND[name], rel=1e-5)


def reference(name: str, logits: Tensor, labels: Tensor) -> Tensor:
    """(rows,) losses by torch's functions, each used in the plainest way."""
    one_hot = torch.eye(5)[labels]
    p = logits.softmax(dim=1)
    true = p[torch.arange(len(labels)), labels]
    return {
        "nll": lambda: F.cross_entropy(logits, labels, reduction="none"),
        "crossentropy": lambda: F.cross_entropy(logits, labels, reduction="none"),
        "logitadjusted": lambda: F.cross_entropy(logits, labels, reduction="none"),
        "focal": lambda: -((1 - true) ** 2) * true.log(),
        "bce": lambda: F.binary_cross_entropy(logits.sigmoid(), one_hot, reduction="none").mean(dim=1),
        "mse": lambda: F.mse_loss(p, one_hot, reduction="none").mean(dim=1),
        "l1": lambda: F.l1_loss(p, one_hot, reduction="none").mean(dim=1),
    }[name]()


@pytest.mark.parametrize("name", CRITERIA)
def test_values_of_many_rows(name: str) -> None:
    logits, labels = problem()
    expected = reference(name, logits, labels)
    criterion = get_criterion(flags(name))
    assert torch.allclose(per_row(criterion, logits, labels), expected, rtol=1e-4, atol=1e-6)
    assert torch.allclose(criterion(logits, labels), expected.mean(), rtol=1e-5)


@pytest.mark.parametrize("name", CRITERIA)
def test_a_rows_loss_does_not_depend_on_the_other_rows(name: str) -> None:
    """The predecessor's focal loss took its softmax over the batch."""
    logits, labels = problem(8)
    criterion = get_criterion(flags(name))
    losses = per_row(criterion, logits, labels)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(criterion(logits[order], labels[order]), losses.mean(), rtol=1e-5)
    assert torch.allclose(criterion(logits.repeat(3, 1), labels.repeat(3)), losses.mean(), rtol=1e-5)
    some = torch.tensor([0, 0, 0, 5])
    assert torch.allclose(criterion(logits[some], labels[some]), losses[some].mean(), rtol=1e-5)


@pytest.mark.parametrize("name", WEIGHTED)
def test_class_weights_weigh_rows_by_their_class(name: str) -> None:
    logits, labels = problem()
    row = WEIGHT[labels]
    expected = (row * reference(name, logits, labels)).sum() / row.sum()
    criterion = get_criterion(flags(name), WEIGHT)
    assert torch.allclose(criterion(logits, labels), expected, rtol=1e-5)
    assert torch.allclose(get_criterion(flags(name), 50 * WEIGHT)(logits, labels), expected, rtol=1e-5)
    assert not torch.allclose(get_criterion(flags(name))(logits, labels), expected, rtol=1e-3)


@pytest.mark.parametrize("name", UNWEIGHTED)
def test_class_weights_are_refused_where_they_have_no_meaning(name: str) -> None:
    with pytest.raises(UserError, match=rf"--class-balance has no meaning for --criterion {name}.*--sampler"):
        get_criterion(flags(name), WEIGHT)


def test_every_criterion_either_takes_weights_or_refuses_them() -> None:
    assert {*WEIGHTED, *UNWEIGHTED} == set(CRITERIA)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_focal_loss_with_gamma_0_is_cross_entropy(weight: Tensor | None) -> None:
    logits, labels = problem()
    criterion = get_criterion(flags("focal", "--focal-gamma", "0"), weight)
    assert torch.allclose(criterion(logits, labels), F.cross_entropy(logits, labels, weight), rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_focal_loss_turns_easy_rows_down_by_gamma(gamma: float) -> None:
    logits = torch.tensor([[math.log(9.0), 0.0]])  # p = 0.9
    loss = FocalLoss(gamma)(logits, torch.tensor([0]))
    assert loss.item() == pytest.approx(-(0.1**gamma) * math.log(0.9), rel=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 1.5, 2.0, 5.0])
def test_focal_loss_of_a_certain_row_has_finite_gradients(gamma: float) -> None:
    logits = torch.tensor([[60.0, 0.0, 0.0], [-60.0, 60.0, 0.0]], requires_grad=True)
    loss = FocalLoss(gamma)(logits, torch.tensor([0, 0]))  # certain and right; certain and wrong
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[0].abs().max() < 1e-6
    assert logits.grad[1, 0] == pytest.approx(-0.5, abs=1e-3)


def test_label_smoothing_is_torchs() -> None:
    logits, labels = problem()
    for weight in (None, WEIGHT):
        criterion = get_criterion(flags("crossentropy", "--label-smoothing", "0.2"), weight)
        expected = F.cross_entropy(logits, labels, weight, label_smoothing=0.2)
        assert torch.allclose(criterion(logits, labels), expected)
    smooth = get_criterion(flags("crossentropy", "--label-smoothing", "0.3"))
    log_p = HAND_LOGITS.log_softmax(dim=1)
    by_hand = -(0.7 * log_p[[0, 1], HAND_LABELS] + 0.3 * log_p.mean(dim=1)).mean()
    assert torch.allclose(smooth(HAND_LOGITS, HAND_LABELS), by_hand)


@pytest.mark.parametrize("name", CRITERIA)
def test_logits_in_bfloat16_lose_nothing_but_their_own_digits(name: str) -> None:
    logits, labels = problem()
    half = logits.bfloat16().requires_grad_()
    criterion = get_criterion(flags(name))
    with torch.autocast("cpu", torch.bfloat16):
        loss = criterion(half, labels)
    assert loss.dtype == torch.float32
    assert torch.allclose(loss, reference(name, half.detach().float(), labels).mean(), rtol=1e-5)
    loss.backward()
    assert half.grad is not None
    assert torch.isfinite(half.grad).all()


@pytest.mark.parametrize("name", CRITERIA)
def test_extreme_logits_stay_finite(name: str) -> None:
    logits = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]], requires_grad=True)
    loss = get_criterion(flags(name))(logits, torch.tensor([0, 0]))
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", CRITERIA)
def test_every_criterion_decreases_and_finds_the_classes(name: str) -> None:
    torch.manual_seed(0)
    y = torch.arange(60) % 3
    x = torch.eye(3)[y] + 0.1 * torch.randn(60, 3)
    model = nn.Linear(3, 3)
    criterion = get_criterion(flags(name))
    optimizer = torch.optim.SGD(model.parameters(), 1.0)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(later < earlier for earlier, later in pairwise(losses[:10]))
    assert losses[-1] < 0.7 * losses[0]
    assert (model(x).argmax(dim=1) == y).float().mean() > 0.95


@pytest.mark.parametrize("name", CRITERIA)
def test_class_weights_travel_with_the_criterion_but_not_into_state_dicts(name: str) -> None:
    criterion = get_criterion(flags(name), WEIGHT if name in WEIGHTED else None, torch.ones(5))
    assert criterion.state_dict() == {}
    if name in WEIGHTED:
        assert [tuple(buffer.shape) for buffer in criterion.buffers()] == [(5,)] * (2 if name == "logitadjusted" else 1)


def test_an_unknown_name_gives_the_nearest() -> None:
    with pytest.raises(UserError, match=r"^unknown criterion 'focl', did you mean 'focal'\? known: nll, "):
        get_criterion(Namespace(criterion="focl"))


def test_logit_adjustment_adds_the_logarithms_of_the_shares_while_training() -> None:
    logits, labels = problem()
    counts = torch.tensor([800, 100, 60, 0, 40])  # an absent class counts as one row
    shares = torch.tensor([800, 100, 60, 1, 40]) / 1001
    criterion = get_criterion(flags("logitadjusted", "--logit-tau", "0.5"), None, counts)
    expected = F.cross_entropy(logits + 0.5 * shares.log(), labels)
    assert torch.allclose(criterion(logits, labels), expected, rtol=1e-5)
    assert not torch.allclose(F.cross_entropy(logits, labels), expected, rtol=1e-2)
    assert torch.allclose(criterion.eval()(logits, labels), F.cross_entropy(logits, labels), rtol=1e-5)


def test_logit_adjustment_asks_more_of_rare_classes() -> None:
    """At equal logits the loss of a row is minus the logarithm of its class's share, Bayes's rule for logits of 0."""
    criterion = get_criterion(flags("logitadjusted"), None, torch.tensor([900, 100]))
    losses = per_row(criterion, torch.zeros(2, 2), torch.tensor([0, 1]))
    assert losses.tolist() == pytest.approx([-math.log(0.9), -math.log(0.1)], rel=1e-5)


def test_mixed_rows_are_scored_against_both_labels_in_their_shares() -> None:
    logits, labels = problem()
    other = labels.flip(0)
    for name in CRITERIA:
        criterion = get_criterion(flags(name))
        one, two = criterion(logits, labels), criterion(logits, other)
        assert torch.allclose(mixed_loss(criterion, logits, labels, other, 0.3), 0.3 * one + 0.7 * two)
        assert torch.equal(mixed_loss(criterion, logits, labels, None, 1.0), one)


@pytest.mark.parametrize("name", CRITERIA)
def test_a_dataclass_of_flags_does_as_well_as_a_namespace(name: str) -> None:
    logits, labels = problem()
    given = flags(name, "--focal-gamma", "3")
    one, other = get_criterion(given), get_criterion(pick(CriterionOptions, given))
    assert torch.equal(one(logits, labels), other(logits, labels))


def test_the_predecessors_call_takes_parsed_flags() -> None:
    logits, labels = problem()
    assert get_criterion(get_parser().parse_args(["--model-name", "cnn1d_3"]))(logits, labels).item() == pytest.approx(
        F.cross_entropy(logits, labels).item()
    )


def test_the_names_of_the_flags_are_those_of_the_table() -> None:
    assert tuple(CRITERIA) == CRITERION_NAMES
