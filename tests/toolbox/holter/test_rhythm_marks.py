"""toolbox.holter.rhythm_marks: which rhythm begins where."""

from __future__ import annotations

import numpy as np
import pytest

from toolbox.holter.episodes import ATRIAL_FIBRILLATION, BRADYCARDIA, FIBRILLATION, PACED, Episode
from toolbox.holter.rhythm_marks import mark_of, rhythm_marks

SAMPLE = np.arange(20) * 100 + 50


def episode(kind: str, first: int, last: int, rate: float | None = 120.0) -> Episode:
    return Episode(kind, first / 1.0, last / 1.0, first, last, rate)


@pytest.mark.parametrize(
    ("kind", "rate", "text"),
    [
        ("V run", 120.0, "(VT"), ("V run", 80.0, "(IVR"), ("S run", 120.0, "(SVTA"), ("S run", 80.0, ""),
        ("V bigeminy", 80.0, "(B"), ("V trigeminy", 80.0, "(T"), ("S bigeminy", 80.0, "(AB"), ("S trigeminy", 80.0, ""),
        ("V couplet", 120.0, ""), ("pause", None, ""), (ATRIAL_FIBRILLATION, 90.0, "(AFIB"), (PACED, 70.0, "(P"),
        (BRADYCARDIA, 40.0, "(SBR"), (FIBRILLATION, None, "(VFL"), ("sinus tachycardia", 120.0, ""),
    ],
)  # fmt: skip
def test_each_kind_has_its_mark(kind: str, rate: float | None, text: str) -> None:
    assert mark_of(episode(kind, 0, 5, rate)) == text


def test_a_recording_begins_with_a_mark_before_its_first_beat() -> None:
    assert rhythm_marks([], SAMPLE, 100.0) == [(49, "+", "(N")]
    assert rhythm_marks([], np.array([0, 100]), 100.0) == [(0, "+", "(N")]


def test_a_run_interrupts_what_lasts() -> None:
    marks = rhythm_marks([episode(ATRIAL_FIBRILLATION, 3, 15), episode("V run", 8, 10)], SAMPLE, 100.0)
    assert marks == [
        (49, "+", "(N"), (349, "+", "(AFIB"), (849, "+", "(VT"), (1149, "+", "(AFIB"), (1649, "+", "(N"),
    ]  # fmt: skip


def test_flutter_stands_between_brackets_and_no_two_marks_share_a_sample() -> None:
    flutter = Episode(FIBRILLATION, 5.6, 9.4, 5, 9, None)
    sample = np.delete(SAMPLE, [6, 7, 8])
    marks = rhythm_marks([flutter, episode(ATRIAL_FIBRILLATION, 0, 16)], sample, 100.0, avoided=(560, 940, 49))
    assert marks == [
        (48, "+", "(AFIB"), (559, "[", ""), (561, "+", "(VFL"), (939, "]", ""), (941, "+", "(AFIB"),
    ]  # fmt: skip
