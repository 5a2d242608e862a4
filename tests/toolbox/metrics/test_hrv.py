"""Heart-rate variability: by hand on small series, against a library on an hour, and on real records."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import wfdb

from benchmarks.hrv import intervals, ours
from tests.conftest import RECORDS, needs_records
from toolbox.metrics.hrv import FEWEST, hrv, measure, normal_intervals, rounded

NEUROKIT = json.loads(Path(__file__).with_name("hrv_neurokit2.json").read_text(encoding="utf-8"))


def beats(*rr: float) -> np.ndarray:
    """Times in s of beats with these intervals between them, from 0 on."""
    return np.append(0.0, np.cumsum(rr))


def flags(count: int, *false: int) -> np.ndarray:
    """(count,) true but for these."""
    return ~np.isin(np.arange(count), false)


def test_a_series_by_hand() -> None:
    times = beats(*[0.8, 0.9] * 20)  # s
    measures = hrv(times, flags(41), flags(41))
    assert measures["intervals"] == 40 and measures["mean_nn_ms"] == pytest.approx(850)
    assert measures["sdnn_ms"] == pytest.approx(50 * np.sqrt(40 / 39))  # 50 around the mean, n - 1
    assert measures["rmssd_ms"] == pytest.approx(100)
    assert measures["pnn50"] == pytest.approx(39 / 40)
    assert (measures["windows"], measures["sdann_ms"], measures["lf_ms2"], measures["lf_hf"]) == (0, None, None, None)


def test_changes_of_just_50_ms_do_not_count() -> None:
    assert hrv(beats(*[0.8, 0.85] * 20), flags(41), flags(41))["pnn50"] == 0
    assert hrv(beats(*[0.8, 0.851] * 20), flags(41), flags(41))["pnn50"] == pytest.approx(39 / 40)


def test_an_ectopic_beat_takes_its_two_intervals_and_the_changes_across_them() -> None:
    nn = normal_intervals(beats(0.8, 0.82, 0.5, 1.1, 0.84, 0.86), flags(7, 3), flags(7))
    assert nn.seconds == pytest.approx([0.8, 0.82, 0.84, 0.86])
    assert nn.at == pytest.approx([0.8, 1.62, 4.06, 4.92])
    assert nn.follows.tolist() == [False, True, False, True]


def test_nothing_leads_across_what_was_not_read() -> None:
    nn = normal_intervals(beats(0.8, 0.8, 0.8, 0.8), flags(5), flags(5, 2))
    assert nn.follows.tolist() == [False, False, True] and len(nn.seconds) == 3
    assert not len(normal_intervals(beats(0.8, 0.8), flags(3, 1), flags(3)).seconds)
    assert not len(normal_intervals(np.array([3.0]), flags(1), flags(1)).seconds)


def test_intervals_that_cannot_be_normal_are_left_out() -> None:
    steady = [0.8] * 30
    for odd, stays in ((0.64, True), (0.63, False), (0.96, True), (0.97, False), (2.1, False), (0.29, False)):
        nn = normal_intervals(beats(*steady, odd, *steady), flags(62), flags(62))
        assert (len(nn.seconds) == 61) == stays, odd
    slow = [2.05] * 60  # s: no pauses in a row
    assert not len(normal_intervals(beats(*slow), flags(61), flags(61)).seconds)


def test_too_few_intervals_tell_nothing() -> None:
    few = hrv(beats(*[0.8] * (FEWEST - 1)), flags(FEWEST), flags(FEWEST))
    assert few["intervals"] == FEWEST - 1
    assert {value for name, value in few.items() if name not in ("intervals", "windows")} == {None}
    lonely = hrv(beats(*[0.8] * 99), flags(100, *range(0, 100, 3)), flags(100))  # V N N: no two intervals in a row
    assert lonely["mean_nn_ms"] == pytest.approx(800) and lonely["rmssd_ms"] is None


@pytest.mark.parametrize(("hertz", "band"), [(0.1, "lf_ms2"), (0.25, "hf_ms2")])
def test_a_wave_of_40_ms_has_a_power_of_800(hertz: float, band: str) -> None:
    rr = []
    while sum(rr) < 900:
        rr.append(0.85 + 0.04 * np.sin(2 * np.pi * hertz * sum(rr)))
    times = beats(*rr)
    measures = hrv(times, flags(len(times)), flags(len(times)))
    other = {"lf_ms2": "hf_ms2", "hf_ms2": "lf_ms2"}[band]
    assert measures[band] == pytest.approx(40**2 / 2, rel=0.05)
    assert 0 <= measures[other] < 0.05 * measures[band]
    left_out = flags(len(times), *range(5, len(times), 50))  # one beat in 50
    assert hrv(times, left_out, flags(len(times)))[band] == pytest.approx(40**2 / 2, rel=0.05)


def test_a_spline_does_not_swing_in_a_long_gap() -> None:
    rising = 0.8 + 0.15 * np.sin(np.linspace(0, 3, 330))  # s
    times = beats(*rising)
    gap = flags(331, *range(100, 110))  # 9 s
    whole, holed = hrv(times, flags(331), flags(331)), hrv(times, gap, flags(331))
    assert whole["windows"] == holed["windows"] == 1
    assert holed["lf_ms2"] == pytest.approx(whole["lf_ms2"], abs=30)
    assert holed["hf_ms2"] == pytest.approx(whole["hf_ms2"], abs=3)


def test_windows_count_from_80_per_cent() -> None:
    times = beats(*[0.75] * 400)  # 5 minutes
    assert hrv(times, flags(401), flags(401))["windows"] == 1
    assert hrv(times, flags(401, *range(76)), flags(401))["windows"] == 1
    assert hrv(times, flags(401, *range(82)), flags(401))["windows"] == 0


def test_a_day_in_three_speeds() -> None:
    times = beats(*[0.8] * 375, *[1.0] * 300, *[0.9] * 334)  # 5 minutes each
    measures = hrv(times, flags(len(times)), flags(len(times)))
    assert measures["windows"] == 3
    assert measures["sdann_ms"] == pytest.approx(100, abs=1)  # of 800, 1000, 900
    assert measures["sdnn_index_ms"] == pytest.approx(0, abs=7)


def test_a_part_of_a_recording() -> None:
    nn = normal_intervals(beats(*[0.8] * 40, *[1.0, 1.06] * 20), flags(81), flags(81))
    late = measure(nn.within(nn.at > 32.5))
    assert late["intervals"] == 40 and late["rmssd_ms"] == pytest.approx(60)
    every_other = nn.within(np.arange(len(nn.seconds)) % 2 == 0)
    assert not every_other.follows.any()


def test_powers_that_are_kept_change_nothing() -> None:
    times = np.append(0, np.cumsum(intervals(20))) / 1e3
    nn = normal_intervals(times, flags(len(times)), flags(len(times)))
    powers: dict[tuple[float, float, int], tuple[float, float]] = {}
    whole = measure(nn, 0.0, powers)
    assert len(powers) == whole["windows"] == 4 and whole == measure(nn)
    late = nn.within(nn.at >= 600)
    assert measure(late, 0.0, powers) == measure(late) and len(powers) == 4


def test_equal_to_neurokit2_on_an_hour_of_clean_intervals() -> None:
    measures = ours(intervals(62))
    for name, value in NEUROKIT.items():
        # Its spline is quadratic, its integral of trapezoids: 2 % of a power.
        assert measures[name] == pytest.approx(value, rel=0.03 if name.endswith("ms2") else 1e-5), name
    assert measures["windows"] == 12


def test_figures_of_files_are_rounded() -> None:
    assert rounded({"intervals": 7, "sdnn_ms": 51.26, "lf_ms2": 812.34, "lf_hf": 1.23456, "pnn50": 0.12345}) == {
        "intervals": 7, "sdnn_ms": 51.3, "lf_ms2": 812.3, "lf_hf": 1.235, "pnn50": 0.123,
    }  # fmt: skip
    assert rounded({"rmssd_ms": None}) == {"rmssd_ms": None}


@needs_records
def test_record_100_by_its_reference_beats() -> None:
    reference = wfdb.rdann(str(RECORDS / "100"), "atr")
    symbol = np.array(reference.symbol)
    is_beat = np.isin(symbol, list("NAV"))
    times = reference.sample[is_beat] / 360
    normal = symbol[is_beat] == "N"
    rr = np.diff(times)
    nn = rr[normal[1:] & normal[:-1]]
    measures = hrv(times, normal, flags(len(times)))
    assert measures["intervals"] == len(nn) == 2204
    assert measures["sdnn_ms"] == pytest.approx(1000 * nn.std(ddof=1)) and measures["windows"] == 6
    assert hrv(times, flags(len(times)), flags(len(times)))["rmssd_ms"] < 1.3 * measures["rmssd_ms"]
