"""Marks of rhythms in an annotation file."""

import numpy as np
import pytest

from toolbox.holter.episodes import ATRIAL_FIBRILLATION, BRADYCARDIA, FIBRILLATION, PACED, Episode
from toolbox.holter.rhythm_marks import mark_of, rhythm_marks

SAMPLE = np.arange(100, 2100, 100)  # twenty beats


def test_a_normal_rhythm_throughout_has_no_mark():
    assert rhythm_marks([], SAMPLE, 100.0) == []
    slow_s_run = Episode("S run", 5.0, 8.0, 4, 7, 60.0)  # has no mark of its own
    assert rhythm_marks([slow_s_run], SAMPLE, 100.0) == []


def test_a_rhythm_begins_a_sample_before_its_first_beat_and_the_one_after_it_too():
    fibrillation = Episode(ATRIAL_FIBRILLATION, 5.0, 11.0, 4, 10, 120.0)
    assert rhythm_marks([fibrillation], SAMPLE, 100.0) == [(99, "+", "(N"), (499, "+", "(AFIB"), (1199, "+", "(N")]


def test_ventricular_fibrillation_lies_between_brackets():
    flutter = Episode(FIBRILLATION, 5.05, 5.9, 4, 5, None)
    assert rhythm_marks([flutter], SAMPLE, 100.0) == [
        (99, "+", "(N"),
        (505, "[", ""),
        (506, "+", "(VFL"),
        (590, "]", ""),
        (591, "+", "(N"),
    ]


def test_marks_make_way_for_other_annotations():
    run = Episode("V run", 5.0, 8.0, 4, 7, 150.0)
    assert rhythm_marks([run], SAMPLE, 100.0, avoided=[499, 498])[1] == (497, "+", "(VT")


@pytest.mark.parametrize(
    ("kind", "rate", "text"),
    [
        ("V run", 120.0, "(VT"), ("V run", 80.0, "(IVR"), ("S run", 120.0, "(SVTA"), ("S run", 80.0, ""),
        ("V bigeminy", 80.0, "(B"), ("V trigeminy", 80.0, "(T"), ("S bigeminy", 80.0, "(AB"), ("S trigeminy", 80.0, ""),
        ("V couplet", 120.0, ""), ("pause", None, ""), (ATRIAL_FIBRILLATION, 90.0, "(AFIB"), (PACED, 70.0, "(P"),
        (BRADYCARDIA, 40.0, "(SBR"), (FIBRILLATION, None, "(VFL"), ("sinus tachycardia", 120.0, ""),
    ],
)  # fmt: skip
def test_each_kind_has_its_mark(kind, rate, text):
    assert mark_of(Episode(kind, 1.0, 8.0, 0, 7, rate)) == text


def test_a_run_interrupts_what_lasts():
    lasting, run = Episode(ATRIAL_FIBRILLATION, 4.0, 16.0, 3, 15, 90.0), Episode("V run", 9.0, 11.0, 8, 10, 120.0)
    marks = [(99, "(N"), (399, "(AFIB"), (899, "(VT"), (1199, "(AFIB"), (1699, "(N")]
    assert rhythm_marks([lasting, run], SAMPLE, 100.0) == [(at, "+", text) for at, text in marks]
