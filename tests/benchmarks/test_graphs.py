"""The two pages on the data that stand in the repository: fresh, small, credited, and at work in Chromium."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from benchmarks.graphs import STEP, collect, curves, earliness, page, shares, windows
from loaders.io.wfdb_record import Record
from tests.browser import needs_chromium, opened
from tests.conftest import RECORDS, ROOT, needs_records
from toolbox.utils import UserError
from toolbox.utils.aami import CLASS_LETTERS

GRAPHS = ROOT / "notebooks" / "graphs"
NAMES = ("pie", "signals")


def data_of(name: str) -> dict[str, Any]:
    """The data inside a page that stands in the repository."""
    text = (GRAPHS / f"{name}.html").read_text(encoding="utf-8")
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, flags=re.DOTALL)
    assert match is not None
    data: dict[str, Any] = json.loads(match[1])
    return data


def class_counts(part: str) -> dict[str, int]:
    """The beats of each class on pie.html."""
    data = data_of("pie")
    return {one["letter"]: sum(data["parts"][part].get(key, 0) for key in one["symbols"]) for one in data["classes"]}


@pytest.mark.parametrize("name", NAMES)
def test_the_pages_are_what_the_command_writes(name: str) -> None:
    assert page(name, data_of(name)) == (GRAPHS / f"{name}.html").read_text("utf-8"), "python -m benchmarks.graphs"


def test_they_are_small_credited_and_ask_nobody() -> None:
    assert sum((GRAPHS / f"{name}.html").stat().st_size for name in NAMES) < 150_000
    for name in NAMES:
        text = (GRAPHS / f"{name}.html").read_text(encoding="utf-8")
        assert re.search(r"<title>Heartbeats by class.*MIT-BIH</title>", text) and 'lang="en"' in text
        for credit in ("Moody", "2001", "Goldberger", "2000", "opendatacommons.org/licenses/by/1-0", "physionet.org"):
            assert credit in text
        assert "default-src 'none'" in text and not re.search(r"<(script|link|img)[^>]*(src|href)=", text)
    assert {path.name for path in GRAPHS.iterdir()} == {f"{name}.html" for name in NAMES}


def test_they_count_the_beats_of_the_database() -> None:
    assert class_counts("all 48 records") == {"N": 90631, "S": 2781, "V": 7236, "F": 803, "Q": 8043}
    drawn = {one["letter"]: one["beats"] for one in data_of("signals")["classes"]}
    assert drawn == class_counts("all 48 records")
    halves = [class_counts(part) for part in data_of("pie")["parts"] if part.startswith("DS")]
    # de Chazal et al. 2004, table I
    assert [{key: half[key] for key in "SVF"} for half in halves] == [
        {"S": 944, "V": 3788, "F": 415},
        {"S": 1837, "V": 3221, "F": 388},
    ]


@needs_records
def test_they_show_the_records_themselves() -> None:
    counts, gathered = collect(RECORDS)
    assert json.loads(json.dumps(shares(counts))) == data_of("pie")
    assert json.loads(json.dumps(curves(gathered))) == data_of("signals")


def test_folders_that_lack_records_are_refused(tmp_path: Path) -> None:
    for extension in ("hea", "dat", "atr"):
        (tmp_path / f"100.{extension}").touch()
    with pytest.raises(UserError, match="lacks records of the MIT-BIH Arrhythmia Database: 101, 103"):
        collect(tmp_path)


def test_windows_are_of_the_lead_around_the_peak_in_millivolts() -> None:
    digital = np.zeros((1000, 2), dtype=np.int64)
    digital[500, 1] = 400
    record = Record(
        "1", "1", 360.0, ["V1", "MLII"], digital + 1024, np.array([200.0, 200.0]), np.array([1024, 1024]),
        np.array([20, 500]), np.array(["N", "V"]), np.array(["", ""]), [],
    )  # fmt: skip
    cut = windows(record, record.sample)
    assert cut.shape == (2, round(0.95 * 360) // STEP + 1)
    assert np.isnan(cut[0]).all()  # it begins before the record does
    assert cut[1].max() == cut[1, round(0.35 * 360) // STEP] == 2.0 and np.count_nonzero(cut[1]) == 1
    record.leads[1] = "II"
    assert np.isnan(windows(record, record.sample)).all()
    early = earliness(np.array([0, 100, 150, 250]))
    assert np.isnan(early[0]) and early[1:].tolist() == [1.0, 0.5, 1.0]


@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (768, "light"), (1280, "light")])
def test_both_fit_and_draw(browser: Browser, width: int, scheme: str) -> None:
    for name, drawings in (("pie", "#pie path.slice"), ("signals", "#panels path.median")):
        with opened(browser, GRAPHS / f"{name}.html", width, scheme) as shown:
            assert shown.evaluate("document.documentElement.scrollWidth") == width
            assert shown.locator(drawings).count() == 5
            boxes = [one.bounding_box() for one in shown.locator(drawings).all()]
            assert all(box and box["height"] > 2 and box["x"] >= 0 for box in boxes)
            ground = shown.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) == (scheme == "dark")


@needs_chromium
def test_classes_are_hidden_and_records_chosen(browser: Browser) -> None:
    with opened(browser, GRAPHS / "pie.html") as shown:
        share = shown.locator("#rows tr[data-letter=S] td").last
        assert share.text_content() == "2.54 %"
        shown.locator("#rows tr[data-letter=N] input").uncheck()
        assert share.text_content() == f"{100 * 2781 / (109494 - 90631):.1f} %"
        assert shown.locator("#pie .middle").text_content() == "18,863"
        shown.locator("#rows tr[data-letter=N] input").check()
        shown.locator("#part").select_option("record 100")
        assert shown.locator("#pie .middle").text_content() == f"{sum(class_counts('record 100').values()):,}"
        shown.locator("#pie path.cV").focus()
        assert shown.locator("#caption").text_content() == "Ventricular ectopic: 1 of 2,273 beats, 0.044 %"


@needs_chromium
def test_curves_are_switched_and_read(browser: Browser) -> None:
    with opened(browser, GRAPHS / "signals.html") as shown:
        beats = shown.locator("#panels path.example")
        before = [one.get_attribute("d") for one in beats.all()]
        assert len(before) == 10
        shown.locator("#others").click()
        assert not set(before) & {one.get_attribute("d") for one in beats.all()}
        shown.locator("#examples").uncheck()
        shown.locator("#bands").uncheck()
        assert beats.count() == shown.locator("#panels path.wide").count() == 0
        shown.locator("#together").check()
        assert [text.strip() for text in shown.locator("#panels figure h2").all_text_contents()] == ["The medians"]
        dashes = {
            shown.locator(f"#panels path.c{letter}").first.get_attribute("stroke-dasharray") for letter in CLASS_LETTERS
        }
        assert len(dashes) == 5  # told apart without colour
        box = shown.locator("#panels svg").bounding_box()
        assert box is not None
        shown.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
        assert re.match(r"\d+ ms: median N -?\d\.\d\d mV, S ", shown.locator("#read").text_content() or "")
