"""An epoch: scores that do not depend on how rows are batched, and the samples that early epochs read."""

import types

import pytest
import torch
from torch import nn

from loaders.datasets.dataset import Batch
from toolbox.losses import get_criterion
from toolbox.utils import UserError
from trainer import TrainContext, progressive_samples, run_epoch, validate


class Fixed(nn.Module):
    """A model whose logits are the first samples of a row."""

    def forward(self, x):
        """(B, 1, samples) -> (B, 3)."""
        return x[:, 0, :3]


def context(weight=None):
    """A context with nothing to learn."""
    args = types.SimpleNamespace(criterion="nll")
    return TrainContext(Fixed(), get_criterion(args, weight), ("a", "b", "c"), torch.device("cpu"))


def rows(n=30):
    """Rows sorted by label, as Kaggle's files are."""
    torch.manual_seed(1)
    return Batch(torch.randn(n, 1, 5), torch.arange(n) * 3 // n, torch.arange(n) + 100)


def pieces(batch, size):
    """`batch` in pieces."""
    return [Batch(*part) for part in zip(*(whole.split(size) for whole in batch[:3]), strict=True)]


@pytest.mark.parametrize("weight", [None, torch.tensor([0.1, 1.0, 5.0])], ids=["plain", "weighted"])
@pytest.mark.parametrize("size", [1, 7, 30])
def test_scores_do_not_depend_on_the_batches(weight, size):
    whole = rows()
    result = run_epoch(context(weight), pieces(whole, size), "")
    expected = nn.functional.cross_entropy(whole.x[:, 0, :3], whole.y, weight)
    assert result.scores["loss"] == pytest.approx(expected.item(), rel=1e-5)
    assert result.ids.tolist() == whole.ids.tolist() and result.labels.tolist() == whole.y.tolist()
    torch.testing.assert_close(result.probabilities, whole.x[:, 0, :3].softmax(dim=1))
    right = (whole.x[:, 0, :3].argmax(dim=1) == whole.y).float().mean()
    assert result.scores["acc1"] == pytest.approx(right.item())


def test_results_are_predicted_and_true_by_beat():
    result = run_epoch(context(), pieces(rows(), 8), "")
    predicted = result.probabilities.argmax(dim=1).tolist()
    assert result.predictions() == {str(100 + k): [predicted[k], k * 3 // 30] for k in range(30)}


def test_what_is_not_finite_is_refused():
    whole = rows()
    whole.x[4] = float("nan")
    with pytest.raises(UserError, match="loss became nan"):
        validate(context(), pieces(whole, 8))


@pytest.mark.parametrize(
    ("epochs", "first", "expected"),
    [
        (5, 112, [112, 137, 162, 187, 187]),
        (10, 127, [127, 137, 147, 157, 167, 177, 187, 187, 187, 187]),
        (1, 100, [100]),
        (3, 187, [187, 187, 187]),
    ],
)
def test_early_epochs_read_fewer_samples(epochs, first, expected):
    assert [progressive_samples(epoch, epochs, first) for epoch in range(1, epochs + 1)] == expected
