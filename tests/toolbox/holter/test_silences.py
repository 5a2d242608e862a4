"""toolbox.holter.silences: stretches without beats and their kinds."""

from __future__ import annotations

import numpy as np
import pytest

from tests.toolbox.holter.signals import packed
from toolbox.holter.silences import SilenceJudge, find_silences
from toolbox.holter.trace import INPUT_FS

BEATS = np.arange(0.5, 30.5, 1.0)  # s; the stretch without beats follows the last


def stretch(kind: str, seconds: float) -> np.ndarray:
    t = np.arange(round(seconds * INPUT_FS)) / INPUT_FS
    noise = np.random.default_rng(0).standard_normal(len(t))
    return {
        "wander": 0.06 * np.sin(2 * np.pi * 0.3 * t) + 0.01 * noise,
        "drift": 1.0 * np.sin(2 * np.pi * 0.15 * t) + 0.01 * noise,
        "steps": np.rint(0.002 * noise / 0.005) * 0.005,
        "flat": np.zeros(len(t)),
        "missing": np.full(len(t), np.nan),
        "rail": np.full(len(t), 5.0),
        "flutter": 0.4 * np.sin(2 * np.pi * 4.0 * t),
        "noise": 0.3 * noise,
    }[kind]


def beating(times: np.ndarray, seconds: float) -> np.ndarray:
    t = np.arange(round(seconds * INPUT_FS)) / INPUT_FS
    return sum(np.exp(-0.5 * ((t - time) / 0.012) ** 2) for time in times)


def silences_of(parts: list[np.ndarray], times: np.ndarray) -> list[tuple[str, float, float]]:
    """(kind, start, seconds) of the stretches without beats of the `parts` of a signal, one after the other."""
    signal = np.concatenate(parts)
    judge = SilenceJudge(packed(signal), times)
    silences = find_silences(times, len(signal) / INPUT_FS, judge.kind)
    return [(e.kind, round(e.start, 3), round(e.stop - e.start, 3)) for e in silences]


KINDS = {
    "wander": "pause", "drift": "pause", "steps": "no signal or asystole", "flat": "no signal or asystole",
    "missing": "no signal or asystole", "rail": "no signal or asystole",
    "flutter": "no beats found but the signal moves", "noise": "no beats found but the signal moves",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seconds", [3, 9, 12, 40])
def test_between_beats(kind: str, seconds: int) -> None:
    beats = beating(BEATS, 30)
    times = np.concatenate([BEATS, BEATS + 30 + seconds])
    expected = [(KINDS[kind], 29.5, seconds + 1.0)]
    assert silences_of([beats, stretch(kind, seconds), beats], times) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_at_the_ends_a_quiet_line_is_no_pause(kind: str) -> None:
    expected = "no signal or asystole" if KINDS[kind] == "pause" else KINDS[kind]
    beats = beating(BEATS, 30)
    assert silences_of([stretch(kind, 12), beats], BEATS + 12) == [(expected, 0.0, 12.5)]
    assert silences_of([beats, stretch(kind, 12)], BEATS) == [(expected, 29.5, 12.5)]


def test_two_seconds_count_and_less_does_not() -> None:
    times = np.array([0.5, 1.5, 3.5, 5.4, 6.4])
    assert silences_of([beating(times, 7)], times) == [("no signal or asystole", 1.5, 2.0)]


def test_a_day_without_a_trace_still_lists_them() -> None:
    assert silences_of([np.zeros(0)], np.array([1.0, 2.0, 5.0])) == [("pause", 2.0, 3.0)]


def test_noise_that_was_shut_down_has_a_name_of_its_own_and_silence_in_it_stays_silence() -> None:
    signal = np.concatenate([beating(BEATS, 30), stretch("noise", 12), stretch("wander", 8), beating(BEATS, 30)])
    times, trace = np.concatenate([BEATS, BEATS + 50]), packed(signal)
    shut = [(30.0, 42.0), (42.0, 50.0)]
    listed = find_silences(times, 80.0, SilenceJudge(trace, times).kind, noise=shut)
    assert [(e.kind, round(e.start, 3), round(e.stop, 3), e.first, e.last) for e in listed] == [
        ("noise, not judged", 30.0, 42.0, 29, 30), ("no signal or asystole", 42.0, 50.5, 29, 30),
    ]  # fmt: skip


def test_a_recording_without_a_beat_is_one_stretch() -> None:
    for kind, said in (("flat", "no signal or asystole"), ("noise", "no beats found but the signal moves")):
        (one,) = find_silences(np.zeros(0), 12.0, SilenceJudge(packed(stretch(kind, 12)), np.zeros(0)).kind)
        assert (one.kind, one.start, one.stop, one.first, one.last, one.beats) == (said, 0.0, 12.0, 0, -1, 0)
