"""loaders.beats.table: segmentation of recordings small enough to do by hand, and the labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from loaders.beats.table import DECIMATION, TAIL, Beats, kaggle_beats, labels_of
from loaders.io.wfdb_record import Record
from toolbox.utils.aami import CLASS_LETTERS, CLASS_NAMES, DE_CHAZAL_CLASSES, KAGGLE_ROW


def recording(lead: Any, marks: list[tuple[int, str]], name: str = "r", patient: str = "p") -> Record:
    """A recording of `lead` and a second lead that must not matter; `marks` are (sample, symbol)."""
    first = np.asarray(lead, dtype=np.int16)
    return Record(
        name=name,
        patient=patient,
        fs=360.0,
        leads=["MLII", "V1"],
        digital=np.stack([first, np.resize([7, -2000, 31], len(first)).astype(np.int16)], axis=1),
        gain=np.full(2, 200.0),
        baseline=np.full(2, 1024.0),
        sample=np.array([at for at, _ in marks], dtype=np.int64),
        symbol=np.array([symbol for _, symbol in marks], dtype="U1"),
    )


def ramp(n: int) -> np.ndarray:
    """A signal whose value is its own sample number, so that rows say where they were taken."""
    return np.arange(n, dtype=np.int16)


MARKS = [(10, "N"), (100, "V"), (164, "+"), (220, "A"), (300, "N")]


def test_the_recipe_by_hand() -> None:
    """Rows end floor(20 %) of the RR interval after the next annotation, beat or not; the signal's end is the last."""
    beats = kaggle_beats(recording(ramp(400), MARKS))
    spans = [(10, 100 + 12), (100, 164 + 11), (220, 300 + 20)]  # 0.2 * 64 = 12.8, 0.2 * 56 = 11.2, 0.2 * 100
    assert beats.length.tolist() == [34, 25, 34]
    assert beats.x.shape == (3, 187)
    for row, (start, stop) in enumerate(spans):
        taken = np.arange(start, stop, 3)
        expected = np.zeros(187)
        expected[: len(taken)] = (taken - start) / (taken[-1] - start)
        assert np.array_equal(beats.x[row], expected.astype(np.float32))


def test_what_is_known_of_each_row() -> None:
    beats = kaggle_beats(recording(ramp(400), MARKS, name="202", patient="201"))
    assert beats.y.tolist() == [0, 2, 1]
    assert beats.sample.tolist() == [10, 100, 220]
    assert beats.symbol.tolist() == ["N", "V", "A"]
    assert beats.record.tolist() == ["202"] * 3
    assert beats.patient.tolist() == ["201"] * 3
    assert len(beats) == 3
    types = {name: getattr(beats, name).dtype for name in ("x", "y", "length", "sample", "symbol")}
    assert types == {"x": np.float32, "y": np.int64, "length": np.int16, "sample": np.int32, "symbol": np.dtype("U1")}


def test_constants_are_those_of_the_recipe() -> None:
    assert (KAGGLE_ROW, DECIMATION, TAIL) == (187, 3, 0.2)


def test_the_last_annotation_gives_no_row_and_the_one_before_uses_the_signals_end() -> None:
    beats = kaggle_beats(recording(ramp(1000), [(0, "N"), (300, "N")]))
    assert beats.sample.tolist() == [0]
    assert beats.length.tolist() == [-(-(300 + 140) // 3)]
    assert len(kaggle_beats(recording(ramp(1000), [(300, "N")]))) == 0
    assert len(kaggle_beats(recording(ramp(1000), []))) == 0
    assert len(kaggle_beats(recording(ramp(1000), [(300, "+"), (400, "~"), (500, "N")]))) == 0


def test_the_last_annotation_is_dropped_though_it_is_no_beat() -> None:
    beats = kaggle_beats(recording(ramp(1000), [(0, "N"), (300, "N"), (600, "~")]))
    assert beats.sample.tolist() == [0, 300]


def test_decimation_takes_every_third_sample_and_filters_nothing() -> None:
    for offset, seen in ((0, True), (1, False), (2, False), (3, True)):
        lead = np.zeros(400)
        lead[30 + offset] = 900  # a spike
        lead[90] = 1000
        row = kaggle_beats(recording(lead, [(0, "N"), (200, "N"), (300, "N")])).x[0]
        assert np.flatnonzero(row).tolist() == ([(30 + offset) // 3, 30] if seen else [30])
        assert row.max() == 1


def test_rows_are_scaled_over_the_whole_segment_before_they_are_cut() -> None:
    lead = ramp(1200)
    beats = kaggle_beats(recording(lead, [(0, "N"), (900, "N"), (1000, "N")]))
    whole = np.arange(0, 920, 3)
    assert len(whole) > KAGGLE_ROW
    assert beats.length.tolist() == [KAGGLE_ROW, KAGGLE_ROW - 187 + len(range(900, 1040, 3))]
    assert np.array_equal(beats.x[0], (whole / whole[-1])[:KAGGLE_ROW].astype(np.float32))
    assert beats.x[0].max() == np.float32(186 * 3 / 918)  # the peak lies behind the cut


def test_scaling_is_in_double_precision() -> None:
    rng = np.random.default_rng(0)
    lead = rng.integers(0, 2048, 700)
    row = kaggle_beats(recording(lead, [(0, "N"), (500, "N"), (650, "N")])).x[0]
    part = lead[0:530:3].astype(np.float64)
    expected = ((part - part.min()) / (part.max() - part.min())).astype(np.float32)
    assert np.array_equal(row[: len(part)], expected)
    assert (row[len(part) :] == 0).all()


def test_a_full_range_of_the_converter_does_not_overflow() -> None:
    lead = np.where(np.arange(400) % 6 < 3, -32768, 32767)
    row = kaggle_beats(recording(lead, [(0, "N"), (100, "N"), (300, "N")])).x[0]
    assert row[:47].tolist() == [0.0, 1.0] * 23 + [0.0]


def test_a_flat_segment_gives_zeros() -> None:
    beats = kaggle_beats(recording(np.full(400, 1024), [(0, "N"), (100, "V"), (200, "N")]))
    assert (beats.x == 0).all()
    assert np.isfinite(beats.x).all()
    assert beats.length.tolist() == [len(range(0, 120, 3)), len(range(100, 240, 3))]


def test_annotations_at_one_and_the_same_sample_give_a_row_without_signal() -> None:
    """As recordings of others have them: a rhythm change at its beat."""
    beats = kaggle_beats(recording(ramp(400), [(50, "N"), (50, "+"), (52, "N"), (200, "N")]))
    assert beats.sample.tolist() == [50, 52]
    assert beats.length.tolist() == [0, len(range(52, 240, 3))]
    assert (beats.x[0] == 0).all()


def test_the_signal_is_left_as_it_was() -> None:
    record = recording(ramp(400), MARKS)
    before = record.digital.copy()
    kaggle_beats(record)
    assert np.array_equal(record.digital, before)


# classes


@pytest.mark.parametrize(("letter", "symbols"), [("N", "NLRej"), ("S", "AaJS"), ("V", "VE"), ("F", "F"), ("Q", "/fQ")])
def test_symbols_by_class(letter: str, symbols: str) -> None:
    label = CLASS_LETTERS.index(letter)
    assert labels_of(np.array(list(symbols))).tolist() == [label] * len(symbols)
    assert [symbol for symbol, known in DE_CHAZAL_CLASSES.items() if known == label] == list(symbols)


def test_what_is_no_beat_of_the_five_classes_has_no_label() -> None:
    others = list("+~|[]!x\"@^`'*=?rBnps")
    assert labels_of(np.array(others)).tolist() == [-1] * len(others)
    assert labels_of(np.array([], dtype="U1")).tolist() == []
    assert labels_of(np.array([], dtype="U1")).dtype == np.int64


def test_class_names_go_with_the_letters() -> None:
    assert CLASS_LETTERS == ("N", "S", "V", "F", "Q")
    assert CLASS_NAMES == ("Normal", "Supraventricular ectopic", "Ventricular ectopic", "Fusion", "Unknown")


def test_take_and_join_keep_rows_together() -> None:
    beats = kaggle_beats(recording(ramp(400), MARKS, name="a"))
    more = kaggle_beats(recording(ramp(500), MARKS, name="b"))
    joined = Beats.join([beats, more])
    assert len(joined) == 6
    assert joined.record.tolist() == ["a"] * 3 + ["b"] * 3
    taken = joined.take(np.array([5, 0, 2]))
    assert taken.record.tolist() == ["b", "a", "a"]
    assert taken.sample.tolist() == [220, 10, 220]
    assert np.array_equal(taken.x, np.stack([more.x[2], beats.x[0], beats.x[2]]))
