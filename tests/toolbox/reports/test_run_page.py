"""toolbox.reports.run_page: the page, read back with the standard library's HTML parser."""

import base64
import copy
import os
import re
from html.parser import HTMLParser

import pytest

from toolbox.reports.run_page import newest_test, write_report
from toolbox.utils import write_json

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

    VOID = frozenset({"meta", "img", "br"})

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
        path = write_report(tmp_path / "report.html", config, logged, best, test, list(pictures), **more)
        assert path == tmp_path / "report.html"
        return Page(path.read_text(encoding="utf-8"))

    return write


def test_top_says_name_state_and_date(page):
    parsed = page()
    assert parsed.said("h1") == parsed.said("title") == [CONFIG["name"]]
    assert "epochs trained: 3 of 4 · tested · started 2024-05-06 07:08:09" in parsed.said("div")


def test_headline_shows_the_test_scores_as_per_cent(page):
    parsed = page()
    assert parsed.said("b") == ["90.00%", "87.50%", "75.00%", "99.00%"]
    ((head, validation, test),) = parsed.sections["Scores"]
    assert head[1:] == [
        "Loss",
        "Accuracy",
        "Mean sensitivity",
        "Macro F1",
        "AUROC",
        "mAP",
        "Mean IoU",
        "Frequency-weighted IoU",
    ]
    assert validation[:3] == ["Validation, best epoch 2", "0.1235", "98.77%"]
    assert validation[6] == "–"  # mAP is None there
    assert test[:3] == ["Test, epoch 2", "0.5000", "90.00%"]
    assert test[6] == "80.00%"


def test_headline_falls_back_to_validation(page):
    parsed = page(test=None)
    assert parsed.said("b")[0] == "98.77%"
    assert "not tested yet" in parsed.text()
    ((head, *rows),) = parsed.sections["Scores"]
    assert [row[0] for row in rows] == ["Validation, best epoch 2"]
    assert "mAP" not in head  # nobody has it


def test_classes_table_test_before_validation(page):
    parsed = page()
    assert parsed.said("h3")[1:] == ["Test, epoch 2", "Validation, best epoch 2"]
    classes, _, again, _ = parsed.sections["Classes"]
    assert (
        classes
        == again
        == [
            ["Class", "Sensitivity (Se)", "Positive predictivity (+P)", "F1", "Beats"],
            ["Normal", "99.35%", "99.90%", "99.60%", "18,118"],
            ["Supraventricular ectopic", "25.00%", "12.50%", "50.00%", "4"],
            ["Ventricular ectopic", "100.00%", "100.00%", "100.00%", "8"],
            ["Fusion", "–", "–", "–", "0"],
            ["Unknown", "100.00%", "100.00%", "100.00%", "16"],
        ]
    )


def test_confusion_table_has_counts_and_shares_of_the_true_class(page):
    head, normal, supraventricular, _, fusion, _ = page().sections["Classes"][1]
    assert head[1:] == FIVE
    assert normal == ["Normal", "18,000 99.3%", "118 0.7%", "0 0.0%", "0 0.0%", "0 0.0%"]
    assert supraventricular[1:3] == ["3 75.0%", "1 25.0%"]
    assert fusion == ["Fusion", *["0 –"] * 5]


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
    assert rows[1] == ["2", "0.01", "0.5000", "90.00%", "0.5000", "82.00%", "70.00%", "12.3"]
    assert [row[0] for row in rows] == ["1", "2", "3"]
    marked = [row for row in re.findall(r"<tr class=.?best.*?</tr>", parsed.source) if ">2</th>" in row]
    assert len(marked) == 1 and parsed.best.count(True) == 1


def test_flags_data_and_versions(page):
    parsed = page()
    (flags,) = parsed.sections["Flags"]
    assert flags == [
        ["--dataset", "ecg"],
        ["--epochs", "4"],
        ["--root-dir", "data"],
        ["--resume", "–"],
        ["--betas", "[0.9, 0.99]"],
        ["--amp", "False"],
    ]
    assert parsed.sections["Data"] == [[["source", "csv"], ["train", '{"Normal": 72471}']]]
    (versions,) = parsed.sections["Versions"]
    assert versions == [["python", "3.11.2"], ["torch", "2.13.0"], ["git commit", "0123abc"], ["git dirty", "True"]]


def test_warnings_of_the_run_and_of_the_call_are_notes_said_once(page):
    parsed = page(warnings=["a trial run", "Kaggle's split mixes patients"])
    assert [a["class"] for a in parsed.having("p")] == ["note", "note"]
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
    assert parsed.said("figcaption") == [*captions, "ROC curve, epoch 12: roc_ep12.png is missing"]


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
    assert "<script" not in parsed.source
    assert not parsed.having("script")
    assert not any("onload" in attributes for _, attributes in parsed.elements)
    assert parsed.said("h1") == [evil + CONFIG["name"]]
    assert evil + "Normal" in parsed.sections["Classes"][0][1]


def test_page_needs_no_network(page, tmp_path):
    (tmp_path / "loss.png").write_bytes(PNG)
    parsed = page(pictures=[tmp_path / "loss.png"])
    assert not {"script", "link", "iframe", "object", "base", "form"} & {tag for tag, _ in parsed.elements}
    links = [attributes.get(key) for _, attributes in parsed.elements for key in ("src", "href", "srcset", "action")]
    assert [link for link in links if link and not link.startswith("data:")] == []
    (style,) = parsed.said("style")
    assert "url(" not in style and "@import" not in style
    assert not re.search(r"https?:|\"//", parsed.source)
    assert "prefers-color-scheme: dark" in style
    (policy,) = [meta["content"] for meta in parsed.having("meta") if "http-equiv" in meta]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


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
    assert set(parsed.said("h2")) == {"Scores", "Epochs"} if logged.get("train") else {"Scores"}
    assert not parsed.having("img")


def test_scores_without_classes_or_epoch(page):
    parsed = page(best={"acc1": 0.5}, test={"acc1": 0.25, "per_class": None, "confusion": None})
    assert parsed.sections["Scores"] == [[["", "Accuracy"], ["Validation", "50.00%"], ["Test", "25.00%"]]]
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
