"""What a run keeps of its flags: checked by every command, without secrets, and no leftovers beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import commander
from toolbox.utils import UserError, read_json

SMALL = "--dataset synthetic --synthetic-patients 4 --synthetic-minutes 2 --device cpu --precision fp32".split()
SECRET = "s3cret"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a run of fold 1/2, started with an address that has a password."""
    root = tmp_path_factory.mktemp("root")
    flags = "--model-name cnn1d_3 --epochs 1 --split kfold --fold 1/2".split()
    urls = [f"--gdrive-url=https://me:{SECRET}@example.org/x.zip?key={SECRET}", "--physionet-url"]
    commander.main([*SMALL, *flags, *urls, f"https://{SECRET}@example.org/", "--root-dir", str(root)])
    return root


def run_of(root: Path) -> Path:
    (path,) = root.glob("synthetic/runs/*/")
    return path


@pytest.fixture
def edited(trained: Path) -> Any:
    """Edits the config.json of the run for one test."""
    path = run_of(trained) / "config.json"
    before = path.read_bytes()

    def edit(**options: Any) -> Path:
        config = json.loads(before)
        config["options"].update(options)
        path.write_text(json.dumps(config))
        return path

    yield edit
    path.write_bytes(before)


EDITS: list[dict[str, Any]] = [
    {"fold": "2/2"}, {"fold": "1/3"}, {"val_fraction": 0.3}, {"seed": 7}, {"split": "kaggle", "fold": None},
    {"synthetic_seed": 5}, {"validate_on": "train", "monitor": "last"}, {"num_classes": 5}, {"criterion": "focal"},
]  # fmt: skip
COMMANDS = (["--test"], ["--export", "onnx"], ["--resume", "latest"], ["--resume", "latest", "--epochs", "2"])


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("options", EDITS, ids=lambda options: next(iter(options)))
def test_an_edited_config_is_refused_by_every_command(
    trained: Path, edited: Any, command: list[str], options: dict[str, Any]
) -> None:
    path, key = edited(**options), sorted(options)[0]
    with pytest.raises(UserError) as caught:
        commander.main([*command, "--root-dir", str(trained)])
    assert str(caught.value).startswith(f"{path}: {key} is {options[key]!r}, but the checkpoint was trained with ")
    assert str(caught.value).endswith("; put it back")


def test_an_edited_config_is_refused_for_a_file_of_the_run(trained: Path, edited: Any) -> None:
    path = edited(fold="2/2")
    words = ["--export", "onnx", "--model-file", str(path.parent / "model_best.pth.tar")]
    with pytest.raises(UserError, match=r"fold is '2/2', but the checkpoint was trained with '1/2'; put it back$"):
        commander.main(words)


def test_what_was_not_edited_is_scored_and_what_killed_tests_left_goes(trained: Path) -> None:
    left = run_of(trained) / "pred" / ".cm_ep1.png.0123456789ab.tmp"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"half")
    assert 0 < commander.main(["--test", "--root-dir", str(trained)])["test"]["acc1"] <= 1
    assert not left.exists()


def test_no_file_of_a_run_holds_a_password(trained: Path) -> None:
    run = run_of(trained)
    assert read_json(run / "config.json")["options"]["gdrive_url"] == "https://example.org/x.zip"
    assert read_json(run / "config.json")["options"]["physionet_url"] == "https://example.org/"
    files = [path for path in run.rglob("*") if path.is_file()]
    assert {"config.json", "logger.json", "report.html", "checkpoint.pth.tar"} <= {path.name for path in files}
    assert [path.name for path in files if SECRET.encode() in path.read_bytes()] == []
    assert torch.load(run / "checkpoint.pth.tar", weights_only=True)["log"]["options"]["gdrive_url"][-5:] == "x.zip"


def test_a_run_without_its_password_is_resumed_with_it(trained: Path) -> None:
    address = f"https://me:{SECRET}@example.org/x.zip"
    result = commander.main(["--resume", "latest", "--gdrive-url", address, "--root-dir", str(trained)])
    assert Path(result["run"]) == run_of(trained)


@pytest.mark.parametrize("flag", ["--gdrive-url", "--physionet-url"])
def test_what_is_no_address_is_refused_without_its_words(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        commander.main([*SMALL, "--model-name", "cnn1d_3", flag, f"me:{SECRET}@example.org"])
    said = capsys.readouterr().err
    assert caught.value.code == 2
    assert said.endswith(f"argument {flag}: give an address that begins with https:// or http://\n")
    assert SECRET not in said
