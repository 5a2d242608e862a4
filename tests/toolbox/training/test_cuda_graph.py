"""Steps as CUDA graphs give the weights of steps without, to the bit; without a GPU, recorded operations stand in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import commander
import commands.build
from args import parse_args
from commands.build import Options, build, graphed
from tests.recorder import record
from tests.stopped import stop_at_save
from toolbox.runs.checkpoint import load_checkpoint
from toolbox.training.cuda_graph import WARM, GraphedStep, capture_on_cuda
from toolbox.utils import UserError

DATA = ["--dataset", "synthetic", "--synthetic-patients", "3", "--synthetic-minutes", "1"]
TRAIN = ["--batch-size", "16", "--lr", "0.003", "--precision", "fp32", "--workers", "0", "--epochs", "2"]
DEVICES = ["cpu", *["cuda"] * torch.cuda.is_available()]
PARTS = ("model", "live", "optimizer", "schedule", "order", "losses", "best")  # of a checkpoint; "log" holds times


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ROOT with the cache of DATA."""
    root = tmp_path_factory.mktemp("graphs")
    commander.main(["--prepare", "--root-dir", str(root), *DATA])
    return root


@pytest.fixture
def new_root(prepared: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A function that gives a ROOT without runs, its cache that of `prepared`."""

    def make(name: str) -> Path:
        (tmp_path / name / "synthetic").mkdir(parents=True)
        (tmp_path / name / "synthetic" / "cache").symlink_to(prepared / "synthetic" / "cache")
        return tmp_path / name

    return make


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[int]]:
    """A function that lets trainings on a device be captured; it gives a list that grows by each capture and replay."""

    def turn_on(device: str) -> list[int]:
        counts = [0, 0]

        def capture(work: Callable[[], None]) -> Callable[[], None]:
            counts[0] += 1
            replay = (capture_on_cuda if device == "cuda" else record)(work)

            def counted() -> None:
                counts[1] += 1
                replay()

            return counted

        monkeypatch.setattr(commands.build, "graphed", lambda stepper, *_: GraphedStep(stepper, capture))
        return counts

    return turn_on


def train(root: Path, device: str, *flags: str) -> dict[str, Any]:
    """Train as `flags` say; the state in the latest checkpoint."""
    argv = ["--root-dir", str(root), "--device", device, *flags]
    argv += ["--deterministic"] if device == "cuda" and "--resume" not in flags else []
    return load_checkpoint(Path(commander.main(argv)["run"]) / "checkpoint.pth.tar")


def assert_same(one: Any, other: Any) -> None:
    """Compare two states, tensors to the bit."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list | tuple):
        for pair in zip(one, other, strict=True):
            assert_same(*pair)
    else:
        assert one == other


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("flags", "captured"),
    [
        ("--model-name mlp --ema 0.9 --scheduler onecycle --optimizer adamw", 1),  # dropout; a rate for each step
        ("--model-name mlp --ema 0 --accumulate 3 --clip-grad 0.5 --scheduler cosine", 3),
        ("--model-name cnn1d_3 --augment strong --class-balance effective --criterion focal --sampler none", 1),
        ("--model-name resnet1d_lean --progressive 60 --optimizer sgd --scheduler ExponentialLR", 2),
        ("--model-name lstm_1 --prune 0.3 --accumulate 2 --scheduler ReduceLROnPlateau", 2),
    ],
    ids=lambda value: str(value).split()[1] + str(len(str(value))) if isinstance(value, str) else str(value),
)
def test_weights_are_those_of_steps_without(
    device: str, flags: str, captured: int, new_root: Callable[[str], Path], captures: Callable[[str], list[int]]
) -> None:
    words = [*DATA, *TRAIN, *flags.replace("--sampler none", "").split()]
    expected = train(new_root("without"), device, *words, "--cuda-graphs", "off")
    counts = captures(device)
    got = train(new_root("with"), device, *words)
    assert counts[0] == captured and counts[1] > 10
    for part in PARTS:
        assert_same(got[part], expected[part])
    losses = [[entry["loss"] for entry in state["log"]["logged"]["train"]] for state in (got, expected)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("accumulate", ["1", "3"])
def test_an_epoch_is_resumed_in_its_middle(
    device: str,
    accumulate: str,
    new_root: Callable[[str], Path],
    captures: Callable[[str], list[int]],
) -> None:
    words = [*DATA, *TRAIN, "--model-name", "mlp", "--accumulate", accumulate, "--ema", "0.9"]
    expected = train(new_root("whole"), device, *words, "--cuda-graphs", "off")
    captures(device)

    root = new_root("stopped")
    stop_at_save(4, lambda: train(root, device, *words, "--checkpoint-minutes", "1e-9"))
    got = train(root, device, "--resume", "latest")
    for part in PARTS:
        assert_same(got[part], expected[part])


def test_steps_that_cannot_be_captured_run_as_before_and_say_why(
    new_root: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*DATA, *TRAIN, "--model-name", "mlp", "--clip-grad", "0.5"]
    expected = train(new_root("without"), "cpu", *words)

    def refuse(work: Callable[[], None]) -> Callable[[], None]:
        def and_read() -> None:
            work()
            raise RuntimeError("operation not permitted\nwhen stream is capturing")

        return record(and_read)

    monkeypatch.setattr(commands.build, "graphed", lambda stepper, *_: GraphedStep(stepper, refuse))
    got = train(new_root("refused"), "cpu", *words)
    line = "steps run without CUDA graphs: operation not permitted when stream is capturing"
    assert capsys.readouterr().err.count(line) == 1
    for part in PARTS:
        assert_same(got[part], expected[part])


def test_a_function_that_reads_a_value_is_refused_and_undone() -> None:
    weights = torch.ones(2)

    def work() -> None:
        weights.mul_(2)
        if weights.sum() > 3:
            weights.add_(1)

    with pytest.raises(RuntimeError, match="not permitted"):
        record(work)
    assert weights.tolist() == [1, 1]


def test_the_first_batches_of_a_shape_and_uneven_ones_run_as_they_are() -> None:
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, fused=True)

    class Still:
        def after_step(self) -> None:
            pass

    steps = GraphedStep(commands.build.OptimizerStep(model, optimizer, Still()), record)  # type: ignore[arg-type]

    def forward(inputs: tuple[torch.Tensor, ...], y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = model(*inputs)
        return logits, torch.nn.functional.cross_entropy(logits, y)

    seen = []
    for rows in [8] * (WARM + 2) + [5] + [8] * 2:
        steps(forward, (torch.rand(rows, 3),), torch.randint(2, (rows,)), False)
        seen.append(steps.current is not None)
    assert seen == [False] * WARM + [True] * 2 + [False] + [True] * 2


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ("--model-name mlp --mixup 0.2", "--mixup gives each batch another loss"),
        ("--model-name mlp --compile", "--compile makes steps of its own"),
        ("--model-name gru_seq --masking", "--masking reads the length of each row on the way"),
        ("--model-name mlp --cuda-graphs off", ""),
    ],
)
def test_why_a_training_is_not_captured(
    flags: str, reason: str, prepared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = parse_args(["--root-dir", str(prepared), *DATA, *flags.split()])
    built = build(args)
    built.context.device = torch.device("cuda")
    assert graphed(None, built.context, Options.of(args)) is None  # type: ignore[arg-type]
    err = capsys.readouterr().err
    assert f"steps run without CUDA graphs: {reason}" in err if reason else "graphs" not in err


def test_a_device_without_graphs(prepared: Path) -> None:
    args = parse_args(["--root-dir", str(prepared), *DATA, "--model-name", "mlp"])
    built = build(args)
    assert graphed(None, built.context, Options.of(args)) is None  # type: ignore[arg-type]
    args.cuda_graphs = "on"
    with pytest.raises(UserError, match="--cuda-graphs on: the device is cpu"):
        graphed(None, built.context, Options.of(args))  # type: ignore[arg-type]
