"""Columns of times, whatever they are called and however they are written: they give the rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loaders.io.csv.time import is_time_name, regular_columns
from tests.loaders.io.csv.written import FS, assert_reads, beats, cells, lines, opened, read
from toolbox.utils import UserError

SIGNAL = beats()
AT = np.arange(len(SIGNAL)) / FS
SINCE_1970 = 1711470649
MIDNIGHT = 86400.0


@pytest.mark.parametrize(
    "name",
    "time|Time (s)|t|seconds|Time [s]|Zeit [s]|Zeit|temps|tiempo|Elapsed Time (sec)|timestamp|t_s|time_s|TimeStamp|sec|"
    "Zeitstempel|X_Value|horodatage|ecg_time|Relative Time".split("|"),
)
def test_seconds_of_any_name_give_the_rate(tmp_path: Path, name: str) -> None:
    recording = opened(tmp_path, f"{name},II\n" + lines(cells(AT, 3), cells(SIGNAL)), fs=360)
    assert_reads(recording, SIGNAL, name="II")
    assert f"250 by its column {name}, 360 by --fs; took 250" in recording.notes[0]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        *(("timestamp", unit) for unit in (1e-3, 1e-6, 1e-9)),
        *((name, 1e-3) for name in ("time (ms)", "ms", "Timestamp_ms", "timestampms", "Zeit [ms]", "deltaMillis")),
        ("Shimmer_TimestampSync_Unix_CAL", 1e-3),
        ("time (min)", 60.0),
        ("Minutes", 60.0),
        ("time [h]", 3600.0),
        ("Date and time", 86400.0),
        ("time_us", 1e-6),
        ("t [ns]", 1e-9),
    ],
)  # fmt: skip
def test_other_units_of_time_give_the_rate(tmp_path: Path, name: str, unit: float) -> None:
    times = [f"{at / unit:.10f}" for at in AT] if unit > 1 else [f"{round(at / unit)}" for at in AT]
    assert_reads(opened(tmp_path, f"{name},II\n" + lines(times, cells(SIGNAL)), fs=360), SIGNAL, name="II")


@pytest.mark.parametrize("name", ["ts", "unix", "UTC", "systime", "epoch", "x", "value"])
@pytest.mark.parametrize("unit", [1.0, 1e-3, 1e-6, 1e-9])
def test_time_since_1970_is_known_by_its_size(tmp_path: Path, name: str, unit: float) -> None:
    since = [
        f"{SINCE_1970 + at:.3f}" if unit == 1 else str(round(SINCE_1970 / unit) + round(at * 1000) * round(1e-3 / unit))
        for at in AT
    ]
    assert_reads(opened(tmp_path, f"{name},II\n" + lines(since, cells(SIGNAL)), fs=360), SIGNAL, name="II")


@pytest.mark.parametrize("fs", [64, 125, 128, 130, 200, 256, 300, 360, 500, 512, 1000, 2000])
@pytest.mark.parametrize("way", ["whole ms", "three decimals", "two decimals", "clock"])
def test_rounded_times_give_the_rate_and_no_gaps(tmp_path: Path, fs: int, way: str) -> None:
    signal = beats(fs, 6)
    at = np.arange(len(signal)) / fs
    columns = {
        "whole ms": [str(int(each * 1000)) for each in at],
        "three decimals": [f"{each:.3f}" for each in at],
        "two decimals": [f"{each:.2f}" for each in at],
        "clock": [f"10:00:{each:06.3f}" for each in at],
    }
    name = "time_ms" if way == "whole ms" else "time"
    recording = opened(tmp_path, f"{name},II\n" + lines(columns[way], cells(signal)), fs=fs)
    assert_reads(recording, signal, fs)
    assert recording.notes == []


def test_a_clock_of_whole_seconds_gives_the_rate(tmp_path: Path) -> None:
    signal = beats(FS, 20)
    clock = [f"10:00:{k // FS:02d}" for k in range(len(signal))]
    recording = opened(tmp_path, "Time,II\n" + lines(clock, cells(signal)))
    assert_reads(recording, signal)
    assert recording.notes == []


def arrival_of_packets(count: int) -> list[str]:
    """The times of `count` samples that came in packets of 20, each up to 60 ms late."""
    late = np.random.default_rng(2).uniform(0, 0.06, count)
    return [f"{k // 20 * 20 / FS + late[k // 20]:.4f}" for k in range(count)]


def test_times_at_which_packets_came_give_no_rate(tmp_path: Path) -> None:
    signal = beats(FS, 20)
    text = "time,II\n" + lines(arrival_of_packets(len(signal)), cells(signal))
    with pytest.raises(UserError, match=r"whose step is not constant, gives about 25[01] samples .* by --fs"):
        opened(tmp_path, text)
    recording = opened(tmp_path, text, FS)
    assert_reads(recording, signal)
    assert recording.notes == []


def test_times_of_packets_contradict_a_rate_that_is_far_off(tmp_path: Path) -> None:
    signal = beats(FS, 20)
    recording = opened(tmp_path, "time,II\n" + lines(arrival_of_packets(len(signal)), cells(signal)), 500)
    assert "contradict each other" in recording.notes[0] and "took 500" in recording.notes[0]


def test_a_rate_that_changes_later_is_said(tmp_path: Path) -> None:
    at = np.concatenate([np.arange(30_000) / FS, 30_000 / FS + np.arange(20_000) / 500])
    recording = opened(tmp_path, "time,II\n" + lines(cells(at, 3), cells(np.resize(SIGNAL, 50_000))))
    _, fs, samples = read(recording)
    assert fs == FS and len(samples) == 50_000
    assert recording.notes == [
        "column time spans 159.998 s, its lines 199.996 s at the rate of the first: later times are wrong"
    ]


@pytest.mark.parametrize("name", ["II", "ECG", "Second lead", "signal", "temperature", "update", "channel 2", "MLII"])
def test_names_that_are_none_of_times(name: str) -> None:
    assert not is_time_name(name)


def test_a_ramp_is_no_time_and_constants_are_none() -> None:
    ramp = np.cumsum(np.random.default_rng(3).uniform(0, 1, 500))
    assert regular_columns(["x"], {0: ramp}) == []
    assert regular_columns(["time"], {0: np.full(500, 3.0)}) == []
    assert regular_columns(["time"], {0: np.zeros(3)}) == []
