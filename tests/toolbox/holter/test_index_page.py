"""toolbox.holter.index_page: the table of many recordings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser import needs_chromium, opened
from toolbox.holter.index_page import index_row, is_own_index, write_index
from toolbox.utils import UserError


def summary(name: str, silence: float = 0, runs: int = 0, judged: float = 1.0, **more: Any) -> dict[str, Any]:
    """A summary as --predict returns it, as far as the table reads it."""
    return {
        "recording": name, "page": f"/data/out/{name}.ecg.html", "seconds": 3600.0, "beats": {"all": 4000},
        "rate_per_min": {"mean": 66.6}, "runs": {"V": runs, "S": 0}, "longest_run_beats": {"V": 3 * bool(runs), "S": 0},
        "burden": {"S": 0.01, "V": 0.125, "F": 0.0, "Q": 0.0}, "warnings": [],
        "without_beats": {"longest": {"kind": "pause", "start": 5.0, "seconds": silence} if silence else None},
        "signal_quality": {"usable": judged}, **more,
    }  # fmt: skip


def rows() -> list[dict[str, Any]]:
    summaries = [
        summary("calm"), summary("runs", runs=4), summary("asystole", 12.5), summary("noise", judged=0.2),
        summary("af <b>", totals={"af_minutes": 42.0}, start="2024-03-05T21:13:05"),
        summary("warned", warnings=["no lead <II>", "another"]),
    ]  # fmt: skip
    return [index_row(one, Path("/data")) for one in summaries]


def names(page: str) -> list[str]:
    """The recordings of a table, from the top."""
    return re.findall(r'<th scope="row"[^>]*><a href="[^"]*">([^<]*)</a>', page)


def test_the_worst_comes_first_with_a_link_to_its_page(tmp_path: Path) -> None:
    write_index(tmp_path / "index.html", rows(), {"broken": "it is <no> recording"})
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert names(page) == ["asystole", "runs", "af &lt;b&gt;", "noise", "warned", "calm"]
    assert 'href="out/asystole.ecg.html"' in page and 'href="out/af%20%3Cb%3E.ecg.html"' in page
    assert "12.5 pause" in page and "<h1>6 recordings</h1>" in page and "42.0" in page and "12.50%" in page
    assert "no lead &lt;II&gt;; another" in page and "2024-03-05 21:13:05" in page
    assert "not annotated: broken: it is &lt;no&gt; recording" in page and "not for diagnosis" in page


def test_the_table_of_a_network_of_two_classes(tmp_path: Path) -> None:
    row = index_row({**summary("r"), "runs": {}, "longest_run_beats": {}, "burden": {"A": 0.25}}, Path("/data"))
    assert (row["v_runs"], row["longest_v_run_beats"], row["v_burden"], row["s_burden"]) == (None, None, 0.25, None)
    write_index(tmp_path / "index.html", [row])
    assert "<h1>1 recording</h1>" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_only_an_older_table_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    write_index(path, rows()[:2])
    assert is_own_index(path)
    write_index(path, rows())
    assert len(names(path.read_text(encoding="utf-8"))) == 6
    changed = path.read_text(encoding="utf-8").replace("calm", "mine")
    for content in (changed, "<h1>My page</h1>", ""):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(UserError, match=re.escape(f"{path} exists and is not as --predict wrote it; it is kept")):
            write_index(path, rows())
        assert path.read_text(encoding="utf-8") == content
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="exists and is not"):
        write_index(path, rows())


@needs_chromium
@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_sorted_by_a_click(browser: Browser, tmp_path: Path, width: int) -> None:
    write_index(tmp_path / "index.html", rows())
    with opened(browser, tmp_path / "index.html", width) as page:
        first = page.locator("tbody th").first
        assert first.inner_text() == "asystole"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.click("thead button >> text=AF, min")
        assert first.inner_text() == "af <b>"
        page.click("thead button >> text=Judged")
        page.click("thead button >> text=Judged")
        assert first.inner_text() == "noise" and page.get_attribute("thead th >> nth=11", "aria-sort") == "ascending"
        page.click("thead button >> text=Recording")
        assert page.locator("tbody th").all_inner_texts() == sorted(
            ["asystole", "runs", "af <b>", "noise", "warned", "calm"]
        )
