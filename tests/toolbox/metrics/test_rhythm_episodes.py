"""Episode-by-episode comparison: which episodes there are, what overlaps, and epicmp's own counts."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import RECORDS, needs_records
from toolbox.metrics.rhythm_episodes import KINDS, compare_episodes, episode_summary, episodes_of

# Counts by epicmp's own comparison (app/epicmp.c as of May 2010, compiled without the WFDB library, which only reads
# the files), fed with the annotations that `drawn` and `moved` make: TPs, FN, TPp, FP, then samples of overlap and
# length of the reference's episodes, and of the test's.
EPICMP = json.loads(Path(__file__).with_name("epicmp_counts.json").read_text(encoding="utf-8"))
FS = 360.0


def drawn(seed):
    """Two annotators' marks, drawn: ((sample, symbol, subtype, text) of each, start, length)."""
    rng = random.Random(seed)
    length = rng.choice([50, 400, 5000])

    def side():
        times = sorted(rng.randrange(1, length) for _ in range(rng.choice([0, 1, 3, 10, 40])))
        marks = []
        for time in times:
            symbol = rng.choice("+++[]N=")
            text = rng.choice(["(AFIB", "(AFL", "(N", "(AFIB", "(VT", ""]) if symbol == "+" else ""
            value = rng.choice(["70", "-12.5", "1.2e3", "80bpm", ""])
            marks.append(
                (time, symbol, rng.choice([0, 0, 1]) if symbol == "=" else 0, value if symbol == "=" else text)
            )
        return marks

    return side(), side(), rng.choice([0, length // 6, length // 3]), length


def moved(marks, seed, length):
    """Marks as a second annotator may set them: rhythms changed up to 20 s earlier or later, and some not seen."""
    rng = random.Random(seed)
    shifted = [
        (min(max(time + rng.randrange(-7200, 7200), 1), length - 1), *rest)
        for time, *rest in marks
        if rng.random() < 0.8
    ]
    return sorted(shifted)


def episodes(marks, kind, length):
    columns = list(zip(*marks, strict=True)) or [(), (), (), ()]
    return episodes_of(np.array(columns[0], dtype=np.int64), columns[1], columns[3], kind, length)


def counts(reference, test, kind, start, length):
    """In the order of EPICMP."""
    one = compare_episodes(episodes(reference, kind, length), episodes(test, kind, length), FS, start, length)
    return [one.hits_of_reference, one.missed, one.hits_of_test, one.extra,
            one.reference_overlap, one.reference, one.test_overlap, one.test]  # fmt: skip


@pytest.mark.parametrize("seed", range(len(EPICMP["drawn"])))
def test_counts_are_those_of_epicmp(seed):
    reference, test, start, length = drawn(seed)
    assert [counts(reference, test, kind, start, length) for kind in ("AF", "VF")] == EPICMP["drawn"][seed]


def rhythm_marks(name):
    import wfdb

    read = wfdb.rdann(str(RECORDS / name), "atr")
    texts = [text.rstrip("\x00") for text in read.aux_note]
    rows = zip(read.sample.tolist(), read.symbol, read.subtype.tolist(), texts, strict=True)
    return [row for row in rows if row[1] in "+[]"]


@needs_records
@pytest.mark.parametrize("name", sorted(EPICMP["records"]))
def test_counts_on_real_records_are_those_of_epicmp(name):
    reference = rhythm_marks(name)
    got = [
        [counts(reference, moved(reference, seed, 650_000), kind, 108_000, 650_000) for kind in ("AF", "VF")]
        for seed in range(3)
    ]
    assert got == EPICMP["records"][name]


def rhythm(*changes):
    """Marks of rhythm changes: (sample, text); a "[" or "]" stands for itself."""
    return [(time, text if text in "[]" else "+", 0, "" if text in "[]" else text) for time, text in changes]


def test_any_other_rhythm_ends_fibrillation_and_the_record_does():
    marks = rhythm((10, "(AFIB"), (30, "(AFIB"), (40, "(AFL"), (50, "(AFIB"), (60, "(N"), (80, "(AFIB\x00"))
    assert episodes(marks, "AF", 100).tolist() == [[10, 40], [50, 60], [80, 100]]
    assert episodes(marks, "AF/AFL", 100).tolist() == [[10, 60], [80, 100]]
    assert episodes(marks, "AF", 20).tolist()[-1] == [80, 80]  # no end in a file that goes beyond the record


def test_ventricular_fibrillation_goes_from_bracket_to_bracket_whatever_the_rhythm():
    marks = rhythm((5, "]"), (10, "["), (12, "(VFL"), (20, "(N"), (25, "["), (30, "]"), (40, "["))
    assert episodes(marks, "VF", 100).tolist() == [[10, 30], [40, 100]]


@pytest.mark.parametrize(
    ("reference", "test", "expected"),
    [
        ([[20, 40]], [[39, 60]], [1, 0, 1, 0, 1, 20, 1, 21]),  # any overlap is enough
        ([[20, 40]], [[40, 60]], [0, 1, 0, 1, 0, 20, 0, 20]),  # to touch is none
        ([[20, 60]], [[10, 30], [40, 50], [55, 90]], [1, 0, 3, 0, 25, 40, 25, 65]),  # one hit, three of the test
        ([[0, 9]], [[2, 10]], [0, 0, 0, 1, 0, 0, 0, 0]),  # over before the learning period is; ending with it: FP
        ([[2, 30]], [[0, 12]], [1, 0, 1, 0, 2, 20, 2, 2]),  # only what follows the learning period counts
        ([[80, 120]], [[99, 130], [110, 140]], [1, 0, 1, 0, 1, 20, 1, 1]),  # cut at the end; later ones do not count
        ([], [[20, 30]], [0, 0, 0, 1, 0, 0, 0, 10]),
    ],
)
def test_overlap_by_hand(reference, test, expected):
    sides = (np.array(side, dtype=np.int64).reshape(-1, 2) for side in (reference, test))
    one = compare_episodes(*sides, FS, 10, 100)
    assert [one.hits_of_reference, one.missed, one.hits_of_test, one.extra,
            one.reference_overlap, one.reference, one.test_overlap, one.test] == expected  # fmt: skip


def test_files_full_of_episodes_take_little_memory():
    begins = np.arange(100_000) * 10
    reference, test = np.stack([begins, begins + 6], axis=1), np.stack([begins + 4, begins + 9], axis=1)
    one = compare_episodes(reference, test, FS, 0, 1_000_000)
    assert (one.hits_of_reference, one.hits_of_test, one.missed, one.extra) == (100_000, 100_000, 0, 0)
    assert (one.reference_overlap, one.test_overlap, one.reference, one.test) == (200_000, 200_000, 600_000, 500_000)


def test_gross_sums_and_average_is_over_records_that_define_a_score():
    first = compare_episodes(np.array([[20, 40], [60, 70]]), np.array([[30, 50]]), 10, 10, 100)
    second = compare_episodes(np.empty((0, 2), np.int64), np.array([[20, 30]]), 10, 10, 100)
    result = episode_summary({"AF": {"a": first, "b": second}})["AF"]
    assert result["records"]["a"]["scores"] == {"ESe": 0.5, "E+P": 1.0, "DSe": 1 / 3, "D+P": 0.5}
    assert result["records"]["b"]["scores"] == {"ESe": None, "E+P": 0.0, "DSe": None, "D+P": 0.0}
    assert result["gross"]["scores"] == {"ESe": 0.5, "E+P": 0.5, "DSe": 1 / 3, "D+P": 1 / 3}
    assert result["gross"]["episodes"] == {"TPs": 1, "FN": 1, "TPp": 1, "FP": 1}
    assert result["gross"]["seconds"] == {"reference": 3.0, "reference_overlap": 1.0, "test": 3.0, "test_overlap": 1.0}
    assert result["average"]["scores"] == {"ESe": 0.5, "E+P": 0.5, "DSe": 1 / 3, "D+P": 0.25}


def test_every_kind_has_its_title():
    from toolbox.reports.episode_report import TITLES

    assert tuple(TITLES) == KINDS
