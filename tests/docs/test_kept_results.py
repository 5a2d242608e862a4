"""Every kept file of results says what it was measured by, of which commit, and what was decided by it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.conftest import ROOT

FILES = sorted((ROOT / "results").glob("*.json"))
COMMIT = re.compile(r"[0-9a-f]{7,40}")
ROW = re.compile(r"^\| `(\w+\.json)` \| (.+) \| (about )?([0-9a-f, ]+), (\d{4}-\d\d-\d\d) \| (.+) \|$", re.MULTILINE)


def page_rows() -> dict[str, re.Match[str]]:
    """File -> its row of results/README.md, which stands there once."""
    rows = list(ROW.finditer((ROOT / "results" / "README.md").read_text(encoding="utf-8")))
    assert len({row[1] for row in rows}) == len(rows)
    return {row[1]: row for row in rows}


def commits_of(content: dict[str, Any]) -> list[str]:
    """The commits that a file was measured at, each of a tree without changes; [] where it does not say."""
    states = [content.get("git") or content] if content.get("git") or content.get("commit") else []
    states = states or [part for part in content.values() if isinstance(part, dict) and "commit" in part]
    return [state["commit"] for state in states if state.get("commit") and not state.get("dirty", False)]


def test_each_file_has_one_row_with_a_command() -> None:
    rows = page_rows()
    assert sorted(rows) == [file.name for file in FILES]
    for name, row in rows.items():
        assert "python " in row[2] or "the same " in row[2] or "what was tried " in row[2], name
        assert len(row[6]) > 5, name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_commits_are_those_of_the_file_or_it_says_why_not(file: Any) -> None:
    content, row = json.loads(file.read_text(encoding="utf-8")), page_rows()[file.name]
    if row[3] is None:
        commits = commits_of(content)
        assert commits and all(COMMIT.fullmatch(commit) for commit in commits), "it names no commit of a clean tree"
        assert "provenance" not in content
    else:
        origin = content["provenance"]
        commits = [origin["commit"]]
        assert not origin["exact"] and len(origin["not_repeated"]) > 30 and len(origin["command"]) > 10
    assert row[4].split(", ") == list(dict.fromkeys(commit[:7] for commit in commits))


def test_a_file_from_a_changed_tree_names_no_commit() -> None:
    clean = {"commit": "0" * 40, "dirty": False}
    assert commits_of({"git": clean}) == commits_of(clean) == commits_of({"now": clean}) == ["0" * 40]
    assert commits_of({"git": {**clean, "dirty": True}}) == commits_of({"scores": {}}) == []
