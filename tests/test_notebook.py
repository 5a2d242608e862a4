"""notebooks/notebook1.ipynb: run from end to end on a few synthetic beats, and what it wrote read back."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from args import parse_args
from loaders import get_loader
from loaders.sources.kaggle_csv import FILES

REPO = Path(__file__).resolve().parents[1]
NOTEBOOK = REPO / "notebooks" / "notebook1.ipynb"
DATA_FLAGS = ["--synthetic-patients", "4", "--synthetic-minutes", "2", "--disable-cuda"]
EPOCHS = 2
TIMEOUT = 600  # s a cell may take on a busy machine; all of them take some 15 s


def read_notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def cell_of(notebook, name):
    return next(cell for cell in notebook.cells if cell.id == name)


def execute(notebook, folder, **variables):
    """Run `notebook` in its own folder, as Jupyter does; it writes to `folder`, which the environment names."""
    places = {"ECG_ROOT": folder / "data", "ECG_GRAPHS": folder / "graphs", "IPYTHONDIR": folder / "ipython"}
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ECG_DATASET", "ECG_FLAGS", "ECG_MODEL", "ECG_EPOCHS"):
            patch.delenv(name, raising=False)
        for name, value in {**places, **variables}.items():
            patch.setenv(name, str(value))
        resources = {"metadata": {"path": str(NOTEBOOK.parent)}}
        limits = {"timeout": TIMEOUT, "startup_timeout": TIMEOUT}
        NotebookClient(notebook, kernel_name="python3", resources=resources, **limits).execute()
    return notebook


def outputs(cell, mime):
    """What `cell` has shown of one MIME type."""
    return [output["data"][mime] for output in cell.outputs if mime in output.get("data", {})]


def traces_in(path):
    """The traces of the figure on a page that plotly wrote; the figure has the page's name."""
    text = path.read_text(encoding="utf-8")
    start = re.search(rf'Plotly\.newPlot\(\s*"{path.stem}",\s*', text).end()
    return json.JSONDecoder().raw_decode(text, start)[0]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The executed notebook with the folders it wrote to, and the same data out of the loader."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = execute(read_notebook(), folder, ECG_FLAGS=" ".join(DATA_FLAGS), ECG_EPOCHS=EPOCHS)
    root = folder / "data"
    flags = ["--dataset", "synthetic", "--root-dir", str(root), "--model-name", "cnn1d_3", *DATA_FLAGS]
    return SimpleNamespace(notebook=notebook, root=root, graphs=folder / "graphs", data=get_loader(parse_args(flags)))


def test_the_committed_notebook_is_clean():
    notebook, text = read_notebook(), NOTEBOOK.read_text(encoding="utf-8")
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", cell.id), "a name, not a random id that changes on every write"
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None, f"clear the outputs of cell {cell.id}"
    assert notebook.metadata.kernelspec.name == "python3"
    assert text == nbformat.writes(notebook, indent=1, ensure_ascii=False) + "\n"


def test_git_leaves_the_graphs_alone():
    lines = (NOTEBOOK.parent / "graphs" / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["*", "!.gitignore"]


@pytest.mark.parametrize("place", [".", "notebooks", "notebooks/graphs"])
def test_it_finds_the_repository_from(place):
    source = cell_of(read_notebook(), "repository").source + "\nimport args; print(args.__file__)"
    answer = subprocess.run(
        [sys.executable, "-c", source], cwd=REPO / place, capture_output=True, text=True, check=True
    )
    assert Path(answer.stdout.strip()) == REPO / "args.py"


def test_outside_the_repository_it_says_where_to_start(tmp_path):
    source = cell_of(read_notebook(), "repository").source
    failed = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "start this notebook inside the repository" in failed.stderr.splitlines()[-1]


def test_pie_shows_the_loaders_counts(done):
    pies = {trace["name"]: trace for trace in traces_in(done.graphs / "pie.html")}
    parts = {"train": done.data.train, "validation": done.data.val, "test": done.data.test}
    assert list(pies) == list(parts)
    for name, part in parts.items():
        assert pies[name]["labels"] == list(part.class_names)
        assert pies[name]["values"] == part.class_counts().tolist()
        assert f"{len(part)} beats" in pies[name]["title"]["text"]
    table = outputs(cell_of(done.notebook, "load"), "text/markdown")[0]
    for k, name in enumerate(done.data.train.class_names):
        cells = " | ".join(str(part.class_counts()[k].item()) for part in parts.values())
        assert f"| {name} | {cells} |" in table


def test_signals_show_each_class_in_time(done):
    traces = [trace for trace in traces_in(done.graphs / "signals.html") if trace["x"] != [None]]
    train = done.data.train
    ids = train.rows.numpy()
    for k, name in enumerate(train.class_names):
        rows = ids[train.labels().numpy() == k]
        length = train.beats.length[rows]
        shown = [trace for trace in traces if trace["name"] == name]
        wide, narrow, *singles, median, compared = shown
        n = len(median["x"])
        assert median["x"] == [round(sample * 1000 / 120, 1) for sample in range(n)]  # ms at 120 Hz
        assert np.mean(length >= n) >= 0.5 > np.mean(length >= n + 1)  # half of the beats last that long
        columns = [train.beats.x[rows, sample][length > sample] for sample in range(n)]
        assert np.allclose(median["y"], [np.median(column) for column in columns], atol=6e-5)
        for area, low, high in ((wide, 10, 90), (narrow, 25, 75)):
            assert area["x"] == median["x"] + median["x"][::-1] and area["fill"] == "toself"
            assert np.allclose(area["y"][:n], [np.percentile(column, high) for column in columns], atol=6e-5)
            assert np.allclose(area["y"][n:][::-1], [np.percentile(column, low) for column in columns], atol=6e-5)
        assert (compared["x"], compared["y"]) == (median["x"], median["y"]) and compared["xaxis"] != median["xaxis"]
        assert len(singles) == min(3, len(rows))
        for single in singles:
            whole = train.beats.x[rows[length == len(single["y"])], : len(single["y"])]
            assert np.isclose(whole, single["y"], atol=6e-5).all(axis=1).any()  # a beat of the class, without padding


def test_the_pages_open_offline(done):
    assert (done.graphs / "plotly.min.js").stat().st_size > 1e6
    for name in ("pie", "signals"):
        sources = re.findall(
            r'<(?:script|link)[^>]*(?:src|href)="([^"]*)"', (done.graphs / f"{name}.html").read_text("utf-8")
        )
        assert sources == ["plotly.min.js"]
        assert len(outputs(cell_of(done.notebook, name), "application/vnd.plotly.v1+json")) == 1


def test_it_trains_and_scores_a_run(done):
    (run,) = (done.root / "synthetic" / "runs").glob("*/")
    log = json.loads((run / "logger.json").read_text(encoding="utf-8"))["logged"]
    assert [entry["epoch"] for entry in log["val"]] == list(range(1, EPOCHS + 1))
    assert all(np.isfinite(entry["loss"]) for entry in log["train"])
    (path,) = (run / "pred").glob("test_results_ep*.json")
    scores = json.loads(path.read_text(encoding="utf-8"))
    support = done.data.test.class_counts().tolist()
    assert np.sum(scores["confusion"], axis=1).tolist() == support

    assert len(outputs(cell_of(done.notebook, "curves"), "image/png")) == 2
    assert len(outputs(cell_of(done.notebook, "test"), "image/png")) == 1
    (said,) = outputs(cell_of(done.notebook, "errors"), "text/markdown")
    assert f"**{scores['acc1']:.1%}** of the beats" in said
    assert f"Normal would give {max(support) / sum(support):.1%}" in said
    names = done.data.test.class_names
    wrong = np.array(scores["confusion"]) * (1 - np.eye(len(names), dtype=int))
    listed = re.findall(r"^\* (.+) called (.+): (\d+) of (\d+) beats$", said, re.MULTILINE)
    assert [int(count) for _, _, count, _ in listed] == sorted(wrong[wrong > 0], reverse=True)[:3]
    for true, called, count, of in listed:
        assert wrong[names.index(true), names.index(called)] == int(count)
        assert support[names.index(true)] == int(of)


def test_real_beats_come_with_the_warning(done, tmp_path):
    folder = tmp_path / "data" / "ecg"
    folder.mkdir(parents=True)
    for split, name in FILES.items():
        beats = done.data.cache.splits[split]
        np.savetxt(folder / name, np.column_stack([beats.x, beats.y]), "%.8f", ",")
    notebook = read_notebook()
    last = notebook.cells.index(cell_of(notebook, "signals"))
    notebook.cells = notebook.cells[: last + 1]
    execute(notebook, tmp_path, ECG_DATASET="ecg", ECG_FLAGS="--source csv")
    table, note = outputs(cell_of(notebook, "load"), "text/markdown")
    assert f"**{len(done.data.test)}**" in table
    assert note.startswith("> **Note.** Kaggle's split mixes patients")
    assert [sum(pie["values"]) for pie in traces_in(tmp_path / "graphs" / "pie.html")][2] == len(done.data.test)
    assert (tmp_path / "graphs" / "signals.html").is_file()
