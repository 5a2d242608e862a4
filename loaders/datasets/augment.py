"""Augmentations: random changes of a batch that leave its labels true, on the batch's own device."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from loaders.beats.input_spec import InputGeometry

STRETCH = 0.10  # at most that much slower or faster
AMPLITUDE = 0.10  # at most that much higher or lower
NOISE = 0.01  # standard deviation, of a row's range of 1


def light(x: Tensor, generator: torch.Generator) -> Tensor:
    """Stretch time, scale the amplitude and add noise; the zero padding stays zero.

    Args:
        x: (B, leads, samples) rows in [0, 1].
        generator: on the CPU; what is drawn for each row is the same on every device.

    Returns:
        (B, leads, samples); a row that is stretched beyond the last sample is cut there.
    """
    rows, samples = x.shape[0], x.shape[-1]
    drawn = torch.rand(2, rows, 1, 1, generator=generator).to(x.device) * 2 - 1  # in [-1, 1)
    speed, gain = 1 + STRETCH * drawn[0], 1 + AMPLITUDE * drawn[1]  # (B, 1, 1)
    at = torch.arange(samples, device=x.device) * speed  # (B, 1, samples): the place each sample is taken from
    left = at.long().clamp(max=samples - 1)
    right = (left + 1).clamp(max=samples - 1)
    inside = at < samples - 1  # behind the end of the row lies padding
    share = at - left
    low, high = (x.gather(2, index.expand_as(x)) for index in (left, right))
    stretched = torch.lerp(low, high, share) * inside
    noise = torch.randn(x.shape, generator=generator).to(x.device, non_blocking=True)
    return (stretched * gain + NOISE * noise) * (stretched != 0)


Rows = tuple[Tensor, Tensor | None]  # x (B, channels, samples), features (B, k)
Augmentation = Callable[[Tensor, Tensor | None, float, torch.Generator, InputGeometry], Rows]


def _uniform(x: Tensor, generator: torch.Generator, channels: bool = False) -> Tensor:
    """(B, 1, 1), or (B, channels, 1): numbers in [-1, 1) on the device of x, the same on every device."""
    size = (x.shape[0], x.shape[1] if channels else 1, 1)
    return torch.rand(size, generator=generator).to(x.device) * 2 - 1


def amplitude(
    x: Tensor, features: Tensor | None, size: float, generator: torch.Generator, geometry: InputGeometry
) -> Rows:
    """Each channel up to `size` higher or lower."""
    return x * (1 + size * _uniform(x, generator, channels=True)), features


def stretch(
    x: Tensor, features: Tensor | None, size: float, generator: torch.Generator, geometry: InputGeometry
) -> Rows:
    """Time goes up to `size` faster or slower, seen from the R peak; beyond the row all is zero."""
    return _moved(x, 1 + size * _uniform(x, generator), torch.zeros((), device=x.device), geometry), features


def shift(x: Tensor, features: Tensor | None, size: float, generator: torch.Generator, geometry: InputGeometry) -> Rows:
    """The row begins up to `size` s earlier or later, as if the R peak had been found there."""
    return _moved(x, torch.ones((), device=x.device), size * geometry.rate * _uniform(x, generator), geometry), features


def wander(
    x: Tensor, features: Tensor | None, size: float, generator: torch.Generator, geometry: InputGeometry
) -> Rows:
    """The baseline of each channel swings by up to `size`, at up to 0.7 Hz."""
    height, phase, frequency = (_uniform(x, generator, channels=True) for _ in range(3))
    seconds = torch.arange(x.shape[-1], device=x.device) / geometry.rate
    swing = torch.sin(math.pi * (0.7 * (frequency + 1) * seconds + phase))
    return x + size * height * swing * (x != 0), features


def noise(x: Tensor, features: Tensor | None, size: float, generator: torch.Generator, geometry: InputGeometry) -> Rows:
    """White noise, of a standard deviation of up to `size` that is drawn for each row."""
    drawn = torch.randn(x.shape, generator=generator).to(x.device, non_blocking=True)
    return x + size * _uniform(x, generator).abs() * drawn * (x != 0), features


def invert(
    x: Tensor, features: Tensor | None, size: float, generator: torch.Generator, geometry: InputGeometry
) -> Rows:
    """With probability `size` a channel is upside down, as with electrodes swapped."""
    turned = (_uniform(x, generator, channels=True) + 1) / 2 < size
    return torch.where(turned & (x != 0), 2 * geometry.middle - x, x), features


def droplead(
    x: Tensor, features: Tensor | None, size: float, generator: torch.Generator, geometry: InputGeometry
) -> Rows:
    """With probability `size` a channel is zero; a row of one channel keeps it."""
    kept = (_uniform(x, generator, channels=True) + 1) / 2 >= size
    return (x * kept if x.shape[1] > 1 else x), features


def droprr(
    x: Tensor, features: Tensor | None, size: float, generator: torch.Generator, geometry: InputGeometry
) -> Rows:
    """With probability `size` a row's features are zeros."""
    kept = (_uniform(x, generator).view(-1, 1) + 1) / 2 >= size
    return x, None if features is None else features * kept


def tempo(x: Tensor, features: Tensor | None, size: float, generator: torch.Generator, geometry: InputGeometry) -> Rows:
    """The heart beats faster or slower in the features: all logarithms of intervals of a row are shifted by the same
    number, of standard deviation `size`."""
    drawn = torch.randn((len(x), 1, 1), generator=generator)
    if features is None or not geometry.tempo:
        return x, features
    shifted = torch.zeros(geometry.columns)
    shifted[list(geometry.tempo)] = 1
    beats = features.view(len(x), -1, geometry.columns)  # (B, beats, columns)
    return x, (beats + size * (drawn * shifted).to(features.device)).view_as(features)


def _moved(x: Tensor, speed: Tensor, offset: Tensor, geometry: InputGeometry) -> Tensor:
    """x (B, channels, samples) read at origin + speed * (t - origin) + offset; speed and offset (B, 1, 1) or ()."""
    samples = x.shape[-1]
    at = (
        geometry.origin + speed * (torch.arange(samples, device=x.device) - geometry.origin) + offset
    )  # (B, 1, samples)
    left = at.floor().long()
    inside = (left >= 0) & (left < samples - 1) & (at >= 0)
    left = left.clamp(0, samples - 2)
    low, high = (x.gather(2, index.expand_as(x)) for index in (left, left + 1))
    moved = torch.lerp(low, high, (at - left).clamp(0, 1).to(x.dtype))
    return moved * inside * (low != 0)


AUGMENTATIONS: dict[str, Augmentation] = {
    "amplitude": amplitude,
    "stretch": stretch,
    "shift": shift,
    "wander": wander,
    "noise": noise,
    "invert": invert,
    "droplead": droplead,
    "droprr": droprr,
    "tempo": tempo,
}


def change(
    x: Tensor, features: Tensor | None, sizes: Mapping[str, float], generator: torch.Generator, geometry: InputGeometry
) -> Rows:
    """Rows and features after each augmentation of `sizes` (name -> size), in their order."""
    for name, size in sizes.items():
        x, features = AUGMENTATIONS[name](x, features, size, generator, geometry)
    return x, features
