"""Heart-rate variability of an annotator's beats, 5 minutes by 5 minutes."""

import numpy as np
import pytest

from toolbox.metrics.ec57 import beats_of
from toolbox.metrics.hrv import hrv
from toolbox.metrics.hrv_series import hrv_series

FS = 250.0


def beats(minutes, mark=None):
    """Beats at about 75 a minute, breathing in; `mark` (symbol, subtype, from s, to s) takes the place of some."""
    rng = np.random.default_rng(1)
    k = np.arange(round(minutes * 75) + 1)
    rr = 0.8 + 0.04 * np.sin(2 * np.pi * 0.2 * k) + rng.normal(0, 0.01, len(k))
    at = np.rint(np.cumsum(rr) * FS).astype(np.int64)
    at = at[at < minutes * 60 * FS]
    rows = [(int(time), "N", 0) for time in at]
    if mark:
        symbols, start, stop = mark
        rows = [row for row in rows if not start <= row[0] / FS < stop]
        edges = [(int(edge * FS), *symbol) for edge, symbol in zip((start, stop), symbols, strict=True)]
        rows = sorted([*rows, *edges])
    columns = list(zip(*rows, strict=True))
    annotations = np.array(columns[0], dtype=np.int64), columns[1], np.array(columns[2])
    return at, beats_of(annotations, 38, None, judged=False)


def test_each_five_minutes_has_the_measures_of_its_intervals():
    at, marked = beats(21)
    series = hrv_series(marked, FS, 300, round(21 * 60 * FS))
    ends = [150_000, 225_000, 300_000, 315_000]  # the last of a minute, which has no spectrum
    assert {name: one.sample.tolist() for name, one in series.items()} == {
        "sdnn_ms": ends, "rmssd_ms": ends, "pnn50": ends, "lf_ms2": ends[:3], "hf_ms2": ends[:3], "sdann_ms": ends[-1:]
    }  # fmt: skip
    inside = at[np.searchsorted(at, 75_000) - 1 : np.searchsorted(at, 150_000)] / FS  # from the beat before on
    whole = np.ones(len(inside), bool)
    expected = hrv(inside - 300, whole, np.append(False, whole[1:]))
    for name in ("sdnn_ms", "rmssd_ms", "pnn50"):
        assert series[name].value[0] == pytest.approx(expected[name], rel=1e-9)
    assert series["hf_ms2"].value[0] == pytest.approx(expected["hf_ms2"], rel=0.02)
    assert series["hf_ms2"].value[0] > 10 * series["lf_ms2"].value[0]  # 0.2 beats^-1 are 0.25 Hz


@pytest.mark.parametrize("symbols", [(("~", -1), ("~", 0)), (("[", 0), ("]", 0))])
def test_no_interval_leads_over_a_shutdown_or_flutter(symbols):
    _, marked = beats(11, (symbols, 400, 401.6))
    _, whole = beats(11)
    with_mark, without = (hrv_series(one, FS, 300, round(660 * FS))["sdnn_ms"].value for one in (marked, whole))
    assert with_mark[0] == pytest.approx(without[0], rel=0.02) and with_mark[1] == without[1]


def test_too_few_beats_tell_nothing():
    assert all(
        not len(one.sample) for one in hrv_series(beats_of(([], [], []), 38, None, False), FS, 0, 75_000).values()
    )
