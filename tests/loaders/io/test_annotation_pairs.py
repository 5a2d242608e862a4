"""Reading two annotators of one recording, wherever they lie and whatever their time resolution."""

from pathlib import Path

import numpy as np
import pytest

from loaders.io.annotation_pairs import find_pairs, read_pair
from toolbox.utils import UserError

FS = 250.0
LENGTH = 100_000


def header(folder: Path, name: str, fs: float = FS, length: int = LENGTH) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.hea").write_text(f"{name} 1 {fs:g} {length}\n{name}.dat 16 200 16 0 0 0 0 MLII\n")


def annotate(folder: Path, name: str, annotator: str, sample, symbol, subtype=None, fs=None) -> None:
    import wfdb

    folder.mkdir(parents=True, exist_ok=True)
    subtype = None if subtype is None else np.array(subtype)
    wfdb.wrann(name, annotator, np.array(sample), list(symbol), subtype=subtype, fs=fs, write_dir=str(folder))


@pytest.fixture
def folder(tmp_path):
    """Three records with references, the first two with a test annotator beside them."""
    for name in ("a", "b", "c"):
        header(tmp_path, name)
        annotate(tmp_path, name, "atr", [100, 400, 900], "NVN")
    for name in ("a", "b"):
        annotate(tmp_path, name, "ecg", [101, 401, 901], "NNN")
    return tmp_path


def test_symbols_subtypes_and_the_header_are_read(folder):
    annotate(folder, "a", "ecg", [100, 300, 350, 400], "A~~/", [0, -1, 0x11, 0])
    pair = read_pair(folder / "a", "atr", "ecg")
    assert (pair.name, pair.fs, pair.length) == ("a", FS, LENGTH)
    assert pair.reference.sample.tolist() == [100, 400, 900] and pair.reference.symbol == ["N", "V", "N"]
    assert pair.test.symbol == ["A", "~", "~", "/"]
    assert [int(subtype) & 0x30 for subtype in pair.test.subtype] == [0, 0x30, 0x10, 0]


@pytest.mark.parametrize(("fs", "expected"), [(500, [50, 201, 450]), (125, [200, 802, 1800]), (1000, [25, 100, 225])])
def test_another_time_resolution_becomes_samples_of_the_record_halves_rounded_up(folder, fs, expected):
    annotate(folder, "a", "ecg", [100, 401, 900], "NNN", fs=fs)
    pair = read_pair(folder / "a", "atr", "ecg")
    assert pair.test.sample.tolist() == expected
    assert pair.reference.sample.tolist() == [100, 400, 900]


def test_the_test_annotations_may_lie_in_another_folder(folder):
    annotate(folder / "elsewhere", "c", "mine", [7], "S", fs=250)
    pair = read_pair(folder / "c", "atr", "mine", str(folder / "elsewhere"))
    assert pair.test.sample.tolist() == [7] and pair.test.symbol == ["S"]


def test_without_a_header_the_annotations_tell_the_rate(tmp_path):
    annotate(tmp_path, "x", "atr", [360, 720], "NN", fs=360)
    annotate(tmp_path, "x", "ecg", [250, 500], "NN", fs=250)
    pair = read_pair(tmp_path / "x", "atr", "ecg")
    assert (pair.fs, pair.length) == (360.0, None)
    assert pair.test.sample.tolist() == [360, 720]


def test_without_any_rate_it_is_refused(tmp_path):
    for annotator in ("atr", "ecg"):
        annotate(tmp_path, "x", annotator, [360], "N")
    with pytest.raises(UserError, match="sampling rate"):
        read_pair(tmp_path / "x", "atr", "ecg")


def test_a_file_without_annotations_has_none(folder):
    (folder / "a.ecg").write_bytes(b"\0\0")
    assert read_pair(folder / "a", "atr", "ecg").test.symbol == []


@pytest.mark.parametrize("name", ["a.ecg", "a.hea"])
def test_a_broken_file_is_named(folder, name):
    (folder / name).write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(UserError, match=name):
        read_pair(folder / "a", "atr", "ecg")


def test_a_folder_gives_the_records_that_both_have_annotated(folder):
    records, lacking = find_pairs([str(folder)], "atr", "ecg")
    assert [record.name for record in records] == ["a", "b"] and lacking == ["c"]


def test_records_are_named_by_path_with_or_without_an_ending(folder):
    records, _ = find_pairs([str(folder / "b.hea"), str(folder / "a")], "atr", "ecg")
    assert [record.name for record in records] == ["b", "a"]


def test_records_can_be_excluded(folder):
    records, lacking = find_pairs([str(folder)], "atr", "ecg", exclude=["a", "c"])
    assert [record.name for record in records] == ["b"] and lacking == []


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (["c"], {}, "c.ecg is missing"),
        (["nobody"], {}, "nobody.atr is missing"),
        (["a", "a"], {}, "a is given twice"),
        (["."], {"exclude": ["z"]}, "--exclude z: no such record"),
        (["."], {"test": "xyz"}, "no annotations NAME.xyz"),
        (["."], {"reference": "xyz"}, "no annotated WFDB record"),
    ],
)
def test_what_cannot_be_compared_is_said(folder, given, options, message):
    options = {"reference": "atr", "test": "ecg", **options}
    with pytest.raises(UserError, match=message):
        find_pairs([str(folder / name) for name in given], **options)
