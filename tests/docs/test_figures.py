"""Every figure of the README, of docs and of the benchmarks' page is in the kept file that its block names."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.figures import blocks, is_in, numbers_of, untraced

GENERATED = ROOT / "docs" / "flags.md"  # defaults, no measurements
PAGES = [
    ROOT / "README.md",
    *sorted(page for page in (ROOT / "docs").glob("*.md") if page != GENERATED),
    ROOT / "benchmarks" / "README.md",
]
# Blocks whose figures are in no file, by page: none may come in without a look at this number.
KEPT_IN_NO_FILE = {"benchmarks/README.md": 7, "docs/export.md": 1}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_figures_are_in_the_files_that_their_blocks_name(page: Path) -> None:
    assert untraced(page) == []


def test_few_blocks_have_no_file() -> None:
    excused = {name_of(page): sum(bool(block.excuse) for block in blocks(page.read_text("utf-8"))) for page in PAGES}
    assert {name: count for name, count in excused.items() if count} == KEPT_IN_NO_FILE


def test_the_figures_that_are_looked_up_are_many() -> None:
    counts = {
        name_of(page): sum(len(b.figures()) for b in blocks(page.read_text("utf-8")) if b.sources) for page in PAGES
    }
    assert counts["README.md"] >= 60 and counts["docs/results.md"] > 400 and counts["docs/new-patients.md"] > 900


@pytest.mark.parametrize(
    ("page", "share"), [("README.md", 0.5), ("docs/results.md", 0.75), ("docs/new-patients.md", 0.4)]
)
def test_wrong_figures_are_noticed(page: str, share: float) -> None:
    """Each figure is replaced by one near it, of as many digits, which its files may hold by chance; so a wrong row of
    six figures is noticed nine times in ten."""
    rng, noticed = random.Random(0), []
    for block in blocks((ROOT / page).read_text(encoding="utf-8")):
        for figure in block.figures() if block.sources else ():
            value, digits = float(figure.replace(",", "")), len(figure.partition(".")[2])
            wrong = f"{value * rng.uniform(0.7, 1.3) + 2 * 10.0**-digits:.{digits}f}"
            noticed.append(not is_in(wrong, block))
    assert sum(noticed) / len(noticed) > share


PAGE = """
A sentence on accuracy of 0.123 from [a file](../results/made.json).

The same without a file: accuracy 0.123.

<!-- figures of results/made.json; cited 0.61 -->
| | S F1 |
|---|---|
| ours | 0.123 ± 0.010 |
| theirs | 0.61 |

<!-- figures kept in no file: by hand -->
| S F1 | 0.5 |
|---|---|

It takes 0.5 s.
"""


def test_a_figure_that_is_in_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.docs.figures.ROOT", tmp_path)
    (tmp_path / "results").mkdir()
    seeds = [{"S F1": 0.113}, {"S F1": 0.1231}, {"S F1": 0.1331}]
    (tmp_path / "results" / "made.json").write_text(json.dumps({"by seed": seeds, "options": {"lr": 0.61}}))
    numbers_of.cache_clear()
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    assert untraced(page) == [("no source", "The same without a file: accuracy 0.123.")]
    page.write_text(re.sub("0.123", "0.124", PAGE), encoding="utf-8")
    assert [figure for figure, _ in untraced(page)] == ["0.124", "no source", "0.124"]
    changed = PAGE.replace("0.123 ± 0.010", "0.123 ± 0.012").replace("cited 0.61", "cited")
    page.write_text(changed, encoding="utf-8")
    assert [figure for figure, _ in untraced(page)] == ["no source", "0.012", "0.61"]
    numbers_of.cache_clear()
