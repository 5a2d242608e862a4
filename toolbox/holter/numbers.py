"""The numbers of a Holter report: an hourly table, extremes, day and night, heart-rate variability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from functools import cached_property
from typing import Any

import numpy as np

from toolbox.holter.annotation import AnnotatedRecording
from toolbox.holter.clock import RecordingClock
from toolbox.holter.episodes import ATRIAL_FIBRILLATION, AVERAGED_INTERVALS, ECTOPIC, PAUSE, SILENCES, Episode
from toolbox.metrics.hrv import NormalIntervals, Powers, measure, normal_intervals, rounded

MINUTE = 60.0  # s
LEAST_MINUTE = 50.0  # s from the first to the last beat within a minute whose rate is told


@dataclass(frozen=True)
class ReportedBeats:
    """What the numbers of a report are reckoned from.

    Attributes:
        times: (n,) s, of the beats.
        rr: (n,) RR intervals in s; NaN where none leads to a beat.
        letters: (n,) their classes.
        names: the letters of all classes.
        episodes: all of the recording.
        skipped: (start, stop) in s of the stretches that could not be judged.
        seconds: the length of the recording.
        clock: its clock.
    """

    times: np.ndarray
    rr: np.ndarray
    letters: np.ndarray
    names: Sequence[str]
    episodes: Sequence[Episode]
    skipped: Sequence[tuple[float, float]]
    seconds: float
    clock: RecordingClock

    @classmethod
    def of(cls, beats: AnnotatedRecording, start: datetime | time | None) -> ReportedBeats:
        """Those of an annotated recording that began at `start`."""
        fs = beats.fs
        skipped = [(first / fs, last / fs) for first, last, _ in beats.skipped]
        return cls(
            beats.times, beats.rr, beats.letters, beats.all_letters, beats.episodes, skipped, beats.samples / fs,
            RecordingClock(start),
        )  # fmt: skip

    @cached_property
    def intervals(self) -> np.ndarray:
        """(n,) s from the beat before, pauses of any length included; NaN where beats may lie between."""
        between = self.rr.copy()
        for episode in self.episodes:
            if episode.kind in SILENCES and episode.first < episode.last:
                is_pause = episode.kind == PAUSE
                between[episode.last] = episode.stop - episode.start if is_pause else np.nan
        return between

    @cached_property
    def powers(self) -> Powers:
        """Power of windows of 5 minutes, for `measure`: each is in several parts of the recording."""
        return {}

    @cached_property
    def averages(self) -> np.ndarray:
        """(n,) s: the mean of the AVERAGED_INTERVALS that lead to a beat; NaN where there are not so many."""
        means = np.full(len(self.rr), np.nan)
        if len(self.rr) >= AVERAGED_INTERVALS:
            weights = np.full(AVERAGED_INTERVALS, 1 / AVERAGED_INTERVALS)
            means[AVERAGED_INTERVALS - 1 :] = np.convolve(self.rr, weights, "valid")
        return means

    @cached_property
    def normal(self) -> NormalIntervals:
        """The N-N intervals, without those in atrial fibrillation."""
        fibrillating = np.zeros(len(self.times), dtype=bool)
        for episode in self.episodes:
            if episode.kind == ATRIAL_FIBRILLATION:
                fibrillating[episode.first : episode.last + 1] = True
        return normal_intervals(self.times, (self.letters == "N") & ~fibrillating, np.isfinite(self.rr))

    def spans(self, kind: str) -> list[tuple[float, float]]:
        """(start, stop) in s of the episodes of a kind."""
        return [(episode.start, episode.stop) for episode in self.episodes if episode.kind == kind]


def report_numbers(beats: ReportedBeats) -> dict[str, Any]:
    """All blocks in plain values: "start", "totals", "hours", "extremes", "day_night" and "hrv"."""
    clock, nn = beats.clock, beats.normal
    parts = {"whole": nn}
    if clock.tells_day_from_night:
        is_day = clock.is_day(nn.at)
        parts |= {"day": nn.within(is_day), "night": nn.within(~is_day)}
    measures = {name: _variability(beats, part) for name, part in parts.items()}
    left_out = _overlap(beats.spans(ATRIAL_FIBRILLATION), 0.0, beats.seconds) / MINUTE
    return {
        "start": clock.start.isoformat() if clock.start else None,
        "totals": _row(beats, 0.0, beats.seconds, measures["whole"]),
        "hours": [_hour(beats, start, stop) for start, stop in clock.hours(beats.seconds)],
        "extremes": extremes(beats),
        "day_night": _day_night(beats) if clock.tells_day_from_night else None,
        "hrv": {**measures["whole"], "af_minutes_left_out": round(left_out, 2),
                "day": measures.get("day"), "night": measures.get("night")},
    }  # fmt: skip


def _hour(beats: ReportedBeats, start: float, stop: float) -> dict[str, Any]:
    """The row of an hour, with heart-rate variability of the N-N intervals that end within it."""
    nn = beats.normal
    return _row(beats, start, stop, _variability(beats, nn.within((nn.at >= start) & (nn.at < stop))))


def _variability(beats: ReportedBeats, nn: NormalIntervals) -> dict[str, Any]:
    """The measures over some N-N intervals, by 5 minutes of the clock."""
    return rounded(measure(nn, beats.clock.start_of_day, beats.powers))


def _row(beats: ReportedBeats, start: float, stop: float, measures: dict[str, Any]) -> dict[str, Any]:
    """A row of the hourly table; what lasts belongs to the hour in which it begins, but for AF and what is skipped.

    Args:
        measures: of heart-rate variability.
    """
    last = stop >= beats.seconds  # a beat on the last edge belongs to the last hour
    first, end = np.searchsorted(beats.times, [start, np.inf if last else stop]).tolist()
    within = [one for one in beats.episodes if start <= one.start and (one.start < stop or last)]
    letters = beats.letters[first:end]
    ectopic = [letter for letter in ECTOPIC if letter in beats.names]
    counts = {
        plural: {letter: sum(one.kind == f"{letter} {pattern}" for one in within) for letter in ectopic}
        for pattern, plural in (("run", "runs"), ("couplet", "couplets"))
    }
    longest = _greatest(beats.intervals[first:end])
    return {
        "from": round(start, 3),
        "to": round(stop, 3),
        "clock": beats.clock.iso(start),
        "beats": {"all": end - first, **{name: int((letters == name).sum()) for name in beats.names}},
        "rate_per_min": _rates(beats.rr[first:end], beats.averages[first:end]),
        **counts,
        "pauses": sum(one.kind == PAUSE for one in within),
        "longest_rr_s": None if longest is None else round(longest, 3),
        "af_minutes": round(_overlap(beats.spans(ATRIAL_FIBRILLATION), start, stop) / MINUTE, 2),
        "judged": round(1 - _overlap(beats.skipped, start, stop) / max(stop - start, 1e-9), 4),
        "hrv": measures,
    }


def _rates(rr: np.ndarray, averages: np.ndarray) -> dict[str, float | None]:
    """Beats per minute: of all intervals, and the least and greatest of the means of AVERAGED_INTERVALS."""
    whole, averages = rr[np.isfinite(rr)], averages[np.isfinite(averages)]
    mean = round(60 / float(whole.mean()), 1) if len(whole) else None
    if not len(averages):
        return {"mean": mean, "min": None, "max": None}
    return {"mean": mean, "min": round(60 / float(averages.max()), 1), "max": round(60 / float(averages.min()), 1)}


def _greatest(values: np.ndarray) -> float | None:
    values = values[np.isfinite(values)]
    return float(values.max()) if len(values) else None


def _overlap(spans: Sequence[tuple[float, float]], start: float, stop: float) -> float:
    """s of `spans`, which do not overlap each other, between `start` and `stop`."""
    return sum(max(0.0, min(end, stop) - max(begin, start)) for begin, end in spans)


def extremes(beats: ReportedBeats) -> dict[str, Any]:
    """The longest RR interval, the fastest and the slowest minute, None where there is none.

    A minute begins at a beat; its rate is that of the beats within it, all intervals of which were read.
    """
    result: dict[str, Any] = {"longest_rr": None, "fastest_minute": None, "slowest_minute": None}
    if np.isfinite(beats.intervals).any():
        k = int(np.nanargmax(beats.intervals))
        start = float(beats.times[k] - beats.intervals[k])
        result["longest_rr"] = {**_moment(beats, start), "seconds": round(float(beats.intervals[k]), 3)}
    first = np.arange(len(beats.times))
    last = np.searchsorted(beats.times, beats.times + MINUTE, side="right") - 1
    unread = np.cumsum(np.isnan(beats.intervals))
    span = beats.times[last] - beats.times[first]
    whole = np.flatnonzero((span >= LEAST_MINUTE) & (unread[last] == unread[first]))
    if len(whole):
        rates = 60 * (last - first)[whole] / span[whole]
        for name, k in (("fastest_minute", int(rates.argmax())), ("slowest_minute", int(rates.argmin()))):
            start = float(beats.times[whole[k]])
            result[name] = {**_moment(beats, start), "rate": round(float(rates[k]), 1)}
    return result


def _moment(beats: ReportedBeats, start: float) -> dict[str, Any]:
    return {"start": round(start, 3), "clock": beats.clock.iso(start)}


def _day_night(beats: ReportedBeats) -> dict[str, Any]:
    """Hours and mean rate of the day and of the night."""
    minutes = np.arange(0.0, beats.seconds, MINUTE)
    result = {}
    for name, times, lasting in zip(
        ("day", "night"), (beats.clock.is_day(beats.times), ~beats.clock.is_day(beats.times)),
        (beats.clock.is_day(minutes), ~beats.clock.is_day(minutes)), strict=True,
    ):  # fmt: skip
        rates = _rates(beats.rr[times], beats.averages[times])
        result[name] = {"hours": round(float(lasting.sum()) / 60, 2), "rate_per_min": rates}
    return result
