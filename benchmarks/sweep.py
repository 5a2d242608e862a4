"""Measure the throughput of a search: trials an hour with 1, 2 and 3 workers at one study, as a ratio to one worker.

python -m benchmarks.sweep [--workers 1 2 3] [--trials 6] [--epochs 4] [--storage postgresql://...] \
    [--out results/sweep.json]

Each study has the same trials (no pruning), one thread a worker, its database SQLite unless --storage is given. The
time is from the first claim to the last result, by the study's own clock, so that the start of Python does not count.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import optuna
import yaml

from benchmarks.common import ROOT, make_parser, run_program, table, write_results
from toolbox.runs.provenance import git_state

BASE = {"dataset": "synthetic", "model-name": "resnet1d_lean", "ema": 0}
SPACE = {"lr": {"from": 0.001, "to": 0.03, "log": True}, "weight-decay": {"from": 0.0001, "to": 0.1, "log": True}}


def seconds(workers: int, trials: int, epochs: int, storage: str | None, folder: Path) -> float:
    """Carry out a study of `trials` trials; the seconds from its first trial's start to its last one's end."""
    name = f"workers{workers}-{os.getpid()}"
    plan = {"name": name, "base": {**BASE, "epochs": epochs}, "space": SPACE, "trials": trials, "pruner": "none"}
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
    command = [sys.executable, "commander.py", "--sweep", str(file), "--root-dir", str(folder), "--device", "cpu"]
    command += ["--storage", storage] if storage else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) for _ in range(workers)
    ]
    if codes := [code for process in processes if (code := process.wait())]:
        raise SystemExit(f"a worker ended with exit code {codes[0]}")
    database = f"sqlite:///{folder / 'synthetic' / 'runs' / f'{name}.sweep' / 'study.db'}"
    address = storage.replace(":", "+psycopg:", 1) if storage else database
    done = optuna.load_study(study_name=name, storage=address).get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    if len(done) != trials:
        raise SystemExit(f"{len(done)} trials are complete, not {trials}")
    starts = [trial.datetime_start for trial in done if trial.datetime_start]
    ends = [trial.datetime_complete for trial in done if trial.datetime_complete]
    return (max(ends) - min(starts)).total_seconds()


def main() -> None:
    """Measure, print and keep."""
    parser = make_parser(__doc__, records=False)
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--storage", help="a PostgreSQL for the studies; SQLite unless given")
    parser.add_argument("--out", type=Path, help="JSON file of what was measured")
    args = parser.parse_args()
    results: dict[str, Any] = {**git_state(), "trials": args.trials, "epochs": args.epochs, "cores": os.cpu_count()}
    results["storage"] = "postgresql" if args.storage else "sqlite"
    rows: list[list[str]] = []
    results["workers"] = {}
    with tempfile.TemporaryDirectory() as folder:
        for workers in args.workers:
            took = seconds(workers, args.trials, args.epochs, args.storage, Path(folder))
            hourly = 3600 * args.trials / took
            first = next(iter(results["workers"].values()), {"trials_an_hour": hourly})["trials_an_hour"]
            entry = {"seconds": round(took, 2), "trials_an_hour": round(hourly, 1), "ratio": round(hourly / first, 3)}
            results["workers"][str(workers)] = entry
            rows.append([str(workers), f"{took:.1f}", f"{hourly:.0f}", f"{hourly / first:.2f}"])
    print(table(["workers", "seconds", "trials an hour", "ratio"], rows))
    write_results(args.out, results)


if __name__ == "__main__":
    run_program(main)
