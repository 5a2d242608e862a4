"""The figures on databases and on fine-tuning in docs are those of results."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT

POOLED = (
    "DS1 -> DS1",
    "DS1 and svdb_dev -> DS1",
    "DS1 -> svdb_dev",
    "svdb_dev -> svdb_dev",
    "DS1 and svdb_dev -> svdb_dev",
)


def cells(scores: dict[str, Any]) -> str:
    """The end of a table's row."""
    figures = [f"{scores[name]:.3f}" for name in ("S F1", "V F1", "accuracy", "j_kappa")]
    for of in ("EC57 gross", "EC57 average"):
        each = scores[of]
        figures += [f"{100 * each[f'{kind} Se']:.1f} / {100 * each[f'{kind} +P']:.1f}" for kind in ("VEB", "SVEB")]
    return f"| {' | '.join(figures)} |"


def results(name: str) -> dict[str, Any]:
    """A file of results, of a clean checkout."""
    content = json.loads((ROOT / "results" / name).read_text(encoding="utf-8"))
    assert content["git"]["dirty"] is False and len(content["git"]["commit"]) == 40
    return content


@pytest.mark.parametrize("title", POOLED)
def test_pooled_databases(title: str) -> None:
    (scores,) = results("pooled.json")["by seed"]
    text = (ROOT / "docs" / "new-patients.md").read_text(encoding="utf-8")
    assert cells(scores[title]) in text


@pytest.mark.parametrize("network", ["as it is", "fine-tuned", "fine-tuned with DS1", "from scratch"])
def test_fine_tuning(network: str) -> None:
    runs = results("fine_tune.json")["networks"][network]
    scores: dict[str, Any] = {
        name: np.mean([run[name] for run in runs]) for name in ("S F1", "V F1", "accuracy", "j_kappa")
    }
    for of in ("EC57 gross", "EC57 average"):
        scores[of] = {name: np.mean([run[of][name] for run in runs]) for name in runs[0][of]}
    text = (ROOT / "docs" / "own-data.md").read_text(encoding="utf-8")
    assert cells(scores) in text
