"""toolbox.holter.trace: the compressed signal."""

from __future__ import annotations

import numpy as np

from tests.toolbox.holter.signals import packed, wander
from toolbox.holter.trace import INPUT_FS, PART_SECONDS, CompressedTrace


def test_a_short_signal_is_kept_as_it_came() -> None:
    signal = wander(INPUT_FS * (PART_SECONDS + 300))
    signal[1000:1500] = np.nan
    trace = packed(signal)
    times, values = trace.read(0, 1e9)
    assert np.allclose(values, signal, atol=1e-9, equal_nan=True)
    assert np.allclose(times, np.arange(len(signal)) / INPUT_FS)
    assert trace.seconds == PART_SECONDS + 300 and trace.rate == INPUT_FS and len(trace.parts) == 2
    times, values = trace.read(PART_SECONDS - 5, PART_SECONDS + 5)  # across two parts
    assert np.allclose(values, signal[(PART_SECONDS - 5) * INPUT_FS : (PART_SECONDS + 5) * INPUT_FS])
    assert times[0] == PART_SECONDS - 5


def test_a_long_signal_is_thinned() -> None:
    signal = wander(INPUT_FS * PART_SECONDS * 5 + 700)
    trace = packed(signal, 23)
    assert trace.rate == INPUT_FS / 3
    times, values = trace.read(4000, 6000)
    assert np.allclose(values, signal[4000 * INPUT_FS : 6000 * INPUT_FS : 3])
    assert np.allclose(np.diff(times), 3 / INPUT_FS)
    assert len(trace.read(0, 1e9)[1]) == -(-len(signal) // 3)


def test_what_does_not_fit_is_clipped_and_nothing_is_nothing() -> None:
    _, values = packed(np.array([1e6, -1e6, 0.0])).read(0, 1)
    assert values.tolist() == [32767 * 0.005, -32767 * 0.005, 0.0]
    times, values = CompressedTrace().finish().read(0, 10)
    assert len(times) == len(values) == 0
