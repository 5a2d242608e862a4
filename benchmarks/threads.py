"""Measure a training step with 1, 2, ... threads and with --threads auto, on a quiet machine and beside other work.

python -m benchmarks.threads [--models cnn1d_3 resnet1d_10 lstm_1] [--out results/threads.json]

Each figure is the median of steps of 128 synthetic rows that the project's own timing takes (commands/threads.py); the
numbers of threads take turns. The other work is a process that counts without an end.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import make_parser, run_program, table, training_flags, write_results
from commands.build import build
from commands.threads import bare_step, choose_threads, thread_counts, time_threads
from toolbox.runs.provenance import git_state

ROUNDS = 5  # of timing, of which each takes turns of its own
BUSY = [
    sys.executable,
    "-c",
    "import time\nend = time.time() + 60\nwhile time.time() < end: pass",
]  # none outlives a kill


def measure(model: str, root: str, most: int) -> dict[str, Any]:
    """Milliseconds of a step by number of threads, and the number that "auto" takes, in each of ROUNDS."""
    built = build(training_flags(root_dir=root, dataset="synthetic", model_name=model, batch_size=128))
    step, batch = bare_step(built), built.data.train.batch(torch.arange(128))
    inputs, y = batch.inputs(built.context.device), batch.y
    times: dict[str, list[float]] = {str(count): [] for count in thread_counts(most)}
    chosen = []
    for _ in range(ROUNDS):
        for count, seconds in time_threads(lambda: step(inputs, y), thread_counts(most)).items():
            times[str(count)].append(1000 * seconds)
        torch.set_num_threads(most)
        chosen.append(choose_threads(built)["number"])
    torch.set_num_threads(most)
    medians = {count: round(sorted(each)[ROUNDS // 2], 2) for count, each in times.items()}
    number = sorted(chosen)[ROUNDS // 2]
    return {"ms": medians, "auto": chosen, "auto_ms": medians[str(number)]}


def main() -> None:
    """Measure, print and keep."""
    parser = make_parser(__doc__, records=False)
    parser.add_argument("--models", nargs="+", default=["cnn1d_3", "resnet1d_10", "lstm_1"])
    parser.add_argument("--out", type=Path, help="JSON file of what was measured")
    args = parser.parse_args()
    most = torch.get_num_threads()
    results: dict[str, Any] = {**git_state(), "threads": most, "torch": torch.__version__, "models": {}}
    rows = []
    with tempfile.TemporaryDirectory() as root:
        for model in args.models:
            for place, others in (("nothing", 0), ("one busy loop", 1)):
                with ExitStack() as stack:
                    for _ in range(others):
                        busy = stack.enter_context(subprocess.Popen(BUSY))
                        stack.callback(busy.kill)
                    entry = measure(model, root, most)
                results["models"].setdefault(model, {})[place] = entry
                each = [f"{ms:.2f}" for ms in entry["ms"].values()]
                rows.append([model, place, *each, " ".join(map(str, entry["auto"])), f"{entry['auto_ms']:.2f}"])
                print(rows[-1], flush=True)
    heads = [f"ms with {count}" for count in thread_counts(most)]
    print(table(["model", "beside", *heads, "auto takes", "ms with auto"], rows))
    write_results(args.out, results)


if __name__ == "__main__":
    run_program(main)
