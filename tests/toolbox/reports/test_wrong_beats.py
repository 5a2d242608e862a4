"""toolbox.reports.wrong_beats and attribution_parts: the choice, the drawing, the parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from toolbox.reports.attribution_parts import END, P_WAVE, QRS, RR, T_WAVE, WHOLE, reasons, wave_of, waves_of_samples
from toolbox.reports.wrong_beats import EACH, choose, clock, read_examples, shown, strip, write_examples

WHY = {
    "parts": [
        {"name": RR, "value": 3.0, "from": None, "to": None},
        {"name": P_WAVE, "value": -1.5, "from": -0.24, "to": -0.06},
    ],
    "columns": [["tempo: RR/record", -0.4, 2.0]],
}
EXAMPLE = {
    "kind": "surest", "id": 7, "record": "208", "time": 123.456, "true": "Fusion", "called": "Ventricular ectopic",
    "probability": 0.98765, "probability_true": 0.01,
    "strip": {
        "lead": "MLII", "unit": "mV", "rate": 120.0, "start": -1.5, "step": 0.005,
        "values": [0, None, *[200] * 358], "beats": [[-0.8, "Normal"], [0.0, "Fusion"]],
    },
    "why": WHY,
}  # fmt: skip


def test_the_surest_mistakes_and_some_of_the_others_are_chosen() -> None:
    n = 200
    labels = np.zeros(n, dtype=int)
    p = np.linspace(0.3, 0.9, n)
    probabilities = np.stack([1 - p, p], axis=1)
    wrong = np.flatnonzero(p > 0.5)
    chosen = choose(probabilities, labels)
    assert chosen["surest"].tolist() == list(range(n - 1, n - 1 - EACH, -1))
    assert len(chosen["random"]) == EACH and not set(chosen["random"]) & set(chosen["surest"])
    assert set(chosen["random"]) <= set(wrong)
    again = choose(probabilities, labels)
    assert all((chosen[kind] == again[kind]).all() for kind in chosen)


def test_few_mistakes_are_all_shown_and_none_is_none() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert {kind: ids.tolist() for kind, ids in choose(probabilities, np.array([0, 0])).items()} == {
        "surest": [1],
        "random": [],
    }
    assert not any(len(ids) for ids in choose(probabilities, np.array([0, 1])).values())


def test_a_strip_is_in_millimetres_with_its_scale_and_letters() -> None:
    svg = str(strip(EXAMPLE))
    assert 'style="width:83.0mm"' in svg and 'class="scale"' in svg  # 75 mm of 3 s, and the scale beside them
    assert 'x="37.5"' in svg and ">F</text>" in svg  # the beat in the middle
    assert 'x="17.5"' in svg and ">N</text>" in svg
    assert 'class="against" x="31.5"' in svg and 'width="4.5"' in svg  # the P wave, 0.18 s
    assert "M0 " in svg and svg.count("M0.4") == 1  # the pen is lifted where there is no signal


def test_a_row_has_no_unit_and_no_scale() -> None:
    row = {
        **EXAMPLE,
        "strip": {**EXAMPLE["strip"], "unit": "", "start": 0.0, "values": [500, 0, 100], "step": 0.002},
        "why": None,
    }
    svg = str(strip(row))
    assert 'class="scale"' not in svg and "mm" in svg


def test_a_card_links_to_the_annotated_page_at_its_time() -> None:
    (card,) = shown([EXAMPLE], {"208": "file:///r/208.ecg.html"})
    assert card["link"] == "file:///r/208.ecg.html#t=123.46"
    assert (card["true"], card["called"], card["probability"]) == ("F", "V", "98.77")
    assert card["place"] == "208, 2:03.46"
    assert [(part["name"], part["text"], part["across"]) for part in card["parts"]] == [
        (RR, "+3.00", 1.0),
        (P_WAVE, "-1.50", -0.5),
    ]
    (bare,) = shown([{**EXAMPLE, "record": "", "time": None, "strip": None, "why": None}], {})
    assert (bare["link"], bare["place"], bare["svg"], bare["parts"]) == ("", "row 7", "", [])


def test_clock() -> None:
    assert [clock(s) for s in (0, 61.5, 3723.25)] == ["0:00.00", "1:01.50", "1:02:03.25"]


def test_a_damaged_file_is_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "res" / "val_wrong_ep1.json"
    assert read_examples(path) is None
    content = {"epoch": 1, "wrong": 1, "rows": 9, "examples": [EXAMPLE]}
    write_examples(path, content)
    read = read_examples(path)
    assert read is not None and read["examples"][0]["record"] == "208"
    path.write_text('{"epoch": "x"}')
    assert read_examples(path) is None and "is passed over" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("column", "wave"),
    [
        ("tempo: RR/record", RR), ("rhythm: early of 21", RR), ("qrs: width in lead 1", QRS),
        ("qrs: beat in lead 1", WHOLE),
        ("pwave: late in lead 2", P_WAVE), ("shape: P height in lead 1", P_WAVE), ("past: QRS in lead 1", QRS),
    ],
)  # fmt: skip
def test_the_wave_of_a_column(column: str, wave: str) -> None:
    assert wave_of(column) == wave


def test_samples_lie_in_waves_by_their_time() -> None:
    waves = waves_of_samples(120, 36, 120.0, 110)  # from -0.3 to 0.7 s
    times = [-0.23, -0.05, 0.0, 0.11, 0.44]
    assert [waves[round(36 + t * 120)] for t in times] == [P_WAVE, QRS, QRS, T_WAVE, T_WAVE]
    assert waves[0] == "rest of the row" and set(waves[110:]) == {END}


def test_reasons_add_up_by_wave_and_name_the_numbers_that_counted_most() -> None:
    waves = np.array([P_WAVE, QRS, QRS], dtype=object)
    samples = np.array([[1.0, 2.0, 3.0], [0.5, 0.0, -1.0]])  # two leads
    numbers, values = np.array([4.0, -6.0]), np.array([0.1, 0.2])
    why = reasons(samples, waves, numbers, values, ["tempo: RR", "pwave: late in lead 1"], 1)
    assert {part["name"]: part["value"] for part in why["parts"]} == {P_WAVE: 1.5 - 6.0, QRS: 4.0, RR: 4.0}
    assert why["parts"][0]["name"] == P_WAVE and (why["parts"][0]["from"], why["parts"][0]["to"]) == (-0.24, -0.06)
    assert why["columns"] == [("pwave: late in lead 1", 0.2, -6.0), ("tempo: RR", 0.1, 4.0)]


def test_neighbours_count_as_other_beats() -> None:
    waves = np.array([QRS], dtype=object)
    why = reasons(np.array([[1.0], [2.0], [4.0]]), waves, np.array([1.0, 10.0, 100.0]), np.zeros(3), ["tempo: RR"], 3)
    assert {part["name"]: part["value"] for part in why["parts"]} == {QRS: 2.0, "other beats": 106.0, RR: 10.0}
    assert [name for name, _, _ in why["columns"]] == ["tempo: RR (+1 beats)", "tempo: RR", "tempo: RR (-1 beats)"]
