"""The Python of the documentation runs, block by block, and its command lines are ones that the parser takes."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from args import parse_args
from inference import annotate, load_classifier
from inference.files import AnnotateOptions, annotate_file
from inference.options import CsvOptions, PredictOptions
from loaders.io.discovery import Item
from tests.conftest import ROOT
from tests.made import GAIN, small_record
from toolbox.holter.episodes import Episode
from toolbox.utils import UserError

DOCS = ROOT / "docs"


def blocks(name: str, language: str) -> list[tuple[int, str]]:
    """(line number, text) of the code blocks of a page."""
    text = (DOCS / name).read_text(encoding="utf-8")
    matches = re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(text[: match.start(1)].count("\n"), match[1]) for match in matches]


def run_blocks(name: str, variables: dict[str, Any]) -> dict[str, Any]:
    """Run the Python blocks of a page in order, as in a notebook."""
    for line, block in blocks(name, "python"):
        exec(compile("\n" * line + block, str(DOCS / name), "exec"), variables)
    return variables


@pytest.mark.filterwarnings("ignore:.*no lead MLII")
def test_the_python_api(workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(workplace)
    variables = run_blocks("api.md", {})
    assert variables["network"].name.startswith("cnn1d_3, epoch 3 of synthetic_cnn1d_3")
    assert isinstance(variables["beats"], pd.DataFrame) and list(variables["beats"].columns)[-2:] == ["p_N", "p_V"]
    assert (
        len(pd.read_csv("belt_beats.csv")) == len(annotate("belt.csv", 250, variables["network"], leads=["ecg"])) > 50
    )
    assert Path("annotated/100.ecg.html").is_file() and variables["summary"]["beats"]["all"] > 50
    output = capsys.readouterr().out
    assert "beats per minute" in output and "% sure" in output
    expected = re.search(r"print\(error\)  # (.*)", (DOCS / "api.md").read_text(encoding="utf-8"))
    assert expected is not None and output.splitlines()[-1] == expected[1]


def test_the_stream(workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(workplace)
    variables = run_blocks("live.md", {})
    assert capsys.readouterr().out.count("sure\n") > 50 and len(variables["last"]) > 1


@pytest.mark.filterwarnings("ignore:.*")
def test_the_block_of_annotate(workplace: Path) -> None:
    samples = (small_record().digital[:, 0] / GAIN).tolist()
    variables = {"annotate": annotate, "network": load_classifier(workplace / "model.onnx"), "samples": samples}
    assert len(run_blocks("annotate.md", variables)["beats"]) > 50


@pytest.mark.parametrize("name", ["annotate.md", "api.md", "live.md"])
def test_command_lines(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    lines = [line for _, block in blocks(name, "bash") for line in block.splitlines() if "commander.py" in line]
    lines += re.findall(r"`python commander\.py [^`]*`", (DOCS / name).read_text(encoding="utf-8"))
    for line in lines:
        try:
            parse_args(shlex.split(line.strip("`").partition("commander.py ")[2]))
        except (UserError, SystemExit) as error:
            pytest.fail(f"{line}: {error}")
    assert lines or name == "api.md"


def test_the_page_on_annotating_names_every_key_and_flag(workplace: Path) -> None:
    text = (DOCS / "annotate.md").read_text(encoding="utf-8")
    out = workplace / "out"
    annotate_file(Item(workplace / "100.hea"), load_classifier(workplace / "model.onnx"), AnnotateOptions(out=out))
    summary = json.loads((out / "100.ecg.json").read_text())
    parts = [summary, summary["signal_quality"], summary["pauses"], summary["rate_per_min"]]
    parts += [Episode("pause", 1.0, 4.0, 0, 1, None).to_dict()]
    assert [key for part in parts for key in part if f"`{key}`" not in text] == []
    flags = [field.name.replace("_", "-") for group in (PredictOptions, CsvOptions) for field in fields(group)]
    assert [flag for flag in flags if f"--{flag}" not in text] == []
