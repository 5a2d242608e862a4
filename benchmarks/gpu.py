"""Measure trainings on a GPU: steps one by one, as CUDA graphs, and a bare graph, in turn in one run.

python -m benchmarks.gpu [--out results/gpu.json]

Takes under four minutes on one GPU. Rows are as many synthetic ones as Kaggle's training file has (78,799); with
--records-dir, recipes/fast.yaml is trained as well, and the whole command's time taken. Runs with and without graphs
under --deterministic are compared to the bit.
"""

from __future__ import annotations

import copy
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import ROOT, make_parser, run_program, table, training_flags, write_results
from commands.build import BuiltRun, build
from commands.threads import bare_step
from inference.torch_classifier import TorchClassifier
from toolbox.runs.checkpoint import load_checkpoint
from toolbox.runs.provenance import describe
from toolbox.training.cuda_graph import GraphedStep
from toolbox.utils.device import pick_device
from trainer import Training, train

ROWS = 78_799  # of Kaggle's training file, less a tenth for validation
MODELS = (("resnet1d_10", 128), ("resnet1d_10", 1024), ("cnn1d_3", 128), ("lstm_1", 128))
SYNTHETIC = {"dataset": "synthetic", "synthetic_patients": 6, "synthetic_minutes": 5}
STEPS = 100  # of each measurement; an epoch is reckoned from them


def seconds(work: Callable[[], Any], device: torch.device) -> float:
    """How long `work` takes, the device's part of it too."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    begun = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def session(root: str, model: str, batch: int, graphs: str, device: torch.device) -> BuiltRun:
    """A training on rows that repeat until there are STEPS batches."""
    flags = {**SYNTHETIC, "root_dir": root, "model_name": model, "batch_size": batch, "lr": 0.001, "workers": 0}
    built = build(training_flags(**flags, cuda_graphs=graphs, device=str(device)))
    rows = built.data.train.rows
    built.data.train.rows = rows.repeat(-(-STEPS * batch // len(rows)))[: STEPS * batch]
    return built


def bare(training: Training, built: BuiltRun) -> Callable[[], None]:
    """STEPS replays of the graph that a training captured, and nothing else; bare steps where there is none."""
    if isinstance(training.stepper.graphs, GraphedStep) and training.stepper.graphs.captured:
        (steps,) = training.stepper.graphs.captured.values()
        replay: Callable[[], object] = steps.replays[True, True]
    else:
        step, batch = bare_step(built), built.data.train.batch(torch.arange(built.options.batches.batch_size))
        inputs, y = batch.inputs(built.context.device), batch.y.to(built.context.device)
        replay = partial(step, inputs, y)

    def work() -> None:
        for _ in range(STEPS):
            replay()

    return work


def step_rows(root: str, device: torch.device, repeats: int, models: Sequence[str]) -> dict[str, Any]:
    """Milliseconds of a step and seconds of an epoch of ROWS, by model and batch."""
    figures = {}
    for model, _, size in (text.partition(":") for text in models):
        batch = int(size)
        works: dict[str, Callable[[], Any]] = {}
        for name, graphs in (("eager", "off"), ("graphs", "auto")):
            built = session(root, model, batch, graphs, device)
            training = built.training()
            works[name] = partial(train, training.context, training.batches, training.stepper)
            works[name]()
        works["bare graph"] = bare(training, built)
        times: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(repeats):
            for name, work in works.items():
                times[name].append(seconds(work, device) / STEPS)
        medians = {name: statistics.median(each) for name, each in times.items()}
        figures[f"{model}, {batch}"] = {
            "step_ms": {name: round(1000 * each, 3) for name, each in medians.items()},
            "epoch_s": {name: round(each * ROWS / batch, 3) for name, each in medians.items()},
            "graphs_over_bare": round(medians["graphs"] / medians["bare graph"], 3),
        }
    return figures


def equal_weights(root: str, device: torch.device) -> dict[str, bool]:
    """Check that two trainings, with and without graphs, end in the same bits."""
    same = {}
    for flags in ("--model-name resnet1d_10", "--model-name mlp --accumulate 2 --clip-grad 1", "--model-name lstm_1"):
        states = []
        for graphs in ("off", "auto"):
            line = (
                f"--dataset synthetic --synthetic-patients 6 --synthetic-minutes 5 --epochs 2 --batch-size 64 {flags}"
            )
            line += f" --deterministic --cuda-graphs {graphs} --device {device} --workers 0 --version bump"
            states.append(load_checkpoint(Path(command(root, *line.split())) / "checkpoint.pth.tar"))
        one, other = (state["live"] or state["model"] for state in states)
        same[flags] = all(torch.equal(one[name], other[name]) for name in one)
    return same


def command(root: str, *argv: str) -> str:
    """Run a training's command line; the folder of its run."""
    words = [sys.executable, "commander.py", "--root-dir", root, *argv]
    done = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    return next(line[4:] for line in reversed(done.stdout.splitlines()) if line.startswith("run "))


def prediction(root: str, device: torch.device) -> float:
    """Beats per second that resnet1d_10 classifies, numpy to numpy."""
    built = session(root, "resnet1d_10", 1024, "off", device)
    names = built.context.class_names
    classifier = TorchClassifier(copy.deepcopy(built.context.model), names, "resnet1d_10", device)
    rows = built.data.train.batch(torch.arange(STEPS * 1024)).x.cpu().numpy()
    classifier.probabilities(rows[:4096])
    return len(rows) / seconds(lambda: classifier.probabilities(rows), device)


def fast(root: str, records: Path, device: torch.device) -> dict[str, float]:
    """Seconds of the whole command of recipes/fast.yaml, its data cached, and its accuracy on the test split."""
    command_line = [sys.executable, "commander.py", "--root-dir", root]
    prepare = [*command_line, "--prepare", "--dataset", "ecg", "--records-dir", str(records)]
    subprocess.run(prepare, cwd=ROOT, check=True, capture_output=True)
    begun = time.perf_counter()
    command(root, "--config", "fast", "--device", str(device))
    seconds = time.perf_counter() - begun
    scored = subprocess.run(
        [*command_line, "--test", "--model-name", "resnet1d_lean"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    accuracy = next(line.split()[1] for line in scored.stdout.splitlines() if line.startswith("accuracy "))
    return {"command_s": round(seconds, 2), "accuracy": float(accuracy)}


def main() -> None:
    """Measure, print and keep."""
    parser = make_parser(__doc__)
    parser.add_argument("--device", default="auto", help="as --device of a training")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--models", nargs="*", default=[f"{model}:{batch}" for model, batch in MODELS], metavar="NAME:N"
    )
    parser.add_argument("--out", type=Path, help="JSON file of what was measured")
    args = parser.parse_args()
    device = pick_device(args.device)
    results: dict[str, Any] = describe(device)
    with tempfile.TemporaryDirectory() as root:
        results["equal_to_the_bit"] = equal_weights(root, device)
        print(results["equal_to_the_bit"], flush=True)
        results["steps"] = step_rows(root, device, args.repeats, args.models)
        heads = ["eager", "graphs", "bare graph"]
        rows = []
        for name, each in results["steps"].items():
            cells = (f"{each['step_ms'][head]} / {each['epoch_s'][head]}" for head in heads)
            rows.append([name, *cells, str(each["graphs_over_bare"])])
        print(table(["model, batch: ms a step / s an epoch", *heads, "graphs / bare"], rows), flush=True)
        results["prediction_beats_per_s"] = round(prediction(root, device))
        print(f"prediction, beats/s: {results['prediction_beats_per_s']:,}", flush=True)
        if args.records_dir.is_dir():
            results["fast"] = fast(root, args.records_dir, device)
            print(f"recipes/fast.yaml: {results['fast']}", flush=True)
        if device.type == "cuda":
            results["memory_mb"] = round(torch.cuda.max_memory_allocated() / 2**20)
    write_results(args.out, results)


if __name__ == "__main__":
    run_program(main)
