"""loaders.datasets.build: Kaggle's rows and split, whole records with windows and features, and their caches."""

from __future__ import annotations

import hashlib
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from args import parse_args
from loaders import DATASETS, get_loader
from loaders.beats.input_spec import InputSpec
from loaders.beats.table import Beats
from loaders.datasets.batches import Batches
from loaders.datasets.build import KAGGLE_WARNING, LEAK_WARNING, Data, make_data
from loaders.datasets.dataset import ECGLoader
from loaders.datasets.summary import describe, digests
from loaders.names import DATASET_NAMES
from loaders.options import InputOptions, SplitOptions
from loaders.sources import records
from loaders.sources.cache import Cache
from tests.conftest import RECORDS, ROOT, needs_records
from tests.loaders.rows import rows
from toolbox.utils import UserError
from toolbox.utils.aami import CLASSES_BY_PATIENT, NUM_CLASSES


def flags(root: Path, *more: str) -> Namespace:
    return parse_args(["--prepare", "--root-dir", str(root), *more])


def test_the_table_has_the_datasets_that_the_flag_names() -> None:
    assert tuple(DATASETS) == tuple(NUM_CLASSES) == tuple(CLASSES_BY_PATIENT) == DATASET_NAMES
    assert all(callable(DATASETS[name]) for name in DATASET_NAMES)


# Kaggle's rows and split


def data_of(train: Beats, test: Beats, kind: type[ECGLoader] = ECGLoader, **options: Any) -> Data:
    seed = options.pop("seed", 42)
    meta = {"source": {"where": "nowhere"}, "kind": "csv", "fingerprint": "0" * 64}
    return make_data(
        SplitOptions(**options), seed, Cache(Path("nowhere"), {"train": train, "test": test}, meta), kind, ["so"]
    )


def test_validation_is_a_stratified_part_of_train() -> None:
    train, test = rows(np.repeat(range(5), [400, 100, 50, 10, 2])), rows([0, 1, 2, 3, 4], seed=1)
    data = data_of(train, test)
    assert sorted([*data.train.rows.tolist(), *data.val.rows.tolist()]) == list(range(562))
    assert data.val.class_counts().tolist() == [40, 10, 5, 1, 1]
    assert data.train.class_counts().tolist() == [360, 90, 45, 9, 1]
    assert data.test.beats is test
    assert data.val.beats is train
    assert data.warnings == ["so"]
    assert data.describe()["rows"] == {"train": 505, "val": 57, "test": 5}
    assert data_of(train, test).val.rows.tolist() == data.val.rows.tolist()
    assert data_of(train, test, seed=43).val.rows.tolist() != data.val.rows.tolist()


def test_validation_on_the_test_rows_is_possible_and_said() -> None:
    train, test = rows(np.repeat(range(5), [40, 10, 5, 5, 5])), rows([0, 1, 2, 3, 4], seed=1)
    data = data_of(train, test, validate_on="test")
    assert data.val is data.test
    assert len(data.train) == 65
    assert data.warnings == ["so", LEAK_WARNING]


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(UserError, match=r"^nowhere: 1 train and 2 test rows are too few$"):
        data_of(rows([0]), rows([0, 1]))
    with pytest.raises(UserError, match=r"^nowhere: 2 train and 0 test rows are too few$"):
        data_of(rows([0, 1]), rows([]))


@pytest.mark.parametrize("name", ["ecg", "ecg_bin"])
def test_a_dataset_from_csv_files(root: Path, beats: dict[str, Beats], name: str) -> None:
    data = get_loader(flags(root, "--dataset", name))
    counts = np.bincount(beats["test"].y, minlength=5)
    expected = counts.tolist() if name == "ecg" else [counts[0], counts[1:].sum()]
    assert data.test.class_counts().tolist() == expected
    assert data.warnings == [KAGGLE_WARNING]
    assert len(data.train) + len(data.val) == len(beats["train"])
    found = digests(data)
    assert found["X_train"] == hashlib.sha256(beats["train"].x.tobytes()).hexdigest()
    labels = beats["test"].y if name == "ecg" else (beats["test"].y > 0).astype(np.int64)
    assert found["y_test"] == hashlib.sha256(labels.tobytes()).hexdigest()
    assert "X_all" not in found  # CSV rows do not tell whose they are
    summary, lines = describe(data)
    assert summary["counts"]["test"] == data.test.class_counts().tolist()
    assert all(f"{key:8} {digest}" in lines for key, digest in found.items())


# whole records


SMALL = "--prepare --dataset synthetic --synthetic-patients 4 --synthetic-minutes 1".split()


def data(root: Path, line: str) -> Data:
    return get_loader(parse_args([*SMALL, "--root-dir", str(root), *line.split()]))


def test_a_cache_is_kept_for_each_of_the_last_recipes(tmp_path: Path) -> None:
    lines = ["--context window", "--context window --leads 2", "--features rr", "--context window --window-after 1"]
    folders = [data(tmp_path, line).cache.folder for line in lines]
    assert len(set(folders)) == 4 and all(folder.is_dir() for folder in folders)
    assert data(tmp_path, "--context window --split kfold --fold 1/2 --neighbours 2").cache.folder == folders[0]
    fifth = data(tmp_path, "--context window --highpass 0").cache.folder
    assert fifth.is_dir() and not folders[0].is_dir() and all(folder.is_dir() for folder in folders[1:])


def test_batches_bring_features_along_whatever_gathers_them(tmp_path: Path) -> None:
    made = data(tmp_path, "--context window --features rr shape")
    whole = made.train.batch(torch.arange(len(made.train)))
    for workers in (0, 1):
        batches = list(Batches(made.train, 50, workers=workers))
        assert whole.features is not None and whole.features.shape[1] == 13
        assert torch.cat([batch.features for batch in batches]).equal(whole.features)
        assert torch.cat([batch.x for batch in batches]).equal(whole.x)
    facts = made.describe()
    assert facts["features"][0] == "rr: RR" and len(facts["features"]) == 13
    assert facts["recipe"]["before"] == 0.5


def test_prepare_says_what_a_row_knows_of_the_future(tmp_path: Path) -> None:
    lines = data(tmp_path, "--context window --features rr rhythm").lines
    assert (
        "row: 0.5 s; the high-pass filter reaches about 1 s further; resampling, 0.083 s further; its scale is the "
        "whole recording's" in lines
    )
    assert "rr: the next beat's time" in lines


def test_what_beside_kaggles_rows_has_no_meaning_does_not_change_their_cache() -> None:
    options = InputOptions("kaggle", window_before=3, window_after=4, window_rate=9, leads=2, features=["rr"])
    assert InputSpec.of(options, "atrial:2") == InputSpec(features=("rr",))


# the real data

CHECK_VALUES = {
    "X_train": "9efde051b70cb8e2f048865d40043b5220da91ed8a2c23fe2f456edd3374cf80",
    "y_train": "1726e57ad2c99bfbec3ae1845ff75a5449df8b4926319c80aa9c8c456a7497dd",
    "X_test": "6f64721ee4fffe369be7e0cd8136ed1a0b9cf7871df1455001ddbfa824b8b6fd",
    "y_test": "90fafb693bf240f953a7c94654cf6ce42bac50964ee527f72c494957dacb8a12",
    "X_all": "91a473f8aa67f8ca0908eb69e72d53afae1e5d21a0c7f32e70015962f2552d97",
}
TEST_IDS = ROOT.parent / "shared" / "kaggle" / "test_ids.csv"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """All 48 records, cut: some ten seconds."""
    return get_loader(flags(tmp_path_factory.mktemp("real"), "--records-dir", str(RECORDS)))


@needs_records
def test_the_check_values_of_mit_bih_come_out(real: Data) -> None:
    assert digests(real) == CHECK_VALUES
    train, test = (np.bincount(real.cache.splits[split].y).tolist() for split in ("train", "test"))
    assert train == [72471, 2223, 5788, 641, 6431]
    assert test == [18118, 556, 1448, 162, 1608]


@needs_records
def test_every_beat_of_mit_bih_keeps_its_record_patient_sample_and_symbol(real: Data) -> None:
    test = real.cache.splits["test"]
    assert len(set(test.record)) == 48
    assert len(set(test.patient)) == 47  # 201 and 202 are one man
    assert set(test.patient[test.record == "202"]) == {"201"}
    assert set(test.symbol) <= set("NLRejAaJSVEF/fQ")
    if TEST_IDS.is_file():
        listed = np.loadtxt(TEST_IDS, delimiter=",", skiprows=1, dtype=np.int64)  # row, record, beat, sample, label
        assert test.record.astype(np.int64).tolist() == listed[:, 1].tolist()
        assert test.sample.tolist() == listed[:, 3].tolist()
        assert test.y.tolist() == listed[:, 4].tolist()


@needs_records
def test_the_cache_of_mit_bih_serves_the_second_time(real: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("the records were read again")

    monkeypatch.setattr(records, "cut_all", never)
    root = real.cache.folder.parent.parent.parent
    again = get_loader(flags(root, "--records-dir", str(RECORDS)))
    assert again.cache.fingerprint == real.cache.fingerprint
    assert np.array_equal(again.test.labels(), real.test.labels())
