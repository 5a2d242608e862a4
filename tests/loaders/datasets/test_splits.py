"""Kaggle's split; splits by patient: the lists, the counts of the protocol, and that no patient is on two sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import commander
from args import parse_args
from loaders import get_loader
from loaders.beats.table import Beats
from loaders.datasets import splits
from loaders.datasets.build import Data
from loaders.datasets.splits import DS1, DS2, PACED, divide, held_out, prove_disjoint
from loaders.io.wfdb_record import MITDB
from tests.conftest import RECORDS, needs_records
from toolbox.utils import UserError, read_json

SYNTHETIC = ["--dataset", "synthetic", "--synthetic-patients", "12", "--synthetic-minutes", "1"]


def made(counts: dict[str, list[int]]) -> Beats:
    """Beats without rows: for each record the number of each class."""
    y = np.concatenate([np.repeat(np.arange(len(each)), each) for each in counts.values()])
    record = np.repeat(list(counts), [sum(each) for each in counts.values()])
    n = len(y)
    return Beats(np.zeros((n, 1)), y, np.zeros(n), record, record, np.arange(n), np.full(n, "N"))


def mitdb(counts: tuple[int, ...] = (50, 5, 5, 2, 1)) -> Beats:
    beats = made({name: list(counts) for name in MITDB})
    beats.patient = np.where(beats.record == "202", "201", beats.record)
    return beats


def names(beats: Beats, rows: np.ndarray) -> set[str]:
    return set(beats.record[rows].tolist())


# Kaggle's split


def labels_like_mitbih(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice(5, n, p=[0.8, 0.03, 0.08, 0.02, 0.07])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.2, 0.5])
def test_stratified_parts_are_disjoint_whole_and_alike(seed: int, fraction: float) -> None:
    labels = labels_like_mitbih(600, seed)
    first, second = splits.stratified(labels, fraction, np.random.default_rng(seed))
    assert sorted([*first, *second]) == list(range(600))
    assert (np.diff(first) > 0).all()
    assert (np.diff(second) > 0).all()
    for label in range(5):
        size, held = (labels == label).sum(), (labels[second] == label).sum()
        assert abs(held - fraction * size) <= 1
        assert 0 < held < size


def test_stratified_keeps_small_classes_in_both_parts() -> None:
    labels = np.array([0] * 50 + [1] * 2 + [2] * 3 + [3])
    first, second = splits.stratified(labels, 0.1, np.random.default_rng(0))
    assert np.bincount(labels[second], minlength=4).tolist() == [5, 1, 1, 0]
    assert np.bincount(labels[first], minlength=4).tolist() == [45, 1, 2, 1]


def test_stratified_is_drawn_by_its_generator() -> None:
    labels = labels_like_mitbih(300, 0)
    one, same, other = (splits.stratified(labels, 0.2, np.random.default_rng(seed))[1] for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_random_fifth_of_each_class_is_the_test_set(beats: dict[str, Beats]) -> None:
    whole = Beats.join(beats.values())
    parts = {part: whole.take(rows) for part, rows in zip(("train", "test"), splits.fifth_rows(whole, 3), strict=True)}
    for label in range(5):
        size, held = (whole.y == label).sum(), (parts["test"].y == label).sum()
        assert abs(held - size / 5) <= 1
    found = sorted(
        zip(
            [*parts["train"].record, *parts["test"].record],
            [*parts["train"].sample, *parts["test"].sample],
            strict=True,
        )
    )
    assert found == sorted(zip(whole.record, whole.sample, strict=True))
    for part in parts.values():
        assert (np.diff(part.y) >= 0).all()  # sorted by label, as Kaggle's files are


def test_kaggles_split_needs_kaggles_records(beats: dict[str, Beats]) -> None:
    with pytest.raises(UserError, match=r"needs the 48 records .*; missing or altered: 100, 101, "):
        splits.kaggle_rows(beats["train"])


def test_the_list_of_test_beats_is_that_of_kaggles_file() -> None:
    with np.load(splits.KAGGLE_TEST) as listed:
        test, names, counts = listed["beat"], listed["records"], listed["counts"]
    assert len(test) == len(set(test.tolist())) == 21892
    assert len(names) == 48
    assert (names[0], names[-1]) == ("100", "234")
    assert counts.sum() == 109446
    assert test.min() >= 0
    assert test.max() < 109446


def test_the_last_beat_of_each_record_is_in_neither_part_of_a_mixed_split() -> None:
    whole = made({"a": [30, 5], "b": [20, 5, 3], "c": [9, 1]})
    train, test = splits.mixed_rows(whole, 1)
    assert sorted([*train, *test]) == sorted(set(range(73)) - {34, 62, 72})
    assert (np.diff(whole.y[train]) >= 0).all() and (np.diff(whole.y[test]) >= 0).all()
    assert np.bincount(whole.y[test]).tolist() == [12, 2, 1]
    other = splits.mixed_rows(whole, 2)
    assert sorted([*other[0], *other[1]]) == sorted([*train, *test]) and sorted(other[1]) != sorted(test)


# splits by patient


def test_the_lists_are_those_of_the_protocol() -> None:
    assert len(DS1) == len(DS2) == 22
    assert sorted((*DS1, *DS2, *PACED)) == sorted(MITDB)
    assert "201" in DS1 and "202" in DS2


@pytest.mark.parametrize("fold", [None, (1, 4), (4, 4)])
@pytest.mark.parametrize("split", ["interpatient", "interpatient_strict"])
def test_ds1_trains_and_validates_and_ds2_tests(split: str, fold: tuple[int, int] | None) -> None:
    beats = mitdb()
    division = divide(beats, split, fold, 0.2, 7)
    train, val, test = (names(beats, division.rows[part]) for part in ("train", "val", "test"))
    assert train | val == set(DS1) and not train & val and val
    assert test == set(DS2) - ({"202"} if split == "interpatient_strict" else set())
    assert division.shared == (("201",) if split == "interpatient" else ())
    for part, rows in division.rows.items():
        assert (beats.y[rows] < 4).all() and len(rows) == 62 * len(division.records[part])
        assert division.left_out[part] == len(division.records[part])
        assert (np.diff(rows) > 0).all()


def test_folds_hold_each_patient_once_and_two_records_of_one_man_together() -> None:
    beats = mitdb()
    tested: list[str] = []
    for number in range(1, 6):
        division = divide(beats, "kfold", (number, 5), 0.1, 3)
        sides = [set(division.patients[part]) for part in ("train", "val", "test")]
        assert not any(one & other for k, one in enumerate(sides) for other in sides[k + 1 :])
        assert set.union(*sides) == set(MITDB) - {*PACED, "202"}
        tested += division.records["test"]
        assert ("201" in division.records["test"]) == ("202" in division.records["test"])
    assert sorted(tested) == sorted(set(MITDB) - set(PACED))


def test_folds_do_not_depend_on_the_seed_but_validation_does() -> None:
    beats = mitdb()
    one, other = (divide(beats, "kfold", (2, 5), 0.2, seed) for seed in (1, 2))
    assert one.records["test"] == other.records["test"]
    assert one.records["val"] != other.records["val"]
    again = divide(beats, "kfold", (2, 5), 0.2, 1)
    assert again.records == one.records


@pytest.mark.parametrize("seed", range(8))
def test_validation_patients_leave_every_class_on_both_sides(seed: int) -> None:
    """S, V and F each in three patients only: a choice without looking would often miss one."""
    counts = {f"p{k:02d}": [100, 9 * (k < 3), 9 * (2 <= k < 5), 9 * (4 <= k < 7)] for k in range(20)}
    beats = made(counts)
    rows = np.arange(len(beats))
    held = held_out(beats, rows, 0.15, seed)
    inside = np.bincount(beats.y[held], minlength=4)
    assert (inside > 0).all() and (inside < np.bincount(beats.y)).all()
    assert not names(beats, rows[held]) & names(beats, rows[~held])
    assert 0.1 < held.mean() < 0.25


def test_a_class_of_one_patient_is_on_one_side_and_the_rest_is_done_all_the_same() -> None:
    beats = made({f"p{k}": [50, 5, 5, 5 * (k == 0)] for k in range(6)})
    held = held_out(beats, np.arange(len(beats)), 0.2, 0)
    inside = np.bincount(beats.y[held], minlength=4)
    assert (inside[:3] > 0).all() and inside[3] in (0, 5)


def test_a_patient_on_two_sides_is_refused() -> None:
    with pytest.raises(UserError, match="patients in both train and test: b, c; such a split proves nothing"):
        prove_disjoint({"train": ["a", "b", "c"], "val": ["d"], "test": ["b", "c"]})
    prove_disjoint({"train": ["a", "b"], "val": ["d"], "test": ["b"]}, shared=["b"])
    with pytest.raises(UserError, match="patients in both val and test: d"):
        prove_disjoint({"train": ["a", "b"], "val": ["d"], "test": ["b", "d"]}, shared=["b"])


def test_the_proof_is_part_of_the_split(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the published list called strict, its one flaw would stop it."""
    monkeypatch.setattr(splits, "SAME_PATIENT", {})
    with pytest.raises(UserError, match=r"patients in both \w+ and test: 201"):
        divide(mitdb(), "interpatient", None, 0.2, 0)


def test_too_few_records_and_too_many_folds_are_refused() -> None:
    beats = made({name: [9, 2, 2, 2] for name in ("100", "101", "103")})
    with pytest.raises(UserError, match=r"missing: 105, 106, .*Complete them by --source physionet"):
        divide(beats, "interpatient", None, 0.1, 0)
    with pytest.raises(UserError, match="--fold 1/4: there are 3 patients"):
        divide(beats, "kfold", (1, 4), 0.1, 0)
    with pytest.raises(UserError, match="1 patient to train and validate on"):
        divide(beats.take(np.flatnonzero(beats.record < "103")), "kfold", (1, 2), 0.1, 0)


def test_prepare_prints_who_is_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [*SYNTHETIC, "--root-dir", str(tmp_path), "--split", "kfold", "--fold", "2/4"]
    summary = commander.main(["--prepare", *flags])
    printed = capsys.readouterr().out
    assert "disjoint: yes, no patient is in two of train, val and test" in printed
    for part, names_of in summary["records"].items():
        assert f"{part:5}  {len(names_of):3d} patients, records {' '.join(names_of)}" in printed
    assert sum(map(len, summary["records"].values())) == 12
    assert len(summary["classes"]) == 4


def test_a_run_by_patient_is_named_so_and_keeps_who_was_where(tmp_path: Path) -> None:
    flags = [*SYNTHETIC, "--root-dir", str(tmp_path), "--split", "kfold", "--fold", "2/4", "--val-fraction", "0.3"]
    result = commander.main([*flags, "--model-name", "cnn1d_3", "--epochs", "1"])
    assert result["run"].endswith("synthetic_cnn1d_3_opadam_StepLR_lr0.01_nll_bs128_splitkfold_fold2of4_1")
    config = read_json(f"{result['run']}/config.json")
    who = config["data"]["patients"]
    assert config["class_names"] == [
        "Normal", "Supraventricular ectopic", "Ventricular ectopic", "Fusion"
    ] and not set(who["train"]) & set(who["test"])  # fmt: skip
    again = commander.main(
        ["--root-dir", str(tmp_path), "--resume", "latest", "--epochs", "2", "--fold", "2/4", "--split", "kfold"]
    )
    assert again["run"] == result["run"] and again["epoch"] == 2
    tested = commander.main(["--root-dir", str(tmp_path), "--test"])
    assert np.shape(tested["test"]["confusion"]) == (4, 4)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """All 48 records, every beat: some ten seconds."""
    return get_loader(real_flags(tmp_path_factory.mktemp("real"), "--split", "interpatient"))


def real_flags(root: Path, *argv: str) -> object:
    return parse_args(["--prepare", "--root-dir", str(root), "--records-dir", str(RECORDS), *argv])


@needs_records
def test_the_counts_of_the_protocol_come_out(real: Data) -> None:
    beats = real.cache.splits["all"]
    assert np.bincount(beats.y).tolist() == [90631, 2781, 7236, 803, 8043]
    assert (real.train.class_counts() + real.val.class_counts()).tolist() == [45866, 944, 3788, 415]
    assert real.test.class_counts().tolist() == [44259, 1837, 3221, 388]
    for listed, q in ((DS1, 8), (DS2, 7)):
        assert int((beats.y[np.isin(beats.record, listed)] == 4).sum()) == q


@needs_records
def test_the_strict_list_lacks_202_and_shares_the_cache(real: Data) -> None:
    root = real.cache.folder.parent.parent.parent
    strict = get_loader(real_flags(root, "--split", "interpatient_strict"))
    assert strict.cache.folder == real.cache.folder
    without = real.test.beats.record[real.test.rows.numpy()] != "202"
    assert strict.test.rows.tolist() == real.test.rows[without].tolist()
    assert strict.describe()["patients"]["test"] == sorted(set(DS2) - {"202"})


@needs_records
def test_kaggles_rows_are_among_those_of_whole_records(real: Data) -> None:
    """Beside a context, Kaggle's split picks the same beats in the same order, their rows equal to the bit."""
    root = real.cache.folder.parent.parent.parent
    plain = get_loader(real_flags(root))
    picked = get_loader(real_flags(root, "--neighbours", "1"))
    for one, other in ((plain.train, picked.train), (plain.val, picked.val), (plain.test, picked.test)):
        rows = other.rows.numpy()
        assert np.array_equal(one.beats.x[one.rows.numpy()], other.beats.x[rows])
        assert np.array_equal(one.beats.record[one.rows.numpy()], other.beats.record[rows])
        assert one.labels().equal(other.labels())
