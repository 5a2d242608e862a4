"""A signal in memory as a recording."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from loaders.io.loaded_recording import LoadedRecording
from loaders.io.recording import HIGHEST_RATE, LOWEST_RATE, Lead
from toolbox.utils import UserError

SIGNAL = "array"  # the kind of recording
SHORTEST = 2.0  # s; less holds no rhythm


def signal_recording(signal: Any, fs: float | None, names: Sequence[str] | None) -> LoadedRecording:
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
        raise UserError(f"fs={fs}: expected the samples per second of an ECG, {LOWEST_RATE:g} to {HIGHEST_RATE:,.0f}")
    values = _millivolts(signal)
    samples, leads = values.shape
    if samples < SHORTEST * fs:
        raise UserError(f"a signal of {samples} samples at {fs:g} Hz: expected at least {SHORTEST:g} s")
    titles = [f"column {k}" for k in range(leads)] if names is None else [str(name) for name in names]
    if len(titles) != leads or len(set(titles)) != leads:
        raise UserError(f"leads={titles}: expected {leads} different names, one for each column of the signal")
    own_leads = [Lead(title, "mV", 1.0, float(fs)) for title in titles]
    return LoadedRecording(Path("signal"), "signal", SIGNAL, own_leads, [], [], list(values.T))


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
