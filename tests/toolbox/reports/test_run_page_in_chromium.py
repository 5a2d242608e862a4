"""The page of a run as a person uses it, in Chromium: a training and a test on synthetic recordings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from playwright.sync_api import Browser, Page, expect

import commander
from tests.browser import needs_chromium, opened

pytestmark = needs_chromium

FLAGS = [
    "--dataset", "synthetic", "--synthetic-patients", "4", "--synthetic-minutes", "6", "--split", "kfold",
    "--fold", "1/2", "--model-name", "mlp", "--features", "tempo", "qrs", "pwave", "--context", "window",
    "--epochs", "2", "--lr", "0.05", "--ema", "0", "--name", "a perceptron", "--tag", "try",
]  # fmt: skip
SMALL = 700_000  # bytes


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was trained and tested."""
    root = ["--root-dir", str(tmp_path_factory.mktemp("root"))]
    folder = Path(commander.main([*root, *FLAGS])["run"])
    commander.main([*root, "--test"])
    return folder


@pytest.fixture
def page(browser: Browser, run: Path):  # type: ignore[no-untyped-def]
    with opened(browser, run / "report.html") as page:
        yield page


def widths(page: Page) -> tuple[int, int]:
    """The width of the page's content and that of the window."""
    content, window = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return content, window


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 800, 1280])
def test_the_page_fits_its_window_and_draws_its_curves(browser: Browser, run: Path, width: int, scheme: str) -> None:
    with opened(browser, run / "report.html", width, scheme) as page:
        content, window = widths(page)
        assert content <= window
        charts = page.locator("svg.chart")
        assert charts.count() >= 9  # by epoch, of thresholds, reliability of all and of each class
        ink = page.eval_on_selector_all(
            "svg.chart .line", "lines => lines.map((line) => [line.getTotalLength(), getComputedStyle(line).stroke])"
        )
        drawn = [(length, colour) for length, colour in ink if length > 0]
        assert len(drawn) > 12
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 26)")
        assert paper not in {colour for _, colour in drawn}


def test_the_page_is_small_and_titled(page: Page, run: Path) -> None:
    assert (run / "report.html").stat().st_size < SMALL
    assert page.title() == "a perceptron" and page.inner_text("h1") == "a perceptron"
    expect(page.locator("header")).to_contain_text("#try")
    assert page.locator(".card b").count() == 4
    assert page.locator(".card").first.inner_text().split("\n")[1] == "j-kappa"


def test_records_are_sorted_by_a_click_and_by_enter(page: Page) -> None:
    head = page.locator("table.sortable th", has_text="Wrong")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    column = "rows => rows.map((row) => +row.cells[5].dataset.value)"
    shares = page.eval_on_selector_all("table.sortable tbody tr", column)
    assert shares == sorted(shares, reverse=True) and len(shares) > 1
    head.get_by_role("button").press("Enter")
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert page.eval_on_selector_all("table.sortable tbody tr", column) == shares[::-1]
    assert page.locator("tr.decisive").count() <= 1


def test_the_other_label_map_is_a_tab(page: Page) -> None:
    first, second = page.locator(".tabs > div").all()
    assert first.is_visible() and not second.is_visible()
    page.locator(".tabs > label").nth(1).click()
    assert second.is_visible() and not first.is_visible()
    page.keyboard.press("ArrowLeft")
    assert first.is_visible()


def test_a_command_is_copied(browser: Browser, run: Path) -> None:
    with opened(browser, run / "report.html", permissions=["clipboard-read", "clipboard-write"]) as page:
        page.click("details.commands > summary")
        row = page.locator("details.commands .command", has_text="Test it")
        row.get_by_role("button").click()
        expect(row.get_by_role("button")).to_have_text("copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == row.locator("code").inner_text() and " --test " in copied


def test_wrong_beats_are_drawn_with_reasons_that_are_those_of_the_file(page: Page, run: Path) -> None:
    (path,) = (run / "pred").glob("test_wrong_ep*.json")
    content = json.loads(path.read_text())
    beats = page.locator("article.beat")
    assert beats.count() == len(content["examples"]) > 0
    assert content["method"] == "integrated gradients, computed exactly"
    first = content["examples"][0]
    expect(beats.first).to_contain_text(first["record"])
    shown = beats.first.locator(".why").first.locator("tr").all_inner_texts()
    assert [line.split("\t")[:2] for line in shown] == [
        [part["name"], f"{part['value']:+.2f}"] for part in first["why"]["parts"]
    ]
    trace = beats.first.locator("svg.strip .trace")
    assert trace.evaluate("path => path.getTotalLength()") > 75  # mm


def test_the_way_to_all_runs(page: Page, run: Path) -> None:
    link = page.get_by_role("link", name="All runs")
    assert (run / link.get_attribute("href")).resolve() == run.parent / "index.html"  # type: ignore[operator]
    assert (run.parent / "index.html").is_file()


def test_paper_has_strips_of_true_size(browser: Browser, run: Path, tmp_path: Path) -> None:
    mm = 96 / 25.4  # CSS px
    with opened(browser, run / "report.html", int(186 * mm)) as page:  # A4 without its margins
        page.emulate_media(media="print")
        content, window = widths(page)
        assert content <= window  # else the browser shrinks all of it
        strip = page.locator("svg.strip").first.bounding_box()
        assert strip is not None and strip["width"] == pytest.approx(83 * mm, abs=0.5)  # 3 s and the scale
        assert page.locator(".tabs > div:visible").count() == 2  # both label maps
        assert page.locator("button.copy:visible").count() == 0
    with opened(browser, run / "report.html", scheme="dark") as page:
        page.pdf(path=tmp_path / "page.pdf", format="A4", prefer_css_page_size=True, print_background=True)
    paper = pypdfium2.PdfDocument(str(tmp_path / "page.pdf"))
    assert np.median(paper[0].render(scale=1).to_numpy()) == 255  # white, whatever the screen was
    assert "labels by EC57" in "".join(sheet.get_textpage().get_text_range() for sheet in paper)
