"""loaders.datasets.patients: own records by patient (--patients), and words that claim no more than is known."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import commander
from loaders.datasets.patients import UNKNOWN_WARNING, read_patients
from toolbox.utils import UserError, read_json

WRITE = "--prepare --dataset synthetic --synthetic-patients 8 --synthetic-minutes 2 --write-records".split()
KFOLD = "--dataset ecg --split kfold --device cpu --precision fp32".split()
PEOPLE = {f"syn{k:02}": f"person {k // 2}" for k in range(8)}  # two records of each


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight records that are not MIT-BIH's."""
    folder = tmp_path_factory.mktemp("records")
    commander.main([*WRITE, str(folder), "--root-dir", str(tmp_path_factory.mktemp("root"))])
    return folder


def people_file(folder: Path, lines: list[str]) -> Path:
    path = folder / "patients.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def prepare(records: Path, root: Path, *flags: str) -> dict[str, Any]:
    return commander.main(["--prepare", *KFOLD, "--records-dir", str(records), "--root-dir", str(root), *flags])


@pytest.mark.parametrize("fold", ["1/4", "2/4", "3/4", "4/4", "1/2"])
def test_the_records_of_a_person_stay_together(
    records: Path, tmp_path: Path, fold: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = people_file(tmp_path, ["record,patient", *(f"{record},{person}" for record, person in PEOPLE.items())])
    summary = prepare(records, tmp_path, "--fold", fold, "--patients", str(path), "--val-fraction", "0.3")
    sides = {part: {PEOPLE[name] for name in names} for part, names in summary["records"].items()}
    assert sum(map(len, sides.values())) == 4 and set.union(*sides.values()) == set(PEOPLE.values())
    assert summary["patients"] == {part: sorted(names) for part, names in sides.items()}
    printed = capsys.readouterr().out
    assert f"patients (whole records; the patients are those in {path})" in printed
    assert "disjoint: yes, no patient is in two of train, val and test" in printed
    assert UNKNOWN_WARNING not in printed


def test_without_a_file_nothing_is_claimed_of_patients(
    records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = prepare(records, tmp_path, "--fold", "1/4")
    printed = capsys.readouterr().out
    assert "records (whole records; it is not known which are of one patient; --patients FILE says so)" in printed
    assert "no record is in two of train, val and test; of patients that is not known" in printed
    assert "disjoint: yes" not in printed and " patients, records" not in printed
    assert f"note: {UNKNOWN_WARNING}" in printed
    assert "patients" not in summary and sum(map(len, summary["records"].values())) == 8


def test_a_run_keeps_the_file_and_who_was_where(records: Path, tmp_path: Path) -> None:
    path = people_file(tmp_path, [f"{record};{person}" for record, person in PEOPLE.items()])
    where = ["--records-dir", str(records), "--root-dir", str(tmp_path)]
    flags = [*KFOLD, "--fold", "1/4", "--patients", str(path), "--model-name", "cnn1d_3", "--epochs", "1"]
    result = commander.main([*flags, *where])
    config = read_json(f"{result['run']}/config.json")
    assert config["options"]["patients"] == str(path)
    assert len(config["data"]["patients"]["test"]) == 1 and len(config["data"]["records"]["test"]) == 2
    assert 0 <= commander.main(["--test", *where])["test"]["acc1"] <= 1
    other = [f"{record};{'a' if record in config['data']['records']['train'][:3] else record}" for record in PEOPLE]
    people_file(tmp_path, other)  # other people: learned records would test
    for command in (["--test"], ["--export", "onnx"]):
        with pytest.raises(UserError, match=r"learned from records that would test it now: syn\d\d.*put them back$"):
            commander.main([*command, *where])


def test_records_that_are_added_later_do_not_change_sides_silently(records: Path, tmp_path: Path) -> None:
    folder = tmp_path / "records"
    shutil.copytree(records, folder)
    for path in [*folder.glob("syn06.*"), *folder.glob("syn07.*")]:
        path.rename(tmp_path / path.name)
    where = ["--records-dir", str(folder), "--root-dir", str(tmp_path)]
    result = commander.main([*KFOLD, "--fold", "1/2", "--model-name", "cnn1d_3", "--epochs", "1", *where])
    before = set(read_json(f"{result['run']}/config.json")["data"]["records"]["train"])
    for path in tmp_path.glob("syn0*"):
        path.rename(folder / path.name)
    now = set(prepare(folder, tmp_path, "--fold", "1/2")["records"]["test"])
    if before & now:
        with pytest.raises(UserError, match="learned from records that would test it now"):
            commander.main(["--test", *where])
    else:
        assert commander.main(["--test", *where])["epoch"] == 1


def test_the_same_recording_under_two_names_is_counted(records: Path, tmp_path: Path) -> None:
    folder = tmp_path / "records"
    shutil.copytree(records, folder)
    for path in list(folder.glob("syn0[0-7].*")):
        copy = folder / path.name.replace("syn0", "copy")
        copy.write_bytes(path.read_bytes().replace(path.stem.encode(), copy.stem.encode()))
    summary_of: list[str] = []
    for fold in ("1/3", "2/3", "3/3"):
        result = commander.main(
            [*KFOLD, "--fold", fold, "--model-name", "cnn1d_3", "--epochs", "1", "--records-dir", str(folder),
             "--root-dir", str(tmp_path), "--short-run"]
        )  # fmt: skip
        summary_of += read_json(f"{result['run']}/config.json")["warnings"]
    assert any("test rows are the same as train rows" in text for text in summary_of)


BAD = {
    "": "is empty; expected lines of record,patient",
    "record,patient\n": "is empty; expected lines of record,patient",
    "syn00\n": "line 1: 'syn00', expected record,patient",
    "syn00,a\nsyn01\n": "line 2: 'syn01', expected record,patient",
    "syn00,a\nsyn01,\n": "line 2: 'syn01,', expected record,patient",
    "syn00,a,b\n": "line 1: 'syn00,a,b', expected record,patient",
    "syn00,a\nsyn00,b\n": "line 2: syn00 is of 'a' and of 'b'",
    "syn00,a\n": "has no line for record syn01, syn02, syn03, syn04, syn05, syn06 ... (7 in all)",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_files_are_refused_in_one_line(records: Path, tmp_path: Path, text: str) -> None:
    path = tmp_path / "patients.csv"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        prepare(records, tmp_path, "--fold", "1/2", "--patients", str(path))
    assert BAD[text] in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_no_file_is_refused(records: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with open(tmp_path / "sparse", "wb") as handle:
        handle.truncate(1 << 40)
    for name in ("pipe", "binary", "sparse", "missing", "."):
        with pytest.raises(UserError, match="--patients "):
            prepare(records, tmp_path, "--fold", "1/2", "--patients", str(tmp_path / name))


def test_separators_headers_and_marks_are_read_alike(tmp_path: Path) -> None:
    for text in (
        "a,1\nb,2\n",
        "Record;Patient\na;1\nb;2",
        "\ufeffrecord\tpatient\n\n a \t1\nb\t2\n",
        '"a","1"\n"b","2"\na,1',
    ):
        path = people_file(tmp_path, [text])
        assert read_patients(path) == {"a": "1", "b": "2"}


def test_it_goes_with_kfold(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commander.main(["--model-name", "cnn1d_3", "--patients", "x.csv"])
    assert "--patients goes with --split kfold" in capsys.readouterr().err
