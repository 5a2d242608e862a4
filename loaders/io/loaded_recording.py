"""Recordings whose signal lies in memory as a whole, as formats of short recordings are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from loaders.io.recording import Recording


@dataclass
class LoadedRecording(Recording):
    """A recording in memory.

    Attributes:
        signals: (samples,) of each lead, in the lead's unit; what is not finite is missing.
    """

    signals: list[np.ndarray] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """See `Recording.seconds`."""
        return max(len(signal) / lead.fs for signal, lead in zip(self.signals, self.leads, strict=True))

    def stream(self, lead: int, size: int) -> Iterator[np.ndarray]:
        """See `Recording.stream`."""
        signal, scale = self.signals[lead], self.leads[lead].scale or 1.0
        for start in range(0, len(signal), size):
            with np.errstate(over="ignore", invalid="ignore"):  # numbers beyond all sense are missing
                block = (np.asarray(signal[start : start + size], dtype=np.float64) * scale).astype(np.float32)
            yield np.where(np.isfinite(block), block, np.float32(np.nan))
