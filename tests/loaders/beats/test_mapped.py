"""A cache larger than memory: it trains through its map, to the same weights, in memory that does not hold it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import commander
from loaders.beats import mapped
from loaders.beats.table import Beats
from loaders.sources import cache
from tests.conftest import ROOT, SMALL
from tests.loaders.rows import rows

BYTES = 400 << 20  # of a cache
ROOM = 200 << 20  # of the memory that a process may take beside what it has before
PROGRAM = """
import resource, sys
from pathlib import Path
import torch
from loaders.beats import mapped
from loaders.datasets.batches import Batches
from loaders.datasets.dataset import ECGLoader
from loaders.sources import cache
mapped.SHARE = float(sys.argv[2])
mapped.memory_bytes = lambda: 1 << 28
data = int(next(line for line in open("/proc/self/status") if line.startswith("VmData")).split()[1]) << 10
limit = data + int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
built = cache.load(Path(sys.argv[1]))
dataset = ECGLoader(built.splits["train"])
rows = 0
for batch in Batches(dataset, 4096, torch.Generator().manual_seed(0)):
    rows += len(batch.y)
    assert float(batch.x.sum()) == 0.0
print(rows, dataset.inputs()[0].shape[0])
"""


@pytest.mark.parametrize(
    "flags",
    [["--model-name", "cnn1d_3"], ["--model-name", "mlp", "--context", "window", "--features", "rr", "qrs"]],
)
def test_training_through_the_map_gives_the_same_weights(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = []
    for name, share in (("memory", 1.0), ("map", 0.0)):
        monkeypatch.setattr(mapped, "SHARE", share)
        run = ["--dataset", "synthetic", "--epochs", "1", "--root-dir", str(tmp_path / name), *SMALL]
        commander.main([*run, *flags])
        (file,) = (tmp_path / name).glob("synthetic/runs/*/model_best.pth.tar")
        weights.append(torch.load(file, weights_only=True)["model"])
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert not list((tmp_path / "map").rglob("tmp*"))  # no file of joined or gathered rows stays


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a cache of BYTES, of zeros that take no room on the disk."""
    n = BYTES // (187 * 4)
    parent = tmp_path_factory.mktemp("large")
    small = rows([0])
    whole = Beats(
        np.zeros((n, 187), np.float32), np.zeros(n, np.int64), *(
            np.broadcast_to(getattr(small, name), (n, *getattr(small, name).shape[1:]))
            for name in ("length", "record", "patient", "sample", "symbol")
        ),
    )  # fmt: skip
    return cache.build(parent, cache.Source("csv", {}, [], lambda: {"train": whole}, "zeros")).folder


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are set as on Linux")
def test_a_cache_larger_than_memory_is_read_in_memory_that_does_not_hold_it(large: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(large)]
    through = subprocess.run(
        [*command, "0.5", str(ROOM)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    n = BYTES // (187 * 4)
    assert through.stdout.split() == [str(n), str(n)], through.stderr
    within = subprocess.run(
        [*command, "1e9", str(ROOM)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert "memory is full; the cache is kept" in within.stderr or "Cannot allocate memory" in within.stderr


def test_large_rows_are_joined_and_gathered_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "ROWS", 3)
    values = np.arange(40, dtype=np.float32).reshape(10, 4)
    (tmp_path / "cache").mkdir()
    np.save(tmp_path / "cache" / "x.npy", values)
    first = np.load(tmp_path / "cache" / "x.npy", mmap_mode="r")
    small = mapped.join_rows([first, values + 1])
    assert not isinstance(small, np.memmap) and mapped.join_rows([first]) is first
    monkeypatch.setattr(mapped, "SHARE", 0.0)
    joined, chosen = mapped.join_rows([first, values + 1]), np.array([9, 0, 9, 4])
    assert isinstance(joined, np.memmap) and np.array_equal(joined, small)
    assert np.array_equal(mapped.gather_rows(first, chosen), values[chosen])
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    assert not mapped.all_finite(np.array([1.0, 2, 3, 4, np.nan])) and mapped.all_finite(values)
