"""Several processes of torchrun train what one process trains: the same losses, whatever is drawn and normalised."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import commander
from tests.toolbox.training import job
from toolbox.training import distributed
from toolbox.training.distributed import ALONE, Job, Part, Processes, together
from toolbox.training.job_layers import JobBatchNorm, JobDraws
from toolbox.utils import UserError, read_json

ROOT = Path(__file__).parents[3]


def torchrun(processes: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run job.py in several processes; one thread each."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--max-restarts", "1"]
    command += ["--nproc-per-node", str(processes), "tests/toolbox/training/job.py", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def by_one(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    folder = tmp_path_factory.mktemp("one")
    job.losses(folder / "losses.npz", str(folder))
    return dict(np.load(folder / "losses.npz"))


@pytest.fixture(scope="module")
def by_many(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, np.ndarray]]:
    losses = {}
    for size in (2, 3):
        folder = tmp_path_factory.mktemp(f"of{size}")
        finished = torchrun(size, "losses", str(folder / "losses.npz"), str(folder))
        assert finished.returncode == 0, finished.stderr[-3000:]
        assert finished.stdout.count("best epoch") == len(job.CASES), "only the first process prints"
        runs = list((folder / "synthetic" / "runs").glob("*/"))
        assert len(runs) == len(job.CASES), "only the first process writes"
        losses[size] = dict(np.load(folder / "losses.npz"))
    return losses


@pytest.mark.timeout(900)
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("case", ["dropout, weighted draws", "weighted classes, mixed rows"])
def test_processes_have_the_losses_of_one(
    case: str, size: int, by_one: dict[str, np.ndarray], by_many: dict[int, dict[str, np.ndarray]]
) -> None:
    assert len(by_one[case]) > 50
    np.testing.assert_allclose(by_many[size][case], by_one[case], rtol=0, atol=1e-5)


@pytest.mark.timeout(900)
def test_batch_normalisation_over_processes(
    by_one: dict[str, np.ndarray], by_many: dict[int, dict[str, np.ndarray]]
) -> None:
    """torch's kernel for channels-last images adds up a channel's values plainly: 2e-5 off, and the steps widen it."""
    np.testing.assert_allclose(by_many[2]["normalised"], by_many[3]["normalised"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(by_many[2]["normalised"], by_one["normalised"], rtol=0, atol=2e-4)


@pytest.mark.timeout(900)
def test_a_killed_process_restarts_the_job_and_another_number_goes_on(tmp_path: Path) -> None:
    finished = torchrun(2, "killed", str(tmp_path / "two"))
    assert finished.returncode == 0, finished.stderr[-3000:]
    assert "resuming" in finished.stdout and "batches of the next" in finished.stdout
    (run,) = (tmp_path / "two" / "synthetic" / "runs").glob("*/")
    config = read_json(run / "config.json")
    assert config["processes"] == 2 and len(config["resumed"]) == 1

    flags = f"{job.COMMON} {job.KILLED} --root-dir".split()
    (alone,) = [Path(commander.main([*flags, str(tmp_path / "one")])["run"])]
    resume = ["--resume", "latest", "--epochs", "3", "--root-dir"]
    for root in ("one", "two"):
        commander.main([*resume, str(tmp_path / root)])
    logs = [read_json(folder / "logger.json")["logged"]["train"] for folder in (run, alone)]
    losses = [[epoch["loss"] for epoch in log] for log in logs]
    assert len(losses[0]) == 3
    assert losses[0][0] == pytest.approx(losses[1][0], abs=1e-5)
    np.testing.assert_allclose(losses[0], losses[1], rtol=0, atol=1e-3)  # Adam widens the last bits of 312 steps


@pytest.fixture
def alone_in_a_group(tmp_path: Path) -> Iterator[Job]:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        yield Job(0, 1)
    finally:
        torch.distributed.destroy_process_group()


def test_batch_normalisation_is_exact(alone_in_a_group: Job) -> None:
    """Against float64: outputs, running statistics, and all gradients."""
    torch.manual_seed(0)
    x = (3 * torch.randn(64, 5, 1, 187) + 20).contiguous(memory_format=torch.channels_last)
    pull = torch.randn_like(x)
    results = []
    for dtype in (torch.float32, torch.float64):
        norm: nn.Module = nn.BatchNorm1d(5).to(dtype)
        norm._check_input_dim = lambda _: None  # type: ignore[assignment]
        if dtype is torch.float32:
            norm = JobBatchNorm(norm, alone_in_a_group)  # type: ignore[arg-type]
            alone_in_a_group.current = Part(0, 64, 64)
        inputs = x.to(dtype).detach().clone().requires_grad_()
        outputs = norm(inputs)
        (outputs * pull.to(dtype)).sum().backward()
        results.append([outputs, inputs.grad, *(p.grad for p in norm.parameters()), *norm.state_dict().values()])
    for ours, exact in zip(*results, strict=True):
        torch.testing.assert_close(ours.double(), exact.double(), rtol=1e-5, atol=2e-5)


def test_parts_cover_a_batch_and_small_ones_stay_whole() -> None:
    for rows in (6, 7, 128, 129):
        parts = [Job(rank, 3).part(rows) for rank in range(3)]
        assert [row for part in parts for row in range(part.start, part.stop)] == list(range(rows))
        assert not any(part.whole for part in parts)
    assert Job(2, 3).part(5) == Part(0, 5, 5, whole=True)
    assert ALONE.part(5) == Part(0, 5, 5)


def test_a_part_is_dropped_out_as_within_the_whole_batch() -> None:
    layer, x = nn.Dropout(0.4), torch.randn(10, 7)
    torch.manual_seed(1)
    whole = layer(x)
    for rank in range(3):
        process = Job(rank, 3)
        part = process.current = process.part(10)
        torch.manual_seed(1)
        torch.testing.assert_close(JobDraws(layer, process)(x[part.start : part.stop]), whole[part.start : part.stop])


class Pair(Processes):
    """Two processes, of which the other one answers `other`."""

    size = 2

    def __init__(self, rank: int, other: Any) -> None:
        self.rank, self.other = rank, other

    def gather(self, value: Any) -> list[Any]:
        values = [value, self.other]
        return values if self.rank == 0 else values[::-1]


def failing(message: str) -> Callable[[], None]:
    def work() -> None:
        raise UserError(message)

    return work


def test_a_mistake_in_one_process_stops_all() -> None:
    assert together(Pair(0, None), lambda: 7) == 7
    with pytest.raises(UserError, match=r"^process 1 of 2: no such file$"):
        together(Pair(0, "no such file"), lambda: 7)
    with pytest.raises(UserError, match=r"^here$"):
        together(Pair(0, None), failing("here"))
    with pytest.raises(UserError, match=r"^alone$"):
        together(ALONE, failing("alone"))


def test_processes_that_cannot_meet_are_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    monkeypatch.delenv("MASTER_PORT", raising=False)
    with pytest.raises(UserError, match=r"WORLD_SIZE is 2 .* MASTER_ADDR and MASTER_PORT.* torchrun --nproc"):
        commander.main(["--dataset", "synthetic", "--model-name", "cnn1d_3", "--root-dir", str(tmp_path)])
    assert not list(tmp_path.iterdir())


def test_restarts_of_a_job_have_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert distributed.job_name() is None and distributed.restarts() == 0
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "sweep7")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "2")
    assert distributed.job_name() == "sweep7" and distributed.restarts() == 2
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert str(os.getppid()) in (distributed.job_name() or "")
