"""Measure an epoch over 1, 2, ... processes of torchrun, at the same batches.

python -m benchmarks.processes [--models resnet1d_10 cnn1d_3 lstm_1] [--processes 1 2] [--repeats 3] \
    [--out results/processes.json]

Trains on synthetic recordings, one thread a process; the numbers of processes take turns. Seconds are those that the
run itself logs, of its second epoch; the loss of that epoch says that the same was trained.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT, make_parser, run_program, table, write_results
from toolbox.runs.provenance import git_state
from toolbox.utils import read_json


def epoch(model: str, processes: int, batch: int, root: Path) -> tuple[float, float]:
    """Train two epochs over `processes`; the seconds and the training loss of the second."""
    start = [sys.executable]
    if processes > 1:
        start += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    flags = f"--dataset synthetic --model-name {model} --epochs 2 --batch-size {batch} --precision fp32 --seed 0"
    command = [*start, "commander.py", *flags.split(), "--version", "bump", "--root-dir", str(root)]
    before = set(root.glob("synthetic/runs/*"))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    (run,) = (path for path in root.glob("synthetic/runs/*") if path.is_dir() and path not in before)
    last: dict[str, Any] = read_json(run / "logger.json")["logged"]["train"][-1]
    return float(last["seconds"]), float(last["loss"])


def main() -> None:
    """Measure, print and keep."""
    parser = make_parser(__doc__, records=False)
    parser.add_argument("--models", nargs="+", default=["resnet1d_10", "cnn1d_3", "lstm_1"])
    parser.add_argument("--processes", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="JSON file of what was measured")
    args = parser.parse_args()
    results: dict[str, Any] = {**git_state(), "batch_size": args.batch_size, "epochs": {}}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for model in args.models:
            measured: dict[int, list[tuple[float, float]]] = {count: [] for count in args.processes}
            for _ in range(args.repeats):
                for count in args.processes:
                    measured[count].append(epoch(model, count, args.batch_size, Path(folder)))
            first = statistics.median(seconds for seconds, _ in measured[args.processes[0]])
            for count, pairs in measured.items():
                seconds = statistics.median(seconds for seconds, _ in pairs)
                rows.append([model, str(count), f"{seconds:.2f}", f"{first / seconds:.2f}", f"{pairs[-1][1]:.5f}"])
                entry = {"seconds": round(seconds, 3), "speed": round(first / seconds, 3), "loss": pairs[-1][1]}
                results["epochs"].setdefault(model, {})[str(count)] = entry
    print(table(["model", "processes", "epoch s", f"speed over {args.processes[0]}", "loss"], rows))
    write_results(args.out, results)


if __name__ == "__main__":
    run_program(main)
