"""commands.completion: what a shell is offered, by asking the program as argcomplete's shell functions do."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import argcomplete
import pytest

from args import get_parser
from commands.completion import VALUES, parser_with_values
from models import MODELS
from tests.conftest import ROOT
from toolbox.optimizers import OPTIMIZERS
from toolbox.utils.options import Argument

SEPARATOR = "\v"


def offered(line: str, folder: Path, program: str = "commander.py") -> list[str]:
    """The completions of the command line `line` at its end, asked for in `folder`."""
    answer = folder / "answer"
    line = f"{program} {line}"
    asked = {
        "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": SEPARATOR, "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer), "COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_TYPE": "9",
    }  # fmt: skip
    environment = {**os.environ, **asked, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-X", "importtime", str(ROOT / program)]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    assert "| torch" not in done.stderr and "wfdb" not in done.stderr  # it answers at once
    return answer.read_text(encoding="utf-8").split(SEPARATOR)


def test_bash_completes_a_checkouts_program() -> None:
    functions = Path(argcomplete.__file__).parent / "bash_completion.d" / "_python-argcomplete"
    words = [Path(sys.executable).name, "commander.py", "--config", "fir"]
    lines = [
        f"source {shlex.quote(str(functions))}", f"COMP_WORDS=({shlex.join(words)}) COMP_CWORD=3 COMP_TYPE=9",
        f"COMP_LINE={shlex.quote(' '.join(words))} COMP_POINT={len(' '.join(words))}",
        f"_python_argcomplete_global {words[0]}", 'printf "%s" "${COMPREPLY[*]}"',
    ]  # fmt: skip
    paths = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    shell = ["bash", "--norc", "-c", "\n".join(lines)]
    done = subprocess.run(shell, cwd=ROOT, env=paths, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "first"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with two runs, in the default place and in another."""
    for folder, model, version in (("ecg_data", "cnn1d_3", 2), ("other", "mlp", 11)):
        path = tmp_path / folder / "ecg" / "runs" / f"ecg_{model}_{version}"
        path.mkdir(parents=True)
        options = {"dataset": "ecg", "model_name": model}
        config = {"options": options, "version": version, "started": "2026-01-01T00:00:00", "name": path.name}
        (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("--model-name cnn1d", sorted(name for name in MODELS if name.startswith("cnn1d"))),
        ("--mod", ["--model-file", "--model-name"]),
        ("--config fi", ["finetune", "first"]),
        ("--compare ecg_", ["ecg_cnn1d_3_2"]),
        ("--root-dir other --compare ecg_", ["ecg_mlp_11"]),
        ("--test --model-name cnn1d_3 --version ", ["2", "bump", "latest"]),
        ("--lr ", [""]),  # no files for a number
    ],
)
def test_names_flags_and_runs_are_completed(line: str, expected: list[str], root: Path) -> None:
    assert sorted(word.strip() for word in offered(line, root)) == expected


def test_files_are_completed_where_they_may_stand(root: Path) -> None:
    (root / "belt.csv").touch()
    assert [word.strip() for word in offered("--predict be", root)] == ["belt.csv"]
    assert [word.strip() for word in offered("--pretrained be", root)] == ["belt.csv"]


def test_every_flag_with_a_list_of_names_offers_it() -> None:
    actions = {action.dest: action for action in parser_with_values()._actions}
    assert actions.keys() == {action.dest for action in get_parser()._actions} >= VALUES.keys()
    for dest, action in actions.items():
        if isinstance(action.type, Argument) and action.type.names and dest not in VALUES:
            assert action.completer("", None) == list(action.type.names)
    assert set(actions["optimizer"].completer("", None)) == set(OPTIMIZERS)


def test_the_shells_look_for_the_mark() -> None:
    for file in ("commander.py", "pytorch_ecg/__main__.py"):
        assert "PYTHON_ARGCOMPLETE_OK" in (ROOT / file).read_text(encoding="utf-8")[:1024]
