"""Measure speed: each figure is a ratio, its two sides measured in turn in one run.

python -m benchmarks.speed --records-dir DIR

(a) training steps through the project: Batches, trainer.train, the schedule, the meters
(b) the same steps on batches that are already in memory: forward, loss, backward, optimizer
(c) the predecessor's data path (benchmarks/reference.py): DataFrame lookups, one worker, float32, plain 1-D layers
"""

from __future__ import annotations

import copy
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import ROOT, make_parser, run_program, table, training_flags
from benchmarks.reference import BATCH, Predecessor, write_csv
from commands.build import BuiltRun, build
from commands.threads import bare_step
from loaders.sources.kaggle_csv import FILES
from models import MODELS
from models.layers import fold_batch_norm
from toolbox.runs.provenance import describe
from trainer import run_epoch, train


def seconds(work: Callable[[], Any]) -> float:
    """How long `work` takes once."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def interleaved(works: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """The median time of each work, measured in turn so that a noisy machine disturbs all alike."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            times[name].append(seconds(work))
    return {name: statistics.median(listed) for name, listed in times.items()}


def session(root: str, model: str) -> BuiltRun:
    """Data and model of a training on the real rows, in batches of 128."""
    return build(training_flags(root_dir=root, model_name=model, lr=0.001, batch_size=BATCH))


def training_row(root: str, model: str, measured_s: float, repeats: int) -> list[str]:
    """(a), (b) and (c) of one model, each time over as many steps of 128 rows as take (a) `measured_s` seconds."""
    ours = session(root, model)
    training = ours.training()
    batches, twin = training.batches, bare_step(ours)

    def project() -> None:
        train(training.context, batches, training.stepper)

    batches.limit = 20
    project()
    batches.limit = steps = max(20, min(round(measured_s * 20 / seconds(project)), len(ours.data.train) // BATCH))
    device = ours.context.device
    ready = [(batch.inputs(device), batch.y.to(device)) for batch in batches]

    def bare() -> None:
        for inputs, y in ready:
            twin(inputs, y)

    bare()
    times: dict[str, list[float]] = {"a": [], "b": [], "c": []}
    with Predecessor(model, Path(root) / "csv" / "ecg" / FILES["train"]) as predecessor:
        predecessor.seconds(10)
        for _ in range(repeats):
            measured = seconds(project), seconds(bare), predecessor.seconds(max(steps // 4, 10)) * steps
            for name, value in zip(times, measured, strict=True):
                times[name].append(value)
    a, b, c = (np.array(times[name]) for name in times)
    epoch = statistics.median(a) * len(ours.data.train) / (steps * BATCH)
    return [model, f"{epoch:.1f}", *(f"{np.median(ratio):.{digits}f}" for ratio, digits in ((a / b, 3), (c / a, 2)))]


def prediction_rows(root: str, repeats: int) -> list[list[str]]:
    """Rows per second without learning: as evaluation does it, and prediction with batch normalisation folded away."""
    ours = session(root, "resnet1d_10")
    context, batches = ours.context, ours.evaluation_batches(ours.data.test)
    folded = fold_batch_norm(copy.deepcopy(context.model))

    def predict() -> None:
        with torch.inference_mode(), torch.autocast(context.device.type, torch.bfloat16, enabled=context.bf16):
            for batch in batches:
                folded(*batch.inputs(context.device)).float().softmax(dim=1)

    works = {"evaluation": lambda: run_epoch(context, batches, ""), "prediction": predict}
    interleaved(works, 1)
    medians = interleaved(works, repeats)
    n = len(ours.data.test)
    return [
        ["evaluation of resnet1d_10 with all scores' counts, beats/s", f"{n / medians['evaluation']:,.0f}"],
        ["prediction with resnet1d_10, batch norm folded, beats/s", f"{n / medians['prediction']:,.0f}"],
    ]


def growth_rows(root: str, repeats: int) -> list[list[str]]:
    """Time per row of a training epoch of cnn1d_3 on 1/32 to all of the rows."""
    rows = []
    for share in (32, 8, 2, 1):
        ours = session(root, "cnn1d_3")
        part = ours.data.train
        part.rows = part.rows[::share]
        training = ours.training()
        train(training.context, training.batches, training.stepper)
        medians = interleaved({"a": partial(train, training.context, training.batches, training.stepper)}, repeats)
        rows.append([f"training cnn1d_3 on {len(part):,} rows, µs per row", f"{1e6 * medians['a'] / len(part):.1f}"])
    return rows


def child(program: str, *argv: str) -> float:
    """Seconds that a fresh Python process takes for `program`."""
    command = [sys.executable, "-c", program, *argv]
    return seconds(lambda: subprocess.run(command, cwd=ROOT, check=True, capture_output=True))


FIRST_STEP = """
import sys
from args import parse_args
from commands.build import build
training = build(parse_args(["--root-dir", sys.argv[1], "--model-name", "resnet1d_10"])).training()
training.batches.limit = 1
from trainer import train
train(training.context, training.batches, training.stepper)
"""


def start_rows(root: str, repeats: int) -> list[list[str]]:
    """From the command to help, and to the first step, beside the time that importing torch takes."""
    works: dict[str, Callable[[], Any]] = {
        "python": lambda: child("pass"),
        "torch": lambda: child("import torch"),
        "compiler": lambda: child("import torch, torch._dynamo"),  # which torch's optimizers do at their first step
        "step": lambda: child(FIRST_STEP, root),
        "help": lambda: child("import commander; commander.main(['--help'])"),
    }
    medians = interleaved(works, repeats)
    return [
        ["--help, s", f"{medians['help']:.2f}"],
        ["import torch, s", f"{medians['torch']:.2f}"],
        ["cached start to the end of a first step, s beyond import torch", f"{medians['step'] - medians['torch']:.2f}"],
        [
            "of which importing torch._dynamo, as any torch optimizer does",
            f"{medians['compiler'] - medians['torch']:.2f}",
        ],
    ]


def build_rows(root: str, records: str) -> list[list[str]]:
    """First builds: from records in `root`, from CSV files (which stay for the predecessor) in `root`/csv."""
    program = "import sys, commander; commander.main(['--prepare', *sys.argv[1:]])"
    times = {"48 records": child(program, "--root-dir", root, "--records-dir", records)}
    write_csv(root, Path(root) / "csv" / "ecg")
    times["CSV"] = child(program, "--root-dir", f"{root}/csv", "--source", "csv")
    return [[f"first build from {source}, whole command, s", f"{time:.1f}"] for source, time in times.items()]


PEAK_MEMORY = """
import sys, commander
from pathlib import Path
commander.main(sys.argv[2:])
import resource, torch
status = Path("/proc/self/status")  # getrusage counts the process that it was forked from as well
lines = status.read_text().splitlines() if status.exists() else []
peak = next((line.split()[1] for line in lines if line.startswith("VmHWM")), None)
gpu = torch.cuda.max_memory_reserved() if torch.cuda.is_available() else 0
Path(sys.argv[1]).write_text(f"{peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss} {gpu // 1024}")
"""


def memory_rows(root: str, flags: Sequence[str] = ("--dataset", "ecg")) -> list[list[str]]:
    """Peak memory of the process that trains resnet1d_10 for an epoch, without those that gather batches for it."""
    answer = Path(root) / "memory"
    child(PEAK_MEMORY, str(answer), "--root-dir", root, "--model-name", "resnet1d_10", "--epochs", "1", *flags)
    own, gpu = (int(text) / 1024 for text in answer.read_text().split())
    rows = [["peak memory, an epoch of resnet1d_10, MB", f"{own:.0f}"]]
    return rows + [["the same, of the GPU, MB", f"{gpu:.0f}"]] * (gpu > 0)


def main() -> None:
    """Measure and print."""
    parser = make_parser(__doc__)
    parser.add_argument("--models", nargs="*", default=list(MODELS))
    parser.add_argument("--seconds", type=float, default=2.0, help="of training per measurement")
    parser.add_argument("--repeats", type=int, default=5, help="measurements, of which the median counts")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        other = build_rows(root, str(args.records_dir))
        device = session(root, "cnn1d_3").context
        hardware = describe(device.device)["hardware"]
        print(json.dumps({**hardware, "bf16": device.bf16, "torch": torch.__version__}))
        other += [*memory_rows(root), *start_rows(root, args.repeats)]
        other += [*prediction_rows(root, args.repeats), *growth_rows(root, args.repeats)]
        print(table(["what", "figure"], other), flush=True)
        print()
        models = [training_row(root, model, args.seconds, args.repeats) for model in args.models]
        print(table(["model, batch 128", "epoch (a), s", "(a)/(b)", "(c)/(a)"], models))


if __name__ == "__main__":
    run_program(main)
