"""The program that takes the documentation's pictures, for one page; and the pictures that are there."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import commander
from benchmarks.screenshots import PICTURES, Picture, photograph, read_flags, take
from tests.browser import needs_chromium
from tests.conftest import ROOT, SMALL
from toolbox.utils import UserError

PLACE = ROOT / "docs" / "pictures"
MOST_BYTES = 150_000


def test_the_pictures_are_small_and_stand_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"docs/pictures/(\w+)\.png", readme)) == set(PICTURES)
    assert {path.name for path in PLACE.iterdir()} == {f"{name}.png" for name in PICTURES}
    for name, picture in PICTURES.items():
        path = PLACE / f"{name}.png"
        assert path.stat().st_size < MOST_BYTES
        assert Image.open(path).size == (1280, picture.height)


def elsewhere(work: Callable[..., Any], *arguments: Any) -> Any:
    """The result of `work` in a thread of its own: in this one, the browser of other tests may be running."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work, *arguments).result()


@needs_chromium
def test_it_takes_the_picture_of_a_page(tmp_path: Path) -> None:
    flags = ["--dataset", "synthetic", *SMALL, "--model-name", "cnn1d_3", "--epochs", "1", "--root-dir", str(tmp_path)]
    run = Path(commander.main(flags)["run"])
    args = read_flags(["--root-dir", str(tmp_path), "--only", "run_page", "--out", str(tmp_path / "pictures")])
    path = elsewhere(take, args, "run_page")
    assert [*(tmp_path / "pictures").iterdir()] == [path] and path.name == "run_page.png"
    picture = Image.open(path)
    assert picture.size == (1280, PICTURES["run_page"].height)
    light = np.asarray(picture.convert("L"))
    assert 0.001 < (light < 100).mean() < 0.5 < (light > 200).mean()  # letters on paper
    first = elsewhere(photograph, run / "report.html", Picture(PICTURES["run_page"].page, 300, "h2"))
    assert first != elsewhere(photograph, run / "report.html", Picture(PICTURES["run_page"].page, 300))


def test_without_runs_it_says_what_to_do(tmp_path: Path) -> None:
    args = read_flags(["--root-dir", str(tmp_path)])
    assert args.only == list(PICTURES)
    with pytest.raises(UserError, match=r"no run with a report in .*: train one, and --test it"):
        take(args, "run_page")
