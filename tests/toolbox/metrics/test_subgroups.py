"""Scores by age and sex, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from toolbox.metrics.subgroups import FEWEST, groups_of, subgroup_scores
from toolbox.reports.subgroup_lines import subgroup_lines

NAMES = ("Normal", "Supraventricular ectopic", "Ventricular ectopic", "Fusion")
RECORDS = tuple("abcdefgh")
SUBJECTS = {
    **dict.fromkeys("abcde", (70, "F")),
    "f": (64, "M"),
    "g": (None, "M"),
    "h": (65, ""),
}


def test_groups() -> None:
    assert groups_of(65, "F") == ("women", "65 or above")
    assert groups_of(64, "M") == ("men", "below 65")
    assert groups_of(None, "") == ("age unknown",)


def test_each_group_has_the_beats_of_its_patients_and_no_interval_of_few() -> None:
    record = np.repeat(RECORDS, 3)
    labels = np.tile([0, 1, 2], len(RECORDS))
    called = labels.copy()
    called[record == "a"] = 0  # one woman's beats are all called N
    origin = {"record": record, "patient": record}
    scores = subgroup_scores(labels, called, origin, NAMES, SUBJECTS)
    assert {group: each["records"] for group, each in scores.items()} == {
        "women": list("abcde"),
        "men": list("fg"),
        "below 65": ["f"],
        "65 or above": list("abcdeh"),
        "age unknown": ["g"],
    }
    women = scores["women"]
    assert women["patients"] == 5 >= FEWEST and women["accuracy"]["value"] == pytest.approx(13 / 15)
    assert women["per_class"][NAMES[2]]["Se"]["value"] == pytest.approx(4 / 5)
    assert women["accuracy"]["low"] < 13 / 15 < women["accuracy"]["high"] == 1
    assert scores["men"]["accuracy"] == {"value": 1.0, "low": None, "high": None}
    lines = subgroup_lines(scores)
    assert max(map(len, lines)) <= 79 and lines[1].startswith("women              5     15   88.9 [")
    assert lines[2].split() == ["men", "2", "6", "100.0", "100.0", "1.00"]


def test_headers_that_say_nothing_give_no_groups() -> None:
    origin = {"record": np.array(["a"]), "patient": np.array(["a"])}
    assert subgroup_scores(np.array([0]), np.array([0]), origin, NAMES, {"a": (None, "")}) == {}
    assert subgroup_lines({}) == []
