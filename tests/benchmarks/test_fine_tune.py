"""benchmarks.fine_tune and benchmarks.pooled: the scores of outcomes, and of one database among several."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.fine_tune import LEARN, REST, Outcome, networks_of, scores_of
from benchmarks.pooled import part_of
from loaders.sources.databases.svdb import DEV
from toolbox.training.outputs import EpochResult

CALLED = [0, 1, 1, 2, 0, 2, 0, 0]
LABELS = [0, 1, 0, 2, 0, 2, 1, 0]


def outcome() -> Outcome:
    """Eight beats of two databases, after the first five minutes."""
    probabilities = torch.nn.functional.one_hot(torch.tensor(CALLED), 4).float()
    origin = {
        "record": np.array(["mitdb/101"] * 5 + ["svdb/800", "svdb/800", "svdb/801"]),
        "patient": np.array(["mitdb/101"] * 5 + ["svdb/800", "svdb/800", "svdb/801"]),
        "symbol": np.array(list("NANVNVAN")),
        "time": 300.0 + np.arange(8),
    }
    return EpochResult({}, torch.arange(8), torch.tensor(LABELS), probabilities), origin


def test_the_beats_of_one_database() -> None:
    result, origin = part_of(outcome(), "svdb")
    assert result.labels.tolist() == LABELS[5:] and result.ids.tolist() == [5, 6, 7]
    assert origin["record"].tolist() == ["svdb/800", "svdb/800", "svdb/801"]


def test_scores_are_over_the_beats_of_all_parts() -> None:
    whole = scores_of([outcome()])
    parts = scores_of([part_of(outcome(), name) for name in ("mitdb", "svdb")])
    assert parts == whole
    assert whole["accuracy"] == 6 / 8
    assert whole["S Se"] == 1 / 2 and whole["S +P"] == 1 / 2 and whole["V F1"] == 1.0
    assert whole["EC57 gross"]["VEB Se"] == 1.0
    assert whole["EC57 average"]["SVEB Se"] == (1 / 1 + 0 / 1) / 2


def test_nobody_is_scored_who_taught() -> None:
    assert sorted((*LEARN, *REST)) == sorted(DEV)
    assert not set(LEARN) & set(REST)
    assert networks_of([], "RUN")["fine-tuned with DS1"].beside == ("mitdb:ds1",)
