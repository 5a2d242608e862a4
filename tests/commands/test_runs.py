"""The run that the flags mean, of several on disk."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from args import extract_name, parse_args, run_options
from commands.runs import find_run, merge_run_options, open_run
from toolbox.runs.folders import Run
from toolbox.utils import UserError, write_json

BEST, LATEST = "model_best.pth.tar", "checkpoint.pth.tar"


def make_run(root: Path, line: str, started: str, *files: str) -> str:
    """A run of these flags, with empty `files`; its name."""
    args = parse_args(["--model-name", "cnn1d_3", *line.split()])
    folder = root / args.dataset / "runs"
    version = len(list(folder.glob(f"{extract_name(args)}*"))) + 1
    path = folder / f"{extract_name(args)}{version}"
    for name in files:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(b"")
    data = {"fingerprint": "", "source": "somewhere"}
    config: dict[str, Any] = {"version": version, "started": started, "options": run_options(args)}
    path.mkdir(parents=True, exist_ok=True)
    write_json(path / "config.json", {"name": path.name, "class_names": ["Normal"], "data": data, **config})
    return path.name


def chosen(root: Path, line: str) -> str:
    """The name of the run that a command line means."""
    return find_run(parse_args([*line.split(), "--root-dir", str(root)])).name


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Runs of ecg and, later, of ecg_bin and with a sampler."""
    make_run(tmp_path, "--dataset ecg", "2026-01-01", BEST, LATEST)
    make_run(tmp_path, "--dataset ecg --lr 0.001", "2026-01-02", BEST, LATEST)
    make_run(tmp_path, "--dataset ecg_bin", "2026-01-03", BEST, LATEST)
    make_run(tmp_path, "--dataset ecg_bin --sampler equal", "2026-01-04", BEST, LATEST)
    return tmp_path


ECG = "ecg_cnn1d_3_opadam_StepLR_lr0.01_nll_bs128_1"


@pytest.mark.parametrize(
    ("line", "name", "said"),
    [
        ("--test", ECG.replace("ecg_", "ecg_bin_", 1).replace("_1", "_sampequal_1"), "the newest of 4 that fit"),
        ("--test --version 1", ECG, "of 4 that fit: flags that were left out stand for their defaults"),
        ("--test --version latest", ECG, "of 4 that fit: flags that were left out stand for their defaults"),
        ("--resume latest --version 1 --lr 0.001", ECG.replace("lr0.01", "lr0.001"), "the only one that fits"),
        ("--test --version 1 --dataset ecg_bin", ECG.replace("ecg_", "ecg_bin_", 1), "of 2 that fit: flags that were"),
        ("--predict x --dataset ecg", ECG.replace("lr0.01", "lr0.001"), "the newest of 2 that fit"),
    ],
)
def test_flags_that_are_left_out_stand_for_their_defaults_with_a_version(
    root: Path, line: str, name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chosen(root, line) == name
    printed = capsys.readouterr().err
    assert printed.startswith(f"note: run {name}, {said}") and printed.count("\n") == 1


def test_runs_of_which_none_has_the_defaults_are_named(tmp_path: Path) -> None:
    for dataset in ("synthetic", "synthetic_bin"):
        make_run(tmp_path, f"--dataset {dataset}", "2026-01-01", BEST)
    with pytest.raises(UserError, match=r"version 1 could be any of: synthetic_bin_cnn1d_3.*synthetic_cnn1d_3"):
        chosen(tmp_path, "--test --version 1")


@pytest.mark.parametrize("line", ["--test", "--predict x", "--export", "--test --resume best", "--resume best"])
def test_a_newer_run_without_a_best_epoch_is_passed_over(
    root: Path, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    newer = make_run(root, "--dataset ecg", "2026-02-01", LATEST)
    assert chosen(root, f"{line} --dataset ecg") == ECG.replace("lr0.01", "lr0.001")
    assert capsys.readouterr().err.endswith(f"passed over, without model_best.pth.tar yet: {newer}\n")
    assert chosen(root, "--resume latest --dataset ecg") == newer
    assert chosen(root, "--test --version 2") == newer  # asked for by its number


def test_an_engine_takes_the_newest_run_that_was_exported(root: Path) -> None:
    exported = make_run(root, "--dataset ecg --batch-size 64", "2025-01-01", BEST, "export/model.onnx")
    assert chosen(root, "--predict x --engine onnx") == exported


def test_trials_are_passed_over(root: Path) -> None:
    make_run(root, "--dataset ecg --short-run", "2026-03-01", BEST, LATEST)
    assert chosen(root, "--test --dataset ecg") == ECG.replace("lr0.01", "lr0.001")


def test_an_opened_run_brings_its_flags_and_given_free_ones_win(root: Path) -> None:
    args, run = open_run(parse_args(["--test", "--dataset", "ecg", "--device", "cpu", "--root-dir", str(root)]))
    assert (args.lr, args.device, args.model_name) == (0.001, "cpu", "cnn1d_3")
    assert run.name == ECG.replace("lr0.01", "lr0.001")
    with pytest.raises(UserError, match=r"--seed 7: .* was started with 42"):
        open_run(parse_args(["--test", "--seed", "7", "--root-dir", str(root)]))


def test_a_run_of_before_there_was_a_device_flag_opens(root: Path) -> None:
    path = root / "ecg" / "runs" / ECG / "config.json"
    text = path.read_text().replace('"device": "auto",', "")
    path.write_text(text)
    args, _ = open_run(parse_args(["--test", "--version", "1", "--root-dir", str(root)]))
    assert '"device"' not in text and args.device == "auto"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of ecg without a sampler."""
    options = {"dataset": "ecg", "model_name": "cnn1d_3", "sampler": None}
    return Run(tmp_path / "ecg_cnn1d_3_1", {"options": options})


def test_a_run_brings_its_flags_along(run: Run) -> None:
    args = Namespace(model_name=None, sampler="importance", epochs=30, given=frozenset({"epochs"}))
    merged = merge_run_options(args, run)
    assert (merged.model_name, merged.sampler, merged.epochs) == ("cnn1d_3", None, 30)
    assert args.model_name is None  # the given ones are left alone


def test_flags_that_make_another_run_are_refused(run: Run) -> None:
    args = Namespace(model_name="cnn1d_3", dataset="ecg_bin", given=frozenset({"model_name", "dataset"}))
    with pytest.raises(UserError, match=r"^--dataset ecg_bin: ecg_cnn1d_3_1 was started with ecg; leave the flag out"):
        merge_run_options(args, run)
    args.dataset = "ecg"  # said again, but the same
    assert merge_run_options(args, run).dataset == "ecg"
