"""toolbox.reports.run_page: the page, read back with the standard library's HTML parser."""

import base64
import copy
import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from toolbox.metrics.patients import patient_scores
from toolbox.reports.run_facts import Guide
from toolbox.reports.run_page import RESULTS, RunReport, newest_test, write_report
from toolbox.reports.scored_beats import ScoredBeats
from toolbox.utils import schema_error, write_json

FIVE = ["Normal", "Supraventricular ectopic", "Ventricular ectopic", "Fusion", "Unknown"]
PNG = base64.b64decode(  # one white pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj3+wAAAABJRU5ErkJggg=="
)
CONFIG = {
    "name": "ecg_cnn1d_3_opadam_StepLR_lr0.01_nll_bs128_1",
    "class_names": FIVE,
    "started": "2024-05-06 07:08:09",
    "options": {"dataset": "ecg", "epochs": 4, "root_dir": "data", "resume": "", "betas": [0.9, 0.99], "amp": False},
    "versions": {"python": "3.11.2", "torch": "2.13.0"},
    "git": {"commit": "0123abc", "dirty": True},
    "data": {"source": "csv", "train": {"Normal": 72471}},
    "warnings": ["Kaggle's split mixes patients"],
}
BEST = {
    "epoch": 2,
    "loss": 0.12345,
    "acc1": 0.98765,
    "acc_class": 0.875,
    "macro_f1": 0.75,
    "meanIoU": 0.625,
    "fwavacc": 0.96,
    "mAP": None,
    "AUROC": 0.99,
    "confusion": [[18000, 118, 0, 0, 0], [3, 1, 0, 0, 0], [0, 0, 8, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 16]],
    "per_class": {
        "Normal": {"Se": 0.99349, "+P": 0.999, "F1": 0.996, "support": 18118},
        "Supraventricular ectopic": {"Se": 0.25, "+P": 0.125, "F1": 0.5, "support": 4},
        "Ventricular ectopic": {"Se": 1.0, "+P": 1.0, "F1": 1.0, "support": 8},
        "Fusion": {"Se": None, "+P": None, "F1": None, "support": 0},
        "Unknown": {"Se": 1.0, "+P": 1.0, "F1": 1.0, "support": 16},
    },
    "seconds": 1.5,
}
TEST = {**BEST, "loss": 0.5, "acc1": 0.9, "mAP": 0.8}
LOGGED = {
    "train": [{"epoch": n, "loss": 1 / n, "acc1": 0.9, "lr": 0.01, "seconds": 12.34} for n in (1, 2, 3)],
    "val": [{"epoch": n, "loss": 0.5, "acc1": 0.8 + n / 100, "acc_class": 0.7, "macro_f1": None} for n in (1, 2, 3)],
    "hyperparams": {},
}


class Page(HTMLParser):
    """What a page says: sections of tables of rows of cells, images, notes, all tags and attributes."""

    VOID = frozenset({"meta", "img", "br", "input"})

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.source, self.open, self.elements, self.texts = text, [], [], []
        self.sections, self.cell, self.best = {"": []}, None, []
        self.current = ""
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "table":
            self.sections[self.current].append([])
        elif tag == "tr":
            self.sections[self.current][-1].append([])
            self.best.append(dict(attrs).get("class") == "best")
        elif tag in ("td", "th"):
            self.sections[self.current][-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or not data.strip():
            return
        self.texts.append((self.open[-1], data.strip()))
        if self.open[-1] == "h2":
            self.current = data
            self.sections[data] = []
        elif {"td", "th"} & set(self.open):
            row = self.sections[self.current][-1][-1]
            row[-1] = f"{row[-1]} {data.strip()}".strip()

    def said(self, tag):
        return [text for inside, text in self.texts if inside == tag]

    def having(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self):
        return "\n".join(text for inside, text in self.texts if inside != "style")


@pytest.fixture
def page(tmp_path):
    def write(config=CONFIG, logged=LOGGED, best=BEST, test=TEST, pictures=(), **more):
        report = RunReport(
            config, {"logged": logged, "info": {"parameters": 2836}}, best, test, pictures=pictures, **more
        )
        path = write_report(tmp_path / "report.html", report)
        assert path == tmp_path / "report.html"
        return Page(path.read_text(encoding="utf-8"))

    return write


def scored(seed=0):
    """400 test beats of four records, probabilities say something; F is in one of them, never called."""
    rng = np.random.default_rng(seed)
    n, names = 400, FIVE[:4]
    labels = rng.choice(4, n, p=[0.7, 0.15, 0.15, 0]).astype(np.int64)
    record = np.repeat(["101", "102", "103", "104"], 100)
    labels[390:] = 3
    logits = rng.normal(0, 1, (n, 4)) + 3 * np.eye(4)[labels]
    logits[:, 3] = -9
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    origin = {
        "record": record, "patient": record, "symbol": np.array(list("NAVF"))[labels],
        "time": 300.0 + np.tile(np.arange(100), 4) * 0.8,
    }  # fmt: skip
    beats = ScoredBeats(np.arange(n), labels, probabilities.astype(np.float32), origin, tuple(names))
    results = {"epoch": 2, "split": "interpatient", **patient_scores(probabilities, labels, origin, names, True)}
    return beats, {**results, "calibration": {"ece": 0.05, "temperature": 1.5, "ece_tempered": 0.01}}


def by_patient():
    """The config and scores of a run of a split by patient, its test among them."""
    beats, results = scored()
    first = next(iter(results["maps"].values()))
    per_class = {
        name: {**{kind: each[kind]["value"] for kind in ("Se", "+P", "F1")}, "support": each["beats"]}
        for name, each in first["per_class"].items()
    }
    test = {"epoch": 2, "acc1": first["accuracy"]["value"], "j_kappa": first["j_kappa"]["value"], "AUROC": 0.987,
            "per_class": per_class, "confusion": first["confusion"]}  # fmt: skip
    options = {
        **CONFIG["options"],
        "split": "interpatient",
        "model_name": "mlp",
        "validate_on": "train",
        "monitor": "last",
    }
    return {**CONFIG, "options": options, "class_names": FIVE[:4]}, test, beats, results


def test_top_says_name_state_and_date(page):
    parsed = page()
    assert parsed.said("h1") == parsed.said("title") == [CONFIG["name"]]
    assert "epochs trained: 3 of 4 · tested at epoch 2 · started 2024-05-06 07:08" in parsed.said("div")
    assert "2,836 weights" in parsed.said("li") and "trained in 37 s" in parsed.said("li")


def test_top_says_the_split_rows_people_and_machine(page):
    config, *_ = by_patient()
    data = {
        "rows": {"train": 62452, "val": 51013, "test": 49705},
        "patients": {"test": [str(n) for n in range(100, 108)]},
    }
    hardware = {"device": "cpu", "name": "a processor", "threads": 1}
    parsed = page({**config, "data": data, "hardware": hardware, "precision": "fp32"}, test=None)
    assert parsed.said("h1") == ["mlp, DS1 trains, DS2 tests"] and CONFIG["name"] in parsed.said("div")
    assert parsed.said("li")[:3] == [
        "DS1 trains, DS2 tests (de Chazal 2004)",
        "62,452 rows train, 51,013 validate, 49,705 test",
        "tested on 8 people: 100, 101, 102, 103, 104, 105, ...",
    ]
    assert "a processor, 1 thread, fp32" in parsed.said("li")


def test_headline_of_kaggles_split(page):
    parsed = page()
    assert parsed.said("b") == ["90.0 %", "75.0 %", "87.5 %"]
    ((head, validation, test),) = parsed.sections["Scores"]
    assert head[1:] == ["Loss", "Accuracy", "Mean sensitivity", "Macro F1", "AUROC", "mAP", "Mean IoU", "Weighted IoU"]
    assert validation[:3] == ["Validation, best epoch 2", "0.1235", "98.77 %"]
    assert validation[6] == "–"  # mAP is None there
    assert test[:3] == ["Test, epoch 2", "0.5000", "90.00 %"]
    assert test[6] == "80.00 %"


def test_headline_of_a_split_by_patient_has_intervals(page):
    config, test, _, results = by_patient()
    parsed = page(config, test=test, results=results)
    first = next(iter(results["maps"].values()))
    j_kappa, v = first["j_kappa"], first["per_class"]["Ventricular ectopic"]["F1"]
    assert parsed.said("b")[:2] == [f"{j_kappa['value']:.3f}", f"{100 * v['value']:.1f} %"]
    cards = [text for tag, text in parsed.texts if tag == "small"]
    assert cards[0] == f"95 %: {j_kappa['low']:.3f} to {j_kappa['high']:.3f}"
    assert cards[1] == f"95 %: {100 * v['low']:.1f} to {100 * v['high']:.1f}"
    divs = parsed.said("div")
    assert [label for label in divs if label in ("j-kappa", "V F1", "S F1", "Accuracy")] == [
        "j-kappa",
        "V F1",
        "S F1",
        "Accuracy",
    ]
    assert "Training rows, last epoch 2" in parsed.text()
    assert "Intervals: 95 % by bootstrap over patients, 2000 draws." in parsed.said("p")


def test_headline_falls_back_to_validation(page):
    parsed = page(test=None)
    assert parsed.said("b")[0] == "98.8 %"
    assert "not tested yet" in parsed.text()
    ((head, *rows),) = parsed.sections["Scores"]
    assert [row[0] for row in rows] == ["Validation, best epoch 2"]
    assert "mAP" not in head  # nobody has it


def test_classes_table_test_before_validation(page):
    parsed = page()
    assert parsed.said("h3")[1] == "Test, epoch 2" and "Validation, best epoch 2" in parsed.said("summary")
    classes, _, again, _ = parsed.sections["Classes"]
    assert (
        classes
        == again
        == [
            ["Class", "Sensitivity (Se)", "Positive predictivity (+P)", "F1", "Beats"],
            ["N Normal", "99.3 %", "99.9 %", "99.6 %", "18,118"],
            ["S Supraventricular ectopic", "25.0 %", "12.5 %", "50.0 %", "4"],
            ["V Ventricular ectopic", "100.0 %", "100.0 %", "100.0 %", "8"],
            ["F Fusion", "–", "–", "–", "0"],
            ["Q Unknown", "100.0 %", "100.0 %", "100.0 %", "16"],
        ]
    )


def test_intervals_that_say_nothing_are_counted(page):
    config, test, _, results = by_patient()
    parsed = page(config, test=test, results=results)
    fusion = parsed.sections["Classes"][0][4]
    assert fusion[:2] == ["F Fusion", "0 of 10* 0.0 to 27.8"]  # F is in one record, and is never called
    assert fusion[2:] == ["–", "0.0 %*", "10"]
    assert any("no draw of patients differs" in text for text in parsed.said("p"))


def test_both_label_maps_have_ec57s_scores(page):
    config, test, _, results = by_patient()
    parsed = page(config, test=test, results=results)
    assert [tag["id"] for tag in parsed.having("input")] == ["map1", "map2"]
    assert parsed.said("label") == list(results["maps"])
    for name, table in zip(
        results["maps"], (parsed.sections["Classes"][1], parsed.sections["Classes"][4]), strict=True
    ):
        gross = results["maps"][name]["ec57"]["gross"]["VEB Se"]
        assert table[0][1:3] == ["VEB Se", "VEB +P"] and table[1][:2] == ["gross", f"{100 * gross:.2f} %"]


def test_records_can_be_sorted_and_the_one_that_moves_the_score_most_is_marked(page):
    config, test, _, results = by_patient()
    first = next(iter(results["maps"].values()))
    parsed = page(config, test=test, results=results)
    (table,) = parsed.sections["Records"]
    assert (
        table[0][0] == "Record"
        and table[0][1:6] == ["N", "S", "V", "F", "Wrong"]
        and table[0][-1] == "j-kappa moves by"
    )
    whole = first["j_kappa"]["value"]
    moves = {record: each["j_kappa"] - whole for record, each in first["without"].items()}
    furthest = max(moves, key=lambda record: abs(moves[record]))
    rows = {row[0].split()[0]: row for row in table[1:]}
    assert list(rows) == ["101", "102", "103", "104"]
    assert {record: row[-1] for record, row in rows.items()} == {
        record: f"{move:+.4f}" for record, move in moves.items()
    }
    assert [row[0] for row in table[1:] if "◆" in row[0]] == [f"{furthest} ◆"]
    counts = np.array(results["maps"]["EC57 (S = A a J S e j n)"]["ec57"]["records"]["104"]["confusion"])
    wrong = int(counts.sum() - np.trace(counts))
    assert rows["104"][4] == "10" and rows["104"][5] == f"{wrong} ({100 * wrong / counts.sum():.1f} %)"
    assert any(attributes.get("class") == "sortable" for attributes in parsed.having("table"))


def test_curves_are_drawn_from_the_beats(page):
    config, test, beats, results = by_patient()
    parsed = page(config, test=test, results=results, beats=beats)
    titles = [attributes["aria-label"] for attributes in parsed.having("svg") if "aria-label" in attributes]
    assert titles[:2] == ["Loss", "Scores: training rows"]
    assert titles[-7:-5] == ["ROC, each class against the rest", "Precision and recall"]
    assert titles[-4:] == FIVE[:4]  # reliability of each class
    assert any(text.startswith("V: AUROC 0.9") for text in parsed.said("li"))
    assert "Expected error 5.00 %; 1.00 % with logits divided by 1.50" in parsed.text()
    assert not parsed.having("img")


def test_a_learning_rate_that_never_changes_has_no_chart(page):
    titles = [attributes.get("aria-label") for attributes in page().having("svg")]
    assert "Loss" in titles and "Learning rate" not in titles
    logged = copy.deepcopy(LOGGED)
    logged["train"][1]["lr"] = 0.001
    assert "Learning rate" in [attributes.get("aria-label") for attributes in page(logged=logged).having("svg")]


def test_confusion_table_has_counts_and_shares_of_the_true_class(page):
    head, normal, supraventricular, _, fusion, _ = page().sections["Classes"][1]
    assert head[1:] == [f"{letter} {name}" for letter, name in zip("NSVFQ", FIVE, strict=True)]
    assert normal == ["N Normal", "18,000 99.3%", "118 0.7%", "0 0.0%", "0 0.0%", "0 0.0%"]
    assert supraventricular[1:3] == ["3 75.0%", "1 25.0%"]
    assert fusion == ["F Fusion", *["0 –"] * 5]


def test_epoch_table_marks_the_best(page):
    parsed = page()
    ((head, *rows),) = parsed.sections["Epochs"]
    assert head == [
        "Epoch",
        "Learning rate",
        "Training loss",
        "Training accuracy",
        "Validation loss",
        "Validation accuracy",
        "Mean sensitivity",
        "Seconds",
    ]  # nobody has macro F1
    assert rows[1] == ["2", "0.01", "0.5000", "90.00 %", "0.5000", "82.00 %", "70.00 %", "12.3"]
    assert [row[0] for row in rows] == ["1", "2", "3"]
    marked = [row for row in re.findall(r"<tr class=.?best.*?</tr>", parsed.source) if ">2</th>" in row]
    assert len(marked) == 1 and parsed.best.count(True) == 1


def test_changed_flags_the_others_folded(page):
    defaults = {
        "dataset": "ecg",
        "epochs": 20,
        "root_dir": "ecg_data",
        "resume": "",
        "betas": [0.9, 0.99],
        "amp": False,
    }
    parsed = page(guide=Guide(defaults=defaults))
    changed, others = parsed.sections["Flags"]
    assert changed == [["--epochs", "4"], ["--root-dir", "data"]]
    assert others == [["--dataset", "ecg"], ["--resume", "–"], ["--betas", "0.9 0.99"], ["--amp", "False"]]
    assert "4 flags at their defaults" in parsed.said("summary")
    data, versions = parsed.sections["Data, versions, machine"]
    assert data == [["source", "csv"], ["train", '{"Normal": 72471}']]
    assert versions == [["python", "3.11.2"], ["torch", "2.13.0"], ["git commit", "0123abc"], ["git dirty", "True"]]


def test_labels_and_the_way_to_all_runs(page):
    options = {**CONFIG["options"], "name": "my best", "tag": ["paper", "two leads"], "note": "the lower rate"}
    parsed = page({**CONFIG, "options": options}, guide=Guide(index="../index.html"))
    assert parsed.said("h1") == ["my best"] and "#paper #two leads the lower rate" in parsed.said("div")
    assert [attributes["href"] for attributes in parsed.having("a")] == ["../index.html"]
    assert parsed.said("a") == ["All runs"]


def test_commands_can_be_copied(page):
    parsed = page(guide=Guide({"Test it": "python commander.py --test --version 1"}))
    assert parsed.said("code") == ["python commander.py --test --version 1"] and parsed.said("button") == ["copy"]
    assert not page().having("button")


def test_wrong_beats_are_drawn_with_their_reasons_and_links(page):
    config, test, _, results = by_patient()
    example = {
        "kind": "surest", "id": 3, "record": "101", "time": 62.5, "true": FIVE[3], "called": FIVE[2],
        "probability": 0.98765, "probability_true": 0.001,
        "strip": {"lead": "MLII", "unit": "mV", "rate": 120.0, "start": -1.5, "step": 0.005, "values": [0, 200] * 180,
                  "beats": [[0.0, FIVE[3]]]},
        "why": {"parts": [{"name": "P wave", "value": 2.5, "from": -0.24, "to": -0.06}],
                "columns": [["tempo: RR", -0.4, 1.25]]},
    }  # fmt: skip
    content = {
        "epoch": 2,
        "wrong": 1044,
        "rows": 49705,
        "method": "exactly",
        "examples": [example, {**example, "kind": "random"}],
    }
    guide = Guide(records="python commander.py --predict mitdb/RECORD")
    parsed = page(
        config, test=test, results=results, examples=content, links={"101": "file:///r/101.ecg.html"}, guide=guide
    )
    assert len(parsed.having("article")) == 2
    assert [attributes["href"] for attributes in parsed.having("a")] == ["file:///r/101.ecg.html#t=62.50"] * 2
    assert "1,044 of 49,705 beats are called wrong (test)." in parsed.text()
    assert parsed.sections["Beats called wrong"][0] == [["P wave", "+2.50", ""]]
    assert parsed.sections["Beats called wrong"][1][1] == ["tempo: RR", "-0.40", "+1.25"]
    assert "python commander.py --predict mitdb/RECORD" in parsed.said("code")
    assert "Beats called wrong" not in page(config, test=test, examples={**content, "examples": []}).sections


def test_results_of_all_kinds_fit_their_shape():
    assert schema_error(scored()[1], RESULTS, "it") == ""


def test_warnings_of_the_run_and_of_the_call_are_notes_said_once(page):
    parsed = page(warnings=["a trial run", "Kaggle's split mixes patients"])
    assert [a.get("class") for a in parsed.having("p")] == ["note", "note"]
    assert parsed.said("p") == ["Kaggle's split mixes patients", "a trial run"]
    assert not page({**CONFIG, "warnings": []}).having("p")


def test_pictures_are_embedded_and_a_missing_one_is_named(page, tmp_path):
    (tmp_path / "norm_cm_ep12.png").write_bytes(PNG)
    (tmp_path / "my<plot>.png").write_bytes(PNG)
    parsed = page(pictures=[tmp_path / "norm_cm_ep12.png", tmp_path / "my<plot>.png", tmp_path / "roc_ep12.png"])
    images = parsed.having("img")
    assert [base64.b64decode(image["src"].removeprefix("data:image/png;base64,")) for image in images] == [PNG, PNG]
    captions = ["Confusion matrix, per cent of each true class, epoch 12", "my<plot>"]
    assert [image["alt"] for image in images] == captions
    assert parsed.said("figcaption")[-3:] == [*captions, "ROC curve, epoch 12: roc_ep12.png is missing"]


def test_every_text_is_escaped(page, tmp_path):
    evil = "<script>alert('x')</script>\" onload=\"y"

    def poison(value):
        if isinstance(value, dict):
            return {evil + str(key) if key in FIVE else key: poison(inner) for key, inner in value.items()}
        if isinstance(value, list) and value and isinstance(value[0], str):
            return [evil + item for item in value]
        return evil + value if isinstance(value, str) else value

    config = poison(CONFIG)
    for part in ("options", "versions", "git", "data"):
        config[part][evil] = evil
    scores = poison(BEST)
    parsed = page(config, LOGGED, scores, scores, [tmp_path / f"{evil.replace('/', '')}.png"], warnings=[evil])
    assert len(parsed.having("script")) == parsed.source.count("<script") == 1  # the page's own
    assert not any("onload" in attributes for _, attributes in parsed.elements)
    assert parsed.said("h1") == [evil + CONFIG["name"]]
    assert any(evil + "Normal" in cell for row in parsed.sections["Classes"][0] for cell in row)


def test_page_needs_no_network(page, tmp_path):
    (tmp_path / "loss.png").write_bytes(PNG)
    parsed = page(pictures=[tmp_path / "loss.png"])
    assert not {"link", "iframe", "object", "base", "form"} & {tag for tag, _ in parsed.elements}
    links = [attributes.get(key) for _, attributes in parsed.elements for key in ("src", "href", "srcset", "action")]
    assert [link for link in links if link and not link.startswith("data:")] == []
    (style,) = parsed.said("style")
    assert set(re.findall(r"url\((.*?)\)", style)) <= {"#hatch"}
    assert "@import" not in style
    assert not re.search(r"https?:|\"//", parsed.source)
    assert "prefers-color-scheme: dark" in style
    (policy,) = [meta["content"] for meta in parsed.having("meta") if "http-equiv" in meta]
    start = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-"
    assert policy.startswith(start) and policy.count(";") == 3


@pytest.mark.parametrize(
    ("config", "logged"),
    [
        ({}, {}),
        ({"name": "x"}, {"train": [], "val": []}),
        ({"name": "x", "git": None, "data": None, "class_names": FIVE}, {"train": LOGGED["train"][:1], "val": []}),
    ],
)
def test_missing_pieces_are_left_out(page, config, logged):
    parsed = page(config, logged, None, None)
    assert "No scores yet." in parsed.said("p")
    assert set(parsed.said("h2")) == ({"Scores", "Epochs", "Curves"} if logged.get("train") else {"Scores"})
    assert not parsed.having("img")


def test_scores_without_classes_or_epoch(page):
    parsed = page(best={"acc1": 0.5}, test={"acc1": 0.25, "per_class": None, "confusion": None})
    assert parsed.sections["Scores"] == [[["", "Accuracy"], ["Validation", "50.00 %"], ["Test", "25.00 %"]]]
    assert "Classes" not in parsed.sections


def test_diverged_loss_is_shown_as_it_is(page):
    logged = copy.deepcopy(LOGGED)
    logged["train"][1]["loss"] = float("nan")
    assert page(logged=logged).sections["Epochs"][0][2][2] == "nan"


def test_written_atomically(page, tmp_path):
    page()
    page(test=None)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    before = (tmp_path / "report.html").read_bytes()
    with pytest.raises(ValueError, match="Unknown format code"):
        page(test={"loss": "not a number"})
    assert (tmp_path / "report.html").read_bytes() == before


def test_the_newest_readable_test_counts(tmp_path, capsys):
    assert newest_test(tmp_path) is None
    (tmp_path / "pred").mkdir()
    contents = ({"epoch": 9, "acc1": 0.25}, {"epoch": 2, "acc1": 0.5}, {"epoch": "two"})
    for age, scores in zip((3, 2, 1), contents, strict=True):  # the file of epoch 2 is younger than that of epoch 9
        path = tmp_path / "pred" / f"test_results_ep{scores['epoch']}.json"
        write_json(path, scores)
        os.utime(path, (1e9 - age, 1e9 - age))
    assert newest_test(tmp_path) == contents[1]
    warning = capsys.readouterr().err
    assert warning.startswith(f"warning: {path} is passed over: ") and warning.count("\n") == 1
