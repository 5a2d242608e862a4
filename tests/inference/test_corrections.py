"""--corrections: lists of beats that a person named, deleted or inserted, applied to what the network found."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb

from commander import cli, main
from inference.corrections import apply_corrections, read_corrections
from inference.files import AnnotateOptions
from tests.made import Rule, small_record, write_format
from toolbox.holter.annotation import AnnotatedRecording
from toolbox.holter.trace import CompressedTrace
from toolbox.utils import UserError

FS, LENGTH = 360, 0.5


@pytest.fixture(autouse=True)
def rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """--predict with a rule for a network."""
    monkeypatch.setattr("commands.predict.load_classifier", lambda args: Rule())


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A recording r without annotations."""
    return write_format(tmp_path / "in", "r", small_record(LENGTH).digital, "16")


def saved(folder: Path, changes: Any, name: str = "r", **values: Any) -> Path:
    """A list of changes as the page saves it."""
    length = len(small_record(LENGTH).digital)
    head = {"format": 1, "recording": name, "fs": FS, "samples": length, "annotator": "ecg", **values}
    file = folder / f"{name}.corrections.json"
    file.write_text(json.dumps({**head, "changes": changes}, indent=2))
    return file


def predict(record: Path, *flags: str) -> dict[str, Any]:
    """The summary of the recording, as written."""
    main(["--predict", str(record), *flags])
    return json.loads(record.with_suffix(".ecg.json").read_text())


def beats(record: Path, annotator: str = "ecg") -> list[tuple[int, str]]:
    read = wfdb.rdann(str(record.with_suffix("")), annotator)
    return [(at, mark) for at, mark in zip(read.sample.tolist(), read.symbol, strict=True) if mark in "NSVFQ"]


def table(record: Path) -> list[dict[str, str]]:
    lines = record.with_suffix(".ecg.csv").read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def test_named_deleted_and_inserted_beats_are_in_every_file(record: Path) -> None:
    summary = predict(record)
    before = beats(record)
    (first, _), (third, was), (fifth, gone) = before[1], before[3], before[5]
    new = (before[7][0] + before[8][0]) // 2
    changes = [
        {"action": "insert", "sample": new, "to": "S"},
        {"action": "name", "sample": third + 5, "from": was, "to": "F"},  # 14 ms off
        {"action": "delete", "sample": fifth, "from": gone},
    ]
    file = saved(record.parent, changes)
    content = file.read_bytes()
    after = predict(record, "--corrections", str(file))
    expected = sorted([*(beat for k, beat in enumerate(before) if k not in (3, 5)), (third, "F"), (new, "S")])
    assert beats(record) == expected
    assert after["corrections"] == {
        "files": ["r.corrections.json"], "named": 1, "deleted": 1, "inserted": 1, "corrected": [third, new]
    }  # fmt: skip
    assert after["beats"]["all"] == summary["beats"]["all"] and after["beats"]["F"] == summary["beats"]["F"] + 1
    rows = table(record)
    assert [(int(row["sample"]), row["class"]) for row in rows] == expected
    inserted = next(row for row in rows if int(row["sample"]) == new)
    assert (inserted["p_N"], inserted["p_V"]) == ("", "") and float(inserted["rr_s"]) == round(
        (new - before[7][0]) / FS, 4
    )
    named = next(row for row in rows if int(row["sample"]) == third)
    assert max("NSVFQ", key=lambda letter: float(named[f"p_{letter}"])) == was  # the network's view stays
    whole = next(row for row in rows if int(row["sample"]) == before[6][0])
    assert float(whole["rr_s"]) == round((before[6][0] - before[4][0]) / FS, 4)  # over the deleted beat
    assert (
        "1 named, 1 deleted, 1 inserted by a person (r.corrections.json)" in record.with_suffix(".ecg.csv").read_text()
    )
    assert "1 named, 1 deleted, 1 inserted by a person" in record.with_suffix(".ecg.html").read_text()
    assert file.read_bytes() == content and first == beats(record)[1][0]


def test_episodes_are_those_of_the_corrected_beats(record: Path) -> None:
    predict(record)
    four = [at for at, _ in beats(record)[4:8]]
    file = saved(record.parent, [{"action": "name", "sample": at, "from": "N", "to": "V"} for at in four])
    neighbours = [{"action": "name", "sample": beats(record)[k][0], "to": "N"} for k in (3, 8)]
    file = saved(record.parent, [*json.loads(file.read_text())["changes"], *neighbours])
    summary = predict(record, "--corrections", str(file))
    run = next(e for e in summary["episodes"] if e["kind"] == "V run" and e["first"] == 4)
    assert (run["last"], run["beats"], run["start"]) == (7, 4, round(four[0] / FS, 3))


def test_a_repeated_call_is_done_before_and_another_list_is_not(record: Path) -> None:
    predict(record)
    file = saved(record.parent, [{"action": "delete", "sample": beats(record)[2][0]}])
    predict(record, "--corrections", str(file))
    result = main(["--predict", str(record), "--corrections", str(file)])
    assert next(iter(result["recordings"].values()))["done_before"]
    saved(record.parent, [])
    assert predict(record, "--corrections", str(file))["corrections"]["deleted"] == 0


def test_corrected_files_are_not_replaced_by_uncorrected_ones(record: Path) -> None:
    predict(record)
    file = saved(record.parent, [{"action": "delete", "sample": beats(record)[2][0]}])
    predict(record, "--corrections", str(file))
    before = {path: path.read_bytes() for path in record.parent.iterdir()}
    with pytest.raises(
        UserError, match=r"r.ecg holds a person's corrections: give --corrections again, or take another"
    ):
        main(["--predict", str(record)])
    assert {path: path.read_bytes() for path in record.parent.iterdir()} == before


@pytest.mark.parametrize("annotator", ["corrections", "atr", "corrected"])
def test_what_the_page_saved_is_never_overwritten(record: Path, annotator: str) -> None:
    predict(record)
    file = saved(record.parent, [{"action": "delete", "sample": beats(record)[2][0]}])
    own = {"corrections": file, "atr": record.with_suffix(".atr"), "corrected": record.with_suffix(".corrected")}[
        annotator
    ]
    if own != file:
        own.write_bytes(record.with_suffix(".ecg").read_bytes())
    before = own.read_bytes()
    with pytest.raises(UserError, match=f"{own.name} exists and is not of --predict"):
        main(["--predict", str(record), "--annotator", annotator, "--corrections", str(file)])
    assert own.read_bytes() == before


def test_a_folder_holds_a_list_for_each_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digital = small_record(LENGTH).digital
    for name in ("a", "b", "c"):
        write_format(tmp_path / "in", name, digital, "16")
    main(["--predict", str(tmp_path / "in")])
    third = beats(tmp_path / "in" / "a")[2][0]
    lists = tmp_path / "lists"
    lists.mkdir()
    for name in ("a", "b", "z"):
        saved(lists, [{"action": "delete", "sample": third}], name)
    main(["--predict", str(tmp_path / "in"), "--corrections", str(lists)])
    counts = {name: [at for at, _ in beats(tmp_path / "in" / name)].count(third) for name in "abc"}
    assert counts == {"a": 0, "b": 0, "c": 1}
    assert f"corrections of other recordings are left out: {lists / 'z.corrections.json'}" in capsys.readouterr().err


def test_lists_beside_recordings_are_no_recordings(record: Path) -> None:
    predict(record)
    saved(record.parent, [{"action": "delete", "sample": beats(record)[2][0]}])
    result = main(["--predict", str(record.parent), "--corrections", str(record.parent)])
    assert list(result["recordings"]) == [str(record)] and result["failed"] == {}


def test_lists_of_one_recording_are_applied_one_after_the_other(record: Path) -> None:
    predict(record)
    new = (beats(record)[4][0] + beats(record)[5][0]) // 2
    first = saved(record.parent, [{"action": "insert", "sample": new, "to": "S"}]).rename(record.parent / "1.json")
    second = saved(record.parent, [{"action": "name", "sample": new, "from": "S", "to": "V"}])
    summary = predict(record, "--corrections", str(first), str(second))
    assert (new, "V") in beats(record) and summary["corrections"]["files"] == ["1.json", "r.corrections.json"]


BAD = [
    ({"changes": [{"action": "name", "sample": 10, "to": "V"}]}, "name V at sample 10: no beat within 50 ms"),
    ({"changes": [{"action": "delete", "sample": 10}]}, "delete at sample 10: no beat within 50 ms"),
    ({"changes": [{"action": "name", "sample": 10, "to": "X"}]}, "expected a class, \"to\": N, S, V, F, Q, A"),
    ({"changes": [{"action": "name", "sample": 10}]}, "expected a class"),
    ({"changes": [{"action": "turn", "sample": 10}]}, "expected an action (name, delete, insert) and a sample"),
    ({"changes": [{"action": "delete", "sample": 10**9}]}, "expected an action"),
    ({"changes": [{"action": "delete", "sample": 1.5}]}, "expected an action"),
    ({"changes": ["delete"]}, "expected an action"),
    ({"changes": None}, "is no list of corrections"),
    ({"changes": [], "format": 2}, "corrections of format 2, expected 1"),
    ({"changes": [], "fs": 250}, "at 250 Hz, recording r has"),
    ({"changes": [], "samples": 99}, "corrections of 99 samples at 360 Hz, recording r has"),
    ({"changes": [], "samples": True}, "samples is True, expected int"),
    ({"changes": [], "recording": "s"}, "corrections of recording s, which is not among those to annotate"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "message"), BAD, ids=[str(k) for k in range(len(BAD))])
def test_what_does_not_fit_is_refused_in_a_line_that_names_it(
    record: Path,
    values: dict[str, Any],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = saved(record.parent, **{"changes": [], **values})
    monkeypatch.setattr("sys.argv", ["commander.py", "--predict", str(record), "--corrections", str(file)])
    assert cli() == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and str(file) in lines[0] and message in lines[0]
    assert not record.with_suffix(".ecg").exists()


def annotated(sample: list[int], begins: list[int], skipped: list[tuple[int, int, str]]) -> AnnotatedRecording:
    """Normal beats at 100 samples a second."""
    trace = CompressedTrace()
    trace.add(np.zeros(36_000))
    first = np.isin(np.arange(len(sample)), begins)
    chances = np.tile(np.float32([0.9, 0.1]), (len(sample), 1))
    names = ("Normal", "Ventricular ectopic")
    return AnnotatedRecording(np.array(sample), first, chances, names, 100, 10_000, skipped, trace.finish())


def corrected(beats: AnnotatedRecording, folder: Path, *changes: dict[str, Any]) -> AnnotatedRecording:
    return apply_corrections(beats, read_corrections(saved(folder, list(changes), fs=100, samples=10_000)))


def test_no_interval_leads_over_what_was_skipped(tmp_path: Path) -> None:
    before = annotated([100, 200, 300, 700, 800, 900], [0, 3], [(350, 650, "gap")])
    deleted = corrected(before, tmp_path, {"action": "delete", "sample": 700}, {"action": "delete", "sample": 100})
    np.testing.assert_array_equal(deleted.rr, [np.nan, 1, np.nan, 1])
    early = corrected(before, tmp_path, {"action": "insert", "sample": 340, "to": "V"})
    np.testing.assert_array_equal(early.rr, [np.nan, 1, 1, 0.4, np.nan, 1, 1])
    late = corrected(before, tmp_path, {"action": "insert", "sample": 660, "to": "V"})
    np.testing.assert_array_equal(late.rr, [np.nan, 1, 1, np.nan, 0.4, 1, 1])
    front = corrected(before, tmp_path, {"action": "insert", "sample": 20, "to": "V"})
    np.testing.assert_array_equal(front.rr, [np.nan, 0.8, 1, 1, np.nan, 1, 1])
    last = corrected(
        before, tmp_path, {"action": "delete", "sample": 900}, {"action": "insert", "sample": 904, "to": "V"}
    )
    assert last.sample.tolist() == [100, 200, 300, 700, 800, 904] and last.letters[-1] == "V"


def test_an_inserted_beat_takes_the_place_of_one_that_is_there(tmp_path: Path) -> None:
    before = annotated([100, 200, 300, 700], [0, 3], [(350, 650, "gap")])
    moved = [{"action": "insert", "sample": 205, "to": "V"}, {"action": "insert", "sample": 697, "to": "N"}]
    after = corrected(before, tmp_path, *moved)
    assert after.sample.tolist() == [100, 205, 300, 697] and after.letters.tolist() == ["N", "V", "N", "N"]
    np.testing.assert_array_equal(after.rr, [np.nan, 1.05, 0.95, np.nan])
    assert np.isnan(after.probabilities[[1, 3]]).all() and after.is_corrected.tolist() == [False, True, False, True]


def test_a_class_that_the_network_has_not_is_counted(tmp_path: Path) -> None:
    beats = corrected(annotated([100, 200, 300], [0], []), tmp_path, {"action": "name", "sample": 200, "to": "Q"})
    summary = beats.summary()
    assert summary["beats"] == {"all": 3, "N": 2, "V": 0, "Q": 1}
    assert beats.confidence.tolist() == [np.float32(0.9), 1, np.float32(0.9)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([("insert", 205, "V"), ("name", 200, "N")], "insert V at sample 205: the beat at sample 200 is changed, too"),
        ([("insert", 250, "V"), ("insert", 254, "N")], "insert N at sample 254: another is inserted at sample 250"),
        ([("name", 200, "V"), ("delete", 201, "")], "delete at sample 201: the beat at sample 200 is changed twice"),
    ],
)
def test_changes_that_contradict_each_other(tmp_path: Path, changes: list[Any], message: str) -> None:
    listed = [{"action": action, "sample": at, **({"to": to} if to else {})} for action, at, to in changes]
    with pytest.raises(UserError, match=message):
        corrected(annotated([100, 200, 300], [0], []), tmp_path, *listed)


def test_all_beats_may_be_deleted_and_one_be_inserted_where_there_is_none(tmp_path: Path) -> None:
    deleted = [{"action": "delete", "sample": at} for at in (100, 200, 300)]
    none = corrected(annotated([100, 200, 300], [0], []), tmp_path, *deleted)
    assert none.summary()["beats"]["all"] == 0 and none.rr.tolist() == [] and none.symbols.tolist() == []
    one = corrected(none, tmp_path, {"action": "insert", "sample": 150, "to": "V"})
    assert one.letters.tolist() == ["V"] and one.sample.tolist() == [150] and one.begins.tolist() == [True]


def test_without_corrections_nothing_depends_on_them() -> None:
    assert AnnotateOptions().corrections == {} and replace(annotated([100], [0], []), named=None).all_letters == (
        "N",
        "V",
    )
