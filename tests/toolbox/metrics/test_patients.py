"""Scores over patients by hand, and as files of a run."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

import commander
from toolbox.metrics.ec57_scores import ECTOPIC_SCORES, ectopic_scores
from toolbox.metrics.patients import DE_CHAZAL, EC57_MAP, most_decisive_record, patient_scores
from toolbox.utils import read_json

NAMES = ("Normal", "Supraventricular ectopic", "Ventricular ectopic", "Fusion")


def origin_of(record: list[str], symbol: str) -> dict[str, np.ndarray]:
    names = np.array(record)
    return {"record": names, "patient": names, "symbol": np.array(list(symbol)), "time": np.full(len(names), 999.0)}


def test_both_label_maps_are_named_and_differ_by_escape_beats() -> None:
    labels = np.array([0, 0, 1, 2, 0, 3])
    called = np.array([0, 1, 1, 2, 1, 2])
    probabilities = np.eye(4)[called] * 0.9 + 0.025
    found = patient_scores(probabilities, labels, origin_of(["a", "a", "a", "b", "b", "b"], "NeAVjF"), NAMES, True)
    assert list(found["maps"]) == [DE_CHAZAL, EC57_MAP]
    de_chazal, other = (found["maps"][name] for name in (DE_CHAZAL, EC57_MAP))
    assert de_chazal["per_class"][NAMES[1]]["+P"]["value"] == pytest.approx(1 / 3)
    assert other["per_class"][NAMES[1]]["+P"]["value"] == 1 and other["per_class"][NAMES[1]]["beats"] == 3
    assert de_chazal["without"]["a"]["accuracy"] == pytest.approx(1 / 3)
    assert most_decisive_record(de_chazal) is None  # without either record S or V is gone, and j-kappa with it
    assert found["patients"] == 2 and found["intervals"].startswith("95 % by bootstrap over patients")


def test_rows_of_nobody_have_figures_and_no_intervals() -> None:
    origin = {name: np.full(6, "") for name in ("record", "patient", "symbol")}
    found = patient_scores(np.eye(4)[[0, 1, 2, 3, 0, 0]], np.array([0, 1, 2, 3, 1, 0]), origin, NAMES, False)
    assert found["patients"] == 0 and found["intervals"] is None and list(found["maps"]) == [DE_CHAZAL]
    accuracy = found["maps"][DE_CHAZAL]["accuracy"]
    assert accuracy == {"value": pytest.approx(5 / 6), "low": None, "high": None}


# calibration


# as files of a run

FLAGS = ["--dataset", "synthetic", "--synthetic-patients", "12", "--synthetic-minutes", "7"]


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    root = str(tmp_path_factory.mktemp("root"))
    flags = [*FLAGS, "--root-dir", root, "--split", "kfold", "--fold", "1/3", "--val-fraction", "0.3"]
    result = commander.main([*flags, "--model-name", "cnn1d_3", "--epochs", "1", "--lr", "0.005"])
    return Path(result["run"]), commander.main(["--root-dir", root, "--test"])


def test_the_files_say_the_same(tested: tuple[Path, dict]) -> None:
    run, result = tested
    found = read_json(run / "pred" / "scores_ep1.json")
    assert found == result["patients"]
    scores = found["maps"][DE_CHAZAL]
    assert scores["confusion"] == result["test"]["confusion"]
    assert scores["accuracy"]["value"] == pytest.approx(result["test"]["acc1"])
    assert scores["kappa"]["value"] == pytest.approx(result["test"]["kappa"])
    with open(run / "pred" / "scores_ep1.csv", newline="") as handle:
        lines = list(csv.DictReader(handle))
    cell = {(line["label map"], line["of"], line["figure"]): line for line in lines}
    assert len(cell) == len(lines)
    assert float(cell[DE_CHAZAL, "all", "kappa"]["value"]) == scores["kappa"]["value"]
    assert float(cell[DE_CHAZAL, "all", "kappa"]["low"]) == scores["kappa"]["low"]
    assert float(cell[DE_CHAZAL, "Normal", "Se"]["value"]) == scores["per_class"]["Normal"]["Se"]["value"]
    assert int(cell[DE_CHAZAL, "Normal", "called Fusion"]["value"]) == scores["confusion"][0][3]
    assert float(cell["", "calibration", "temperature"]["value"]) == found["calibration"]["temperature"]
    record = next(iter(scores["ec57"]["records"]))
    assert (DE_CHAZAL, f"EC57 record {record}", "VEB Se") in cell
    assert set(found["reliability"]) == {"as it is", "tempered"} and found["subgroups"] == {}  # synthetic patients
    for way, by_class in found["reliability"].items():
        called = {name: sum(step["beats"] for step in steps) for name, steps in by_class.items()}
        assert list(called.values()) == np.sum(scores["confusion"], axis=0).tolist()
        step = by_class["Normal"][-1]
        line = cell[f"reliability {way}", "Normal", "called with 0.99 to 1, right"]
        assert int(line["value"]) == step["right"]
    latex = (run / "pred" / "scores_ep1.tex").read_text()
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 4
    assert scores["per_class"]["Normal"]["Se"]["value"] == 1.0  # every beat is called so: no draw of patients differs
    beats = f"{scores['per_class']['Normal']['beats']:,}"
    assert re.search(rf"^Normal & {beats} of {beats} \[\d+\.\d, 100\.0\]\$\^\\dagger\$ & ", latex, re.MULTILINE)
    assert latex.count("intervals over beats (Wilson)") == 2
    assert not re.search(r"^[^%\n].*(?<!\\)%", latex, re.MULTILINE)  # per cent signs are comments but where escaped
    records = (run / "pred" / "records_ep1.tex").read_text()
    assert records.count(r"\begin{table}") == records.count(r"\bottomrule") == 2 and r"\hline" not in records + latex
    each = scores["ec57"]["records"][record]
    beats, sensitivity = np.sum(each["confusion"]), 100 * each["VEB Se"]
    assert f"{record} & {beats} & {sensitivity:.2f} & " in records and "\ngross &  & " in records
    assert (run / "pred" / "reliability_ep1.png").stat().st_size > 1000


def test_every_figure_of_ec57_stands_for_each_record(tested: tuple[Path, dict]) -> None:
    run, result = tested
    ec57_of = result["patients"]["maps"][DE_CHAZAL]["ec57"]
    who = read_json(run / "config.json")["data"]["records"]["test"]
    assert sorted(ec57_of["records"]) == who
    assert all(set(ECTOPIC_SCORES) <= set(each) for each in ec57_of["records"].values())
    total = np.sum([each["confusion"] for each in ec57_of["records"].values()], axis=0)
    assert 0 < total.sum() < np.sum(result["test"]["confusion"])  # the first five minutes are left out
    gross = ectopic_scores(total, NAMES)
    assert ec57_of["gross"]["VEB Se"] == pytest.approx(float(gross["VEB Se"]), nan_ok=True)


def test_test_prints_it_all(tested: tuple[Path, dict], capsys: pytest.CaptureFixture[str]) -> None:
    run, result = tested
    commander.main(["--root-dir", str(run.parents[2]), "--test"])
    printed = capsys.readouterr().out
    for text in (
        DE_CHAZAL,
        EC57_MAP,
        "EC57 gross",
        "EC57 average",
        "bootstrap over patients",
        "j-kappa",
        "calibration",
    ):
        assert text in printed
    whole = printed.splitlines()[1:]  # below the run's name
    whole = whole[: next(i for i, line in enumerate(whole) if line.startswith("written "))]
    assert max(map(len, whole)) <= 79
    tables = [line for line in whole if re.match(r"(N|S|V|F|Normal|Fusion)\s", line)]
    assert len(tables) > 5 and len(set(tables)) == len(tables)  # nothing stands there twice
    assert sum(line.startswith("mean sensitivity ") for line in whole) == 1 and "acc_class" not in printed
    lines = [line.split() for line in printed.splitlines()]
    assert ["Normal", *map(str, result["test"]["confusion"][0])] in lines
    for record, each in result["patients"]["maps"][EC57_MAP]["ec57"]["records"].items():
        assert [record, str(np.sum(each["confusion"]))] in [line[:2] for line in lines]
    steps = result["patients"]["reliability"]["as it is"]["Normal"]
    cells = [
        f"{100 * each['right'] / each['beats']:.1f}% of {each['beats']}" if each["beats"] else "-" for each in steps
    ]
    row = next(line for line in whole if line.startswith("called N"))
    assert row.split(maxsplit=2)[2] == "".join(f" {text:>15}" for text in cells).strip()
    assert "Reliability: how often a probability came true" in (run / "report.html").read_text()
