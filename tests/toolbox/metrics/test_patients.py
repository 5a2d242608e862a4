"""Figures over patients against scikit-learn, against values by hand, and as files of a run."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score, precision_score, recall_score

import commander
from toolbox.metrics.calibration import expected_error, fit_temperature, plot_reliability, reliability, tempered
from toolbox.metrics.confusion import confusion_by_group, figures, intervals, j_kappa, kappa
from toolbox.metrics.patients import DE_CHAZAL, EC57_MAP, calibration, decisive, patient_scores
from toolbox.metrics.record_scores import FIGURES, ec57, ec57_figures
from toolbox.utils import read_json

NAMES = ("Normal", "Supraventricular ectopic", "Ventricular ectopic", "Fusion")
# rows N S V F, columns what was called
CONFUSION = np.array([[900, 40, 10, 50], [30, 60, 10, 0], [5, 5, 180, 10], [4, 0, 6, 20]])


def calls(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels and calls that give these counts."""
    pairs = np.repeat(np.argwhere(confusion >= 0), confusion.ravel(), axis=0)
    return pairs[:, 0], pairs[:, 1]


def test_figures_are_those_of_scikit_learn() -> None:
    labels, called = calls(CONFUSION)
    found = {name: float(value) for name, value in figures(CONFUSION, NAMES).items()}
    assert found["accuracy"] == pytest.approx((labels == called).mean())
    assert found["kappa"] == pytest.approx(cohen_kappa_score(labels, called))
    assert found["macro_f1"] == pytest.approx(f1_score(labels, called, average="macro"))
    for kind, score in (("Se", recall_score), ("+P", precision_score), ("F1", f1_score)):
        assert [found[f"{kind} {name}"] for name in NAMES] == pytest.approx(
            score(labels, called, average=None).tolist()
        )


def test_j_kappa_by_hand() -> None:
    expected = cohen_kappa_score(*calls(CONFUSION)) / 2 + (60 / 100 + 60 / 105 + 180 / 200 + 180 / 206) / 8
    assert float(j_kappa(CONFUSION, NAMES)) == pytest.approx(expected)
    perfect = np.diag([9, 3, 4, 1])
    assert float(j_kappa(perfect, NAMES)) == pytest.approx(1)
    never = CONFUSION.copy()
    never[:, 0] += never[:, 1]
    never[:, 1] = 0  # S is never called: its +P counts as 0
    assert float(j_kappa(never, NAMES)) == pytest.approx(float(kappa(never)) / 2 + (180 / 200 + 180 / 206) / 8)
    assert np.isnan(j_kappa(np.diag([9, 0, 4, 1]), NAMES))
    assert np.isnan(j_kappa(np.diag([9, 3]), ("Normal", "Abnormal")))


def test_figures_of_many_matrices_are_those_of_each() -> None:
    many = np.random.default_rng(0).integers(0, 50, (7, 4, 4))
    together = figures(many, NAMES)
    for k in range(7):
        for name, value in figures(many[k], NAMES).items():
            assert together[name][k] == pytest.approx(float(value), nan_ok=True)


def test_undefined_figures_are_nan_and_not_zero() -> None:
    confusion = np.array([[5, 0, 0, 0], [0, 0, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0]])
    found = figures(confusion, NAMES)
    assert np.isnan(found["Se Fusion"]) and np.isnan(found["+P Ventricular ectopic"])
    assert found["Se Ventricular ectopic"] == 0
    assert found["macro_f1"] == pytest.approx((10 / 12 + 0) / 2)


def patients(count: int, beats: int, right: float, seed: int = 0) -> np.ndarray:
    """(count, 4, 4) counts of patients of two classes, each called right with a probability of its own."""
    rng = np.random.default_rng(seed)
    found = np.zeros((count, 4, 4), dtype=np.int64)
    for k, share in enumerate(rng.beta(10 * right, 10 * (1 - right), count)):
        hits = rng.binomial(beats, share)
        found[k, 0, 0], found[k, 0, 1] = hits, beats - hits
    return found


def test_intervals_come_from_patients_not_beats() -> None:
    """A hundred times the beats of each patient make the interval no narrower; more patients do."""
    few, many_beats, many_patients = patients(20, 100, 0.8), patients(20, 10_000, 0.8), patients(500, 100, 0.8)
    width = [np.diff(intervals(each, NAMES)["accuracy"])[0] for each in (few, many_beats, many_patients)]
    assert width[1] > 0.7 * width[0] and width[2] < 0.4 * width[0]
    low, high = intervals(few, NAMES)["accuracy"]
    assert low < few[:, 0, 0].sum() / few.sum() < high
    assert intervals(few, NAMES)["accuracy"] == (low, high)  # the draws are the same each time


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    inside = 0
    for seed in range(60):
        low, high = intervals(patients(40, 50, 0.8, seed), NAMES)["accuracy"]
        inside += low <= 0.8 <= high
    assert 0.85 <= inside / 60 <= 1


def test_alike_patients_have_no_spread_and_a_single_one_no_interval() -> None:
    same = np.repeat(CONFUSION[None], 10, axis=0)
    assert intervals(same, NAMES)["kappa"] == pytest.approx([float(kappa(CONFUSION))] * 2)
    assert np.isnan(intervals(CONFUSION[None], NAMES)["kappa"]).all()


def test_counts_by_group() -> None:
    groups, counts = confusion_by_group(
        np.array([0, 1, 1, 3]), np.array([0, 1, 0, 2]), np.array(["b", "a", "b", "a"]), 4
    )
    assert groups.tolist() == ["a", "b"] and counts.sum() == 4
    assert counts[0, 1, 1] == counts[0, 3, 2] == counts[1, 0, 0] == counts[1, 1, 0] == 1


def test_ec57_by_hand() -> None:
    """F called V is neither rewarded nor punished, F called S is punished."""
    found = {name: float(value) for name, value in ec57_figures(CONFUSION, NAMES).items()}
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
    found = ec57(labels, called, origin, NAMES)
    assert found["gross"]["VEB Se"] == 1 and found["gross"]["VEB +P"] == pytest.approx(3 / 4)
    assert found["average"]["VEB +P"] == pytest.approx((1 + 1 + 0) / 3)
    assert found["average"]["VEB Se"] == 1  # c has no V
    assert found["records"]["c"]["VEB Se"] is None and found["average"]["SVEB Se"] is None
    assert np.sum(found["records"]["a"]["confusion"]) == 3


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
    assert decisive(de_chazal) is None  # without either record S or V is gone, and j-kappa with it
    assert found["patients"] == 2 and found["intervals"].startswith("95 % by bootstrap over patients")


def test_rows_of_nobody_have_figures_and_no_intervals() -> None:
    origin = {name: np.full(6, "") for name in ("record", "patient", "symbol")}
    found = patient_scores(np.eye(4)[[0, 1, 2, 3, 0, 0]], np.array([0, 1, 2, 3, 1, 0]), origin, NAMES, False)
    assert found["patients"] == 0 and found["intervals"] is None and list(found["maps"]) == [DE_CHAZAL]
    accuracy = found["maps"][DE_CHAZAL]["accuracy"]
    assert accuracy == {"value": pytest.approx(5 / 6), "low": None, "high": None}


# calibration


def drawn(temperature: float, n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are honest once divided by `temperature`."""
    rng = np.random.default_rng(1)
    logits = 2 * rng.standard_normal((n, 4))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random((n, 1)) > honest.cumsum(axis=1)).sum(axis=1)
    return tempered(honest, 1 / temperature), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found_and_mends_the_error(temperature: float) -> None:
    probabilities, labels = drawn(temperature)
    assert fit_temperature(probabilities, labels) == pytest.approx(temperature, rel=0.05)
    found = calibration(probabilities, labels, drawn(temperature))
    assert found["ece_tempered"] < 0.015
    assert (found["ece"] < 0.015) == (temperature == 1)
    assert calibration(probabilities, labels, None)["temperature"] is None


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    labels = np.array([0, 1, 1, 0])  # right, wrong, right, wrong
    expected = (2 * abs(0.5 - 0.9) + abs(1 - 0.8) + abs(0 - 0.6)) / 4
    assert expected_error(probabilities, labels, 10) == pytest.approx(expected)
    found = reliability(probabilities, labels, 10)
    assert found["rows"].tolist() == [0] * 5 + [1, 0, 1, 2, 0]
    assert found["accuracy"][8] == 0.5 and np.isnan(found["accuracy"][0])


def test_tempering_keeps_the_order_and_stands_zeros() -> None:
    probabilities = np.array([[1.0, 0.0, 0.0], [0.5, 0.3, 0.2]])
    cooler = tempered(probabilities, 3.0)
    assert cooler.sum(axis=1) == pytest.approx([1, 1]) and np.isfinite(cooler).all()
    assert (np.diff(cooler[1]) < 0).all() and cooler[1, 0] < 0.5
    assert tempered(probabilities, 1.0) == pytest.approx(probabilities, rel=1e-12, abs=1e-30)


def test_the_diagram_shows_each_curve() -> None:
    figure = plot_reliability({"a": reliability(*drawn(1.0)), "b": reliability(*drawn(2.0))})
    assert [line.get_label() for line in figure.axes[0].lines] == ["what is said is so", "a", "b"]


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
    latex = (run / "pred" / "scores_ep1.tex").read_text()
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 4
    assert re.search(rf"^Normal & {100 * scores['per_class']['Normal']['Se']['value']:.1f} \[", latex, re.MULTILINE)
    assert not re.search(r"^[^%\n].*(?<!\\)%", latex, re.MULTILINE)  # per cent signs are comments but where escaped
    assert (run / "pred" / "reliability_ep1.png").stat().st_size > 1000


def test_every_figure_of_ec57_stands_for_each_record(tested: tuple[Path, dict]) -> None:
    run, result = tested
    ec57_of = result["patients"]["maps"][DE_CHAZAL]["ec57"]
    who = read_json(run / "config.json")["data"]["records"]["test"]
    assert sorted(ec57_of["records"]) == who
    assert all(set(FIGURES) <= set(each) for each in ec57_of["records"].values())
    total = np.sum([each["confusion"] for each in ec57_of["records"].values()], axis=0)
    assert 0 < total.sum() < np.sum(result["test"]["confusion"])  # the first five minutes are left out
    gross = ec57_figures(total, NAMES)
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
    lines = [line.split() for line in printed.splitlines()]
    assert ["Normal", *map(str, result["test"]["confusion"][0])] in lines
    for record, each in result["patients"]["maps"][EC57_MAP]["ec57"]["records"].items():
        assert [record, str(np.sum(each["confusion"]))] in [line[:2] for line in lines]
    assert "Reliability: what a probability is worth, epoch 1" in (run / "report.html").read_text()
