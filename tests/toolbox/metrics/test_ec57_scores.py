"""EC57's scores by hand, by record, gross and average."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import ROOT
from toolbox.metrics.ec57_scores import ectopic_scores, record_scores, scores

NAMES = ("Normal", "Supraventricular ectopic", "Ventricular ectopic", "Fusion")
# rows N S V F, columns what was called
CONFUSION = np.array([[900, 40, 10, 50], [30, 60, 10, 0], [5, 5, 180, 10], [4, 0, 6, 20]])


def test_ec57_by_hand() -> None:
    """F called V is neither rewarded nor punished, F called S is punished."""
    found = {name: float(value) for name, value in ectopic_scores(CONFUSION, NAMES).items()}
    assert found["VEB Se"] == pytest.approx(180 / 200)
    assert found["VEB +P"] == pytest.approx(180 / (180 + 10 + 10))
    neither = 900 + 40 + 50 + 30 + 60 + 0 + 4 + 0 + 20
    assert found["VEB FPR"] == pytest.approx(20 / (20 + neither))
    assert found["SVEB Se"] == pytest.approx(60 / 100)
    assert found["SVEB +P"] == pytest.approx(60 / (60 + 40 + 5 + 0))
    neither = 900 + 10 + 50 + 5 + 180 + 10 + 4 + 6 + 20
    assert found["SVEB FPR"] == pytest.approx(45 / (45 + neither))


def test_ec57_leaves_five_minutes_out_and_averages_where_defined() -> None:
    labels, called = np.array([2, 2, 2, 0, 2, 0]), np.array([0, 2, 2, 0, 2, 2])
    origin = {
        "record": np.array(["a", "a", "a", "a", "b", "c"]),
        "time": np.array([299.9, 300, 400, 500, 600, 700.0]),
    }
    found = record_scores(labels, called, origin, NAMES)
    assert found["gross"]["VEB Se"] == 1 and found["gross"]["VEB +P"] == pytest.approx(3 / 4)
    assert found["average"]["VEB +P"] == pytest.approx((1 + 1 + 0) / 3)
    assert found["average"]["VEB Se"] == 1  # c has no V
    assert found["records"]["c"]["VEB Se"] is None and found["average"]["SVEB Se"] is None
    assert np.sum(found["records"]["a"]["confusion"]) == 3


def test_both_ways_to_ec57s_scores_agree() -> None:
    """Calls at the reference's own times, and a comparison of two annotators whose every beat has a partner."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        confusion = rng.integers(0, 30, (4, 4))
        table = np.zeros((7, 7), dtype=np.int64)
        table[:4, :4] = confusion
        found = ectopic_scores(confusion, NAMES)
        for group, named in scores(table).items():
            for name, (part, whole) in named.items():
                if group != "QRS":
                    assert found[f"{group} {name}"] == part / whole


def test_scoring_annotations_needs_no_torch() -> None:
    program = "import sys, toolbox.metrics.ec57_scores, toolbox.reports.ec57_report; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
