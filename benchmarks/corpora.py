r"""Measure the annotation of corpora against their size: throughput, memory, and the cost of a million recordings.

python -m benchmarks.corpora [--sizes 10 100 200] [--minutes 1] [--workers 2] [--folder DIR] \
    [--out results/corpora.json]

Makes recordings of two leads (synthetic patients, each file shifted and scaled by other amounts, so that no two have
the same bytes and all are read), and annotates them by `--predict --engine onnx --cluster local:N`, then again, when
all are finished. Memory is the peak of resident memory of the process that was started and of its largest worker, read
from /proc (Linux); what the machine keeps of files that were just written makes reading quicker than from a cold disk.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import ROOT, make_parser, run_program, table, write_results
from loaders.sources.synthetic import synthesize
from toolbox.runs.provenance import git_state
from toolbox.utils import UserError

PATIENTS = 8  # whose signals are shifted and scaled
POLL = 0.5  # s between two looks at the memory
GAIN = 200  # units per mV
MILLION = 10**6


def make_corpus(folder: Path, count: int, minutes: float) -> int:
    """Write `count` recordings as WFDB records of format 16, in folders of 1,000; their bytes together."""
    signals = [record.signal[:, :2] for record in synthesize(PATIENTS, minutes, 0)]
    draw, size = np.random.default_rng(0), 0
    for number in range(count):
        signal = signals[number % PATIENTS] * draw.uniform(0.8, 1.25) + draw.normal(0, 0.01, (1, 2))
        digital = np.rint(signal * GAIN).astype("<i2")
        place = folder / f"{number // 1000:04d}"
        place.mkdir(parents=True, exist_ok=True)
        name = f"r{number:07d}"
        (place / f"{name}.dat").write_bytes(digital.tobytes())
        leads = [f"{name}.dat 16 {GAIN} 16 0 {digital[0, k]} 0 0 {lead}" for k, lead in enumerate(("MLII", "V1"))]
        (place / f"{name}.hea").write_text("\n".join([f"{name} 2 360 {len(digital)}", *leads]) + "\n")
        size += digital.nbytes
    return size


def annotate(source: Path, out: Path, workers: int) -> dict[str, float]:
    """Annotate a folder over `workers` processes: seconds, and the peaks of memory in MB."""
    command = [sys.executable, "commander.py", "--predict", str(source), "--out", str(out)]
    command += ["--engine", "onnx", "--cluster", f"local:{workers}"]
    started, peaks = time.perf_counter(), dict[int, float]()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors)
        while process.poll() is None:
            for each in (process.pid, *descendants(process.pid)):
                peaks[each] = max(peaks.get(each, 0.0), peak_of(each))
            time.sleep(POLL)
        if process.returncode:
            errors.seek(0)
            raise UserError(f"--predict ended with {process.returncode}: {errors.read()[-500:]}")
    started_one = peaks.pop(process.pid)
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "main_mb": round(started_one, 1),
        "worker_mb": round(max(peaks.values()), 1),
    }


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and those that these did."""
    try:
        children = [
            int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()
        ]
    except OSError:
        return []
    return [*children, *(each for child in children for each in descendants(child))]


def peak_of(pid: int) -> float:
    """The peak of a process's resident memory in MB; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def measure(folder: Path, count: int, minutes: float, workers: int) -> dict[str, Any]:
    """Make a corpus, annotate it twice, and take it away again."""
    source, out = folder / "in", folder / "out"
    size = make_corpus(source, count, minutes)
    first = annotate(source, out, workers)
    again = annotate(source, out, workers)
    written = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    tables = sum(path.stat().st_size for path in (out / "parquet").rglob("*.parquet"))
    for each in (source, out):
        shutil.rmtree(each)
    return {
        "recordings": count,
        "gigabytes": round(size / 1e9, 3),
        **first,
        "again_seconds": again["seconds"],
        "written_mb_per_recording": round(written / count / 1e6, 3),
        "tables_kb_per_recording": round(tables / count / 1e3, 1),
    }


def cost(measured: list[dict[str, Any]], workers: int) -> dict[str, float]:
    """The cost of a million such recordings, along the line through the smallest and the largest corpus."""
    small, large = measured[0], measured[-1]
    more = large["recordings"] - small["recordings"]
    each = (large["seconds"] - small["seconds"]) / more  # s
    return {
        "seconds_per_recording": round(each, 4),
        "core_hours": round(each * workers * MILLION / 3600, 1),
        "written_tb": round(large["written_mb_per_recording"], 3),
        "tables_gb": round(large["tables_kb_per_recording"], 1),
    }


def main() -> None:
    """Measure, print and keep."""
    parser = make_parser(__doc__, records=False)
    parser.add_argument("--sizes", nargs="+", type=int, default=[10, 100, 200])
    parser.add_argument("--minutes", type=float, default=1.0, help="length of each recording")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the corpus is made; a temporary folder unless given")
    parser.add_argument("--out", type=Path, help="JSON file of what was measured")
    args = parser.parse_args()
    measured = []
    os.environ["OMP_NUM_THREADS"] = "1"
    state = git_state()
    for count in sorted(args.sizes):
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            measured.append(measure(Path(folder), count, args.minutes, args.workers))
        print(measured[-1], file=sys.stderr, flush=True)
    results = {**state, "minutes": args.minutes, "workers": args.workers, "measured": measured}
    if len(measured) > 1:
        results["million"] = cost(measured, args.workers)
    head = ["recordings", "GB", "s", "recordings / s", "again, s", "main process, MB", "largest worker, MB"]
    rows = [
        [f"{one['recordings']:,}", f"{one['gigabytes']:.2f}", f"{one['seconds']:.1f}",
         f"{one['recordings'] / one['seconds']:.2f}", f"{one['again_seconds']:.1f}", f"{one['main_mb']:.0f}",
         f"{one['worker_mb']:.0f}"]
        for one in measured
    ]  # fmt: skip
    print(table(head, rows))
    print(results.get("million", ""))
    write_results(args.out, results)


if __name__ == "__main__":
    run_program(main)
