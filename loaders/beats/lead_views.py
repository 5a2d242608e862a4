"""The same beats as other leads would show them, for networks that read whichever lead there is.

A network trained on MLII alone has learned how MLII differs from beat to beat. Two leads of one record span a plane
in which every direction is a lead that could have been recorded (Frank, Circulation 13, 1956: a lead is a projection of
the heart's vector), so a mixture of them in any proportion is one more lead with the same labels.
"""

from __future__ import annotations

import numpy as np

from loaders.beats.windows import scaled


def other_lead(signal: np.ndarray, at: np.ndarray, rate: float, leads: int, number: int, rng: np.random.Generator
               ) -> np.ndarray:  # fmt: skip
    """A recording's signal as other leads would show it, in units of the typical beat.

    Args:
        signal: (samples, channels) at `rate` Hz, of all channels of the recording.
        at: (n,) samples of the R peaks.
        leads: to show.
        number: 0, 3, 6 ... are the channels in their order reversed, the others mixtures in a random proportion.

    Returns:
        (samples, leads).
    """
    signal = scaled(signal, at, rate)
    channels = signal.shape[1]
    if number % 3 == 0:
        return signal[:, ::-1][:, :leads]
    directions = rng.normal(size=(channels, leads))
    return signal @ (directions / np.linalg.norm(directions, axis=0))
