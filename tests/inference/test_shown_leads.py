"""inference.shown_leads: the signals of leads as pages show them."""

from __future__ import annotations

import numpy as np

from inference.shown_leads import ShownLeads
from toolbox.holter.trace import CompressedTrace

FS = 360


def leads(seconds: int) -> list[np.ndarray]:
    t = np.arange(seconds * FS) / FS
    signal = [np.sin(2 * np.pi * t), 2 * np.cos(2 * np.pi * t)]
    signal[1][10 * FS : 11 * FS] = np.nan
    return signal


def read(signals: list[np.ndarray], switched: tuple[int, ...]) -> dict[str, CompressedTrace]:
    """The traces after parts of ten seconds, of which the `switched` ones are shown by the second lead."""
    trace = CompressedTrace()
    shown = ShownLeads(["I", "II"], trace)
    for part in range(len(signals[0]) // (10 * FS)):
        inside = slice(part * 10 * FS, (part + 1) * 10 * FS)
        shown.add([signal[inside] for signal in signals], part in switched)
        trace.add(signals[part in switched][inside])
    return {**shown.finish(), "shown": trace.finish()}


def test_each_lead_is_its_own_signal_with_gaps() -> None:
    signals = leads(40)
    traces = read(signals, switched=(2,))
    assert list(traces) == ["I", "II", "shown"]
    for name, signal in zip(("I", "II"), signals, strict=True):
        assert np.allclose(traces[name].read(0, 40)[1], signal, atol=0.003, equal_nan=True)
    between = traces["shown"].read(20, 30)[1]
    assert np.allclose(between, signals[1][20 * FS : 30 * FS], atol=0.003)


def test_the_first_lead_is_the_trace_as_long_as_no_other_takes_its_place() -> None:
    traces = read(leads(40), switched=())
    assert list(traces) == ["II", "shown"]


def test_a_switch_behind_parts_that_are_compressed_already(monkeypatch) -> None:
    monkeypatch.setattr("toolbox.holter.trace.PART_SECONDS", 10)
    signals = leads(100)  # more parts than are kept in full: thinned
    traces = read(signals, switched=(7,))
    for name, signal in zip(("I", "II"), signals, strict=True):
        assert np.allclose(traces[name].read(0, 100)[1], signal[::3], atol=0.003, equal_nan=True)
