"""--predict with the network of a run: what it writes, says and exits with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import wfdb

import commander
from inference.classifier import MADE_UP
from loaders.io.discovery import Item
from tests.conftest import ROOT, SMALL
from tests.made import several_recordings, small_record, write_format
from toolbox.utils import UserError


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_format(tmp_path_factory.mktemp("plain"), "r", small_record().digital, "16")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ROOT with a run of two classes and, newer, one of five."""
    root = tmp_path_factory.mktemp("root")
    for dataset in ("synthetic_bin", "synthetic"):
        flags = ["--dataset", dataset, "--model-name", "cnn1d_3", "--epochs", "1", "--lr", "0.003"]
        commander.main([*flags, "--root-dir", str(root), *SMALL])
    return root


def run(root: Path, *argv: str | Path) -> dict[str, Any]:
    return commander.main(["--predict", *map(str, argv), "--root-dir", str(root)])


def test_the_command_line_annotates_with_the_best_of_a_run(root: Path, plain: Path, tmp_path: Path) -> None:
    first = run(root, plain, "--out", tmp_path / "a")
    assert first["failed"] == {} and list(first["recordings"]) == [str(plain)]
    (summary,) = first["recordings"].values()
    assert summary["model"]["name"].startswith("cnn1d_3, epoch 1 of synthetic_cnn1d_3")
    best = root / "synthetic" / "runs"
    (file,) = best.glob("*/model_best.pth.tar")
    second = commander.main(["--predict", str(plain), "--model-file", str(file), "--out", str(tmp_path / "b")])
    assert (tmp_path / "a" / "r.ecg").read_bytes() == (tmp_path / "b" / "r.ecg").read_bytes()
    assert second["recordings"][str(plain)]["fingerprint"] == summary["fingerprint"]
    again = run(root, plain.with_suffix(""), plain.with_suffix(".dat"), "--out", tmp_path / "a", "--resume", "latest")
    assert [one["done_before"] for one in again["recordings"].values()] == [True]


def test_two_classes_are_normal_and_abnormal(root: Path, plain: Path, tmp_path: Path) -> None:
    result = run(root, plain, "--dataset", "synthetic_bin", "--out", tmp_path)
    (summary,) = result["recordings"].values()
    assert set(summary["beats"]) == {"all", "N", "A"} and set(summary["burden"]) == {"A"}
    assert set(wfdb.rdann(str(tmp_path / "r"), "ecg").symbol) <= {"+", "N", "Q"}
    assert "p_N,p_A" in (tmp_path / "r.ecg.csv").read_text()


def test_exit_codes(root: Path, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def code(*argv: str | Path) -> int:
        flags = ["--dataset", "synthetic", "--root-dir", str(root)]
        monkeypatch.setattr("sys.argv", ["commander.py", "--predict", *map(str, argv), *flags])
        return commander.cli()

    def messages() -> list[str]:
        lines = capsys.readouterr().err.splitlines()
        return [line for line in lines if not line.startswith("note: run ") and line != f"warning: {MADE_UP}"]

    broken = tmp_path / "broken.hea"
    broken.write_text("broken 1 360 1000\nbroken.dat 16 200 0 0 0 0 0 MLII\n")
    out = ["--out", tmp_path / "out"]
    assert code(plain, *out) == 0
    messages()
    assert code(plain, broken, *out) == 1
    assert len(messages()) == 1
    assert code(broken, *out) == 2
    assert messages() == [f"error: record {tmp_path / 'broken'}: broken.dat is missing"]
    assert code(tmp_path / "none", *out) == 2
    assert len(messages()) == 1
    assert code(plain, *out, "--lead", "V9") == 2
    assert "has no lead V9" in messages()[0]
    (tmp_path / "file").write_text("")
    assert code(plain, "--out", tmp_path / "file" / "out") == 2
    assert len(messages()) == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--predict", "x", "--test"], "--predict annotates"),
        (["--predict", "x", "--model-file", "f", "--resume", "best"], "--model-file is the model"),
        (["--predict", "x", "--annotator", "dat"], "--annotator"),
        (["--predict", "x", "--annotator", "a.b"], "--annotator"),
        (["--predict", "x", "--peaks", "ecg"], "--annotator ecg"),
        (["--predict", "x", "--polarity", "up"], "invalid choice"),
        (["--predict", "x", "--fs", "0"], "--fs"),
        (["--predict", "x", "--version", "bump"], "bump"),
        (["--model-name", "cnn1d_3", "--png"], "--png goes with --predict"),
        (["--predict"], "expected at least one argument"),
    ],
)
def test_flags_that_do_not_go_together(flags: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        commander.main(flags)
    assert stop.value.code == 2 and said in capsys.readouterr().err


def test_checkpoints_that_cannot_annotate_are_refused(root: Path, plain: Path, tmp_path: Path) -> None:
    file = tmp_path / "weights.pth.tar"
    torch.save({"format": 2, "model": {"fc.weight": torch.zeros(1)}}, file)
    with pytest.raises(UserError, match="no whole checkpoint"):
        commander.main(["--predict", str(plain), "--model-file", str(file)])
    with pytest.raises(UserError, match="no checkpoint"):
        commander.main(["--predict", str(plain), "--model-file", str(tmp_path / "none")])
    with pytest.raises(UserError, match="no run"):
        commander.main(["--predict", str(plain), "--root-dir", str(tmp_path)])


@pytest.fixture
def several(tmp_path: Path) -> list[Item]:
    return several_recordings(tmp_path)


def test_torchrun_waits_for_all_and_tells_one_exit_code(several: list[Item], root: Path, tmp_path: Path) -> None:
    """One process has nothing but a recording that fails; the other is not killed for it."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        str(ROOT / "commander.py"), "--root-dir", str(root), "--out", str(tmp_path / "out"),
        "--predict", *(str(item.path) for item in several[:3]),
    ]  # fmt: skip
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert answer.returncode == 1, answer.stderr
    assert {path.stem for path in (tmp_path / "out").glob("*.ecg")} == {"r0", "r2"}, answer.stderr
    assert answer.stderr.count("r1.dat has 1000 bytes") == 1
    assert "exitcode  : 1" in answer.stderr
