"""The numbers of a report, by hand on small series of beats."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time

import numpy as np
import pytest

from toolbox.holter.clock import RecordingClock
from toolbox.holter.episodes import Episode, find_episodes
from toolbox.holter.numbers import ReportedBeats, extremes, report_numbers
from toolbox.metrics.hrv import hrv

AF = "atrial fibrillation or flutter"


def reported(
    intervals: Sequence[float], letters: str = "", start: datetime | time | None = None,
    silences: Sequence[Episode] = (), breaks: Sequence[int] = (), skipped: Sequence[tuple[float, float]] = (),
) -> ReportedBeats:  # fmt: skip
    """Beats with these intervals between them, from 0 s to the end; no interval leads to the beats `breaks`."""
    times = np.append(0.0, np.cumsum(intervals))
    rr = np.append(np.nan, np.asarray(intervals, dtype=float))
    rr[list(breaks)] = np.nan
    classes = np.array(list(letters.ljust(len(times), "N")))
    episodes = find_episodes(times, rr, classes, silences)
    return ReportedBeats(times, rr, classes, "NSV", episodes, skipped, float(times[-1]), RecordingClock(start))


def test_a_table_of_two_hours() -> None:
    letters = "NNNVVN" + "N" * 100 + "SSSN" + "N" * 4000 + "VVVVN"
    beats = reported(
        [1.0] * 3600 + [0.5] * 7200, letters, silences=[Episode(AF, 3300, 3900, 3300, 4200, 90)],
        skipped=[(3591, 3609)],
    )  # fmt: skip
    numbers = report_numbers(beats)
    first, second = numbers["hours"]
    assert (first["from"], first["to"], first["clock"], second["from"], second["to"]) == (0, 3600, None, 3600, 7200)
    assert first["beats"] == {"all": 3600, "N": 3595, "S": 3, "V": 2}
    assert second["beats"] == {"all": 7201, "N": 7197, "S": 0, "V": 4}  # the last beat is at the very end
    assert first["rate_per_min"] == {"mean": 60, "min": 60, "max": 60}
    assert second["rate_per_min"] == {"mean": 120, "min": 60, "max": 120}
    assert first["couplets"] == {"V": 1, "S": 0} and first["runs"] == {"V": 0, "S": 1}
    assert second["couplets"] == {"V": 0, "S": 0} and second["runs"] == {"V": 1, "S": 0}
    assert (first["af_minutes"], second["af_minutes"], numbers["totals"]["af_minutes"]) == (5, 5, 10)
    assert (first["judged"], second["judged"], numbers["totals"]["judged"]) == (0.9975, 0.9975, 0.9975)
    assert numbers["totals"]["beats"] == {"all": 10801, "N": 10792, "S": 3, "V": 6}
    assert numbers["totals"]["longest_rr_s"] == 1 and first["pauses"] == 0
    assert (numbers["start"], numbers["day_night"]) == (None, None)


def test_hours_of_the_clock_and_day_and_night() -> None:
    start = datetime(2021, 6, 1, 21, 15)
    numbers = report_numbers(reported([0.75] * 3600 + [1.0] * 3600, start=start))  # 45 minutes at 80, an hour at 60
    assert numbers["start"] == "2021-06-01T21:15:00"
    assert [hour["clock"] for hour in numbers["hours"]] == ["2021-06-01T21:15:00", "2021-06-01T22:00:00"]
    assert [hour["beats"]["all"] for hour in numbers["hours"]] == [3600, 3601]
    assert numbers["day_night"]["day"] == {"hours": 0.75, "rate_per_min": {"mean": 80, "min": 80, "max": 80}}
    assert numbers["day_night"]["night"]["hours"] == 1 and numbers["day_night"]["night"]["rate_per_min"]["mean"] == 60
    assert numbers["hrv"]["day"]["mean_nn_ms"] == 750 and numbers["hrv"]["night"]["mean_nn_ms"] == 999.9
    assert numbers["hrv"]["windows"] == 21 and numbers["hrv"]["day"]["windows"] == 9
    assert [hour["hrv"]["windows"] for hour in numbers["hours"]] == [9, 12]


def test_a_time_of_day_alone_and_utc() -> None:
    numbers = report_numbers(reported([0.75] * 60, start=time(6, 0)))
    assert numbers["start"] == "06:00:00" and numbers["day_night"]["day"]["hours"] == 0.02
    utc = report_numbers(reported([0.75] * 60, start=datetime.fromisoformat("2021-06-01T21:15:00+00:00")))
    assert utc["start"] == "2021-06-01T21:15:00+00:00"
    assert (utc["day_night"], utc["hrv"]["day"]) == (None, None)


def test_the_longest_rr_interval_leads_across_a_pause_and_never_across_what_was_not_read() -> None:
    pause = Episode("pause", 20, 32, 20, 21, None)  # 12 s: no RR interval is listed, and yet nothing lies between
    with_pause = reported([1.0] * 20 + [12.0] + [1.0] * 20, silences=[pause], breaks=[21], start=time(10))
    assert extremes(with_pause)["longest_rr"] == {"start": 20, "clock": "10:00:20", "seconds": 12}
    assert report_numbers(with_pause)["totals"]["longest_rr_s"] == 12
    for kind in ("no signal or asystole", "no beats found but the signal moves", "ventricular flutter or fibrillation"):
        unread = reported([1.0] * 20 + [5.0] + [1.5] * 2, silences=[Episode(kind, 20, 25, 20, 21, None)])
        assert extremes(unread)["longest_rr"] == {"start": 25, "clock": None, "seconds": 1.5}
    skipped = reported([1.0] * 20 + [5.0] + [1.0], breaks=[21])
    assert extremes(skipped)["longest_rr"]["seconds"] == 1
    assert extremes(reported([1.0], breaks=[1])) == {"longest_rr": None, "fastest_minute": None, "slowest_minute": None}


def test_the_fastest_and_the_slowest_minute() -> None:
    beats = reported([1.0] * 100 + [0.4] * 150 + [1.2] * 50, start=time(10))
    minutes = extremes(beats)
    assert minutes["fastest_minute"] == {"start": 100, "clock": "10:01:40", "rate": 150}
    assert minutes["slowest_minute"] == {"start": 160, "clock": "10:02:40", "rate": 50}
    gap = extremes(reported([1.0] * 100 + [0.4] * 150 + [1.2] * 50, breaks=[175]))  # amid the fast ones, at 130 s
    assert gap["fastest_minute"]["rate"] == 104.7 and gap["slowest_minute"]["rate"] == 50
    assert extremes(reported([1.0] * 40))["fastest_minute"] is None


def test_no_n_n_interval_of_atrial_fibrillation() -> None:
    intervals = [0.8, 0.9] * 100
    calm = report_numbers(reported(intervals))["hrv"]
    assert (calm["intervals"], calm["rmssd_ms"], calm["af_minutes_left_out"]) == (200, 100, 0)
    partly = report_numbers(reported(intervals, silences=[Episode(AF, 85, 170, 100, 200, 70)]))
    assert (partly["hrv"]["intervals"], partly["hrv"]["af_minutes_left_out"]) == (99, 1.42)


def test_the_whole_is_that_of_hrv() -> None:
    intervals = 0.8 + 0.05 * np.sin(np.arange(2000) / 3)
    beats = reported(intervals.tolist())
    whole = hrv(beats.times, beats.letters == "N", np.isfinite(beats.rr))
    block = report_numbers(beats)["hrv"]
    assert block["lf_ms2"] == pytest.approx(whole["lf_ms2"], abs=0.05) and block["sdnn_ms"] > 30
    assert block["windows"] == whole["windows"] == 5
