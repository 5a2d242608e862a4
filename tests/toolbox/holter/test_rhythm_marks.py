"""Marks of rhythms in an annotation file."""

import numpy as np

from toolbox.holter.episodes import ATRIAL_FIBRILLATION, FIBRILLATION, Episode
from toolbox.holter.rhythm_marks import rhythm_marks

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
