"""Signals and beats that the tests of this folder share."""

from __future__ import annotations

import numpy as np

from toolbox.holter.strips import BeatMarks
from toolbox.holter.trace import CompressedTrace


def wander(n: int, seed: int = 0) -> np.ndarray:
    """(n,) a signal in steps of 5 uV."""
    levels = np.cumsum(np.random.default_rng(seed).integers(-20, 21, n)) % 1000
    return levels * 0.005 - 2.5


def packed(signal: np.ndarray, blocks: int = 7) -> CompressedTrace:
    trace = CompressedTrace()
    for block in np.array_split(signal, blocks):
        trace.add(block)
    return trace.finish()


def marks(times: list[float], letters: str, bad: list[tuple[float, float, str]] | None = None) -> BeatMarks:
    return BeatMarks(np.array(times), np.array(list(letters)), bad or [])
