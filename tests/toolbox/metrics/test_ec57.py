"""Beat-by-beat comparison: what is paired with what, and the figures from the counts."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import RECORDS, needs_records
from toolbox.metrics.ec57 import LETTERS, PAIRED, compare, samples
from toolbox.metrics.ec57_scores import scores, summary
from toolbox.reports.ec57_report import report

FS = 360.0
UNREADABLE, READABLE = 0x30, 0x10
# Counts by bxb's own comparison (app/bxb.c as of April 2020, compiled without the WFDB library, which only reads the
# files), fed with the annotations that `drawn` and `distorted` make: rows of the table, RR intervals compared, the sum
# of their squared differences, seconds of shutdown.
BXB = json.loads(Path(__file__).with_name("bxb_counts.json").read_text(encoding="utf-8"))


def marks(*listed):
    """Annotations from (sample, symbol) or (sample, symbol, subtype)."""
    full = [(*mark, 0)[:3] for mark in listed]
    return (
        np.array([mark[0] for mark in full], dtype=np.int64),
        [mark[1] for mark in full],
        np.array([mark[2] for mark in full], dtype=np.int64),
    )


def beats(*times, symbol="N"):
    return marks(*((time, symbol) for time in times))


def table(reference, test, learning=0.0, fs=FS, length=100_000, **options):
    """The counts that are not 0, as {"Nn": 3}."""
    matrix = compare(reference, test, fs, length, learning, **options).matrix
    return {LETTERS[r] + LETTERS[c].lower(): int(matrix[r, c]) for r, c in np.argwhere(matrix)}


def drawn(seed):
    """A case of annotations that try everything at once: (reference, test, fs, length, learning, window)."""
    rng = random.Random(seed)
    fs = rng.choice([360, 250, 128, 100.5, 40])
    span = int(fs * rng.choice([2, 10, 60])) + 5
    length, learning = rng.choice([None, span, span - 3]), rng.choice([0, 0.5, 1])
    pool = "NNNNLRaVFJASEjQ/ef!rB?n" + rng.choice(["", "~~~~[]]+|~"])

    def side():
        times = sorted(rng.randrange(span) for _ in range(rng.choice([1, 3, 10, 40, 90])))
        symbols = [rng.choice(pool) for _ in times]
        kinds = [rng.choice([0, UNREADABLE, -1, 0x11, 0x20]) if symbol == "~" else 0 for symbol in symbols]
        return list(zip(times, symbols, kinds, strict=True))

    reference = side()
    test = [
        (max(0, t + rng.randrange(-12, 13)), s if rng.random() < 0.8 else "V", sub)
        for t, s, sub in reference
        if rng.random() < 0.9
    ]
    test = sorted(test, key=lambda mark: mark[0]) if rng.random() < 0.5 else side()
    return marks(*reference), marks(*test), fs, length, learning, rng.choice([0.15, 0.15, 0.3, 0.05])


def distorted(sample, symbol, subtype):
    """Annotations of a real record as a poor detector might have given them, the same ones every time."""
    kept = [k for k in range(len(sample)) if k % 23 != 7]
    moved = [(int(sample[k]) + (k * 37) % 121 - 60, "V" if k % 19 == 3 else symbol[k], int(subtype[k])) for k in kept]
    extra = [(40_000 + 7_001 * k, "S" if k % 2 else "N", 0) for k in range(87)]
    return marks(*sorted(moved + extra, key=lambda mark: mark[0]))


def counts(one):
    return [one.matrix.tolist(), one.rr_pairs, one.rr_squares, one.shutdown]


def test_every_class_is_paired_with_itself():
    symbols = [symbol for symbol, kind in PAIRED.items() if kind < 5]
    both = marks(*((1000 * (k + 1), symbol) for k, symbol in enumerate(symbols)))
    assert table(both, both) == {"Nn": 4, "Ss": 7, "Vv": 3, "Ff": 1, "Qq": 4}


@pytest.mark.parametrize(("fs", "reach"), [(360.0, 54), (250.0, 38), (128.0, 19), (1000.0, 150), (100.5, 15)])
def test_the_window_is_150_ms_rounded_as_wfdb_rounds_and_inclusive(fs, reach):
    assert samples(0.15, fs) == reach
    for shift in (reach, -reach):
        assert table(beats(5000), beats(5000 + shift), fs=fs) == {"Nn": 1}
    for shift in (reach + 1, -reach - 1):
        assert table(beats(5000), beats(5000 + shift), fs=fs) == {"No": 1, "On": 1}


def test_another_window():
    assert table(beats(5000), beats(5036), window=0.1) == {"Nn": 1}
    assert table(beats(5000), beats(5037), window=0.1) == {"No": 1, "On": 1}


def test_the_nearest_wins_whichever_comes_first():
    assert table(beats(5000), marks((4960, "V"), (5010, "N"))) == {"Nn": 1, "Ov": 1}
    assert table(beats(5000), marks((4990, "N"), (5040, "V"))) == {"Nn": 1, "Ov": 1}
    assert table(marks((4960, "V"), (5010, "N")), beats(5000)) == {"Nn": 1, "Vo": 1}


def test_of_two_at_the_same_distance_the_later_one_is_taken():
    assert table(beats(5000), marks((4980, "N"), (5020, "V"))) == {"Nv": 1, "On": 1}


def test_a_beat_whose_better_partner_has_a_better_one_keeps_its_own():
    """James Pardey's case, which made bxb's pairing what it has been since 2002."""
    assert table(beats(96, 160), beats(128, 185), window=37 / FS) == {"Nn": 2}


def test_beats_within_the_learning_period_are_not_scored():
    reference, test = beats(100_000, 108_100, 109_000), beats(100_000, 101_000, 108_100, 109_000, 110_000)
    assert table(reference, test, 300.0, length=650_000) == {"Nn": 2, "On": 1}


def test_the_first_scored_beat_may_have_its_partner_in_the_learning_period():
    assert table(beats(108_010, 109_000), beats(107_990, 109_000), 300.0, length=650_000) == {"Nn": 2}


def test_a_test_beat_just_after_the_learning_period_may_belong_to_a_beat_within():
    assert table(beats(107_990, 109_000), beats(108_010, 109_000), 300.0, length=650_000) == {"Nn": 1}


def test_the_comparison_ends_with_the_record_or_where_its_length_is_unknown_with_the_reference():
    reference, test = beats(1000, 2000), beats(1000, 2000, 3000)
    assert table(reference, test, length=5000) == {"Nn": 2, "On": 1}
    assert table(reference, test, length=2500) == {"Nn": 2}
    assert table(reference, test, length=None) == {"Nn": 2}


def test_a_record_within_the_learning_period_is_refused():
    with pytest.raises(ValueError, match="lasts 100 s, scoring starts after 300 s"):
        compare(beats(1), beats(1), FS, 36_000)


def test_beats_found_in_flutter_are_not_counted_and_beats_marked_there_are_not_read():
    reference = marks((1000, "N"), (2000, "["), (2100, "!"), (2200, "N"), (3000, "]"), (4000, "N"))
    test = beats(1000, 1999, 2000, 2200, 3000, 3001, 4000)
    assert table(reference, test) == {"Nn": 2, "On": 2}
    assert table(test, reference) == {"Nn": 2, "No": 5}


def test_flutter_without_an_end_goes_on_to_the_end():
    assert table(marks((1000, "N"), (2000, "[")), beats(1000, 2500, 9000)) == {"Nn": 1}


def test_a_flutter_wave_outside_flutter_has_no_class():
    assert table(marks((1000, "!"), (2000, "N")), beats(1000, 2000)) == {"On": 1, "Nn": 1}
    assert table(beats(1000, 2000), marks((1000, "!"), (2000, "N"))) == {"No": 1, "Nn": 1}


def test_beats_in_a_shutdown_of_the_other_annotator_are_paired_with_x():
    down = ((2000, "~", UNREADABLE), (3000, "~", READABLE))
    part = marks((1000, "N"), *down, (4000, "N"))
    whole = beats(1000, 2000, 2500, 3000, 4000)
    assert table(whole, part) == {"Nn": 2, "Nx": 3}
    assert table(part, whole) == {"Nn": 2, "Xn": 3}
    assert compare(whole, part, FS, 100_000, 0).shutdown == 3  # 2.8 s


def test_a_change_of_noise_in_a_readable_signal_is_no_shutdown():
    part = marks((1000, "N"), (2000, "~", 0x11), (2100, "~", 0x22), (2200, "|"), (2300, "+"), (4000, "N"))
    assert table(beats(1000, 2000, 2500, 4000), part) == {"Nn": 2, "No": 2}


def test_a_shutdown_marked_once_fills_the_gap_around_it():
    part = marks((1000, "N"), (2000, "~", -1), (4000, "N"))
    assert table(beats(1000, 1060, 2500, 3940, 4000), part) == {"Nn": 2, "Nx": 3}
    assert compare(beats(1000), part, FS, 100_000, 0).shutdown == (4000 - 1000 - 2 * 54 + 180) // 360


def test_a_shutdown_at_the_end_goes_on_to_the_end():
    part = marks((1000, "N"), (2000, "~", UNREADABLE))
    assert table(beats(1000, 2500, 90_000), part) == {"Nn": 1, "Nx": 2}
    assert compare(beats(1000), part, FS, 100_000, 0).shutdown == (98_000 + 180) // 360


def test_rr_intervals_are_compared_unless_something_lies_between():
    one = compare(beats(1000, 1300, 1600), beats(1000, 1310, 1600), FS, 100_000, 0)
    assert (one.rr_pairs, one.rr_squares) == (2, 200)
    broken = marks((1000, "N"), (1100, "["), (1200, "]"), (1300, "N"), (1600, "N"))
    one = compare(broken, beats(1000, 1310, 1600), FS, 100_000, 0)
    assert (one.rr_pairs, one.rr_squares) == (1, 100)


@pytest.mark.parametrize("empty", ["reference", "test", "both"])
def test_annotators_without_a_beat(empty):
    reference = beats() if empty in ("reference", "both") else beats(1000)
    test = beats() if empty in ("test", "both") else beats(1000)
    assert table(reference, test) == {"reference": {"On": 1}, "test": {"No": 1}, "both": {}}[empty]


def by_hand(reference, test, window):
    """The same table from the standard's prose, for beats that lie more than two windows apart: then no beat has a
    choice, and every pair can be looked for among all."""
    expected = {}
    for time, symbol in reference:
        near = [s for t, s in test if abs(t - time) <= window]
        name = LETTERS[PAIRED[symbol]] + (LETTERS[PAIRED[near[0]]].lower() if near else "o")
        expected[name] = expected.get(name, 0) + 1
    for time, symbol in test:
        if not any(abs(t - time) <= window for t, _ in reference):
            name = "O" + LETTERS[PAIRED[symbol]].lower()
            expected[name] = expected.get(name, 0) + 1
    return expected


@st.composite
def sparse(draw):
    symbols = st.sampled_from([symbol for symbol, kind in PAIRED.items() if kind < 5])
    gaps = draw(st.lists(st.tuples(st.integers(109, 600), symbols), max_size=15))
    times = np.cumsum([200, *(gap for gap, _ in gaps)])[1:]
    return [(int(time), symbol) for time, (_, symbol) in zip(times, gaps, strict=True)]


@settings(max_examples=80, deadline=None)
@given(sparse(), sparse())
def test_where_no_beat_has_a_choice_it_is_what_the_standard_says(reference, test):
    assert table(marks(*reference), marks(*test)) == by_hand(reference, test, 54)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 3000), max_size=25), st.lists(st.integers(1, 3000), max_size=25))
def test_every_beat_is_counted_once_and_no_pair_lies_further_apart_than_the_window(reference, test):
    reference, test = sorted(reference), sorted(test)
    got = table(beats(*reference), beats(*test))
    assert got.get("Nn", 0) + got.get("No", 0) == len(reference)
    assert got.get("Nn", 0) + got.get("On", 0) == len(test)
    near = sum(any(abs(t - r) <= 54 for t in test) for r in reference)
    assert got.get("Nn", 0) <= near


@pytest.mark.parametrize("seed", range(len(BXB["drawn"])))
def test_counts_are_those_of_bxb(seed):
    assert counts(compare(*drawn(seed))) == BXB["drawn"][seed]


@needs_records
@pytest.mark.parametrize("name", ["105", "108", "203", "207", "208", "232"])
def test_counts_on_real_records_are_those_of_bxb(name):
    import wfdb

    read = wfdb.rdann(str(RECORDS / name), "atr")
    reference = (read.sample, read.symbol, np.asarray(read.subtype))
    assert counts(compare(reference, distorted(*reference), FS, 650_000)) == BXB["records"][name]


MATRIX = np.array(
    [
        [900, 11, 12, 13, 14, 15, 16],
        [21, 80, 22, 23, 24, 25, 26],
        [31, 32, 70, 33, 34, 35, 36],
        [41, 42, 43, 60, 44, 45, 46],
        [51, 52, 53, 54, 50, 55, 56],
        [61, 62, 63, 64, 65, 0, 0],
        [71, 72, 73, 74, 75, 0, 0],
    ]
)


def test_figures_from_the_table():
    """Worked out by hand from EC57's formulas: o and x both miss, O and X are both extra."""
    figures = scores(MATRIX)
    found = 950 + 170 + 200 + 230 + 260  # row by row
    missed, extra = 15 + 16 + 25 + 26 + 35 + 36 + 45 + 46 + 55 + 56, 315 + 365
    assert figures["QRS"] == {"Se": (found, found + missed), "+P": (found, found + extra)}
    v_wrong = 12 + 22 + 63 + 73
    not_v = (900 + 11 + 13 + 14) + (21 + 80 + 23 + 24) + (41 + 42 + 60 + 44) + (51 + 52 + 54 + 50)
    not_v += (61 + 62 + 64 + 65) + (71 + 72 + 74 + 75)
    assert figures["VEB"] == {
        "Se": (70, 31 + 32 + 70 + 33 + 34 + 35 + 36),
        "+P": (70, 70 + v_wrong),
        "FPR": (v_wrong, v_wrong + not_v),
    }
    s_wrong = 11 + 32 + 42 + 62 + 72
    not_s = (900 + 12 + 13 + 14) + (31 + 70 + 33 + 34) + (41 + 43 + 60 + 44) + (51 + 53 + 54 + 50)
    not_s += (61 + 63 + 64 + 65) + (71 + 73 + 74 + 75)
    assert figures["SVEB"] == {
        "Se": (80, 21 + 80 + 22 + 23 + 24 + 25 + 26),
        "+P": (80, 80 + s_wrong),
        "FPR": (s_wrong, s_wrong + not_s),
    }


def test_gross_sums_the_tables_and_average_means_over_the_records_that_define_a_figure():
    first = compare(marks((1000, "N"), (2000, "V")), marks((1000, "N"), (2000, "N"), (3000, "V")), FS, 100_000, 0)
    second = compare(beats(1000, 2000, 3000), beats(1000, 2000), FS, 100_000, 0)
    result = summary({"a": first, "b": second})
    assert result["gross"]["scores"]["QRS"] == {"Se": 4 / 5, "+P": 4 / 5}
    assert result["average"]["scores"]["QRS"] == {"Se": pytest.approx((1 + 2 / 3) / 2), "+P": (2 / 3 + 1) / 2}
    assert result["records"]["b"]["scores"]["VEB"] == {"Se": None, "+P": None, "FPR": 0.0}
    assert result["average"]["scores"]["VEB"] == {"Se": 0.0, "+P": 0.0, "FPR": pytest.approx((1 / 2 + 0) / 2)}
    assert result["gross"]["matrix"] == (first.matrix + second.matrix).tolist()
    assert json.loads(json.dumps(result)) == result


def test_rr_errors_are_pooled_in_milliseconds():
    slow = compare(beats(100, 200, 300), beats(100, 201, 300), 100.0, 10_000, 0)
    fast = compare(beats(1000, 2000, 3000), beats(1000, 2030, 3000), 1000.0, 100_000, 0)
    result = summary({"slow": slow, "fast": fast})
    assert result["records"]["slow"]["rr_rms_ms"] == pytest.approx(10)
    assert result["records"]["fast"]["rr_rms_ms"] == pytest.approx(30)
    assert result["gross"]["rr_rms_ms"] == pytest.approx(((2 * 100 + 2 * 900) / 4) ** 0.5)
    assert result["average"]["rr_rms_ms"] == pytest.approx(20)


def test_the_report_shows_what_there_is():
    one = compare(marks((1000, "N"), (2000, "S"), (3000, "N")), marks((1000, "N"), (2000, "S")), FS, 100_000, 0)
    what = {"ref_annotator": "atr", "test_annotator": "ecg", "score_start": 0.0, "match_window": 0.15}
    lines = report({**what, **summary({"100": one})}).splitlines()
    assert "atr / ecg" in lines[0]
    row = next(line.split() for line in lines if line.startswith("100 "))
    assert row[1:9] == ["66.67", "100.00", "-", "-", "0.000", "100.00", "100.00", "0.000"]
    assert next(line for line in lines if line.startswith("  N |")).split()[2:] == ["1", "0", "0", "0", "0", "1", "0"]
    assert any("QRS Se:    66.67 % (2/3)" in line for line in lines)
