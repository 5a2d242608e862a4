"""toolbox.reports.runs_index: the page over all runs of a dataset."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from commands.index import refresh_index
from tests.browser import needs_chromium, opened
from tests.commands.test_compare import make_run
from tests.conftest import ROOT
from tests.test_faults import Disk
from toolbox.reports.runs_index import MARK, write_runs_index

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The folder of three runs: tested, named and stopped early, and one whose log was damaged."""
    tested = make_run(tmp_path, "ecg_mlp_1", [1] * 6, epochs=2, name="wide", tag=["paper", "x"], note="a remark")
    (tested / "report.html").write_text("<!DOCTYPE html><title>the report</title>")
    early = make_run(tmp_path, "ecg_mlp_2", [5] * 6, tested=False, epochs=9, split="kaggle", short_run=True)
    log = json.loads((early / "logger.json").read_text())
    log["logged"]["stopped"] = {"epoch": 2, "epochs": 9, "patience": 1, "best": log["logged"]["val"][0]}
    log["logged"]["stopped"]["best"] = {"epoch": 1, "monitor": "macro_f1", "score": 0.5}
    log["logged"]["val"][0]["macro_f1"] = 0.9
    (early / "logger.json").write_text(json.dumps(log))
    (make_run(tmp_path, "ecg_mlp_3", [1] * 6) / "logger.json").write_text("{}")
    return tmp_path / "ecg" / "runs"


def cells(page: str, name: str) -> list[str]:
    """The texts of the row of a run."""
    row = next(row for row in page.split("<tr>") if name in row and 'scope="row"' in row)
    return [re.sub(r"<[^>]*>", " ", cell).strip() for cell in re.findall(r"<td.*?</td>", row, re.S)]


def test_it_lists_the_runs_with_their_scores(runs: Path) -> None:
    page = write_runs_index(runs).read_text()
    tags, network, split, date, epochs, time, curve, *scores = cells(page, "ecg_mlp_1")
    assert (tags.split(), network, split, date) == (["paper", "x"], "mlp", "interpatient, 0", "2026-01-01 00:00")
    assert (epochs, time, curve) == ("2/2", "8 s", "")  # two epochs of 2 s, training and validation
    acc = f"{100 * (1 - 6 / 180):.2f}"
    kappa, f1 = f"{1 - 6 / 180 - 0.05:.3f}", f"{100 * 2 * 54 / 114:.2f}"
    assert scores == [acc, acc, kappa, acc, acc, "100.00", f1, kappa]
    assert '<a href="ecg_mlp_1/report.html">wide</a>' in page and "<small>a remark</small>" in page
    assert "2 runs, the newest first" in page
    assert page.index("ecg_mlp_2") < page.index("ecg_mlp_1", page.index("<tbody>"))


def test_runs_that_stopped_early_and_trials_say_so(runs: Path) -> None:
    page = write_runs_index(runs).read_text()
    *_, epochs, _, _, val_acc, val_f1, _, acc, f1, s_f1, v_f1, kappa = cells(page, "ecg_mlp_2")
    assert epochs.split() == ["2/9", "stopped", "early", "trial"]
    assert [acc, f1, s_f1, v_f1, kappa] == ["–"] * 5  # it has not been tested
    assert (val_acc, val_f1) == (f"{100 * (1 - 30 / 180):.2f}", "90.00")
    assert "macro F1 on validation from 0.9000 to 0.8333" in page and 'cx="3.0" cy="3.0"' in page  # the dot: epoch 1


def test_a_damaged_run_is_named_and_a_page_of_others_kept(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = write_runs_index(runs)
    assert "ecg_mlp_3 is left out: " in page.read_text() and "is not the log of a run" in page.read_text()
    page.write_text("my own page")
    refresh_index(runs)
    assert page.read_text() == "my own page"
    assert capsys.readouterr().err == f"warning: {page} is not renewed: another page has this name, and is kept\n"
    page.unlink()
    page.mkdir()  # whatever stands there, it is a warning
    refresh_index(runs)
    assert capsys.readouterr().err.startswith(f"warning: {page} is not renewed: ")


def test_a_fault_at_each_write_is_a_warning_and_keeps_the_page(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, disk = write_runs_index(runs), Disk()
    before = page.read_text()
    with disk.watch():
        write_runs_index(runs)
    events = list(disk.seen)
    assert events.count("write") == 1 and "replace" in events
    page.write_text(before)
    for at, what in enumerate(events):
        with disk.watch(at, errno.ENOSPC):
            refresh_index(runs)
        said = capsys.readouterr().err
        assert what == "mkdir" or ("warning: " in said and "No space left" in said)
        assert page.read_text().count("<tr>") == before.count("<tr>")
        assert not list(runs.glob(".*.tmp"))


def test_processes_write_it_at_once(runs: Path) -> None:
    program = "import sys, pathlib; from toolbox.reports.runs_index import *\n"
    program += "for _ in range(10): write_runs_index(pathlib.Path(sys.argv[1]))"
    words = [sys.executable, "-c", program, str(runs)]
    writers = [subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(2)]
    assert [(one.communicate()[1], one.returncode) for one in writers] == [(b"", 0)] * 2
    assert MARK in (runs / "index.html").read_text()
    assert not list(runs.glob(".*.tmp"))


@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (768, "light"), (1280, "light")])
def test_it_is_sorted_filtered_and_leads_to_the_report(runs: Path, browser: Browser, width: int, scheme: str) -> None:
    with opened(browser, write_runs_index(runs), width, scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        names = "[...document.querySelectorAll('tbody tr:not([hidden]) th')].map((th) => th.dataset.value)"
        assert page.evaluate(names) == ["ecg_mlp_2", "wide"]
        page.get_by_role("button", name="val acc").click()
        assert page.evaluate(names) == ["wide", "ecg_mlp_2"]
        page.get_by_role("button", name="Started").click()
        assert page.evaluate(names)[0] in ("ecg_mlp_2", "wide")
        page.get_by_label("Show").fill("PAPER mlp")
        assert page.evaluate(names) == ["wide"] and page.locator("#shown").inner_text() == "1 of 2"
        assert page.get_by_role("link", name="wide").get_attribute("href") == "ecg_mlp_1/report.html"
