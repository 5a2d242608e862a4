"""loaders.datasets.databases: rows out of several databases; nobody is on two sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from args import parse_args
from loaders import get_loader
from loaders.datasets.build import Data
from loaders.datasets.databases import people_of
from loaders.datasets.patients import UNKNOWN_WARNING
from loaders.datasets.summary import describe
from loaders.sources import database_cache, physionet
from tests.loaders.annotated_records import person, write, write_databases
from toolbox.utils import UserError

WINDOW = ["--context", "window", "--leads", "2", "--features", "rr"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four databases as folders, and caches that the tests of this file share."""
    root = tmp_path_factory.mktemp("databases")
    write_databases(root)
    return root


def build(root: Path, *words: str, side: str = "window") -> Data:
    """The data of these flags; names of databases are folders of `root`."""
    texts = [
        f"{root}/{word}" if word.partition(":")[0] in ("mitdb", "nstdb", "svdb", "mine") else word for word in words
    ]
    rows = WINDOW if side == "window" else []
    return get_loader(parse_args(["--prepare", "--root-dir", str(root), "--val-fraction", "0.4", *rows, *texts]))


def records(data: Data) -> dict[str, list[str]]:
    return data.facts["records"]


def test_the_records_of_each_side_and_their_rows(root: Path) -> None:
    data = build(root, "--train-on", "mitdb:118,201", "svdb:800,801", "--test-on", "svdb:802", "mine:p2")
    assert sorted(records(data)["train"] + records(data)["val"]) == ["mitdb/118", "mitdb/201", "svdb/800", "svdb/801"]
    assert records(data)["test"] == ["mine/p2", "svdb/802"]
    assert data.train.class_names == ("Normal", "Supraventricular ectopic", "Ventricular ectopic", "Fusion")
    for part in (data.train, data.val, data.test):
        origin = part.origin(part.rows)
        assert len(part) and set(np.unique(origin["record"])) <= {
            name for names in records(data).values() for name in names
        }
    beats = data.cache.splits["all"]
    assert beats.x.shape[1:] == (2, 120)
    assert set(np.unique(beats.record)) >= {"mitdb/104", "svdb/800", "mine/p1"}
    assert set(beats.y[data.train.rows.numpy()].tolist()) <= {0, 1, 2, 3}


def test_validation_is_whole_people_by_seed_or_by_fold(root: Path) -> None:
    flags = ["--train-on", "mitdb:118,201", "svdb", "--test-on", "mine:p2"]
    folds = [records(build(root, *flags, "--fold", f"{k}/5")) for k in (1, 2, 3, 4, 5)]
    assert sorted(name for each in folds for name in each["val"]) == [
        "mitdb/118", "mitdb/201", "svdb/800", "svdb/801", "svdb/802"
    ]  # fmt: skip
    for each in folds:
        assert not set(each["train"]) & set(each["val"]) and each["test"] == ["mine/p2"]
    none = build(root, *flags, "--validate-on", "train", "--monitor", "last")
    assert np.array_equal(none.train.rows, none.val.rows) and len(records(none)["train"]) == 5


def test_kfold_tests_a_group_of_the_people_of_all_databases(root: Path) -> None:
    tested = []
    for k in (1, 2, 3):
        data = build(root, "--train-on", "mitdb:118,201", "svdb:800", "--split", "kfold", "--fold", f"{k}/3")
        tested += records(data)["test"]
        assert not set(records(data)["test"]) & {*records(data)["train"], *records(data)["val"]}
    assert sorted(tested) == ["mitdb/118", "mitdb/201", "svdb/800"]


def test_without_a_test_side_there_are_no_test_rows(root: Path) -> None:
    data = build(root, "--train-on", "svdb")
    assert len(data.test) == 0 and records(data)["test"] == []
    assert not any("test" in line for line in describe(data)[1] if line.startswith("warning"))


# one person, one side


def test_paced_records_and_records_of_people_who_train_are_left_out_and_named(root: Path) -> None:
    data = build(root, "--train-on", "mitdb:201,104", "svdb:800", "--test-on", "mitdb:202,118", "svdb:802")
    assert sorted(records(data)["train"] + records(data)["val"]) == ["mitdb/201", "svdb/800"]
    assert records(data)["test"] == ["mitdb/118", "svdb/802"]
    assert "Left out, as they have paced beats: mitdb/104." in data.warnings
    assert "Left out of the test, as they are of people who train: mitdb/202 (mitdb/201)." in data.warnings
    assert data.facts["left_out"] == data.warnings[1:]


def test_one_person_in_two_databases_is_on_one_side(root: Path) -> None:
    with pytest.raises(UserError, match=r"nstdb: all its records are paced or of people who train: nstdb/118e24$"):
        build(root, "--train-on", "mitdb:118,201", "--test-on", "nstdb")
    data = build(root, "--train-on", "mitdb:118", "nstdb", "svdb", "--split", "kfold", "--fold", "1/3")
    for part in ("train", "val", "test"):
        both = {"mitdb/118", "nstdb/118e24"} & set(records(data)[part])
        assert len(both) in (0, 2)
    people = data.facts["patients"]
    assert sorted(people["train"] + people["val"] + people["test"]) == ["mitdb/118", "svdb/800", "svdb/801", "svdb/802"]


def test_a_record_on_both_sides_is_refused(root: Path) -> None:
    with pytest.raises(UserError, match="records to train on and to test on: svdb/800, svdb/801; name each on one"):
        build(root, "--train-on", "svdb", "--test-on", "svdb:800,801")


def test_people_of_own_records_are_unknown_without_a_file(root: Path, tmp_path: Path) -> None:
    flags = ["--train-on", "mine:p1", "svdb:800", "--test-on", "mine:p2"]
    data = build(root, *flags)
    assert UNKNOWN_WARNING in data.warnings and "patients" not in data.facts
    people = tmp_path / "people.csv"
    people.write_text("record,patient\np1,Ann\np2,Bob\n")
    data = build(root, *flags, "--patients", str(people))
    assert UNKNOWN_WARNING not in data.warnings
    assert data.facts["patients"]["test"] == ["Bob"]
    people.write_text("p1,Ann\nmine/p2,Ann\n")
    with pytest.raises(UserError, match="all its records are paced or of people who train: mine/p2"):
        build(root, *flags, "--patients", str(people))
    people.write_text("p1,Ann\n")
    with pytest.raises(UserError, match="--patients has no line for record p2 of"):
        build(root, *flags, "--patients", str(people))


def test_the_people_of_runs_that_name_no_database() -> None:
    assert people_of(["202", "svdb/800", "p1"]) == {"mitdb/201", "svdb/800", "p1"}


# what is named


def test_names_that_are_not_there(root: Path) -> None:
    with pytest.raises(
        UserError, match=r"svdb:dev: 36 of 39 records are not among the 3 there: 803, .*lists of svdb: dev, t"
    ):
        build(root, "--train-on", "svdb:dev")
    with pytest.raises(
        UserError, match=r"svdp: no folder of records, and no database, did you mean 'svdb'\? known: mitdb"
    ):
        build(root, "--train-on", "svdp")
    with pytest.raises(
        UserError, match=r"--physionet-url is of one database, and 2 are named; write \{database\} for each"
    ):
        build(root, "--train-on", "mitdb", "svdb", "--physionet-url", "http://127.0.0.1:9/")


def test_two_folders_of_one_name(root: Path, tmp_path: Path) -> None:
    write(person(1), tmp_path / "mine", "p9")
    with pytest.raises(UserError, match="two folders are called mine"):
        build(root, "--train-on", "mine", "--test-on", f"{tmp_path}/mine")


# figures and remarks


def test_prepare_shows_each_database(root: Path) -> None:
    data = build(root, "--train-on", "mitdb:118,201", "svdb", "--test-on", "mine:p2")
    lines = [line for line in describe(data)[1] if line]
    head = next(line for line in lines if line.startswith("records of"))
    assert head.split() == ["records", "of", "number", "hours", "Hz", "N", "S", "V", "F", "Q", "leads"]
    rows = {line.split()[0]: line.split() for line in lines[lines.index(head) + 1 :][:3]}
    assert rows["mitdb:118,201"][1:4] == ["2", "0.1", "360"]
    assert rows["svdb"][1:4] == ["3", "0.1", "128"] and rows["svdb"][9:] == ["ECG1,", "ECG2;", "train"]
    assert rows["mine:p2"][1:4] == ["1", "0.0", "250"] and rows["mine:p2"][9:] == ["II,", "V5;", "test"]
    beats = data.cache.splits["all"]
    own = beats.y[np.char.startswith(beats.record, "svdb/")]
    assert [int(count) for count in rows["svdb"][4:9]] == np.bincount(own, minlength=5).tolist()
    gains = "svdb: 1 of 3 records: no gain in the header, 200 ADC units per mV are assumed (801)"
    assert gains in lines
    assert any(line.startswith("svdb: MIT-BIH Supraventricular Arrhythmia Database; labels: ") for line in lines)


def test_kaggles_rows_of_every_database(root: Path) -> None:
    data = build(root, "--train-on", "mitdb:118,201", "svdb:800", "--test-on", "mine:p2", side="row")
    x = data.cache.splits["all"].x
    assert x.shape[1:] == (187,) and x.min() == 0 and x.max() == 1


def test_synthetic_patients_are_made_of_training_records_only(root: Path) -> None:
    flags = ["--train-on", "svdb", "--test-on", "mine:p2", "--spliced", "noisy:1", "--sampler", "patients"]
    data = build(root, *flags)
    names = np.unique(data.cache.splits["all"].record).tolist()
    assert {name.partition("+")[0] for name in names if "+" in name} == {"svdb/800", "svdb/801", "svdb/802"}
    origin = data.train.origin(data.train.rows)["record"].tolist()
    assert {name.partition("+")[0] for name in origin} == set(records(data)["train"])
    for part in (data.val, data.test):
        assert not any("+" in name for name in part.origin(part.rows)["record"])


# caches


def test_another_database_rebuilds_no_other(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = build(root, "--train-on", "svdb")
    read: list[str] = []
    real = database_cache.read_all

    def noting(paths: list[Path], rows: object) -> list[object]:
        read.extend(path.name for path in paths)
        return real(paths, rows)  # type: ignore[arg-type]

    monkeypatch.setattr(database_cache, "read_all", noting)
    write(person(7), root / "more", "p5")
    both = build(root, "--train-on", "svdb", f"{root}/more")
    assert read == ["p5"]
    assert f"data: built cache of raw records in {root}/svdb" in capsys.readouterr().err
    assert both.facts["databases"]["svdb"] == alone.facts["databases"]["svdb"] == alone.cache.fingerprint
    assert both.cache.fingerprint != alone.cache.fingerprint
    tested = build(root, "--train-on", "svdb", "--test-on", f"{root}/more")
    assert tested.cache.fingerprint == alone.cache.fingerprint  # of what trains


def test_a_database_is_downloaded_verified_and_kept(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def download(folder: Path, url: str, **options: object) -> Path:
        calls.append((folder, url, options))
        for number, name in enumerate(("800", "801", "802")):
            write(person(4 + number % 2, 128.0), Path(folder), name)
        return Path(folder)

    monkeypatch.setattr(physionet, "download", download)
    with pytest.raises(UserError, match=f"no annotated WFDB record in {tmp_path}/svdb"):
        get_loader(parse_args(f"--prepare --root-dir {tmp_path} --train-on svdb --source records".split()))
    assert not calls
    flags = ["--prepare", "--root-dir", str(tmp_path), "--val-fraction", "0.4", "--train-on", "svdb"]
    data = get_loader(parse_args(flags))
    expected = {"list_sha256": None, "some_annotated": True}
    assert calls == [(tmp_path / "svdb", "https://physionet.org/files/svdb/1.0.0/", expected)]
    again = get_loader(parse_args(flags))
    assert len(calls) == 1 and again.cache.fingerprint == data.cache.fingerprint
    for path in (tmp_path / "svdb").iterdir():
        path.unlink()
    assert get_loader(parse_args(flags)).cache.fingerprint == data.cache.fingerprint  # a cache outlives its records
    assert len(calls) == 1
    get_loader(parse_args([*flags, "--source", "physionet", "--physionet-url", "http://127.0.0.1:9/{database}/"]))
    assert calls[1][1] == "http://127.0.0.1:9/svdb/"
