"""Leads of a record alone, and the figures of several runs."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from benchmarks.new_patients import BOTH, FIRST, SECOND, Outcomes, choices_of, leads_alone
from loaders.beats.table import Beats
from tests.conftest import ROOT
from tests.loaders.beats.test_spliced import source
from toolbox.utils import read_json


def test_a_lead_alone_is_the_record_with_one_channel() -> None:
    record, *_ = source()
    record.digital, record.gain = record.digital * [1, 2], np.array([200.0, 100.0])
    second = leads_alone(record, [1])
    assert second.leads == ["V1"] and second.digital.shape == (len(record.digital), 1)
    assert np.array_equal(second.signal[:, 0], record.signal[:, 1]) and record.leads == ["MLII", "V1"]
    assert choices_of(record, 1) == {"MLII": [0], "V1": [1], FIRST: [0], SECOND: [1]}
    record.leads = ["V5", "MLII"]
    assert choices_of(record, 2) == {BOTH: [1, 0]} and choices_of(record, 1)[FIRST] == [1]


def beats_of(record: str, labels: list[int]) -> Beats:
    n = len(labels)
    names = np.full(n, record)
    y, symbol = np.array(labels), np.array(list("NAVF"))[labels]
    return Beats(np.zeros((n, 1, 4)), y, np.zeros(n, np.int16), names, names, np.arange(n), symbol, None, 400.0 + y)


def test_figures_are_of_all_records_beats_with_and_without_one() -> None:
    outcomes = Outcomes()
    perfect = np.eye(4)
    outcomes.add(beats_of("100", [0, 0, 1, 2, 3]), [perfect[[0, 0, 1, 2, 3]], perfect[[0, 0, 0, 2, 2]]])
    outcomes.add(beats_of("232", [0, 1, 1]), [perfect[[0, 1, 0]], perfect[[0, 1, 1]]])
    one, two = outcomes.figures()
    assert one["S Se"] == pytest.approx(2 / 3) and one["S +P"] == 1.0 and one["accuracy"] == pytest.approx(7 / 8)
    assert two["S F1"] == pytest.approx(0.8) and two["V +P"] == pytest.approx(0.5)
    assert outcomes.figures("232")[0]["S F1"] == 1.0 and outcomes.figures("232")[1]["S Se"] == 0.0
    assert set(one["EC57 gross"]) == set(one["EC57 average"])


@pytest.mark.parametrize(
    ("file", "table", "title"),
    [
        ("two_lead", BOTH, "| `two_lead` |"),
        ("two_lead", f"{BOTH}, --adapt votes", "| `two_lead --adapt votes`, the default |"),
        ("two_lead", f"{BOTH}, --adapt fusion", "| `two_lead --adapt fusion` |"),
        ("two_lead_unspliced", BOTH, "| `two_lead --spliced none` |"),
        ("interpatient_symmetric", BOTH, "| `interpatient`, DS1 alone, symmetric |"),
        ("one_lead", FIRST, "| `one_lead`, the first: MLII |"),
        ("one_lead", SECOND, "| `one_lead`, the second: "),
        ("one_lead", f"{FIRST}, --adapt smooth", "| `one_lead --adapt smooth`, the default, the first |"),
        ("one_lead", f"{SECOND}, --adapt smooth", "| `one_lead --adapt smooth`, the default, the second |"),
        ("live_any_lead", FIRST, "| `live_any_lead`, MLII |"),
        ("live_any_lead", SECOND, "| `live_any_lead`, the second |"),
    ],
)
def test_the_figures_of_docs_are_those_of_results(file: str, table: str, title: str) -> None:
    results = read_json(ROOT / "results" / f"{file}.json")
    assert results["git"]["dirty"] is False and len(results["git"]["commit"]) == 40
    lines = (ROOT / "docs" / "new-patients.md").read_text(encoding="utf-8").splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith(title))
    for line, part in zip(lines[first : first + 2], ("all", "without 232"), strict=True):
        runs = results["tables"][table][part]
        assert len(runs) == 5
        mean = {key: statistics.mean(run[key] for run in runs) for key in ("accuracy", "S F1", "V F1", "j_kappa")}
        spread = {key: statistics.stdev([run[key] for run in runs]) for key in mean}
        cells = [cell.strip() for cell in line.split("|")]
        assert cells[2] == f"{mean['accuracy']:.3f}"
        assert cells[3].startswith(f"{mean['S F1']:.3f} ± {spread['S F1']:.3f} (")
        assert cells[4].startswith(f"{mean['V F1']:.3f} ± {spread['V F1']:.3f} (")
        assert cells[5] == f"{mean['j_kappa']:.3f} ± {spread['j_kappa']:.3f}"
        gross, average = ([run[f"EC57 {kind}"]["SVEB Se"] for run in runs] for kind in ("gross", "average"))
        assert cells[7].startswith(f"{100 * statistics.mean(gross):.1f} / ")
        assert f"; {100 * statistics.mean(average):.1f} / " in cells[7]
