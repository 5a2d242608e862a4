"""--name, --tag and --note: kept with a run, changed by --edit, shown everywhere, and chosen by."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import commander
from args import parse_args, run_options
from tests.commands.test_compare import compare, make_run, refused
from toolbox.utils import UserError, read_json

SMALL = "--dataset synthetic --synthetic-patients 4 --synthetic-minutes 2 --model-name cnn1d_3 --device cpu".split()
LABELS = ["--name", "Baseline, 2 leads", "--tag", "paper", "table2", "--note", "the one that the paper quotes"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with two runs of an epoch; the first has a name, tags and a note."""
    root = tmp_path_factory.mktemp("root")
    for words in (LABELS, ["--tag", "other"]):
        commander.main([*SMALL, *words, "--epochs", "1", "--root-dir", str(root)])
    return root


def edit(root: Path, *words: str) -> dict:
    """The result of an --edit below `root`."""
    return commander.main(["--edit", *words, "--root-dir", str(root)])


def test_they_are_kept_and_the_folder_keeps_its_name(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = sorted(path.name for path in trained.glob("synthetic/runs/*/"))
    assert folders == [f"synthetic_cnn1d_3_opadam_StepLR_lr0.01_nll_bs128_{k}" for k in (1, 2)]
    options = read_json(trained / "synthetic" / "runs" / folders[0] / "config.json")["options"]
    assert options["name"] == "Baseline, 2 leads" and options["tag"] == ["paper", "table2"]
    assert options["note"] == "the one that the paper quotes"
    assert commander.main(["--list", "--tag", "paper", "--root-dir", str(trained)])["runs"] == folders[:1]
    said = capsys.readouterr().out
    assert "Baseline, 2 leads" in said and "tags: paper table2" in said and "note: the one that the paper" in said
    assert commander.main(["--list", "--root-dir", str(trained)])["runs"] != folders[:1]


def test_they_choose_the_run_of_a_command(trained: Path) -> None:
    first, second = sorted(trained.glob("synthetic/runs/*/"))
    assert commander.main(["--test", "--name", "Baseline, 2 leads", "--root-dir", str(trained)])["run"] == str(first)
    assert commander.main(["--test", "--tag", "other", "--root-dir", str(trained)])["run"] == str(second)
    resumed = ["--resume", "latest", "--epochs", "2", "--tag", "paper", "--root-dir", str(trained)]
    assert commander.main(resumed)["run"] == str(first)
    assert read_json(first / "config.json")["options"]["tag"] == ["paper", "table2"]  # not what it was chosen by
    with pytest.raises(UserError, match=r"has --tag papre; there are names: Baseline, 2 leads; tags: other paper tab"):
        commander.main(["--test", "--tag", "papre", "--root-dir", str(trained)])


def test_a_run_that_is_repeated_by_its_config_gets_no_name_of_another(trained: Path) -> None:
    config = next(trained.glob("synthetic/runs/*_1/config.json"))
    args = parse_args(["--config", str(config), "--lr", "0.1"])
    assert (args.model_name, args.name, args.tag, args.note) == ("cnn1d_3", None, [], None)
    assert run_options(args)["tag"] == []


def test_edit_changes_them_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(tmp_path, "ecg_mlp_1", [1] * 6, name="old", note="first")
    make_run(tmp_path, "ecg_mlp_2", [2] * 6, lr=0.1)
    (folder / "report.html").write_text("the old page")
    before = json.loads((folder / "config.json").read_text())
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert edit(tmp_path, "1", "--name", "wide", "--tag", "a", "b")["runs"] == ["ecg_mlp_1"]
    assert "ecg_mlp_1: name wide, tags a b, note first" in capsys.readouterr().out
    after = json.loads((folder / "config.json").read_text())
    assert after["options"] == {**before["options"], "name": "wide", "tag": ["a", "b"]}
    assert {**after, "options": 0} == {**before, "options": 0}
    changed = {path for path in kept if path.read_bytes() != kept[path]}
    assert changed == {folder / "config.json", folder / "report.html"}  # the page is written anew
    assert "wide" in (tmp_path / "ecg" / "runs" / "index.html").read_text()
    assert edit(tmp_path, "wide", "--name", "", "--tag", "--note", "")["runs"] == ["ecg_mlp_1"]
    assert "ecg_mlp_1: no name, tag or note" in capsys.readouterr().out
    assert edit(tmp_path, "ecg_mlp_*", "--tag", "both")["runs"] == ["ecg_mlp_1", "ecg_mlp_2"]
    assert commander.main(["--list", "--tag", "both", "--root-dir", str(tmp_path)])["runs"] == [
        "ecg_mlp_1",
        "ecg_mlp_2",
    ]


def test_a_comparison_names_runs_by_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path, "ecg_mlp_1", [5] * 6, lr=0.1, name="narrow", tag=["paper"], note="a remark")
    make_run(tmp_path, "ecg_mlp_2", [1] * 6, name="wide", tag=["paper", "x"])
    make_run(tmp_path, "ecg_mlp_3", [1] * 6, lr=0.5)
    result = compare(tmp_path, "narrow", "wide")
    assert result["runs"] == ["ecg_mlp_1", "ecg_mlp_2"]
    text = capsys.readouterr().out
    assert "1  narrow" in text and "2  wide" in text and "1: tags: paper" in text and "1: note: a remark" in text
    page, table, latex = (Path(path) for path in compare(tmp_path, "--tag", "paper")["files"])
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [(row["name"], row["tags"], row["note"]) for row in rows] == [
        ("wide", "paper x", ""),
        ("narrow", "paper", "a remark"),
    ]
    assert "wide & 0.01" in latex.read_text() and 'href="runs/index.html"' in page.read_text()


def test_an_edited_file_with_other_kinds_of_labels_is_no_obstacle(tmp_path: Path) -> None:
    make_run(tmp_path, "ecg_mlp_1", [1] * 6, name=3, tag="paper", note=["x"])
    assert compare(tmp_path)["runs"] == ["ecg_mlp_1"]
    assert "ecg_mlp_1" in (tmp_path / "ecg" / "runs" / "index.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--edit", "1"], "--edit changes --name, --tag and --note of runs; give at least one of them"),
        (["--edit", "1", "--tag", "x", "--test"], "--edit only names and describes runs; leave out --test"),
        (["--edit", "9", "--tag", "x"], "--edit 9: no run of this name, number or pattern; --list shows the runs"),
        (["--test", "--note", "x"], "--note describes a new run; --edit RUN --note TEXT changes that of another"),
        (["--prepare", "--tag", "x"], "--tag belongs to runs; --prepare and --score have none"),
        (["--list", "--tag", "a b"], "'a b': expected a word of letters, digits and . _ + -"),
        (["--list", "--name", "x" * 81], "expected a text of at most 80 characters"),
        (["--list", "--name", "nobody"], "has --name 'nobody'; there are names: none; tags: none"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, capsys, monkeypatch, words: list[str], message: str) -> None:
    make_run(tmp_path, "ecg_mlp_1", [1] * 6)
    assert message in refused(capsys, monkeypatch, *words, "--root-dir", str(tmp_path))
