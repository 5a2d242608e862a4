"""Clock times and dates in any order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loaders.io.csv.clock import seconds_of, times_of
from tests.loaders.io.csv.written import FS, assert_reads, beats, cells, lines, opened


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        ("17:30:49", 63049.0),
        ("17:30:49.004", 63049.004),
        ("17:30:49,004", 63049.004),
        ("17:30:49:004", 63049.004),
        ("5:30:49 PM", 63049.0),
        ("12:00:00.5 am", 0.5),
        ("12:00:00 PM", 43200.0),
        ("0:00.003", 0.003),
        ("30:49.004", 1849.004),
        ("[17:30:49.004 26/03/2024]", 63049.004),
        ("26.03.2024 17:30:49.004", 63049.004),
        ("3/26/2024 17:30:49.004", 63049.004),
        ("100:00:00", 360000.0),
        ("2024-03-26T17:30:49Z", 738971 * 86400 + 63049.0),
        ("2024/03/26 17:30:49", 738971 * 86400 + 63049.0),
        ("2024-03-26T18:30:49.5+01:00", 738971 * 86400 + 63049.5),
        ("2024-03-26T16:00:49-0130", 738971 * 86400 + 63049.0),
    ],
)
def test_clock_times(cell: str, seconds: float) -> None:
    assert seconds_of(cell) == pytest.approx(seconds, abs=1e-4)


@pytest.mark.parametrize("cell", ["", "rest", "17:30", "1.5", "2024-03-26", "2024-13-45T10:00:00", "a:b:c"])
def test_what_is_no_clock_time(cell: str) -> None:
    assert np.isnan(seconds_of(cell))


def test_a_clock_goes_on_after_midnight() -> None:
    assert times_of(np.array(["23:59:59", "0:00:00", "", "0:00:01"])).tolist()[:2] == [86399.0, 86400.0]


WAYS = (
    "{clock}", "'{clock}'", "[{clock} {day}/03/2024]", "2024-03-{day}T{clock}", "2024-03-{day}T{clock}Z",
    "2024-03-{day} {clock}", "2024-03-{day}T{clock}+01:00", "03/{day}/2024 {clock}", "{day}.03.2024 {clock}",
    "2024/03/{day} {clock}", "{clock} {half}",
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("hour", [11, 23])
def test_clocks_give_the_rate_over_noon_and_midnight(tmp_path: Path, way: str, hour: int) -> None:
    signal = beats()
    cells_of_time = []
    for k in range(len(signal)):
        ms = (hour * 3600 + 3599) * 1000 + 4 * k
        day, hours = divmod(ms // 3600000, 24)
        shown = (hours + 11) % 12 + 1 if "half" in way else hours
        clock = f"{shown:02d}:{ms // 60000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"
        cells_of_time.append(way.format(clock=clock, day=26 + day, half="AM" if hours < 12 else "PM"))
    recording = opened(tmp_path, "time;II\n" + lines(cells_of_time, cells(signal), separator=";"), fs=360)
    assert_reads(recording, signal, FS)
    assert len(recording.notes) == 1 and "360 by --fs; took 250" in recording.notes[0]
