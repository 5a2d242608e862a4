"""Measure time and memory of --predict over a recording of 24 hours and over a thousand short ones.

python -m benchmarks.holter [--hours 24] [--records-dir DIR] [--count 1000] [--processes 2] [--repeats 3]
    and the flags that name a run to --predict: --root-dir R --model-name M --version N, or --model-file FILE
    [--rows-model-file FILE]

The long one is a synthetic half hour of three leads (the third is the mean of the others) over and over; with
--records-dir the records of DS1, one after the other, over and over: people's beats, noise and leads that are off.
Measured in turn: the whole command, the same recording through the R-peak detector alone, and importing torch, whose
memory is what the command's is counted above; with --rows-model-file all of that again with a network of Kaggle's rows.
Of the short ones, those that are annotated when the command is killed in the middle are not annotated again.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.common import ROOT, make_parser, run_program, table, write_results
from loaders.datasets.splits import DS1
from loaders.io.wfdb_record import read_wfdb
from loaders.sources.synthetic import patient_record
from toolbox.runs.provenance import git_state

HALF_HOUR = 30 * 60 * 360  # samples
LEADS = ("MLII", "V1", "V5")
READABLE = 6  # the patient: 5 %, 1 % and 2 % of these leads are noise; what is noise is not classified, and costs less
DETECTOR = """
import sys
from pathlib import Path
from loaders.dsp.rpeaks import detect
from loaders.dsp.chunks import Chunker, bridged, iter_chunks
from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat
recording = open_recording(Path(sys.argv[1]), CsvFormat())
lead = recording.leads[0]
for piece in iter_chunks(recording.stream(0, 1 << 20), Chunker(lead.fs, lead.low, lead.high)):
    detect(bridged(piece), 360.0)
"""


class Cost(NamedTuple):
    """What a process took: seconds on the wall, of the processors, and its greatest memory in MB."""

    wall: float
    cpu: float
    memory: float


def cost(command: list[str]) -> Cost:
    """Run `command` in the project's folder."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command[:4])} ended with {process.returncode}")
    return Cost(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def write(header: Path, parts: Iterable[np.ndarray]) -> Path:
    """A record of format 16: `parts` (n, leads) one after the other, 200 units per mV; it begins at 22:15."""
    samples, leads = 0, []
    with open(header.with_suffix(".dat"), "wb") as handle:
        for digital in parts:
            handle.write(digital.astype("<i2").tobytes())
            samples += len(digital)
            leads = [f"{header.stem}.dat 16 200(1024) 11 1024 0 0 0 {lead}" for lead in LEADS[: digital.shape[1]]]
    first = f"{header.stem} {len(leads)} 360 {samples} 22:15:00 02/03/2020"
    header.write_text("\n".join([first, *leads]) + "\n")
    return header


def half_hours(records_dir: Path | None) -> Iterator[np.ndarray]:
    """Half hours (n, 3) of digital samples without end: of DS1 in `records_dir` in turn, or one synthetic one."""
    synthetic = patient_record(READABLE, 30, np.random.SeedSequence(1)).digital[:HALF_HOUR]
    for name in cycle(DS1):  # read one by one: a process is said to take the memory of the one that started it
        half = synthetic
        if records_dir is not None:
            half = np.rint(200 * read_wfdb(records_dir / name).signal[:HALF_HOUR]).astype(np.int32) + 1024
        yield np.column_stack([half, half.sum(axis=1) // 2])


def measure_day(folder: Path, hours: float, records_dir: Path | None, repeats: int, model: list[str]) -> dict[str, Any]:
    """Print and return what the long recording takes."""
    day = write(folder / "day.hea", islice(half_hours(records_dir), round(2 * hours)))
    predict = [sys.executable, "commander.py", "--predict", str(day), *model, "--out"]
    commands = {
        "--predict, the whole command": lambda k: [*predict, str(folder / f"out{k}")],
        "of it, R peaks (a process of their own)": lambda k: [sys.executable, "-c", DETECTOR, str(day)],
        "import torch": lambda k: [sys.executable, "-c", "import torch"],
    }
    measured: dict[str, list[Cost]] = {name: [] for name in commands}
    for k in range(repeats):
        for name, command in commands.items():
            measured[name].append(cost(command(k)))
    bare = statistics.median(one.memory for one in measured["import torch"])
    rows, medians = [], {}
    for name, costs in measured.items():
        wall, cpu, memory = (statistics.median(column) for column in zip(*costs, strict=True))
        rows.append([name, f"{wall:.1f}", f"{cpu:.1f}", f"{memory:.0f}", f"{memory - bare:.0f}"])
        values = {"wall_s": wall, "cpu_s": cpu, "peak_mb": memory, "mb_above_torch": memory - bare}
        medians[name] = {key: round(value, 1) for key, value in values.items()}
    print(table([f"{hours:g} h, three leads, 360 Hz", "wall s", "CPU s", "peak MB", "MB above torch"], rows))
    summary = json.loads((folder / "out0" / "day.ecg.json").read_text())
    print(f"\n{summary['beats']['all']} beats", flush=True)
    made_of = "synthetic" if records_dir is None else "DS1"
    return {"hours": hours, "made_of": made_of, "leads": list(LEADS),
            "network": summary["model"]["name"].partition(" of ")[0], "beats": summary["beats"]["all"],
            "medians": medians}  # fmt: skip


def measure_many(folder: Path, count: int, processes: int, model: list[str]) -> dict[str, Any]:
    """Print and return what many short recordings take, in two goes: the first is killed in the middle."""
    records = [patient_record(k, 1, np.random.SeedSequence(k)).digital for k in range(4)]
    (folder / "many").mkdir()
    for k in range(count):
        write(folder / "many" / f"r{k:04d}.hea", [records[k % len(records)]])
    command = [sys.executable, "commander.py", "--predict", str(folder / "many"), *model, "--out", str(folder / "done")]
    command += ["-j", str(processes)]
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    printed = 0
    for _ in process.stdout or ():
        printed += 1
        if printed == count // 2:
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.wait()
    first = time.perf_counter() - start
    start = time.perf_counter()
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    skipped = sum("done before" in line for line in again)
    print(f"\n{count} recordings of a minute, -j {processes}: killed after {printed} ({first:.0f} s); the same command")
    second = time.perf_counter() - start
    print(f"again skipped {skipped} and annotated {len(again) - skipped} ({second:.0f} s)")
    return {"recordings": count, "killed_after": printed, "first_s": round(first, 1), "skipped": skipped,
            "annotated": len(again) - skipped, "second_s": round(second, 1)}  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = make_parser(__doc__, records=False)
    parser.add_argument("--hours", type=float, default=24.0, help="0: leave the long recording out")
    parser.add_argument("--records-dir", type=Path, help="make the long recording of MIT-BIH's records here")
    parser.add_argument("--rows-model-file", help="measure the long recording with this network of Kaggle's rows, too")
    parser.add_argument("--count", type=int, default=1000, help="short recordings; 0: leave them out")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3, help="measurements, of which the median counts")
    parser.add_argument("--results", type=Path, help="JSON file of what was measured")
    args, model = parser.parse_known_args()
    results: dict[str, Any] = git_state()
    with tempfile.TemporaryDirectory() as folder:
        if args.hours:
            networks = {"day": model}
            if args.rows_model_file:
                networks["day_of_rows"] = ["--model-file", args.rows_model_file]
            for name, network in networks.items():
                place = Path(folder) / name
                place.mkdir()
                results[name] = measure_day(place, args.hours, args.records_dir, args.repeats, network)
        if args.count:
            results["many"] = measure_many(Path(folder), args.count, args.processes, model)
    write_results(args.results, results)


if __name__ == "__main__":
    run_program(main)
