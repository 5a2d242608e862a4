"""benchmarks.common: flags, tables, result files, and how a program is started."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from args import parse_args
from benchmarks.common import (
    main_lead,
    make_parser,
    mean_and_spread,
    recipe_flags,
    run_program,
    table,
    training_flags,
    write_results,
)
from loaders.io.wfdb_record import Record
from tests.conftest import ROOT
from toolbox.utils import UserError, read_json
from toolbox.utils.signals import Interrupted

PROGRAMS = sorted(
    path.stem for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text(encoding="utf-8")
)


def test_flags_of_a_training_are_those_of_a_command_line() -> None:
    flags = training_flags(model_name="mlp", lr=0.5, dataset="ecg_bin")
    assert flags == parse_args(["--model-name", "mlp", "--lr", "0.5", "--dataset", "ecg_bin"])
    assert flags.num_classes == 2
    with pytest.raises(TypeError, match="no such flags: learning_rate"):
        training_flags(learning_rate=0.1)


def test_flags_of_a_recipe_are_those_of_config() -> None:
    flags = training_flags(**recipe_flags("fast"))
    from_config = parse_args(["--config", "fast"])
    assert {**vars(flags), "given": None} == {**vars(from_config), "config": None, "given": None}


def test_the_main_lead_is_mlii_or_the_first() -> None:
    def record(*leads: str) -> Record:
        digital = np.zeros((4, len(leads)), dtype=np.int64)
        ones = np.ones(len(leads))
        return Record("x", "x", 360.0, list(leads), digital, ones, ones, np.array([1]), np.array(["N"]))

    assert main_lead(record("V1", "MLII")) == 1
    assert main_lead(record("V5", "V2")) == 0


def test_tables_and_figures() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert mean_and_spread([0.5, 0.7]) == "0.6000 ± 0.1414"
    assert mean_and_spread([0.25]) == "0.2500 ± 0.0000"


def test_results_are_written_where_a_path_is_given(tmp_path: Path) -> None:
    write_results(None, {"a": 1})
    write_results(tmp_path / "new" / "results.json", {"a": 1})
    assert read_json(tmp_path / "new" / "results.json") == {"a": 1}


def fail() -> None:
    """A user's mistake."""
    raise UserError("no records")


def stop() -> None:
    """Ctrl-C."""
    raise Interrupted(signal.SIGINT, "epoch 2")


@pytest.mark.parametrize(
    ("main", "code", "line"),
    [(fail, 2, "error: no records"), (stop, 130, "SIGINT: saved after epoch 2; the same command goes on")],
)
def test_a_mistake_or_a_signal_is_one_line(main, code: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run_program(main)
    assert caught.value.code == code
    assert capsys.readouterr().err == f"{line}\n"


def test_the_parser_says_how_the_program_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/home/x/benchmarks/peaks.py"])
    assert make_parser("What it measures.").format_usage().startswith("usage: python -m benchmarks.peaks [-h]")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_says_how_it_is_started(name: str) -> None:
    text = (ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")
    assert f"python -m benchmarks.{name}" in text.split('"""')[1]
    assert text.endswith('if __name__ == "__main__":\n    run_program(main)\n')
    assert not re.search(r"noqa|sys\.path", text)


def test_a_program_starts_as_a_module() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.engines", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.startswith("usage: python -m benchmarks.engines [-h] run")
