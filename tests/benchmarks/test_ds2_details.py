"""DS2 by age and sex, paired with other methods, and the probabilities that belong to kept counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.ds2_details import by_group, check, paired, sureness
from toolbox.utils import UserError

RIGHT, WRONG = np.diag([50, 10, 10, 0]), np.diag([50, 10, 0, 0])
WRONG[2, 0] = 10  # V called N


def headers(folder: Path, ages: dict[str, str]) -> None:
    for name, line in ages.items():
        (folder / f"{name}.hea").write_text(f"{name} 1 360 10\n{name}.dat 212 200 11 0 0 0 0 MLII\n# {line}\n")


def test_groups_with_and_without_232(tmp_path: Path) -> None:
    headers(tmp_path, {"100": "69 M 1 1 x1", "103": "-1 M 1 1 x1", "232": "76 F 1 1 x2"})
    counts = {"100": RIGHT.tolist(), "103": WRONG.tolist(), "232": RIGHT.tolist()}
    groups = by_group([counts, counts], tmp_path)
    assert {name: each["records"] for name, each in groups.items()} == {
        "all": ["100", "103", "232"],
        "without 232": ["100", "103"],
        "men": ["100", "103"],
        "65 or above": ["100", "232"],
        "65 or above, without 232": ["100"],
        "age unknown": ["103"],
        "women": ["232"],
    }
    assert groups["men"]["V F1"] == pytest.approx(2 / 3) and groups["men"]["beats"] == [100, 20, 20, 0]
    assert groups["men"]["intervals"]["V F1"] is None  # of two men


def test_paired_differences_are_over_the_same_beats() -> None:
    other = {str(k): (RIGHT if k else WRONG).tolist() for k in range(8)}
    ours = {str(k): RIGHT.tolist() for k in range(8)}
    result = paired([ours], other)
    assert result["V F1"][0]["value"] == pytest.approx(1 - 140 / 150) and result["S F1"][0]["value"] == 0
    assert result["V F1"][0]["p_holm"] > 0.5  # one patient alone carries it
    with pytest.raises(UserError, match="not scored on the same records"):
        paired([ours], {"0": RIGHT.tolist()})
    with pytest.raises(UserError, match="not scored on the same beats"):
        paired([ours], {**other, "3": (RIGHT + 1).tolist()})


def test_probabilities_belong_to_the_kept_counts() -> None:
    beats = {
        "labels": np.array([0, 2]), "record": np.array(["100", "232"]),
        "probabilities": np.array([[0.6, 0.1, 0.2, 0.1], [0.1, 0.1, 0.8, 0]]),
    }  # fmt: skip
    counts = {"100": np.diag([1, 0, 0, 0]).tolist(), "232": np.diag([0, 0, 1, 0]).tolist()}
    check(beats, counts)
    with pytest.raises(UserError, match="not those of"):
        check(beats, {**counts, "232": RIGHT.tolist()})
    sure = sureness(beats, 2.0)
    assert sure["all"]["as it is"]["Ventricular ectopic"][1]["beats"] == 1
    assert sure["without 232"]["as it is"]["Ventricular ectopic"][1]["beats"] == 0
    assert sure["all"]["tempered"]["Ventricular ectopic"][0]["right"] == 1  # 0.8 is no more than 0.7 then
