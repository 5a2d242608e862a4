"""toolbox.reports.html: templates, the layout and the macros."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from toolbox.reports.html import SHARED, load_template

PAGE = """{% extends "layout.html" %}
{% from "macros.html" import cards, section, table %}
{% block policy %}default-src 'none'{% endblock %}
{% block body %}
{{ cards([(1, label)]) }}
{% call section("Full") %}{{ table(["a", "b"], [[label, 2], [3, 4]], "kind", best=1) }}{% endcall %}
{% call section("Empty") %}
{% endcall %}
{% endblock %}
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(PAGE, encoding="utf-8")
    return path


def test_a_page_of_another_folder_has_the_shared_layout_style_and_macros(template: Path) -> None:
    page = load_template(template).render(title="<t>", label="a & b")
    assert page.startswith("<!DOCTYPE html>\n") and page.rstrip().endswith("</html>")
    assert "<title>&lt;t&gt;</title>" in page and "content=\"default-src 'none'\"" in page
    assert (SHARED / "base.css").read_text(encoding="utf-8").strip() in page
    assert '<div class="card"><b>1</b>a &amp; b</div>' in page
    assert '<th scope="col">a</th><th scope="col">b</th>' in page
    assert '<tr><th scope="row">a &amp; b</th><td>2</td></tr>' in page
    assert '<tr class="best"><th scope="row">3</th><td>4</td></tr>' in page


def test_an_empty_section_is_left_out(template: Path) -> None:
    page = load_template(template).render(title="t", label="x")
    assert "<h2>Full</h2>" in page and "Empty" not in page


def test_a_missing_value_is_an_error(template: Path) -> None:
    with pytest.raises(UndefinedError, match="'label' is undefined"):
        load_template(template).render(title="t")
