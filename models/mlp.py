"""A multilayer perceptron over the features beside a row: small, so that it cannot learn the peculiarities of a few
patients."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolbox.utils.aami import KAGGLE_ROW

BOUND = 2.0  # standard deviations that a number is squashed to


class Disturb(nn.Module):
    """While training, add noise to numbers (B, inputs) and leave some of them out.

    Args:
        noise: standard deviation; missing: the share that becomes 0.
    """

    draws_by_element = True  # each element is changed by random numbers of its own

    def __init__(self, noise: float, missing: float) -> None:
        super().__init__()
        self.noise, self.missing = noise, missing

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        x = x + self.noise * torch.randn_like(x)
        return x * (torch.rand_like(x) >= self.missing)


class MLP(nn.Module):
    """Scaling, one hidden layer (linear, batch norm, ReLU, dropout), linear.

    A number becomes 2 tanh(((value - median) / standard deviation) / 2) of the training rows, which bounds outliers.
    While training, noise is added to the scaled numbers and some are left out.

    Args:
        num_classes: number of logits.
        in_channels, length: of a row, which is read only without features.
        features, beats: numbers beside each row, and rows that come together.
        hidden: width of the hidden layer.
        dropout: of the hidden layer.
        noise: standard deviation of the noise added to each scaled number.
        missing: share of them that are left out, that is, set to 0.
    """

    center: Tensor
    spread: Tensor

    def __init__(
        self,
        num_classes: int = 5,
        in_channels: int = 1,
        length: int = KAGGLE_ROW,
        features: int = 0,
        beats: int = 1,
        hidden: int = 48,
        dropout: float = 0.3,
        noise: float = 0.1,
        missing: float = 0.1,
    ) -> None:
        super().__init__()
        self.reads_rows = not features
        inputs = features * beats or in_channels * length
        self.disturb = Disturb(noise, missing)
        self.register_buffer("center", torch.zeros(inputs))
        self.register_buffer("spread", torch.ones(inputs))
        self.fc1 = nn.Linear(inputs, hidden)
        self.bn1 = nn.BatchNorm1d(hidden)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(hidden, num_classes)

    def values(self, x: Tensor, features: Tensor | None) -> Tensor:
        """(B, inputs): the numbers read, of rows x (B, leads, samples) and features (B, k)."""
        if self.reads_rows:
            return x.flatten(1)
        return self.center.expand(len(x), -1) if features is None else features

    def fit_scaling(self, x: Tensor, features: Tensor | None) -> None:
        """Take the scaling from the training rows."""
        values = self.values(x, features).float()
        self.center.copy_(values.median(dim=0).values)
        spread = values.std(dim=0)
        self.spread.copy_(torch.where(spread > 1e-6, spread, 1.0))

    def scaled(self, x: Tensor, features: Tensor | None) -> Tensor:
        """(B, inputs): the numbers read, scaled and bounded; 0 is the median training row's."""
        scaled = (self.values(x, features) - self.center) / self.spread
        return BOUND * torch.tanh(scaled / BOUND)

    @torch.no_grad()
    def integrated_gradients(self, x: Tensor, features: Tensor | None, called: Tensor, other: Tensor) -> Tensor:
        """The share of each number read in logit `called` less logit `other`, against the median training row.

        Integrated gradients (Sundararajan et al., ICML 2017) along the straight line of the scaled numbers, exactly: a
        hidden unit is linear along it and is cut off at one point at most, so that the mean slope of its ReLU is the
        change of its output over that of its input. The shares of a row add up to the change of its logits. No noise
        and no dropout take part.

        Args:
            x, features: as `forward` takes them.
            called, other: (B,) int64, classes.

        Returns:
            (B, inputs).
        """
        scaled, mean, variance = self.scaled(x, features), self.bn1.running_mean, self.bn1.running_var
        assert mean is not None and variance is not None
        gain = self.bn1.weight / torch.sqrt(variance + self.bn1.eps)  # (hidden,) of an evaluated batch norm
        moved = gain * (scaled @ self.fc1.weight.T)  # (B, hidden)
        start = gain * (self.fc1.bias - mean) + self.bn1.bias  # (hidden,) of the median row
        rise = torch.relu(start + moved) - torch.relu(start)
        flat = moved.abs() < 1e-12
        slope = torch.where(flat, (start > 0).to(moved.dtype), rise / torch.where(flat, 1.0, moved))
        weight = (self.fc.weight[called] - self.fc.weight[other]) * slope * gain  # (B, hidden)
        return scaled * (weight @ self.fc1.weight)

    def forward(self, x: Tensor, features: Tensor | None = None) -> Tensor:
        scaled = self.scaled(x, features)
        return self.fc(self.dropout(torch.relu(self.bn1(self.fc1(self.disturb(scaled))))))


def mlp(num_classes: int = 5, in_channels: int = 1, length: int = KAGGLE_ROW, features: int = 0, beats: int = 1) -> MLP:
    """9,365 parameters at 5 classes over Kaggle's rows; 2,836 at 4 classes over the 52 numbers of
    recipes/interpatient.yaml."""
    return MLP(num_classes, in_channels, length, features, beats)
