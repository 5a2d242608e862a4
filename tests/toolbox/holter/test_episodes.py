"""Rhythm episodes and summaries of annotated beats."""

from __future__ import annotations

import numpy as np
import pytest

from toolbox.holter.episodes import Episode, find_episodes, summarize, without_beats
from toolbox.holter.silences import find_silences


def kinds_and_beats(
    letters: str, rr: float | list[float] = 0.8, breaks: tuple[int, ...] = ()
) -> list[tuple[str, int, int]]:
    """(kind, first, last) of the episodes of beats `rr` s apart; no interval leads to the beats `breaks`."""
    intervals = np.broadcast_to(rr, len(letters)).astype(float)
    times = np.cumsum(intervals)
    rr_intervals = intervals.copy()
    rr_intervals[[0, *breaks]] = np.nan
    silences = find_silences(times - times[0], times[-1] - times[0], lambda *_: "pause")
    return [(e.kind, e.first, e.last) for e in find_episodes(times, rr_intervals, np.array(list(letters)), silences)]


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("NNVNNSNN", []),
        ("NVVN", [("V couplet", 1, 2)]),
        ("VVVNSSSSN", [("V run", 0, 2), ("S run", 4, 7)]),
        ("NNVNVNVNN", [("V bigeminy", 1, 7)]),
        ("NVNVN", []),
        ("SNSNSN", [("S bigeminy", 0, 5)]),
        ("NVNVVNVN", [("V couplet", 3, 4)]),
        ("VSVQVF", []),
    ],
)
def test_runs_couplets_and_bigeminy(letters: str, expected: list[tuple[str, int, int]]) -> None:
    assert kinds_and_beats(letters) == expected


def test_nothing_goes_on_across_what_was_skipped() -> None:
    assert kinds_and_beats("NVVN", breaks=(2,)) == []
    assert kinds_and_beats("VVVV", breaks=(2,)) == [("V couplet", 0, 1), ("V couplet", 2, 3)]
    assert kinds_and_beats("NVNVNVN", breaks=(4,)) == []


def test_pauses_lie_between_two_beats() -> None:
    assert kinds_and_beats("NNNN", [0.8, 0.8, 2.0, 0.8]) == [("pause", 1, 2)]
    assert kinds_and_beats("NNNN", [0.8, 0.8, 1.99, 0.8]) == []
    assert kinds_and_beats("NNNN", [0.8, 0.8, 5.0, 0.8], breaks=(2,)) == [
        ("pause", 1, 2)
    ]  # no RR interval, all the same
    assert kinds_and_beats("NNNN", [0.8, 0.8, 40.0, 0.8]) == [("pause", 1, 2)]


def test_nothing_goes_on_across_a_pause() -> None:
    assert kinds_and_beats("NVVN", [0.8, 0.8, 2.3, 0.8]) == [("pause", 1, 2)]
    assert kinds_and_beats("VVVVV", [0.8, 0.8, 2.3, 0.8, 0.8]) == [
        ("V couplet", 0, 1),
        ("pause", 1, 2),
        ("V run", 2, 4),
    ]
    assert kinds_and_beats("NVNVNVN", [0.8, 0.8, 0.8, 2.0, 0.8, 0.8, 0.8]) == [("pause", 2, 3)]


def test_an_episode_tells_its_rate_and_name() -> None:
    (run,) = find_episodes(np.array([1.0, 1.5, 2.0]), np.array([np.nan, 0.5, 0.5]), np.array(list("VVV")))
    assert run.to_dict() == {
        "kind": "V run", "start": 1.0, "stop": 2.0, "first": 0, "last": 2, "beats": 3, "rate": 120.0,
    }  # fmt: skip
    assert run.title == "Ventricular tachycardia"
    assert Episode("V run", 0, 2, 0, 2, 60.0).title == "Ventricular run"
    assert Episode("pause", 0, 2, 0, 1, None).title == "Pause"


def test_the_summary_counts() -> None:
    letters = np.array(list("N" * 10 + "VV" + "N" * 6 + "SSS" + "N"))
    rr = np.full(len(letters), 0.75)
    rr[0], rr[-1] = np.nan, 3.0
    times = np.cumsum(np.nan_to_num(rr, nan=0.75))
    silences = [
        Episode("pause", times[-2], times[-1], 20, 21, None),
        Episode("no signal or asystole", 100, 112, 21, 21, None),
    ]
    summary = summarize(rr, letters, tuple("NSVFQ"), find_episodes(times, rr, letters, silences))
    assert summary["beats"] == {"all": 22, "N": 17, "S": 3, "V": 2, "F": 0, "Q": 0}
    assert summary["burden"] == {"S": round(3 / 22, 6), "V": round(2 / 22, 6), "F": 0.0, "Q": 0.0}
    assert summary["runs"] == {"V": 0, "S": 1} and summary["couplets"] == {"V": 1, "S": 0}
    assert summary["longest_run_beats"] == {"V": 0, "S": 3}
    assert summary["pauses"] == {"count": 1, "longest_s": 3.0}
    assert summary["without_beats"] == {
        "counts": {
            "pause": 1,
            "no signal or asystole": 1,
            "no beats found but the signal moves": 0,
            "ventricular flutter or fibrillation": 0,
            "noise, not judged": 0,
        },
        "seconds": {
            "pause": 3.0,
            "no signal or asystole": 12,
            "no beats found but the signal moves": 0,
            "ventricular flutter or fibrillation": 0,
            "noise, not judged": 0,
        },
        "longest": {"kind": "no signal or asystole", "start": 100, "seconds": 12},
    }
    assert summary["rate_per_min"] == {"mean": round(60 * 21 / (20 * 0.75 + 3), 1), "min": 58.2, "max": 80.0}


def test_noise_is_the_longest_only_where_there_is_no_other() -> None:
    noise = Episode("noise, not judged", 0, 60, 0, 0, None)
    pause = Episode("pause", 80, 83, 1, 2, None)
    assert without_beats([noise, pause])["longest"] == {"kind": "pause", "start": 80, "seconds": 3}
    assert without_beats([noise])["longest"] == {"kind": "noise, not judged", "start": 0, "seconds": 60}
    assert without_beats([noise, pause])["seconds"]["noise, not judged"] == 60 and noise.title == "Noise, not judged"
