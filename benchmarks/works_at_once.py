"""Measure how long a newcomer waits: seconds from `--predict FILE` to the files, in a folder without runs.

python -m benchmarks.works_at_once [--minutes 1.5 30] [--repeat 3] [--out results/works_at_once.json]

A synthetic recording of two leads is written as CSV, as EDF and as a WFDB record, and annotated by a process of its own
with each engine. The shortest of the repeats is shown, beside the processor's seconds, free of other work.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import edfio
import numpy as np

from benchmarks.common import ROOT, make_parser, run_program, table, write_results
from loaders.io.wfdb_record import Record, write_wfdb
from loaders.sources.synthetic import synthesize
from toolbox.runs.provenance import git_state, processor

FS = 360
ENGINES = ("torch", "onnx")


def write_recordings(record: Record, folder: Path) -> list[Path]:
    """The recording as CSV, EDF and WFDB files of the name "night"."""
    write_wfdb(record, folder / "wfdb")
    signal = record.signal.astype(np.float64)
    np.savetxt(folder / "night.csv", signal, fmt="%.4f", delimiter=",", header=",".join(record.leads), comments="")
    whole = signal[: len(signal) // FS * FS]
    signals = [
        edfio.EdfSignal(whole[:, k].copy(), FS, label=f"ECG {name}", physical_dimension="mV", physical_range=(-20, 20))
        for k, name in enumerate(record.leads)
    ]
    edfio.Edf(signals).write(folder / "night.edf")
    return [folder / "night.csv", folder / "night.edf", folder / "wfdb" / f"{record.name}.hea"]


def seconds_of(path: Path, engine: str, folder: Path) -> tuple[float, float]:
    """Seconds that the command takes, by the clock and of the processor; its files go into a new folder."""
    with tempfile.TemporaryDirectory(dir=folder) as out:
        flags = ["--predict", str(path), "--out", out, "--engine", engine]
        flags += ["--fs", str(FS)] if path.suffix == ".csv" else []
        before, used = time.perf_counter(), _processor_seconds()
        subprocess.run(
            [sys.executable, str(ROOT / "commander.py"), *flags], cwd=folder, check=True, capture_output=True
        )
        return time.perf_counter() - before, _processor_seconds() - used


def _processor_seconds() -> float:
    """Of all processes that were started and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure, print, and keep."""
    parser = make_parser(__doc__, records=False)
    parser.add_argument("--minutes", nargs="+", type=float, default=[1.5, 30.0], help="of the recording")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", type=Path, help="JSON file with all figures")
    args = parser.parse_args()
    rows, results, git = [], [], git_state()
    for minutes in args.minutes:
        (record,) = synthesize(1, minutes, seed=3)
        with tempfile.TemporaryDirectory() as name:
            for path in write_recordings(record, Path(name)):
                for engine in ENGINES:
                    pairs = [seconds_of(path, engine, Path(name)) for _ in range(args.repeat)]
                    seconds, busy = ([round(value, 2) for value in column] for column in zip(*pairs, strict=True))
                    kind = "WFDB" if path.suffix == ".hea" else path.suffix[1:].upper()
                    results.append(
                        {"minutes": minutes, "kind": kind, "engine": engine, "seconds": seconds, "processor": busy}
                    )
                    rows.append([f"{minutes:g}", kind, engine, f"{min(seconds):.1f}", f"{min(busy):.1f}"])
    print(table(["minutes", "file", "engine", "seconds", "of the processor"], rows))
    words = f"python -m benchmarks.works_at_once --minutes {' '.join(f'{m:g}' for m in args.minutes)}"
    machine: dict[str, Any] = {"processor": processor(), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    facts = {"command": f"{words} --repeat {args.repeat}", "git": git, "machine": machine}
    write_results(args.out, {**facts, "seconds": results})


if __name__ == "__main__":
    run_program(main)
