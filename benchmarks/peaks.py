"""How well R peaks are found, after ANSI/AAMI EC57, and how fast: our detector beside those of libraries.

python -m benchmarks.peaks --records-dir DIR [--detectors ours sleepecg xqrs gqrs neurokit2] [--folds FILE] [--each]

Each gets the raw signal of one lead, MLII by name, of the 44 records without pacemaker. Our network was trained on DS1.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.common import main_lead, make_parser, run_program, table
from loaders.datasets.splits import DS1, DS2
from loaders.dsp.rpeaks import detect
from loaders.io.wfdb_record import Record, read_wfdb
from toolbox.metrics.ec57 import compare
from toolbox.metrics.ec57_scores import scores

Detector = Callable[[Record, np.ndarray], np.ndarray]


def sleepecg(record: Record, lead: np.ndarray) -> np.ndarray:
    """A modified Pan-Tompkins detector in C."""
    from sleepecg import detect_heartbeats

    return detect_heartbeats(lead.astype(np.float64), record.fs)


def xqrs(record: Record, lead: np.ndarray) -> np.ndarray:
    """wfdb-python's XQRS."""
    from wfdb.processing import xqrs_detect

    return xqrs_detect(lead.astype(np.float64), record.fs, verbose=False)


def gqrs(record: Record, lead: np.ndarray) -> np.ndarray:
    """wfdb-python's translation of WFDB's gqrs."""
    from wfdb.processing import gqrs_detect

    return gqrs_detect(sig=lead.astype(np.float64), fs=record.fs, adc_gain=record.gain[0], adc_zero=0)


def neurokit2(record: Record, lead: np.ndarray) -> np.ndarray:
    """neurokit2's own method, after its own cleaning."""
    from neurokit2 import ecg_clean, ecg_peaks

    clean = ecg_clean(lead.astype(np.float64), sampling_rate=int(record.fs))
    return ecg_peaks(clean, sampling_rate=int(record.fs))[1]["ECG_R_Peaks"]


def ours(record: Record, lead: np.ndarray) -> np.ndarray:
    """loaders.dsp.rpeaks.detect."""
    return detect(lead, record.fs)


def of_folds(path: Path) -> Detector:
    """Our detector with a network that has not seen the record: those of a cross-validation for DS1, ours for DS2."""
    with np.load(path) as stored:
        arrays = {name: stored[name].astype(np.float32) for name in stored.files}
    folds = 1 + max(int(name.partition("/")[0]) for name in arrays)

    def find(record: Record, lead: np.ndarray) -> np.ndarray:
        if record.name not in DS1:
            return detect(lead, record.fs)
        own = f"{DS1.index(record.name) % folds}/"
        weights = {name.removeprefix(own): value for name, value in arrays.items() if name.startswith(own)}
        return detect(lead, record.fs, weights=weights)

    return find


DETECTORS: dict[str, Detector] = {
    "ours": ours, "sleepecg": sleepecg, "xqrs": xqrs, "gqrs": gqrs, "neurokit2": neurokit2,
}  # fmt: skip


def measure(records: list[Record], find: Detector) -> tuple[dict[str, np.ndarray], list[float]]:
    """The table of pairs of each record, and the processor's seconds that each took."""
    tables, seconds = {}, []
    find(records[0], records[0].signal[:10_000, 0])  # whatever is done once
    for record in records:
        lead = record.signal[:, main_lead(record)]
        start = time.process_time()
        found = np.asarray(find(record, lead), dtype=np.int64)
        seconds.append(time.process_time() - start)
        subtype = np.zeros(len(record.sample), dtype=np.int64)  # a shutdown would make X of O, and both are too many
        beats = (np.sort(found), ["N"] * len(found), np.zeros(len(found), dtype=np.int64))
        reference = (record.sample, record.symbol.tolist(), subtype)
        tables[record.name] = compare(reference, beats, record.fs, len(lead)).matrix
    return tables, seconds


def figures(tables: list[np.ndarray]) -> str:
    """Gross QRS Se and +P of the tables, with the beats missed and those too many."""
    counted = scores(sum(tables[1:], tables[0]))["QRS"]
    (found, there), (_, called) = counted["Se"], counted["+P"]
    return f"{100 * found / there:.2f} / {100 * found / called:.2f} ({there - found} + {called - found})"


def main() -> None:
    """Print the table."""
    parser = make_parser(__doc__)
    parser.add_argument("--detectors", nargs="+", choices=DETECTORS, default=["ours", "sleepecg"])
    parser.add_argument("--folds", type=Path, help="what benchmarks/train_rpeaks.py --folds wrote")
    parser.add_argument("--each", action="store_true", help="also tell each record's missed and extra beats")
    args = parser.parse_args()
    chosen = {name: DETECTORS[name] for name in args.detectors}
    if args.folds:
        chosen["ours, records unseen"] = of_folds(args.folds)
    records = [read_wfdb(args.records_dir / name) for name in sorted((*DS1, *DS2))]
    rows = []
    for name, find in chosen.items():
        tables, seconds = measure(records, find)
        parts = [figures([tables[record] for record in part]) for part in (DS1, DS2, (*DS1, *DS2))]
        rows.append([name, *parts, f"{statistics.median(seconds):.2f}"])
        if args.each:
            print(*(f"{record}: {figures([counts])}" for record, counts in tables.items()), sep="\n", flush=True)
    head = ["detector", "DS1", "DS2", "all 44", "s per half hour"]
    print(f"QRS Se / +P in per cent, gross (missed + extra)\n\n{table(head, rows)}")


if __name__ == "__main__":
    run_program(main)
