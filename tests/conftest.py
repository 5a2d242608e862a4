"""Data that many tests share, made once a session: small, synthetic, offline."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.figure import Figure

from loaders.beats.input_spec import InputSpec
from loaders.beats.segment_record import rows_of
from loaders.beats.table import Beats
from loaders.datasets.build import kaggle_files
from loaders.sources.kaggle_csv import FILES
from loaders.sources.synthetic import synthesize

SMALL = ["--synthetic-patients", "4", "--synthetic-minutes", "4"]
ROOT = Path(__file__).resolve().parent.parent
RECORDS = ROOT.parent / "shared" / "mitdb"

needs_records = pytest.mark.skipif(
    not RECORDS.is_dir(), reason="needs the MIT-BIH records in ../shared/mitdb beside the checkout"
)

CASES = ROOT.parent / "shared" / "cases" / "recordings"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="needs the recordings that went wrong in ../shared/cases")

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MOST_WORKERS = 8  # more than this wait for each other's disk


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The processes of `-n auto` (pyproject.toml): one per core for the whole suite, none for the files of a path."""
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return min(os.cpu_count() or 1, MOST_WORKERS) if whole else 0


@pytest.fixture(scope="session")
def beats() -> dict[str, Beats]:
    """Synthetic rows of four patients, split as --dataset synthetic splits them."""
    return kaggle_files(Beats.join(rows_of(record, InputSpec()) for record in synthesize(4, 4, 0)), seed=0)


@pytest.fixture(scope="session")
def shared_root(tmp_path_factory: pytest.TempPathFactory, beats: dict[str, Beats]) -> Path:
    """A ROOT whose ecg folder holds CSV files like Kaggle's, of synthetic rows. Tests link to it, none writes to it."""
    root = tmp_path_factory.mktemp("shared")
    (root / "ecg").mkdir()
    for split, name in FILES.items():
        table = np.concatenate([beats[split].x, beats[split].y[:, None]], axis=1)
        np.savetxt(root / "ecg" / name, table, fmt="%.18e", delimiter=",")
    return root


@pytest.fixture
def root(tmp_path: Path, shared_root: Path) -> Path:
    """A ROOT of one's own, with CSV files for --dataset ecg."""
    (tmp_path / "ecg").mkdir()
    for name in FILES.values():
        (tmp_path / "ecg" / name).symlink_to(shared_root / "ecg" / name)
    return tmp_path


@pytest.fixture(autouse=True)
def blank_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Save figures as files without a picture: drawing takes half of a small run's time. Marker "draws" draws them."""
    if request.node.get_closest_marker("draws") is None:
        monkeypatch.setattr(Figure, "savefig", lambda figure, file, **_: file.write(b"no picture"))


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as docs/api.md and the examples expect it: a run and its export, recordings of WFDB and CSV."""
    from tests.made import make_workplace

    return make_workplace(tmp_path_factory.mktemp("workplace"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium; tests that take it are marked with tests.browser.needs_chromium."""
    from tests.browser import start_browser

    with start_browser() as browser:
        yield browser
