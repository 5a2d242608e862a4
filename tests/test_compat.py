"""Runs, caches and exports of an earlier version go on: the same weights and the same annotations.

The files lie beside the checkout, with a README that says how they were made: commit 6ee5587, one thread, float32, on a
processor with AVX512-BF16. On such a processor, with the same release of torch, all is the same to the bit; elsewhere
sums are rounded differently, and the classes of a few beats may differ.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import wfdb

from tests.conftest import ROOT

COMPAT = ROOT.parent / "shared" / "compat"
MADE_WITH = "2.13.0"  # torch
RESUMED = {
    "cnn1d_3": ["--resume", "latest", "--epochs", "4"],
    "resnet1d_fusion": ["--resume", "latest", "--epochs", "4"],
    "gru_seq": ["--resume", "latest"],
}
PROBABILITIES = ["p_N", "p_S", "p_V", "p_F", "p_Q"]

pytestmark = pytest.mark.skipif(
    not COMPAT.is_dir(), reason="needs the runs of an earlier version in ../shared/compat beside the checkout"
)


def same_processor() -> bool:
    """Whether sums are rounded here as they were where the files were made."""
    return torch.cpu._is_avx512_bf16_supported() and torch.__version__.partition("+")[0] == MADE_WITH


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the ROOT with the caches and runs."""
    return Path(shutil.copytree(COMPAT / "root", tmp_path / "root"))


def command(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command line in a process of one thread."""
    return subprocess.run(
        [sys.executable, "commander.py", *map(str, argv)], cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip


def leaves(value: Any, name: str = "state") -> Iterator[tuple[str, Any]]:
    """The tensors and plain values in nested containers, with where they stand."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for place, part in enumerate(value):
            yield from leaves(part, f"{name}[{place}]")
    else:
        yield name, value


def assert_same(name: str, got: Any, expected: Any) -> None:
    """Compare a value of two checkpoints, to the bit or up to rounding."""
    if isinstance(expected, torch.Tensor):
        assert got.dtype == expected.dtype and got.shape == expected.shape, name
        if same_processor() or not expected.is_floating_point():
            assert torch.equal(got, expected), name
        else:
            torch.testing.assert_close(got, expected, rtol=0.01, atol=0.001, msg=name)
    elif isinstance(expected, float) and not same_processor():
        assert got == pytest.approx(expected, rel=0.01, abs=0.001), name
    else:
        assert got == expected, name


@pytest.mark.parametrize("model", RESUMED)
def test_a_run_goes_on_to_the_same_checkpoint(model: str, root: Path) -> None:
    (folder,) = (root / "synthetic" / "runs").glob(f"synthetic_{model}_*")
    command("--dataset", "synthetic", "--model-name", model, *RESUMED[model], "--root-dir", root)
    got, expected = (
        torch.load(path, weights_only=True)
        for path in (folder / "checkpoint.pth.tar", COMPAT / "expected" / f"synthetic_{model}.pth.tar")
    )
    assert got["epoch"] == expected["epoch"]
    # What of a state depends on more than the sums: names of flags, machine and clock.
    parts = ("epoch", "model", "live", "averaged", "optimizer", "schedule", "order", "losses", "generators", "best")
    for part in (*parts, "class_names"):
        values, wanted = dict(leaves(got[part], part)), dict(leaves(expected[part], part))
        assert values.keys() == wanted.keys()
        for name, value in wanted.items():
            assert_same(name, values[name], value)
    for split in ("train", "val"):
        for entry, wanted in zip(got["log"]["logged"][split], expected["log"]["logged"][split], strict=True):
            for name, value in leaves({key: wanted[key] for key in wanted if key != "seconds"}):
                if same_processor():
                    assert dict(leaves(entry))[name] == value, (split, wanted["epoch"], name)


@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_a_recording_is_annotated_alike(engine: str, root: Path, tmp_path: Path) -> None:
    model = ("--dataset", "synthetic", "--model-name", "cnn1d_3", "--root-dir", root)
    command(*model, "--predict", COMPAT / "recording", "--out", tmp_path / "out", "--engine", engine)
    got, expected = tmp_path / "out", COMPAT / "expected"
    if same_processor():
        for name in ("syn00.ecg", "syn00.ecg.csv"):
            assert (got / name).read_bytes() == (expected / name).read_bytes(), name
    annotations = [wfdb.rdann(str(folder / "syn00"), "ecg") for folder in (got, expected)]
    assert np.array_equal(annotations[0].sample, annotations[1].sample)
    tables = [pd.read_csv(folder / "syn00.ecg.csv", keep_default_na=False) for folder in (got, expected)]
    assert list(tables[0].columns) == list(tables[1].columns)
    assert np.abs(tables[0][PROBABILITIES].to_numpy() - tables[1][PROBABILITIES].to_numpy()).max() < 0.01
    assert (tables[0]["class"] == tables[1]["class"]).mean() > 0.98


@pytest.mark.parametrize("model", ["cnn1d_3", "resnet1d_fusion"])
def test_the_cache_is_taken_as_it_is(model: str, root: Path) -> None:
    (config,) = (root / "synthetic" / "runs").glob(f"synthetic_{model}_*/config.json")
    cache = root / "synthetic" / "cache"
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    answer = command("--prepare", "--config", config, "--root-dir", root)
    assert "built cache" in answer.stderr
    assert "building" not in answer.stderr
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*")} == before
