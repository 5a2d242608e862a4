"""A signal in memory as a recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from loaders.io.recording import HIGHEST_RATE, LOWEST_RATE, Lead, Recording
from toolbox.utils import UserError

SHORTEST = 2.0  # s; less holds no rhythm


@dataclass
class ArrayRecording(Recording):
    """A signal (samples, leads) in mV."""

    signal: np.ndarray = field(default_factory=lambda: np.zeros((0, 1), dtype=np.float32))

    @property
    def seconds(self) -> float:
        """See `Recording.seconds`."""
        return len(self.signal) / self.leads[0].fs

    def stream(self, lead: int, size: int) -> Iterator[np.ndarray]:
        """See `Recording.stream`."""
        for start in range(0, len(self.signal), size):
            yield self.signal[start : start + size, lead]


def array_recording(signal: Any, fs: float | None, names: Sequence[str] | None) -> ArrayRecording:
    """A recording of `signal`, (samples,) or (samples, leads) in mV; NaN and infinity are missing samples.

    Args:
        fs: samples per second.
        names: of the leads; "column 0" and so on unless given.

    Raises:
        UserError: the signal, its rate or the names are not those of an ECG.
    """
    if fs is None:
        raise UserError("fs is missing: the samples per second of the signal")
    if not LOWEST_RATE <= fs <= HIGHEST_RATE:
        raise UserError(f"fs={fs}: expected samples per second, {LOWEST_RATE:g} to {HIGHEST_RATE:g} for an ECG")
    values = _millivolts(signal)
    samples, leads = values.shape
    if samples < SHORTEST * fs:
        raise UserError(f"a signal of {samples} samples at {fs:g} Hz: expected at least {SHORTEST:g} s")
    titles = [f"column {k}" for k in range(leads)] if names is None else [str(name) for name in names]
    if len(titles) != leads or len(set(titles)) != leads:
        raise UserError(f"leads={titles}: expected {leads} different names, one for each column of the signal")
    own_leads = [Lead(title, "mV", 1.0, float(fs)) for title in titles]
    return ArrayRecording(Path("signal"), "signal", "array", own_leads, [], [], values)


def _millivolts(signal: Any) -> np.ndarray:
    """(samples, leads) float32, NaN where missing; UserError for anything else than a signal."""
    try:
        values = np.asarray(signal, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise UserError(f"the signal is not an array of real numbers in mV: {error}") from error
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or values.shape[1] == 0:
        raise UserError(f"a signal of shape {values.shape}: expected (samples,) or (samples, leads)")
    if values.shape[1] > len(values) > 0:
        raise UserError(f"a signal of shape {values.shape}: expected (samples, leads); turn it by signal.T")
    return np.where(np.isfinite(values), values, np.nan)
