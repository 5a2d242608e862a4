"""Beats corrected on the page of a recording, in Chromium, and the saved list applied by --corrections."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import wfdb
from playwright.sync_api import Browser, Page

from commander import main
from tests.browser import needs_chromium, opened
from tests.made import Rule, small_record, write_format
from tests.toolbox.holter.test_page_in_chromium import saved, settle

pytestmark = needs_chromium


def annotations(path: Path) -> list[tuple[int, str, str]]:
    """The beats and other marks of an annotation file, rhythm changes aside, which follow from the beats."""
    read = wfdb.rdann(str(path.with_suffix("")), path.suffix[1:])
    rows = zip(read.sample.tolist(), read.symbol, read.subtype.tolist(), strict=True)
    return [row for row in rows if row[1] != "+"]


def click_after_a_second(page: Page) -> None:
    """Click a second after the time that was gone to, which stands at a third of the strip."""
    box = page.locator("#strip").bounding_box()
    assert box is not None
    second = 25 * 96 / 25.4  # px
    page.mouse.click(box["x"] + 1 + (box["width"] - 2) / 3 + second, box["y"] + 100)
    settle(page)


def test_what_a_person_corrected_is_what_predict_writes(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.predict.load_classifier", lambda args: Rule())
    record = write_format(tmp_path / "in", "r", small_record(0.5).digital, "16")
    main(["--predict", str(record)])
    before = [at for at, mark, _ in annotations(record.with_suffix(".ecg")) if mark in "NSVFQ"]
    with opened(browser, record.with_suffix(".ecg.html")) as page:
        for time, click, key in (
            (before[6] / 360, True, "s"),
            (before[12] / 360, True, "Delete"),
            (before[16] / 360 + 0.02, False, "f"),  # beside a beat: it is named
            ((before[20] + before[21]) / 720, False, "v"),  # between two beats: inserted
        ):
            page.fill("#time", f"{time - click:.3f}")
            page.press("#time", "Enter")
            settle(page)
            if click:
                click_after_a_second(page)
            page.locator("#strip").focus()
            page.keyboard.press(key)
            settle(page)
        changes = saved(page, "list", tmp_path)
        by_hand = saved(page, "save", record.parent)
    listed = [(change["action"], change["sample"]) for change in json.loads(changes.read_text())["changes"]]
    assert listed[:3] == [("name", before[6]), ("delete", before[12]), ("name", before[16])]
    assert listed[3][0] == "insert" and before[20] < listed[3][1] < before[21] and by_hand.name == "r.corrected"
    kept = by_hand.read_bytes(), changes.read_bytes()
    main(["--predict", str(record), "--corrections", str(changes)])
    with opened(browser, record.with_suffix(".ecg.html")) as page:
        page.fill("#time", f"{before[6] / 360 - 1:.3f}")
        page.press("#time", "Enter")
        settle(page)
        click_after_a_second(page)
        assert "S, supraventricular ectopic · by a person" in page.inner_text("#status")
    assert annotations(record.with_suffix(".ecg")) == annotations(by_hand)
    assert (by_hand.read_bytes(), changes.read_bytes()) == kept
