"""Figures of Markdown pages and the kept files that they come from.

A page is cut into blocks: paragraphs, lists and tables. A block names its sources by links or mentions of
`results/NAME.json` in it, or in a comment on the line above it, which readers do not see:

    <!-- figures of results/{NAME,OTHER}.json recipes/table.yaml; cited 0.61 0.90; derived 0.7; set 0.75; unkept 0.8 -->

"cited" are figures of other people's papers, "derived" differences and sums, "set" goals and settings, "unkept"
measured before files were kept, or without one, which the page says; "shares" stands where figures are shares of counts
in the file. A block of which no figure is in a file begins

    <!-- figures kept in no file: REASON -->
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from tests.conftest import ROOT

FENCE = re.compile(r"^```.*?^```$", flags=re.M | re.S)
COMMENT = re.compile(r"<!-- figures (?:of|(kept in no file:)) (.*?) -->", flags=re.S)
SOURCE = re.compile(r"\b(results|recipes)/(?:(\w+)|\{([\w,]+)\})\.(json|yaml)")
# A number with decimals that is not part of a word, a version, a date, a file's name, or an amount of what is set.
FIGURE = re.compile(r"(?<![\w./±−-])[-+]?(\d[\d,]*\.\d+)(?![\w]*[\w.]\w)(?! (?:s|ms|min|mV|Hz|dB|MB|mm)\b)")
SCORE = re.compile(r"\b(?:Se|F1|accuracy|kappa|j-kappa|sensitivity|AUROC|macro F1|acc1|acc_class)\b|\+P")
MOST_SEEDS = 5
LEFT_OUT = ("options", "confusion", "records", "by_record", "flags", "versions", "values")


class Block(NamedTuple):
    """A paragraph, list or table.

    Attributes:
        text: without code and addresses of links.
        sources: paths of the files that its figures come from.
        other: figures that are not in these files, as text.
        excuse: why none of its figures is in a file; "" where they are.
        shares: whether its figures may be shares of counts in these files.
    """

    text: str
    sources: tuple[str, ...]
    other: frozenset[str]
    excuse: str
    shares: bool

    def figures(self) -> list[str]:
        """The numbers that sources have to hold, as text."""
        numbers = [match[1] for match in FIGURE.finditer(self.text)]
        return [number for number in numbers if number not in self.other]

    def lacks_a_source(self) -> bool:
        """Check for figures beside the name of a score, in a sentence or a table, without the name of a source."""
        is_table = self.text.startswith("|")
        parts = self.text.splitlines() if is_table else re.split(r"(?<=[.;:])\s", self.text)
        every = is_table and SCORE.search(parts[0])
        scored = [part for part in parts if (every or SCORE.search(part)) and FIGURE.search(part)]
        numbers = {match[1] for part in scored for match in FIGURE.finditer(part)} - self.other
        return bool(numbers) and not self.sources and not self.excuse


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a page."""
    above = excuse = ""
    for part in re.split(r"\n\s*\n|(?<=-->)\n", FENCE.sub("\n", text)):
        if comment := COMMENT.fullmatch(part.strip()):
            above, excuse = ("", comment[2]) if comment[1] else (comment[2], "")
            continue
        shown = re.sub(r"\]\([^)]*\)", "]", re.sub(r"`[^`]*`", "", part)).strip()
        named = (*sources_of(above), *(source for source in sources_of(part) if source.startswith("results/")))
        other = re.findall(r"[\d.,]+\d", above.partition(";")[2])
        yield Block(shown, tuple(dict.fromkeys(named)), frozenset(other), excuse, "; shares" in above)
        above = excuse = ""


def sources_of(text: str) -> list[str]:
    """The files that a text names, "results/{a,b}.json" both."""
    return [
        f"{folder}/{name}.{kind}"
        for folder, one, several, kind in SOURCE.findall(text)
        for name in (one or several).split(",")
    ]


def leaves(content: Any) -> Iterator[float]:
    """All numbers of a file; of lists of equal parts, which are seeds, those of the first, and means and standard
    deviations (n - 1)."""
    if isinstance(content, bool | str) or content is None:
        return
    if isinstance(content, int | float):
        yield float(content)
    elif isinstance(content, Mapping):
        for key, value in content.items():
            if key not in LEFT_OUT:
                yield from leaves(value)
    elif content and all(isinstance(each, Mapping) for each in content):
        if len({frozenset(each) for each in content}) == 1 and len(content) <= MOST_SEEDS:
            yield from leaves(content[0])
            yield from over_seeds(content)
        else:
            for each in content:
                yield from leaves(each)
    else:
        for each in content:
            yield from leaves(each)
        if len(content) > 1 and all(isinstance(each, int | float) for each in content):
            yield from (float(np.mean(content)), float(np.std(content, ddof=1)))


def shares(content: Any) -> Iterator[float]:
    """Counts as shares of others that stand beside them: right of all beats, bad windows that were shut down."""
    parts = content.values() if isinstance(content, Mapping) else content if isinstance(content, list) else ()
    for part in parts:
        yield from shares(part)
    if isinstance(content, Mapping):
        whole = [value for key, value in content.items() if type(value) is int and value > 0]
        yield from (a / b for a in whole for b in whole if a < b)


def over_seeds(parts: list[Mapping[str, Any]]) -> Iterator[float]:
    """Means and standard deviations of the numbers that stand at one place in all `parts`."""
    for key in parts[0]:
        values = [each.get(key) for each in parts]
        nested = [value for value in values if isinstance(value, Mapping)]
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        if key not in LEFT_OUT and len(nested) == len(parts):
            yield from over_seeds(nested)
        elif key not in LEFT_OUT and len(numbers) == len(parts) > 1:
            yield from (float(np.mean(numbers)), float(np.std(numbers, ddof=1)))


@cache
def numbers_of(source: str, counts: bool) -> np.ndarray:
    """(n,) the numbers of a kept file, and the shares of its `counts`, as they are and in per cent, sorted."""
    text = (ROOT / source).read_text(encoding="utf-8")
    content = json.loads(text) if source.endswith(".json") else yaml.safe_load(text)
    values = np.array([*leaves(content), *(shares(content) if counts else ())])
    return np.sort(np.concatenate([values, 100 * values]))


def is_in(figure: str, block: Block) -> bool:
    """Check that a file of `block` holds a number that is shown as `figure`, to its last digit."""
    value, digits = float(figure.replace(",", "")), len(figure.partition(".")[2])
    reach = 0.5 * 10.0**-digits + 1e-9
    return any(
        bool((np.abs(np.abs(numbers_of(source, block.shares)) - value) <= reach).any()) for source in block.sources
    )


def untraced(page: Path) -> list[tuple[str, str]]:
    """(figure, begin of its block) of each figure of a page that none of the block's sources holds; ("no source", begin
    of the block) of blocks that lack one."""
    wrong = []
    for block in blocks(page.read_text(encoding="utf-8")):
        begin = " ".join(block.text.split())[:60]
        if block.excuse:
            continue
        if block.sources:
            wrong += [(figure, begin) for figure in block.figures() if not is_in(figure, block)]
        elif block.lacks_a_source():
            wrong.append(("no source", begin))
    return wrong
