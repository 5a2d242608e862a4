"""Clock time: moments, hours of the clock, day and night."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone

import numpy as np
import pytest

from toolbox.holter.clock import RecordingClock

EVENING = datetime(2021, 6, 1, 22, 30, 15)
SUMMER = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("start", "iso", "text"),
    [
        (None, None, None),
        (EVENING, "2021-06-02T00:00:15", "0:00:15"),
        (EVENING.replace(tzinfo=SUMMER), "2021-06-02T00:00:15+02:00", "0:00:15"),
        (EVENING.replace(microsecond=900000), "2021-06-02T00:00:15", "0:00:15"),
        (time(22, 30, 15), "00:00:15", "0:00:15"),
    ],
)
def test_a_moment_after_midnight(start: datetime | time | None, iso: str | None, text: str | None) -> None:
    clock = RecordingClock(start)
    assert clock.iso(5400) == iso and clock.text(5400) == text


def test_hours_of_the_clock() -> None:
    clock = RecordingClock(EVENING)
    assert clock.hours(7200) == [(0, 1785), (1785, 5385), (5385, 7200)]
    assert [clock.iso(start) for start, _ in clock.hours(7200)] == [
        "2021-06-01T22:30:15", "2021-06-01T23:00:00", "2021-06-02T00:00:00",
    ]  # fmt: skip
    assert RecordingClock(datetime(2021, 6, 1, 23)).hours(7200) == [(0, 3600), (3600, 7200)]


def test_hours_since_the_start_where_the_clock_is_not_known() -> None:
    assert RecordingClock().hours(9000) == [(0, 3600), (3600, 7200), (7200, 9000)]
    assert len(RecordingClock().hours(86400)) == 24


def test_up_to_an_hour_is_one_row() -> None:
    assert RecordingClock(EVENING).hours(3600) == [(0, 3600)]
    assert RecordingClock().hours(10) == [(0, 10)]


def test_day_and_night() -> None:
    clock = RecordingClock(time(21, 59))
    times = np.array([0, 59, 60, 7 * 3600, 8 * 3600 + 59, 8 * 3600 + 60, 24 * 3600 + 59.0])
    assert clock.is_day(times).tolist() == [True, True, False, False, False, True, True]


def test_utc_says_nothing_of_day_and_night() -> None:
    assert not RecordingClock().tells_day_from_night
    assert not RecordingClock(EVENING.replace(tzinfo=UTC)).tells_day_from_night
    assert RecordingClock(EVENING.replace(tzinfo=SUMMER)).tells_day_from_night
    assert RecordingClock(EVENING).tells_day_from_night and RecordingClock(time(22)).tells_day_from_night
