"""window_reading: what a network of windows sees of a recording is what it saw in training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import loaders.window_reading
from loaders.context import rows_of
from loaders.recipe import Recipe
from loaders.recordings import CsvFormat, Recording, open_recording
from loaders.records import Record, read_wfdb
from loaders.window_reading import other_leads, read_windows
from tests.conftest import RECORDS, needs_records
from tests.made import small_record, write_format
from toolbox.utils import UserError

RECIPES = {
    "own beats": Recipe("window", 0.1, 0.1, 360.0, 2, "record", 0.0, ("tempo", "qrs", "pwave"), "median"),
    "slower": Recipe("window", 0.3, 0.4, 120.0, 2, "window", 0.5, ("rr", "rhythm", "shape")),
    "rows alone": Recipe("window", 0.3, 0.4, 180.0, 1, "none", 0.5),
}


@pytest.fixture(scope="module")
def record() -> Record:
    return small_record()


def opened(folder: Path, record: Record) -> Recording:
    return open_recording(write_format(folder, "r", record.digital, "16"), CsvFormat())


def joined(recording: Recording, sample: np.ndarray, recipe: Recipe, inverted: bool = False) -> tuple[np.ndarray, ...]:
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
    monkeypatch.setattr(loaders.window_reading, "WHOLE", 1.0)
    monkeypatch.setattr(loaders.window_reading, "LENGTH", 13.0)
    monkeypatch.setattr(loaders.window_reading, "CONTEXT", 8.0)
    parts = list(read_windows(recording, [0], False, sample, recipe))
    assert len(parts) > 2 and sum(len(x) for x, _ in parts) == len(sample)
    assert np.abs(np.concatenate([x for x, _ in parts]) - whole).max() < 0.02  # mV; the filter ends with the context


def test_a_lead_that_is_upside_down_is_turned_around_alone(record: Record, tmp_path: Path) -> None:
    recipe = Recipe("window", 0.1, 0.1, 360.0, 2, "none", 0.5)
    recording = opened(tmp_path, record)
    sample = rows_of(record, recipe).sample.astype(np.int64)
    (plain,), (turned,) = (joined(recording, sample, recipe, inverted) for inverted in (False, True))
    assert np.allclose(plain[:, 0], -turned[:, 0]) and np.allclose(plain[:, 1], turned[:, 1])


def test_too_few_leads_are_told(record: Record, tmp_path: Path) -> None:
    recording = opened(tmp_path, record)
    assert other_leads(recording, 1, 2) == [1, 0] and other_leads(recording, 1, 1) == [1]
    with pytest.raises(UserError, match=r"has 2 lead\(s\); the network reads 3"):
        other_leads(recording, 0, 3)


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
