"""The notebooks: run from top to bottom on a few synthetic beats, and stored with outputs that are theirs."""

from __future__ import annotations

import base64
import json
import re
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import numpy as np
import pytest

from args import parse_args
from benchmarks.notebooks import DIGEST, FOLDER, NAMES, execute, kinds, read, sources_digest, stored, text_of
from loaders import get_loader
from loaders.sources.kaggle_csv import FILES
from tests.conftest import ROOT
from toolbox.utils import read_json

DATA_FLAGS = ["--synthetic-patients", "4", "--synthetic-minutes", "2", "--disable-cuda"]
EPOCHS = 2
MOST_BYTES = 400_000  # of a notebook with its outputs
WIDEST = 520  # px of a picture: on a screen of 390 its letters of 12 px shrink to 9
PLACE_OF_THIS_MACHINE = re.compile(r"(?<![\w.:/-])/(tmp|home|root|usr|work|var|Users)/")


def cell_of(notebook: Any, name: str) -> Any:
    return next(cell for cell in notebook.cells if cell.id == name)


def outputs(cell: Any, mime: str) -> list[str]:
    """What `cell` has shown of one MIME type."""
    return [output["data"][mime] for output in cell.outputs if mime in output.get("data", {})]


def said(cell: Any) -> str:
    """What `cell` has printed."""
    return "".join(output.text for output in cell.outputs if output.get("name") == "stdout")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """notebook1, executed, with the folder it wrote to, and the same data out of the loader."""
    folder = tmp_path_factory.mktemp("first")
    notebook = read("notebook1")
    probe = nbformat.v4.new_code_cell("print(json.dumps({'counts': counts, 'medians': medians}))")
    probe.id = "probe"
    notebook.cells.append(probe)
    execute(notebook, folder, FLAGS=" ".join(DATA_FLAGS), EPOCHS=EPOCHS)
    root = folder / "ecg_data"
    flags = ["--dataset", "synthetic", "--root-dir", str(root), "--model-name", "cnn1d_3", *DATA_FLAGS]
    probed = json.loads(said(notebook.cells.pop()))
    return SimpleNamespace(notebook=notebook, root=root, data=get_loader(parse_args(flags)), **probed)


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """notebook2, executed, with the folder it wrote to."""
    folder = tmp_path_factory.mktemp("second")
    notebook = execute(read("notebook2"), folder, FLAGS=" ".join(DATA_FLAGS), EPOCHS=EPOCHS)
    return SimpleNamespace(notebook=notebook, folder=folder, root=folder / "ecg_data")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_stored_is_small_and_of_these_cells(name: str) -> None:
    notebook, text = read(name), (FOLDER / f"{name}.ipynb").read_text(encoding="utf-8")
    nbformat.validate(notebook)
    assert text == text_of(notebook) and len(text) < MOST_BYTES
    assert notebook.metadata[DIGEST] == sources_digest(notebook), "python -m benchmarks.notebooks"
    assert notebook.metadata.kernelspec.name == "python3"
    assert PLACE_OF_THIS_MACHINE.search(text) is None
    numbers = []
    for cell in notebook.cells:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", cell.id), "a name, not a random id that changes on every write"
        if cell.cell_type == "code":
            numbers.append(cell.execution_count)
            for output in cell.outputs:
                assert output.output_type != "error" and output.get("name") != "stderr"
            for picture in outputs(cell, "image/png"):
                width = struct.unpack(">I", base64.b64decode(picture)[16:20])[0]
                assert 300 < width <= WIDEST
            assert "\x1b" not in said(cell)
            assert max(map(len, cell.source.splitlines())) <= 130
    assert numbers == list(range(1, len(numbers) + 1))
    assert sum(bool(cell.get("outputs")) for cell in notebook.cells) >= 7


def test_what_is_stored_is_of_the_kind_that_the_cells_give(first: SimpleNamespace, second: SimpleNamespace) -> None:
    for name, done in (("notebook1", first), ("notebook2", second)):
        assert kinds(read(name)) == kinds(done.notebook), "python -m benchmarks.notebooks"
        header = r"  epoch +loss +val loss .*left\n"
        lines = [re.search(header, said(cell_of(notebook, "train"))) for notebook in (read(name), done.notebook)]
        assert lines[0] and lines[1] and lines[0][0] == lines[1][0]


def test_storing_leaves_out_places_and_times(second: SimpleNamespace) -> None:
    notebook = nbformat.from_dict(second.notebook)
    printed = said(cell_of(notebook, "compare"))
    assert str(second.folder) in printed
    kept = said(cell_of(stored(notebook, second.folder), "compare"))
    assert kept == printed.replace(f"{second.folder}/", "") and "written ecg_data/compared/compare.html" in kept
    assert not any("execution" in cell.metadata for cell in notebook.cells)


@pytest.mark.parametrize("place", [".", "notebooks", "notebooks/graphs"])
def test_it_finds_the_repository_from(place: str) -> None:
    source = cell_of(read("notebook1"), "repository").source + "\nimport args; print(args.__file__)"
    assert cell_of(read("notebook2"), "repository").source in source
    answer = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT / place, capture_output=True, text=True, check=True
    )
    assert Path(answer.stdout.strip()) == ROOT / "args.py"


def test_outside_the_repository_it_says_where_to_start(tmp_path: Path) -> None:
    source = cell_of(read("notebook1"), "repository").source
    failed = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "start this notebook inside the repository" in failed.stderr.splitlines()[-1]


def test_the_shares_are_the_loaders_counts(first: SimpleNamespace) -> None:
    parts = {"train": first.data.train, "validation": first.data.val, "test": first.data.test}
    assert first.counts == {name: part.class_counts().tolist() for name, part in parts.items()}
    table = outputs(cell_of(first.notebook, "load"), "text/markdown")[0]
    for k, name in enumerate(first.data.train.class_names):
        cells = " | ".join(str(part.class_counts()[k].item()) for part in parts.values())
        assert f"| {name} | {cells} |" in table
    assert len(outputs(cell_of(first.notebook, "shares"), "image/png")) == 1


def test_signals_show_each_class_in_time(first: SimpleNamespace) -> None:
    train = first.data.train
    ids = train.rows.numpy()
    assert list(first.medians) == ["N", "S", "V", "F", "Q"]
    for k, median in enumerate(first.medians.values()):
        rows = ids[train.labels().numpy() == k]
        length, n = train.beats.length[rows], len(median)
        assert np.mean(length >= n) >= 0.5 > np.mean(length >= n + 1)  # half of the beats last that long
        columns = [train.beats.x[rows, sample][length > sample] for sample in range(n)]
        assert np.allclose(median, [np.median(column) for column in columns], atol=6e-5)
    assert len(outputs(cell_of(first.notebook, "signals"), "image/png")) == 1


def test_it_trains_and_scores_a_run(first: SimpleNamespace) -> None:
    (run,) = (path for path in (first.root / "synthetic" / "runs").iterdir() if path.is_dir())
    log = read_json(run / "logger.json")["logged"]
    assert [entry["epoch"] for entry in log["val"]] == list(range(1, EPOCHS + 1))
    assert all(np.isfinite(entry["loss"]) for entry in log["train"])
    (path,) = (run / "pred").glob("test_results_ep*.json")
    scores = read_json(path)
    support = first.data.test.class_counts().tolist()
    assert np.sum(scores["confusion"], axis=1).tolist() == support
    assert len(outputs(cell_of(first.notebook, "curves"), "image/png")) == 1

    (text,) = outputs(cell_of(first.notebook, "errors"), "text/markdown")
    assert f"**{scores['acc1']:.1%}** of the beats" in text
    assert f"Normal would give {max(support) / sum(support):.1%}" in text
    names = first.data.test.class_names
    for k, name in enumerate(names):
        row = re.search(rf"^\| {name} \| (.*) \|$", text, flags=re.MULTILINE)
        assert row and [int(cell.strip("*").replace(",", "")) for cell in row[1].split(" | ")] == scores["confusion"][k]
    wrong = np.array(scores["confusion"]) * (1 - np.eye(len(names), dtype=int))
    listed = re.findall(r"^\* (.+) called (.+): (\d+) of (\d+) beats$", text, re.MULTILINE)
    assert [int(count) for _, _, count, _ in listed] == sorted(wrong[wrong > 0], reverse=True)[:3]
    for true, called, count, of in listed:
        assert wrong[names.index(true), names.index(called)] == int(count)
        assert support[names.index(true)] == int(of)


def test_real_beats_come_with_the_warning(first: SimpleNamespace, tmp_path: Path) -> None:
    folder = tmp_path / "ecg_data" / "ecg"
    folder.mkdir(parents=True)
    for split, name in FILES.items():
        beats = first.data.cache.splits[split]
        np.savetxt(folder / name, np.column_stack([beats.x, beats.y]), "%.8f", ",")
    notebook = read("notebook1")
    last = notebook.cells.index(cell_of(notebook, "signals"))
    notebook.cells = notebook.cells[: last + 1]
    execute(notebook, tmp_path, DATASET="ecg", FLAGS="--source csv")
    table, note = outputs(cell_of(notebook, "load"), "text/markdown")
    assert f"**{len(first.data.test)}**" in table
    assert note.startswith("> **Note.** Kaggle's split mixes patients")


def test_two_runs_are_compared(second: SimpleNamespace) -> None:
    runs = sorted(path.name for path in (second.root / "synthetic" / "runs").iterdir() if path.is_dir())
    assert len(runs) == 2 and "rr+past" in runs[1]
    train, compare = (said(cell_of(second.notebook, name)) for name in ("train", "compare"))
    for name, run in zip(("shape alone", "shape and time"), runs, strict=True):
        (path,) = (second.root / "synthetic" / "runs" / run / "pred").glob("test_results_ep*.json")
        assert f"{name}: {read_json(path)['acc1']:.1%} of the test beats right" in train
    assert "features=rr,past" in compare and "95 % by paired bootstrap over patients" in re.sub(r"\s+", " ", compare)
    assert all((second.root / "compared" / f"compare.{kind}").is_file() for kind in ("html", "csv", "tex"))


def test_mistakes_are_listed_and_drawn(second: SimpleNamespace) -> None:
    (path,) = (second.root / "synthetic" / "runs").glob("*rr+past*/pred/test_beats_ep*.npz")
    kept = np.load(path)
    wrong = kept["probabilities"].argmax(axis=1) != kept["labels"]
    cell = cell_of(second.notebook, "mistakes")
    assert said(cell) == f"{wrong.sum()} of {len(wrong)} beats are called wrong\n" and wrong.any()
    (table,) = outputs(cell, "text/plain")
    surest = kept["probabilities"].max(axis=1)[wrong].max()
    assert float(table.splitlines()[1].split()[-1]) == pytest.approx(surest, abs=6e-4)
    assert len(outputs(cell_of(second.notebook, "pictures"), "image/png")) == 1


def test_a_recording_is_annotated_by_the_api(second: SimpleNamespace) -> None:
    (table,) = outputs(cell_of(second.notebook, "annotate"), "text/plain")
    assert table.split()[:4] == ["time_s", "rr_s", "class", "symbol"] and "p_N" in table
    summary = said(cell_of(second.notebook, "summary"))
    match = re.match(r"record (\w+): (\d+) beats, \d+ per minute\ncalled: (.*)\nmarked: (.*)\n", summary)
    assert match and (second.root / "example_records" / f"{match[1]}.hea").is_file()
    called, marked = (sum(map(int, re.findall(r"\S (\d+)", text))) for text in match.groups()[2:])
    assert called == int(match[2]) and abs(called - marked) <= 0.05 * marked
    assert len(outputs(cell_of(second.notebook, "strip"), "image/png")) == 1
