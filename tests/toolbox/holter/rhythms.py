"""Beats and signals of rhythms that the tests of this folder share."""

from __future__ import annotations

import numpy as np

from tests.toolbox.holter.signals import packed
from toolbox.holter.annotation import AnnotatedRecording
from toolbox.holter.trace import CompressedTrace

NAMES = ("Normal", "Supraventricular ectopic", "Ventricular ectopic", "Fusion", "Unknown")


def sinus_intervals(count: int, seed: int = 0) -> np.ndarray:
    """(count,) s: 75 beats per minute, 2 % of variation."""
    return 0.8 + 0.016 * np.random.default_rng(seed).standard_normal(count)


def fibrillating_intervals(count: int, seed: int = 0) -> np.ndarray:
    """(count,) s: intervals of 0.35 to 1.1 s, each on its own."""
    return np.random.default_rng(seed).uniform(0.35, 1.1, count)


def breathing_intervals(count: int) -> np.ndarray:
    """(count,) s: sinus arrhythmia, 0.8 s and 18 % more and less with a breath of six beats."""
    return 0.8 * (1 + 0.18 * np.sin(2 * np.pi * np.arange(count) / 6.3))


def signal_of(times: np.ndarray, p_waves: np.ndarray | bool = True, seconds: float | None = None) -> CompressedTrace:
    """The trace of beats at `times` (n,) in s: QRS complexes of 1 mV, P waves of 0.15 mV where `p_waves`, noise."""
    at = np.arange(round((seconds or times[-1] + 1) * 360)) / 360
    signal = 0.01 * np.random.default_rng(1).standard_normal(len(at))
    shown = np.broadcast_to(p_waves, len(times))
    for time, with_p in zip(times.tolist(), shown.tolist(), strict=True):
        near = slice(*np.searchsorted(at, [time - 0.4, time + 0.2]).tolist())
        signal[near] += np.exp(-0.5 * ((at[near] - time) / 0.012) ** 2)
        if with_p:
            signal[near] += 0.15 * np.exp(-0.5 * ((at[near] - time + 0.16) / 0.02) ** 2)
    return packed(signal)


def recording(times: np.ndarray, letters: str | np.ndarray, trace: CompressedTrace) -> AnnotatedRecording:
    """Beats at `times` (n,) in s, called `letters`."""
    numbers = np.array(["NSVFQ".index(letter) for letter in letters])
    probabilities = np.full((len(times), 5), 0.02, dtype=np.float32)
    probabilities[np.arange(len(times)), numbers] = 0.92
    sample = np.rint(times * 360).astype(np.int64)
    return AnnotatedRecording(sample, np.arange(len(times)) == 0, probabilities, NAMES, 360.0, trace.samples, [], trace)
