"""Which data a network was trained on is said wherever its classes are read."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from args import parse_args
from commands.predict import say_limits
from inference import annotate
from inference.classifier import KAGGLE_LIMITS, MADE_UP, Classifier, training_limits, training_warnings
from inference.files import AnnotateOptions
from inference.lines import annotate_lines
from inference.many import annotate_files
from loaders.beats.input_spec import InputSpec
from loaders.io.discovery import Item
from loaders.io.recording import CsvFormat
from tests.made import Rule, small_record, write_format


class MadeUp(Rule):
    """Was trained on synthetic recordings."""

    dataset = "synthetic"


class Windows(Rule):
    """Was trained on windows of the records."""

    input_spec = InputSpec("window", 0.3, 0.5, 120.0, 1)  # type: ignore[assignment]


@pytest.fixture(scope="module")
def headers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("recordings")
    return [write_format(folder, name, small_record().digital, "16") for name in ("a", "b")]


def test_a_network_of_synthetic_recordings_is_warned_of_once_and_in_every_summary(
    headers: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items, plain = [Item(header) for header in headers], AnnotateOptions(out=tmp_path / "plain")
    annotate_files(items, {}, MadeUp(), AnnotateOptions(out=tmp_path / "made up"), 0)
    assert capsys.readouterr().err.count(f"warning: {MADE_UP}\n") == 1
    annotate_files(items, {}, Rule(), plain, 0)
    assert "synthetic" not in capsys.readouterr().err
    for name in ("a", "b"):
        summary = json.loads((tmp_path / "made up" / f"{name}.ecg.json").read_text())
        assert summary["warnings"][0] == MADE_UP and summary["model"]["dataset"] == "synthetic"
        page = (tmp_path / "made up" / f"{name}.ecg.html").read_text()
        assert page.count(MADE_UP[1:]) == 1 and page.index(MADE_UP[1:]) < page.index("<section>")
        table = (tmp_path / "made up" / f"{name}.ecg.csv").read_bytes()
        assert table == (tmp_path / "plain" / f"{name}.ecg.csv").read_bytes() and b"synthetic" not in table


def test_it_is_warned_of_in_python_and_in_streams(
    headers: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    with pytest.warns(UserWarning, match=MADE_UP):
        assert annotate(headers[0], classifier=MadeUp()).attrs["warnings"][0] == MADE_UP
    numbers = [f"{value:.3f}\n" for value in np.sin(np.arange(720) / 30)]
    annotate_lines(numbers, io.StringIO(), MadeUp(), CsvFormat(360.0), None, "keep")
    assert f"warning: {MADE_UP}\n" in capsys.readouterr().err


@pytest.mark.parametrize(("network", "limits"), [(Rule(), KAGGLE_LIMITS), (Windows(), "")])
def test_networks_of_rows_have_limits_and_no_warning(network: Classifier, limits: str) -> None:
    assert training_warnings(network) == [] and training_limits(network) == limits


def test_the_limits_of_networks_of_rows_stand_at_the_top_of_the_page(headers: list[Path], tmp_path: Path) -> None:
    annotate_files([Item(headers[0])], {}, Rule(), AnnotateOptions(out=tmp_path), 0)
    page = (tmp_path / "a.ecg.html").read_text()
    assert page.index("other people and leads") < page.index("<section>")
    assert json.loads((tmp_path / "a.ecg.json").read_text())["warnings"] == []


def test_the_command_says_what_a_network_of_rows_cannot_know(capsys: pytest.CaptureFixture[str]) -> None:
    args = parse_args(["--predict", "x", "--dataset", "ecg"])
    for network in (Rule(), MadeUp(), Windows()):
        say_limits(args, network)
    assert capsys.readouterr().err == f"note: {KAGGLE_LIMITS}\n"  # MadeUp is warned of with its first recording
    assert "cannot know that a beat came early" in KAGGLE_LIMITS
