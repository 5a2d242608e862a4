"""window_reading: what a network of windows sees of a recording is what it saw in training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wfdb

import commander
import loaders.beats.window_segmenter
from args import parse_args
from loaders import get_loader
from loaders.beats.input_spec import InputSpec
from loaders.beats.segment_record import rows_of
from loaders.beats.window_segmenter import read_windows
from loaders.io.leads import other_leads
from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat, Recording
from loaders.io.wfdb_record import Record, read_wfdb
from tests.conftest import RECORDS, ROOT, needs_records
from tests.made import small_record, write_format
from toolbox.utils import UserError, read_json

RECIPES = {
    "own beats": InputSpec("window", 0.1, 0.1, 360.0, 2, "record", 0.0, ("tempo", "qrs", "pwave"), "median"),
    "slower": InputSpec("window", 0.3, 0.4, 120.0, 2, "window", 0.5, ("rr", "rhythm", "shape")),
    "rows alone": InputSpec("window", 0.3, 0.4, 180.0, 1, "none", 0.5),
}


@pytest.fixture(scope="module")
def record() -> Record:
    return small_record()


def opened(folder: Path, record: Record) -> Recording:
    return open_recording(write_format(folder, "r", record.digital, "16"), CsvFormat())


def joined(
    recording: Recording, sample: np.ndarray, recipe: InputSpec, inverted: bool = False
) -> tuple[np.ndarray, ...]:
    parts = list(read_windows(recording, other_leads(recording, 0, recipe.leads), inverted, sample, recipe))
    columns = [column for column in zip(*parts, strict=True) if column[0] is not None]
    return tuple(np.concatenate(column) for column in columns)


@pytest.mark.parametrize("name", RECIPES)
def test_rows_and_features_are_those_of_training(name: str, record: Record, tmp_path: Path) -> None:
    recipe = RECIPES[name]
    trained = rows_of(record, recipe)
    found = joined(opened(tmp_path, record), trained.sample.astype(np.int64), recipe)
    assert len(found) == (2 if recipe.features else 1)
    assert np.abs(found[0] - trained.x).max() < 2e-3
    if recipe.features:
        assert np.median(np.abs(found[1] - trained.features)) < 1e-4
        assert np.quantile(np.abs(found[1] - trained.features), 0.99) < 0.02


def test_pieces_join_and_no_beat_is_lost(record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = RECIPES["rows alone"]
    recording = opened(tmp_path, record)
    sample = rows_of(record, recipe).sample.astype(np.int64)
    (whole,) = joined(recording, sample, recipe)
    monkeypatch.setattr(loaders.beats.window_segmenter, "WHOLE", 1.0)
    monkeypatch.setattr(loaders.beats.window_segmenter, "LENGTH", 13.0)
    monkeypatch.setattr(loaders.beats.window_segmenter, "CONTEXT", 8.0)
    parts = list(read_windows(recording, [0], False, sample, recipe))
    assert len(parts) > 2 and sum(len(x) for x, _ in parts) == len(sample)
    assert np.abs(np.concatenate([x for x, _ in parts]) - whole).max() < 0.02  # mV; the filter ends with the context


def test_a_lead_that_is_upside_down_is_turned_around_alone(record: Record, tmp_path: Path) -> None:
    recipe = InputSpec("window", 0.1, 0.1, 360.0, 2, "none", 0.5)
    recording = opened(tmp_path, record)
    sample = rows_of(record, recipe).sample.astype(np.int64)
    (plain,), (turned,) = (joined(recording, sample, recipe, inverted) for inverted in (False, True))
    assert np.allclose(plain[:, 0], -turned[:, 0]) and np.allclose(plain[:, 1], turned[:, 1])


def test_there_may_be_fewer_leads_than_a_network_reads(record: Record, tmp_path: Path) -> None:
    recording = opened(tmp_path, record)
    assert other_leads(recording, 1, 2) == [1, 0] and other_leads(recording, 1, 1) == [1]
    assert other_leads(recording, 0, 3) == [0, 1]


def test_no_beat_gives_nothing(record: Record, tmp_path: Path) -> None:
    assert not list(read_windows(opened(tmp_path, record), [0, 1], False, np.zeros(0, np.int64), RECIPES["own beats"]))


@needs_records
def test_a_record_of_mitdb(tmp_path: Path) -> None:
    recipe = RECIPES["own beats"]
    record = read_wfdb(RECORDS / "208")
    trained = rows_of(record, recipe)
    recording = open_recording(RECORDS / "208.hea", CsvFormat())
    x, features = joined(recording, trained.sample.astype(np.int64), recipe)
    assert np.abs(x - trained.x).max() < 1e-3 and np.abs(features - trained.features).max() < 1e-3


def test_a_network_of_windows_annotates_a_recording_as_it_was_trained(tmp_path: Path) -> None:
    """Trained and asked by the command line; with the same R peaks it says what --test would say of each beat."""
    flags = "--dataset synthetic --synthetic-patients 6 --synthetic-minutes 2"
    recipe = "--split kfold --fold 1/3 --context window --leads 2 --baseline median --features tempo qrs pwave"
    root = ["--root-dir", str(tmp_path / "data")]
    made = tmp_path / "records"
    commander.main([*flags.split(), *root, "--prepare", "--write-records", str(made)])
    commander.main([*flags.split(), *root, *recipe.split(), "--model-name", "mlp", "--epochs", "2", "--lr", "0.01"])
    result = commander.main([*flags.split(), *root, "--test"])
    called = read_json(Path(result["run"]) / "pred" / f"test_results_list_ep{result['epoch']}.json")
    data = get_loader(parse_args([*flags.split(), *root, *recipe.split(), "--prepare"])).test
    tested = sorted(set(data.beats.record[data.rows.numpy()].tolist()))
    asked = [str(made / f"{name}.hea") for name in tested]
    run = ["--dataset", "synthetic", "--model-name", "mlp", "--resume", "best"]
    commander.main([*root, *run, "--predict", *asked, "--peaks", "atr", "--out", str(tmp_path / "out")])
    for name in tested:
        rows = [row for row in data.rows.tolist() if data.beats.record[row] == name]
        found = wfdb.rdann(str(tmp_path / "out" / name), "ecg")
        symbols = dict(zip(found.sample.tolist(), found.symbol, strict=True))
        same = [symbols[int(data.beats.sample[row])] == "NSVF"[called[str(row)][1]] for row in rows]
        assert len(rows) > 50 and np.mean(same) > 0.98  # features of quality-marked stretches may differ
    with pytest.raises(UserError, match="of 2 leads; a stream is one"):
        commander.main([*root, *run, "--predict", *asked, "--live"])


def test_the_recipe_for_streams_annotates_live_as_afterwards(tmp_path: Path) -> None:
    """Trained by its file, on synthetic recordings; a file streamed and one looked at as a whole are called alike."""
    flags = "--dataset synthetic --synthetic-patients 6 --synthetic-minutes 2 --split kfold --fold 1/3".split()
    recipe = ["--config", str(ROOT / "recipes" / "live.yaml"), "--spliced", "none", "--epochs", "2"]
    root, made = ["--root-dir", str(tmp_path / "data")], tmp_path / "records"
    commander.main([*flags, *root, "--prepare", "--write-records", str(made)])
    commander.main([*flags, *root, *recipe])
    headers = [str(path) for path in sorted(made.glob("*.hea"))[:2]]
    run = [*root, "--dataset", "synthetic", "--model-name", "mlp", "--resume", "best"]
    for out, live in (("live", ["--live"]), ("whole", [])):
        commander.main(
            [*run, "--predict", *headers, *live, "--polarity", "keep", "--lead", "MLII", "--out", str(tmp_path / out)]
        )
    for name in (Path(header).stem for header in headers):
        live, whole = (wfdb.rdann(str(tmp_path / out / name), "ecg") for out in ("live", "whole"))
        beats = [pd.Series(one.symbol, one.sample)[np.isin(one.symbol, list("NSVFQ"))] for one in (live, whole)]
        both = pd.concat(beats, axis=1, join="inner")
        assert len(both) > 0.95 * len(beats[1]) > 100  # a stream sees noise some seconds after it began
        assert (both[0] == both[1]).mean() > 0.97  # and has compared some beats with those of its start
