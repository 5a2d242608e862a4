"""Take the documentation's pictures in headless Chromium: page of a recording, report of a run, comparison, all runs.

python -m benchmarks.screenshots --root-dir ecg_data --record ecg_data/mitdb/233 [--only run_page] [--out docs/pictures]

The runs below ROOT must be there, tested; the newest is shown, and compared with those that can be. It needs Chromium,
which is not downloaded, and `pip install -r requirements-dev.txt`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import tempfile
from argparse import Namespace
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from playwright.sync_api import sync_playwright

import commander
from benchmarks.common import ROOT, make_parser, run_program
from toolbox.runs.folders import Run, list_runs
from toolbox.utils import UserError, atomic_write

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
COLOURS = 64  # of a picture's palette: pages are mostly flat
SETTLED = 500  # ms until a page has drawn


class Picture(NamedTuple):
    """A picture: the function that gives its page, and the part of the page that is shown.

    Attributes:
        page: of the flags, the runs (oldest first) and a folder to write into.
        height: in CSS pixels, of 1280 of width.
        top: a selector of the element that the picture begins with; "" for the page's begin.
    """

    page: Callable[[Namespace, list[Run], Path], Path]
    height: int = 800
    top: str = ""


def recording_page(args: Namespace, runs: list[Run], folder: Path) -> Path:
    """The page of --record, annotated by the newest run."""
    flags = ["--model-name", runs[-1].options["model_name"], "--version", str(runs[-1].version)]
    run_quietly(args, "--dataset", runs[-1].options["dataset"], *flags, "--predict", args.record, "--out", folder)
    return next(folder.glob("*.html"))


def report_page(args: Namespace, runs: list[Run], folder: Path) -> Path:
    """The report of the newest run."""
    return runs[-1].page


def comparison_page(args: Namespace, runs: list[Run], folder: Path) -> Path:
    """The newest run compared with the others."""
    run_quietly(args, "--compare", "all", "--out", folder)
    return folder / "compare.html"


def index_page(args: Namespace, runs: list[Run], folder: Path) -> Path:
    """All runs of the newest one's dataset."""
    run_quietly(args, "--list")
    return runs[-1].path.parent / "index.html"


PICTURES = {
    "annotated_recording": Picture(recording_page, 860, ".cards"),
    "run_page": Picture(report_page, top="section"),
    "comparison": Picture(comparison_page),
    "runs_index": Picture(index_page, 560),
}


def run_quietly(args: Namespace, *flags: Any) -> None:
    """Run a command of the program on the runs below --root-dir."""
    with contextlib.redirect_stdout(StringIO()):
        commander.main(["--root-dir", str(args.root_dir), *map(str, flags)])


def photograph(page: Path, picture: Picture, scheme: str = "light") -> bytes:
    """A PNG of a page of a file.

    Raises:
        UserError: there is no browser, or no such page.
    """
    chromium = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if chromium is None:
        raise UserError(f"this needs a browser, one of {', '.join(BROWSERS)} (apt-get install chromium)")
    if not page.is_file():
        raise UserError(f"{page} is missing: train and test a run first, then compare")
    options = [] if os.geteuid() else ["--no-sandbox"]  # its sandbox refuses to run as root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        shown = browser.new_page(viewport={"width": 1280, "height": picture.height}, color_scheme=scheme)  # type: ignore[arg-type]
        shown.goto(page.resolve().as_uri())
        shown.wait_for_timeout(SETTLED)
        if picture.top:
            shown.locator(picture.top).first.evaluate("element => element.scrollIntoView()")
        content: bytes = shown.screenshot()
        browser.close()
    packed = BytesIO()
    Image.open(BytesIO(content)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
        packed, "PNG", optimize=True
    )
    return packed.getvalue()


def take(args: Namespace, name: str) -> Path:
    """Take the picture `name` and write it into --out; return its path."""
    runs = [run for run in list_runs(args.root_dir) if not run.trial and run.page.is_file()]
    if not runs:
        raise UserError(f"no run with a report in {args.root_dir}: train one, and --test it")
    with tempfile.TemporaryDirectory() as folder:
        content = photograph(PICTURES[name].page(args, runs, Path(folder)), PICTURES[name])
    args.out.mkdir(parents=True, exist_ok=True)
    path: Path = args.out / f"{name}.png"
    with atomic_write(path) as handle:
        handle.write(content)
    return path


def read_flags(argv: list[str] | None = None) -> Namespace:
    """The flags of this program."""
    parser: argparse.ArgumentParser = make_parser(__doc__, records=False)
    parser.add_argument("--root-dir", type=Path, default=Path("ecg_data"), help="folder of the runs (ecg_data)")
    parser.add_argument("--record", type=Path, default=Path("ecg_data/mitdb/233"), help="recording whose page is shown")
    parser.add_argument("--only", choices=PICTURES, nargs="+", default=list(PICTURES), help="pictures to take (all)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures", help="folder of the pictures")
    return parser.parse_args(argv)


def main() -> None:
    """Read the flags and take the pictures."""
    args = read_flags()
    for name in args.only:
        path = take(args, name)
        print(f"written {path} ({path.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    run_program(main)
