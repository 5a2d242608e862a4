"""Beats at the ends of a recording: those that are cut off are not judged, the last row is as long as its rhythm."""

from __future__ import annotations

import numpy as np
import pytest

from inference.recording import annotate_lead
from inference.signal_recording import signal_recording
from inference.stream import Stream
from loaders.beats.edges import EDGE, T_WAVE, with_t_wave
from loaders.io.annotations import BEATS
from loaders.io.wfdb_record import read_wfdb
from tests.conftest import RECORDS, needs_records
from tests.made import Rule


def strip(name: str, before: int) -> tuple[np.ndarray, int]:
    """A lead from `before` samples before a normal beat to as many behind the twentieth after it; and their number."""
    record = read_wfdb(RECORDS / name)
    beats = record.sample[np.isin(record.symbol, list(BEATS)) & (record.sample > 3600)]
    return record.signal[beats[20] - before : beats[40] + before, 0].astype(np.float32), 21


@needs_records
@pytest.mark.parametrize("before", [3, 8, 15, 30, 60])
@pytest.mark.parametrize("name", ["100", "103", "112", "115", "122"])
def test_beats_that_an_end_cuts_off_are_marked_and_not_judged(name: str, before: int) -> None:
    signal, count = strip(name, before)
    beats = annotate_lead(signal_recording(signal, 360, None), 0, Rule()).beats
    cut = before < EDGE * 360 - 3
    assert len(beats.sample) == (count - 2 if cut else count)
    assert beats.sample[0] >= EDGE * 360 and beats.sample[-1] < len(signal) - EDGE * 360
    expected = [(0, 36, "gap"), (len(signal) - 36, len(signal), "gap")]
    assert [tuple(each) for each in beats.skipped] == (expected if cut else [])
    assert np.isnan(beats.rr[0]) and not np.isnan(beats.rr[1:]).any()


@needs_records
def test_a_stream_leaves_out_the_same_beats() -> None:
    signal, count = strip("103", 8)
    stream = Stream(Rule(), 360)
    assert len(stream.push(signal)) + len(stream.finish()) == count - 2


@needs_records
def test_a_row_that_the_end_would_cut_goes_on_as_after_the_beat_before() -> None:
    """What comes is what came: the signal that was cut off differs little from what stands in for it."""
    record = read_wfdb(RECORDS / "103")
    beats = record.sample[np.isin(record.symbol, list(BEATS))][50:60]
    signal = record.signal[:, 0]
    for behind in (50, 100):
        end = int(beats[-1]) + behind
        longer = with_t_wave(signal[:end], beats)
        assert len(longer) - beats[-1] > 1.2 * np.diff(beats)[-1]
        assert np.array_equal(longer[:end], signal[:end])
        stretch = slice(end, int(beats[-1]) + 250)  # before the next beat
        assert np.corrcoef(longer[stretch], signal[stretch])[0, 1] > 0.8


def test_what_holds_its_last_t_wave_or_few_beats_stays_as_it_is() -> None:
    signal, peaks = np.random.default_rng(0).standard_normal(2000), np.array([500, 800, 1100, 1400])
    assert with_t_wave(signal, peaks) is signal
    assert with_t_wave(signal[: 1400 + round(T_WAVE * 360)], peaks).shape == (1400 + round(T_WAVE * 360),)
    assert len(with_t_wave(signal[:1450], peaks[2:])) == 1450 and len(with_t_wave(signal[:1450], peaks)) == 1450 + 600
