"""Jumps of a column of times are samples that are missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.loaders.io.csv.written import FS, assert_reads, beats, cells, lines, opened, read
from toolbox.utils import UserError

SIGNAL = beats(FS, 20)
AT = np.arange(len(SIGNAL)) / FS
KEPT = np.r_[0:2000, 3000 : len(SIGNAL)]  # four seconds are missing
GAP = np.where(np.isin(np.arange(len(SIGNAL)), KEPT), SIGNAL, np.nan)


@pytest.mark.parametrize(
    "times",
    [
        cells(AT, 3), [str(4 * k) for k in range(len(AT))], [f"10:00:{at:06.3f}" for at in AT],
        [f"2024-03-26T10:00:{at:06.3f}Z" for at in AT], [str(1711470649000 + 4 * k) for k in range(len(AT))],
    ],
    ids=["seconds", "milliseconds", "clock", "date and clock", "since 1970"],
)  # fmt: skip
def test_a_gap_is_filled_and_noted(tmp_path: Path, times: list[str]) -> None:
    recording = opened(tmp_path, "time,II\n" + lines([times[k] for k in KEPT], cells(SIGNAL[KEPT])))
    assert_reads(recording, GAP)
    assert recording.notes == ["column time jumps 1 time(s): 1000 samples are missing there"]


def test_single_lost_samples_are_found(tmp_path: Path) -> None:
    lost = np.arange(300, 4800, 450)
    kept = np.delete(np.arange(len(SIGNAL)), lost)
    expected = SIGNAL.copy()
    expected[lost] = np.nan
    assert_reads(opened(tmp_path, "time,II\n" + lines(cells(AT[kept], 3), cells(SIGNAL[kept]))), expected)


def test_a_gap_in_a_clock_of_whole_seconds_is_found_to_the_second(tmp_path: Path) -> None:
    clock = [f"10:00:{int(at):02d}" for at in AT]
    recording = opened(tmp_path, "Time,II\n" + lines([clock[k] for k in KEPT], cells(SIGNAL[KEPT])))
    _, _, samples = read(recording)
    assert abs(len(samples) - len(SIGNAL)) <= FS and 750 <= np.isnan(samples).sum() <= 1250


def test_a_gap_among_times_of_packets_is_said(tmp_path: Path) -> None:
    late = np.random.default_rng(2).uniform(0, 0.06, len(SIGNAL))
    arrival = [f"{k // 20 * 20 / FS + late[k // 20]:.4f}" for k in range(len(SIGNAL))]
    recording = opened(tmp_path, "time,II\n" + lines([arrival[k] for k in KEPT], cells(SIGNAL[KEPT])), FS)
    _, _, samples = read(recording)
    assert len(samples) == len(KEPT)
    assert recording.notes[-1].startswith("column time jumps 1 time(s), but its step is not constant: samples may be")


def test_gaps_of_more_than_a_day_or_a_month_are_other_recordings(tmp_path: Path) -> None:
    text = lines([f"{1711470649 + k / 250 + 90_000 * (k >= 100):.3f}" for k in range(200)], ["0.1"] * 200)
    with pytest.raises(UserError, match=r"jumps from .* more than a day; cut the file"):
        read(opened(tmp_path, "time,II\n" + text, FS))
    days = [f"{1711470649 + k // 50 * 80_000 + k % 50 / 250:.3f}" for k in range(2000)]
    with pytest.raises(UserError, match="gaps of more than a month"):
        read(opened(tmp_path, "time,II\n" + lines(days, ["0.1"] * 2000), FS))
