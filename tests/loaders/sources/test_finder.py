"""loaders.sources.finder: where the rows come from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from args import parse_args
from loaders.beats.table import Beats
from loaders.datasets.build import kaggle_layout, synthetic_cache
from loaders.options import SourceOptions
from loaders.sources import google_drive as gdd
from loaders.sources import physionet
from loaders.sources.cache import Cache
from loaders.sources.finder import SourceFinder
from loaders.sources.kaggle_csv import FILES
from toolbox.utils import UserError
from toolbox.utils.options import pick


def flags(root: Path, *more: str) -> SourceOptions:
    return pick(SourceOptions, parse_args(["--prepare", "--root-dir", str(root), *more]))


def finder_of(options: SourceOptions) -> SourceFinder:
    return SourceFinder(options, kaggle_layout(options))


def cache_of(options: SourceOptions) -> Cache:
    made = synthetic_cache(options, kaggle_layout(options))
    assert made is not None
    return made


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No download gets through; which were tried."""
    tried: list[str] = []

    def fails(name: str) -> Callable[..., None]:
        def fail(*_: Any, **__: Any) -> None:
            tried.append(name)
            raise UserError(f"{name} cannot be reached")

        return fail

    monkeypatch.setattr(gdd, "download", fails("gdrive"))
    monkeypatch.setattr(physionet, "download", fails("physionet"))
    return tried


def test_auto_takes_the_csv_files_then_their_cache(
    root: Path, beats: dict[str, Beats], offline: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    made = finder_of(flags(root)).find()
    assert made.meta["kind"] == "csv"
    assert np.array_equal(made.splits["test"].x, beats["test"].x)
    assert np.array_equal(made.splits["train"].y, beats["train"].y)
    assert f"data: CSV files in {root / 'ecg'}; building the cache" in capsys.readouterr().err
    again = finder_of(flags(root)).find()
    assert again.fingerprint == made.fingerprint
    assert "data: built cache of CSV files" in capsys.readouterr().err
    for name in FILES.values():
        (root / "ecg" / name).unlink()
    assert finder_of(flags(root)).find().fingerprint == made.fingerprint  # a cache outlives its source
    assert offline == []


def test_auto_offline_says_what_was_tried_and_the_ways_out(tmp_path: Path, offline: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        finder_of(flags(tmp_path)).find()
    message = str(caught.value)
    assert offline == ["gdrive", "physionet"]
    for part in (
        "gdrive cannot be reached",
        "physionet cannot be reached",
        str(tmp_path / "ecg"),
        str(tmp_path / "mitdb"),
        "mitbih_train.csv",
        "--records-dir",
        "--dataset synthetic",
    ):
        assert part in message
    assert "\n" not in message


@pytest.mark.parametrize("source", ["gdrive", "physionet"])
def test_a_source_that_is_named_is_the_only_one_tried(tmp_path: Path, offline: list[str], source: str) -> None:
    with pytest.raises(UserError, match=f"^{source} cannot be reached$"):
        finder_of(flags(tmp_path, "--source", source)).find()
    assert offline == [source]


def test_a_missing_csv_file_is_named(root: Path, offline: list[str]) -> None:
    (root / "ecg" / FILES["test"]).unlink()
    with pytest.raises(UserError, match=r"lacks mitbih_test\.csv$"):
        finder_of(flags(root, "--source", "csv")).find()
    assert (root / "ecg" / FILES["train"]).exists()  # the predecessor moved both onto one


def test_records_that_are_named_are_not_replaced_by_others(root: Path, offline: list[str]) -> None:
    with pytest.raises(UserError, match=r"no folder .*nowhere"):
        finder_of(flags(root, "--records-dir", str(root / "nowhere"))).find()
    (root / "some").mkdir()
    (root / "some" / "RECORDS").write_text("100\n101\n")
    with pytest.raises(UserError, match=r"lacks 100\.hea, 100\.dat, 100\.atr, 101\.hea.*--source physionet"):
        finder_of(flags(root, "--records-dir", str(root / "some"))).find()
    assert offline == []


def test_synthetic_rows_are_cached_by_what_they_are_made_from(tmp_path: Path) -> None:
    small = ("--dataset", "synthetic", "--synthetic-patients", "2", "--synthetic-minutes", "1")
    first = cache_of(flags(tmp_path, *small))
    assert cache_of(flags(tmp_path, *small)).fingerprint == first.fingerprint
    other = cache_of(flags(tmp_path, *small, "--synthetic-seed", "1"))
    assert other.fingerprint != first.fingerprint
    assert set(other.splits["train"].record) == {"syn00", "syn01"}
