"""Heart-rate variability of an annotator's beats as series of measurements, to compare two annotators by.

EC57 and EC38 leave the method to the evaluator, to be stated: N-N intervals and measures are those of
`toolbox.metrics.hrv`, in the 5 minutes from each multiple of 5 minutes on; SDANN is over them all. No interval leads
over a mark of flutter or of a shutdown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np

from toolbox.metrics.ec57 import Beat, samples
from toolbox.metrics.hrv import WINDOW, measure, normal_intervals
from toolbox.metrics.measures import Series, series_of
from toolbox.utils.aami import EC57_CLASSES

WINDOW_MEASURES = ("sdnn_ms", "rmssd_ms", "pnn50", "lf_ms2", "hf_ms2")  # of `hrv.measure`, of 5 minutes
WHOLE_MEASURES = ("sdann_ms",)  # of all of them


def hrv_series(beats: Sequence[Beat], fs: float, start: float, end: int) -> dict[str, Series]:
    """Series of each measure by its name: a measurement at the end of each 5 minutes that tell it.

    Args:
        beats: of one annotator, from `ec57.beats_of`.
        fs: samples per second.
        start: s; the first 5 minutes begin there or later.
        end: of the recording, in samples.
    """
    real = [beat for beat in beats if beat.kind is not None]
    times = np.array([beat.time for beat in real], dtype=np.float64) / fs
    is_normal = np.array([beat.kind == EC57_CLASSES["N"] for beat in real], dtype=bool)
    joined = np.array([beat.rr > 0 for beat in real], dtype=bool)
    nn = normal_intervals(times, is_normal, joined)
    first, length = ceil(start / WINDOW), end / fs
    values: dict[str, list[tuple[int, float]]] = {name: [] for name in (*WINDOW_MEASURES, *WHOLE_MEASURES)}
    for k in range(first, ceil(length / WINDOW)):
        part = measure(nn.within((nn.at >= k * WINDOW) & (nn.at < (k + 1) * WINDOW)))
        _add(values, WINDOW_MEASURES, part, min(samples((k + 1) * WINDOW, fs), end))
    _add(values, WHOLE_MEASURES, measure(nn.within(nn.at >= first * WINDOW)), end)
    return {name: series_of(pairs) for name, pairs in values.items()}


def _add(
    values: dict[str, list[tuple[int, float]]],
    names: Sequence[str],
    measured: Mapping[str, float | int | None],
    at: int,
) -> None:
    """Add the measures that are told to the series."""
    for name in names:
        value = measured[name]
        if value is not None:
            values[name].append((at, float(value)))
