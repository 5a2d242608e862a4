"""Measure what a lead that is off, missing, noisy, upside down or exchanged costs the annotations.

python -m benchmarks.leads --records-dir DIR [--records 200 213 221 233] [--kinds ...] [--checkout DIR]
    [--out results/leads.json] and the flags that name a run to --predict: --root-dir R --model-name M --version N

Each record is spoilt in the ways of KINDS and annotated by the command line's own --predict, then scored by --score.
--checkout annotates with another checkout of the project, an older one for example, whose figures go below its name.
With a run in --root-dir whose network reads one lead, recordings that show only one are named by it. Without the flags
that name a run, the networks that come with the program annotate.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import ROOT, make_parser, run_program, table, write_results
from benchmarks.raw_signal import HEADER, percent
from commander import main as command
from loaders.io.wfdb_record import Record, read_wfdb, write_wfdb
from toolbox.utils import read_json

OFF = slice(600, 1200)  # s in which a lead is off
NOISE = 0.5  # mV, standard deviation
ELECTRODE_OFF = -1.0  # mV, a flat line


def first_off(signal: np.ndarray, fs: float) -> np.ndarray:
    """The first lead is a flat line for ten minutes."""
    signal[round(OFF.start * fs) : round(OFF.stop * fs), 0] = ELECTRODE_OFF
    return signal


def second_off(signal: np.ndarray, fs: float) -> np.ndarray:
    """The second lead is a flat line for ten minutes."""
    signal[round(OFF.start * fs) : round(OFF.stop * fs), 1] = 0.0
    return signal


def second_noise(signal: np.ndarray, fs: float) -> np.ndarray:
    """The second lead is white noise throughout."""
    signal[:, 1] = NOISE * np.random.default_rng(0).standard_normal(len(signal))
    return signal


# Name -> what becomes of the signal (samples, 2) in mV at fs Hz.
KINDS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "as recorded": lambda signal, fs: signal,
    "first off": first_off,
    "second off": second_off,
    "second missing": lambda signal, fs: signal * [1, 0],
    "second noise": second_noise,
    "second inverted": lambda signal, fs: signal * [1, -1],
    "exchanged": lambda signal, fs: signal[:, ::-1],
}


def spoilt(record: Record, kind: str) -> Record:
    """`record`, in units of 1 uV, with its leads changed."""
    signal = KINDS[kind](record.signal.astype(np.float64).copy(), record.fs)
    digital = np.clip(np.rint(1000 * signal), -32767, 32767).astype(np.int64)  # format 16
    return replace(record, digital=digital, gain=np.full(2, 1000.0), baseline=np.zeros(2))


def measure(records: Sequence[Record], kind: str, model: Sequence[str], checkout: Path, folder: Path) -> dict[str, Any]:
    """The result of --score of the records, spoilt in one way, with what --predict said of their leads."""
    for record in records:
        write_wfdb(spoilt(record, kind), folder)
    paths = [str(folder / record.name) for record in records]
    predict = [sys.executable, "commander.py", "--predict", *paths, *model, "--out", str(folder / "out")]
    subprocess.run(predict, cwd=checkout, check=True, stdout=subprocess.DEVNULL)
    with contextlib.redirect_stdout(io.StringIO()):
        result = command(["--score", *paths, "--score-dir", str(folder / "out")])
    summaries = [read_json(folder / "out" / f"{record.name}.ecg.json") for record in records]
    keys = ("leads", "switches", "warnings", "model")
    told = {one["recording"]: {key: one[key] for key in keys if key in one} for one in summaries}
    return {"gross": result["gross"], "records": result["records"], "summaries": told}


def main() -> None:
    """Measure, print the table, and write all figures."""
    parser = make_parser(__doc__)
    parser.add_argument("--records", nargs="+", default=["200", "213", "221", "233"])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--checkout", type=Path, default=ROOT, help="of the project, to annotate with (this one)")
    parser.add_argument("--title", default="now", help="of these figures in the file, beside others that are there")
    parser.add_argument("--out", type=Path, help="JSON file with all figures")
    args, model = parser.parse_known_args()
    records = [read_wfdb(args.records_dir / name) for name in args.records]
    revision = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(revision, cwd=args.checkout, check=True, capture_output=True, text=True)
    kinds: dict[str, Any] = {}
    rows = []
    for kind in args.kinds:
        with tempfile.TemporaryDirectory() as folder:
            kinds[kind] = measure(records, kind, model, args.checkout, Path(folder))
        rows.append([kind, *percent(kinds[kind]["gross"]["scores"])])
    print(f"{', '.join(args.records)}: per cent, EC57, gross\n\n{table(HEADER, rows)}")
    if args.out:
        before = read_json(args.out) if args.out.is_file() else {}
        entry = {"commit": commit.stdout.strip(), "of": args.records, "kinds": kinds}
        write_results(args.out, {**before, args.title: entry})


if __name__ == "__main__":
    run_program(main)
