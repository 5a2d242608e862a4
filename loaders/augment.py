"""Changes of a batch that leave its labels true, drawn anew each time a beat is seen; on the batch's own device."""

from __future__ import annotations

import torch
from torch import Tensor

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
    at = torch.arange(samples, device=x.device) * speed  # (B, 1, samples): where each sample is taken from
    left = at.long().clamp(max=samples - 1)
    right = (left + 1).clamp(max=samples - 1)
    inside = at < samples - 1  # what lies behind the end of the row is padding
    share = at - left
    low, high = (x.gather(2, index.expand_as(x)) for index in (left, right))
    stretched = torch.lerp(low, high, share) * inside
    noise = torch.randn(x.shape, generator=generator).to(x.device, non_blocking=True)
    return (stretched * gain + NOISE * noise) * (stretched != 0)
