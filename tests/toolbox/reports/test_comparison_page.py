"""toolbox.reports.comparison_page in a browser: curves are drawn, tables sort, nothing overflows, links lead back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import needs_chromium, opened
from tests.commands.test_compare import compare, make_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of a run of a long name with one of two seeds, and a run that is refused."""
    root = tmp_path_factory.mktemp("root")
    make_run(root, "ecg_mlp_opadamw_onecycle_lr0.003_crossentropy_bs256_samppatients_splitinterpatient_1", [5] * 6)
    for seed in (1, 2):
        make_run(root, f"ecg_cnn_{seed + 1}", [seed, 0, 0, 3, 0, 1], seed=seed, model_name="cnn1d_3")
    make_run(root, f"ecg_{'x' * 90}_4", [1] * 6, split="kaggle")
    return Path(compare(root)["files"][0])


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (768, "light"), (1280, "light")])
def test_it_is_readable_at_every_width(page_path: Path, browser: Browser, width: int, scheme: str) -> None:
    with opened(browser, page_path, width, scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        drawn = page.locator("polyline").evaluate_all("all => all.map((one) => one.getBoundingClientRect().width)")
        assert len(drawn) == 4 and min(drawn) > width / 4
        assert page.get_by_role("link", name="all runs").get_attribute("href") == "runs/index.html"
        page.get_by_text("By record").click()
        records = "[...document.querySelectorAll('details[open] tbody tr')].map((row) => row.cells[0].textContent)"
        before = page.evaluate(records)
        page.locator("details[open]").get_by_role("button", name="Record").click()
        assert page.evaluate(records) == sorted(before, reverse=True) and before != sorted(before)
