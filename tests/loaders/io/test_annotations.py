"""Annotation files: one reader for training, --peaks and --score; beats and tables beside a recording."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb

from loaders.io.annotations import TABLE_OF_BEATS, read_annotations, read_beats, read_pair, write_beats, write_table
from loaders.io.wfdb_record import read_wfdb
from tests.made import annotation_bytes, note_bytes, write_annotations, write_format, write_header
from toolbox.utils import UserError

FS, LENGTH = 250.0, 100_000
END = annotation_bytes(0, 0)
BEATS = annotation_bytes(1, 500) + annotation_bytes(1, 400) + END  # two, at samples 500 and 900
BACK = annotation_bytes(59, 0) + b"\xff\xff\xf0\xff"  # SKIP, -16 samples
RATE, DEFINITIONS, LAST = "## time resolution: 360", "## annotation type definitions", "## end of definitions"


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A record of 1,000 samples at 360 Hz, with sound annotations by "atr" and "ecg"."""
    write_format(tmp_path, "r", np.arange(2000).reshape(-1, 2) % 50, "16")
    for annotator in ("atr", "ecg"):
        (tmp_path / f"r.{annotator}").write_bytes(BEATS)
    return tmp_path / "r"


def read_both(record: Path, test: str = "ecg") -> Any:
    return read_pair(record, "atr", test)


# The ways into the file r.atr.
WAYS: dict[str, Callable[[Path], Any]] = {
    "--records-dir": read_wfdb,
    "--peaks atr": lambda record: read_beats(record, "atr", 360.0),
    "--score, reference": read_both,
    "--score, test": lambda record: read_pair(record, "ecg", "atr"),
}
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "r.atr is cut off or damaged: an annotation file ends with two zero bytes$"),
    "one byte": (b"\0", "r.atr is cut off or damaged"),
    "three bytes": (b"\xff\xfe\xfd", "r.atr is cut off or damaged"),
    "no end": (BEATS[:-2], "r.atr is cut off or damaged"),
    "half an end": (BEATS[:-1], "r.atr is cut off or damaged"),
    "an odd length": (BEATS + b"\0", "r.atr is cut off or damaged"),
    "beyond its end": (annotation_bytes(1, 500) + annotation_bytes(59, 0) + b"\0\0", "last annotation goes beyond"),
    "before the start": (BACK + annotation_bytes(1, 1) + BEATS, "annotations from sample -15 to 885, the "),
    "back in time": (
        annotation_bytes(1, 500) + BACK + annotation_bytes(1, 1) + annotation_bytes(1, 300) + END,
        "annotation 2 is at sample 485, before the one at 500$",
    ),
    "rate of 0": (note_bytes("## time resolution: 0") + BEATS, "r.atr counts 0 samples a second"),
    **{
        f"notes {'; '.join(notes)}": (b"".join(map(note_bytes, notes)) + BEATS, "r.atr: the notes that it begins with")
        for notes in (["## something else"], ["## time resolution: "], [RATE, RATE], [LAST], [DEFINITIONS])
    },
    "a symbol without a name": (note_bytes(DEFINITIONS) + note_bytes("42") + note_bytes(LAST) + BEATS, "r.atr cannot"),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", BAD)
def test_every_reader_refuses_the_same_files_in_one_line(record: Path, way: str, fault: str) -> None:
    content, message = BAD[fault]
    WAYS[way](record)  # sound as yet
    record.with_name("r.atr").write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        WAYS[way](record)
    assert str(record) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("notes", "code", "symbols"),
    [
        ([], 1, "NN"),
        ([RATE], 1, "NN"),
        ([RATE, DEFINITIONS, "42 @ a symbol", LAST], 42, "N@"),
        ([DEFINITIONS, "42 V a symbol of the standard", LAST], 42, "NV"),
        (["a text of the annotator's"], 1, "NN"),
    ],
)
def test_every_reader_reads_the_same_of_good_files(record: Path, notes: list[str], code: int, symbols: str) -> None:
    content = annotation_bytes(1, 500) + annotation_bytes(code, 400) + END
    record.with_name("r.atr").write_bytes(b"".join(map(note_bytes, notes)) + content)
    trained, pair = read_wfdb(record), read_both(record)
    assert trained.sample.tolist() == pair.reference.sample.tolist() == [500, 900]
    assert "".join(trained.symbol) == "".join(pair.reference.symbol) == symbols
    assert read_beats(record, "atr", 360.0).tolist() == ([500] if "@" in symbols else [500, 900])
    assert pair.test.sample.tolist() == [500, 900] and pair.test.symbol == ["N", "N"]


def test_codes_without_a_symbol_of_one_character_are_no_beats(record: Path) -> None:
    definitions = b"".join(map(note_bytes, [DEFINITIONS, "43 NN a long name", LAST]))
    codes = annotation_bytes(45, 100) + annotation_bytes(43, 100) + annotation_bytes(1, 100)
    record.with_name("r.atr").write_bytes(definitions + codes + END)
    assert read_annotations(record.with_name("r.atr")).annotations.symbol == ["", "", "N"]
    assert read_wfdb(record).symbol.tolist() == ["", "", "N"]
    assert read_beats(record, "atr", 360.0).tolist() == [300]


def test_notes_and_subtypes_are_read(tmp_path: Path) -> None:
    wfdb.wrann(
        "r", "atr", np.array([5, 9]), ["+", "~"], subtype=np.array([0, -1]), aux_note=["(AFIB", ""], fs=360,
        write_dir=str(tmp_path),
    )  # fmt: skip
    content = read_annotations(tmp_path / "r.atr")
    assert (content.texts, content.fs) == (["(AFIB", ""], 360)
    assert content.annotations.subtype.tolist() == [0, -1]


# beats of one annotator


def test_annotation_files_are_read_back_by_wfdb(tmp_path: Path) -> None:
    sample = np.array([10, 400, 2_000_000, 40_000_000])
    symbol = np.array(list("NSVQ"))
    write_beats(tmp_path / "my rec.1.ecg", sample, symbol, 512.0, [(500, 900, "gap"), (3_000_000, 3_000_500, "flat")])
    assert [path.name for path in tmp_path.iterdir()] == ["my rec.1.ecg"]
    content = wfdb.rdann(str(tmp_path / "my rec.1"), "ecg")
    assert content.fs == 512
    assert content.sample.tolist() == [10, 400, 500, 900, 2_000_000, 3_000_000, 3_000_500, 40_000_000]
    assert content.symbol == ["N", "S", "~", "~", "V", "~", "~", "Q"]
    unreadable = [(int(kind) & 0x30) == 0x30 for kind in np.asarray(content.subtype)]  # as bxb reads it
    assert unreadable == [False, False, True, False, False, True, False, False]
    assert read_beats(tmp_path / "my rec.1", "ecg", 512.0).tolist() == sample.tolist()
    assert read_beats(tmp_path / "my rec.1", "ecg", 256.0).tolist() == (sample // 2).tolist()


def test_only_beats_are_read_each_once_in_order(tmp_path: Path) -> None:
    wfdb.wrann("r", "atr", np.array([0, 5, 9, 9, 20]), list("+NV~f"), write_dir=str(tmp_path))
    assert read_beats(tmp_path / "r", "atr", 360.0).tolist() == [5, 9, 20]


def test_a_missing_file_and_one_without_beats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no annotation file r\.atr; --peaks detect finds the beats itself$"):
        read_beats(tmp_path / "r", "atr", 360.0)
    wfdb.wrann("r", "atr", np.array([3]), ["+"], write_dir=str(tmp_path))
    with pytest.raises(UserError, match="has no beats"):
        read_beats(tmp_path / "r", "atr", 360.0)


# two annotators


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three records with references, the first two with a test annotator beside them."""
    for name in ("a", "b", "c"):
        write_header(tmp_path, name, FS, LENGTH)
        write_annotations(tmp_path, name, "atr", [100, 400, 900], "NVN")
    for name in ("a", "b"):
        write_annotations(tmp_path, name, "ecg", [101, 401, 901], "NNN")
    return tmp_path


def test_symbols_subtypes_and_the_header_are_read(folder: Path) -> None:
    write_annotations(folder, "a", "ecg", [100, 300, 350, 400], "A~~/", [0, -1, 0x11, 0])
    pair = read_pair(folder / "a", "atr", "ecg")
    assert (pair.name, pair.fs, pair.length) == ("a", FS, LENGTH)
    assert pair.reference.sample.tolist() == [100, 400, 900] and pair.reference.symbol == ["N", "V", "N"]
    assert pair.test.symbol == ["A", "~", "~", "/"]
    assert [int(subtype) & 0x30 for subtype in pair.test.subtype] == [0, 0x30, 0x10, 0]


@pytest.mark.parametrize(("fs", "expected"), [(500, [50, 201, 450]), (125, [200, 802, 1800]), (1000, [25, 100, 225])])
def test_another_time_resolution_becomes_samples_of_the_record_halves_rounded_up(
    folder: Path, fs: float, expected: list[int]
) -> None:
    write_annotations(folder, "a", "ecg", [100, 401, 900], "NNN", fs=fs)
    pair = read_pair(folder / "a", "atr", "ecg")
    assert pair.test.sample.tolist() == expected
    assert pair.reference.sample.tolist() == [100, 400, 900]


def test_the_test_annotations_may_lie_in_another_folder(folder: Path) -> None:
    write_annotations(folder / "elsewhere", "c", "mine", [7], "S", fs=250)
    pair = read_pair(folder / "c", "atr", "mine", str(folder / "elsewhere"))
    assert pair.test.sample.tolist() == [7] and pair.test.symbol == ["S"]


def test_without_a_header_the_annotations_tell_the_rate(tmp_path: Path) -> None:
    write_annotations(tmp_path, "x", "atr", [360, 720], "NN", fs=360)
    write_annotations(tmp_path, "x", "ecg", [250, 500], "NN", fs=250)
    pair = read_pair(tmp_path / "x", "atr", "ecg")
    assert (pair.fs, pair.length) == (360.0, None)
    assert pair.test.sample.tolist() == [360, 720]


def test_without_any_rate_it_is_refused(tmp_path: Path) -> None:
    for annotator in ("atr", "ecg"):
        write_annotations(tmp_path, "x", annotator, [360], "N")
    with pytest.raises(UserError, match="sampling rate"):
        read_pair(tmp_path / "x", "atr", "ecg")


def test_a_file_without_annotations_has_none(folder: Path) -> None:
    (folder / "a.ecg").write_bytes(b"\0\0")
    assert read_pair(folder / "a", "atr", "ecg").test.symbol == []


@pytest.mark.parametrize("name", ["a.ecg", "a.hea"])
def test_a_broken_file_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(UserError, match=name):
        read_pair(folder / "a", "atr", "ecg")


# tables


def test_tables_hold_a_line_per_beat(tmp_path: Path) -> None:
    probabilities = np.array([[0.25, 0.75], [0.98765432, 0.01234568]], dtype=np.float32)
    rr = np.array([np.nan, 0.81])
    arguments = np.array([0.5, 1.31]), np.array([180, 472]), rr, np.array(["S", "N"]), probabilities, ("N", "S")
    write_table(tmp_path / "t.csv", *arguments)
    assert (tmp_path / "t.csv").read_text() == (
        f"{TABLE_OF_BEATS},p_N,p_S\n0.5,180,,S,0.25,0.75\n1.31,472,0.81,N,0.9877,0.0123\n"
    )
