"""toolbox.runs.folders: runs on disk, and which run is meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from toolbox.runs.folders import Run, list_runs, read_run, resume_command, select, versions
from toolbox.utils import UserError

PREFIX = "ecg_cnn1d_3_opadam_StepLR_lr0.01_nll_bs128_"


def make(root: Path, dataset: str, name: str, started: Any = "2024-01-01", version: int = 1, **options: Any) -> Path:
    """A run's folder as far as it is looked for: its config.json."""
    path = root / dataset / "runs" / name
    path.mkdir(parents=True)
    config = {"name": name, "version": version, "started": started, "options": {"dataset": dataset, **options}}
    (path / "config.json").write_text(json.dumps(config))
    return path


def folders(parent: Path, *made: str) -> Path:
    for name in made:
        (parent / name).mkdir(parents=True)
    return parent


# versions


def test_versions_are_those_of_exactly_this_prefix(tmp_path: Path) -> None:
    folders(tmp_path, f"{PREFIX}1", f"{PREFIX}3", f"{PREFIX}12", f"{PREFIX}sampequal_7", f"{PREFIX}cbequal_8")
    assert versions(tmp_path, PREFIX) == [1, 3, 12]
    assert versions(tmp_path, f"{PREFIX}sampequal_") == [7]
    assert versions(tmp_path, f"{PREFIX}cbequal_") == [8]
    assert versions(tmp_path, "ecg_lstm_1_") == []


def test_strangers_have_no_version(tmp_path: Path) -> None:
    names = ("notes", f"{PREFIX}old", f"{PREFIX}2 copy", f"{PREFIX}-4", f"{PREFIX}5.bak", f"x{PREFIX}6", f"{PREFIX}")
    folders(tmp_path, *names)
    folders(tmp_path, PREFIX.replace(".", "x") + "9")  # the point in lr0.01 is a point
    assert versions(tmp_path, PREFIX) == []
    assert versions(tmp_path / "missing", PREFIX) == []


def test_versions_rise_as_numbers_not_as_texts(tmp_path: Path) -> None:
    folders(tmp_path, *(f"{PREFIX}{n}" for n in (9, 10, 100, 2)))
    assert versions(tmp_path, PREFIX) == [2, 9, 10, 100]


# what is a run


def test_a_run_tells_what_its_config_says(tmp_path: Path) -> None:
    run = read_run(make(tmp_path, "ecg", f"{PREFIX}3", version=3, lr=0.01, short_run=True))
    assert run is not None
    assert (run.name, run.version, run.trial, run.options["lr"]) == (f"{PREFIX}3", 3, True, 0.01)
    whole = read_run(make(tmp_path, "ecg", f"{PREFIX}4", version=4))
    assert whole is not None
    assert not whole.trial


@pytest.mark.parametrize(
    "config",
    [
        None,
        "",
        '{"cut": ',
        "[]",
        "3",
        "null",
        "{}",
        '{"version": 1, "started": "2024"}',
        '{"version": 1, "started": "2024", "options": []}',
        '{"version": "one", "started": "2024", "options": {}}',
        '{"version": null, "started": "2024", "options": {}}',
        '{"version": -1, "started": "2024", "options": {}}',
        '{"version": 1, "options": {}}',
        '{"version": 1, "started": 20240101, "options": {}}',
        '{"version": 1, "started": null, "options": {}}',
    ],
)
def test_folders_of_strangers_are_no_runs(tmp_path: Path, config: str | None) -> None:
    path = folders(tmp_path / "ecg" / "runs" / f"{PREFIX}9")
    path.mkdir(parents=True)
    if config is not None:
        (path / "config.json").write_text(config)
    make(tmp_path, "ecg", f"{PREFIX}1")
    assert [run.name for run in list_runs(tmp_path)] == [f"{PREFIX}1"]
    assert read_run(path) is None


def test_runs_are_listed_from_the_oldest_to_the_newest(tmp_path: Path) -> None:
    make(tmp_path, "ecg", "c", "2024-03-01T10:00:00.000000002")
    make(tmp_path, "ecg", "a", "2024-03-01T10:00:00.000000001")
    make(tmp_path, "synthetic", "b", "2023-12-31T23:59:59.999999999")
    (tmp_path / "ecg" / "runs" / "notes.txt").write_text("a file")
    (tmp_path / "ecg" / "cache").mkdir()
    assert [run.name for run in list_runs(tmp_path)] == ["b", "a", "c"]
    assert [run.name for run in list_runs(tmp_path, "ecg")] == ["a", "c"]
    assert list_runs(tmp_path, "ecg_bin") == []
    assert list_runs(tmp_path / "missing") == []


# which run is meant


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """Two models of ecg, one with a sampler, a trial as the newest."""
    cnn: dict[str, Any] = {"model_name": "cnn1d_3", "sampler": None}
    make(tmp_path, "ecg", "ecg_cnn1d_3_1", "2024-01-01", 1, **cnn)
    make(tmp_path, "ecg", "ecg_lstm_1_1", "2024-01-02", 1, model_name="lstm_1", sampler=None)
    make(tmp_path, "ecg", "ecg_cnn1d_3_2", "2024-01-03", 2, **cnn)
    make(tmp_path, "ecg", "ecg_cnn1d_3_sampequal_1", "2024-01-04", 1, model_name="cnn1d_3", sampler="equal")
    make(tmp_path, "ecg", "ecg_cnn1d_3_3", "2024-01-05", 3, **cnn, short_run=True)
    make(tmp_path, "synthetic", "synthetic_gru_seq_7", "2024-01-06", 7, model_name="gru_seq", short_run=True)
    return list_runs(tmp_path)


@pytest.mark.parametrize(
    ("wanted", "version", "name"),
    [
        ({}, None, "ecg_cnn1d_3_sampequal_1"),
        ({"model_name": "lstm_1"}, None, "ecg_lstm_1_1"),
        ({"model_name": "cnn1d_3", "sampler": None}, None, "ecg_cnn1d_3_2"),
        ({"model_name": "cnn1d_3", "sampler": None}, 1, "ecg_cnn1d_3_1"),
        ({"model_name": "cnn1d_3"}, 2, "ecg_cnn1d_3_2"),
        ({"model_name": "cnn1d_3"}, 3, "ecg_cnn1d_3_3"),  # a trial, asked for by its number
        ({"sampler": "equal"}, 1, "ecg_cnn1d_3_sampequal_1"),
        ({}, 7, "synthetic_gru_seq_7"),
    ],
)
def test_flags_and_version_find_their_run(
    runs: list[Run], wanted: dict[str, Any], version: int | None, name: str
) -> None:
    assert select(runs, wanted, version).name == name


def test_the_latest_is_never_a_trial(runs: list[Run]) -> None:
    assert runs[-1].trial
    assert not select(runs, {}, None).trial
    with pytest.raises(UserError, match=r"^no run fits --model-name gru_seq \(only trials: synthetic_gru_seq_7; "):
        select(runs, {"model_name": "gru_seq"}, None)


def test_an_ambiguous_version_lists_the_candidates(runs: list[Run]) -> None:
    names = "ecg_cnn1d_3_1, ecg_lstm_1_1, ecg_cnn1d_3_sampequal_1"
    with pytest.raises(UserError, match=rf"^version 1 could be any of: {names}; name it by more flags$"):
        select(runs, {}, 1)
    with pytest.raises(UserError, match="any of: ecg_cnn1d_3_1, ecg_cnn1d_3_sampequal_1;"):
        select(runs, {"model_name": "cnn1d_3"}, 1)


def test_an_unknown_version_says_what_there_is(runs: list[Run]) -> None:
    """The predecessor took version 1 instead."""
    with pytest.raises(
        UserError, match=r"^no version 4 fits --model-name lstm_1; there are versions of: ecg_lstm_1_1$"
    ):
        select(runs, {"model_name": "lstm_1"}, 4)
    with pytest.raises(UserError, match=r"^no version 4 fits these flags; there are versions of: ecg_cnn1d_3_1, ecg_l"):
        select(runs, {}, 4)


def test_flags_that_no_run_has_say_what_there_is(runs: list[Run]) -> None:
    names = ", ".join(run.name for run in runs)
    with pytest.raises(UserError, match=rf"^no run fits --model-name resnet1d_10; there are: {names}$"):
        select(runs, {"model_name": "resnet1d_10"}, None)
    with pytest.raises(UserError, match=rf"^no version 2 fits --model-name resnet1d_10; there are: {names}$"):
        select(runs, {"model_name": "resnet1d_10"}, 2)


@pytest.mark.parametrize("version", [None, 1])
def test_no_runs_at_all(version: int | None) -> None:
    with pytest.raises(UserError, match="there are no runs: train one first"):
        select([], {}, version)


def test_long_lists_are_cut(tmp_path: Path) -> None:
    for n in range(1, 13):
        make(tmp_path, "ecg", f"{PREFIX}{n}", f"2024-01-{n:02d}", n)
    with pytest.raises(UserError) as caught:
        select(list_runs(tmp_path), {}, 99)
    assert f"{PREFIX}12 ..." in str(caught.value)
    assert f"{PREFIX}4," not in str(caught.value)


# going on with a run


def test_the_command_that_goes_on_names_one_run_with_as_few_flags_as_it_can(tmp_path: Path) -> None:
    keys = ("dataset", "model_name", "sampler")
    make(tmp_path, "ecg", "ecg_a_1", model_name="a", sampler=None)
    (run,) = list_runs(tmp_path)
    start = f"python commander.py --resume latest --version 1 --root-dir {tmp_path} --dataset ecg"
    assert resume_command(run, keys) == start
    make(tmp_path, "ecg", "ecg_b_1", model_name="b", sampler=None)
    assert resume_command(run, keys) == f"{start} --model-name a"
    make(tmp_path, "ecg", "ecg_a_sampequal_1", model_name="a", sampler="equal")
    assert resume_command(run, keys) == f"{start} --model-name a --sampler none"
