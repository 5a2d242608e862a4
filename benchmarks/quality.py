"""Measure how well noise is shut down: windows with detection errors, good windows, and the beats of what is left.

python -m benchmarks.quality --records-dir MITDB --svdb-dir SVDB --noise PATH/bw PATH/ma PATH/118e06
    [--snr 24 18 12 6 0] [--out results/quality.json]

Noise is added by the procedure of the MIT-BIH Noise Stress Test Database (benchmarks/noise.py cites it): none for five
minutes, then two minutes with it and two without in turn. A record called 118eNN gives em, electrode motion: what it
holds more than record 118 of --records-dir, in its noisy minutes. Records are DS1's and those of --svdb-dir, the first
lead; all of DS1 at every SNR, the others clean and with one noise at one SNR each.

A window of ten seconds is bad with two or more missed or extra beats, good with none, and shut down where half of it
is. Some windows are bad in the clean record: those of which noise is the cause are counted besides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.common import make_parser, run_program, table, write_results
from benchmarks.noise import noise_power, noisy_samples, qrs_power, recorded_motion
from loaders.datasets.splits import DS1
from loaders.dsp.chunks import Chunker, iter_chunks
from loaders.dsp.noise import LeadReader
from loaders.dsp.resample import resample
from loaders.io.annotations import BEATS
from loaders.io.wfdb_record import Record, read_wfdb
from toolbox.runs.provenance import git_state
from toolbox.utils import UserError
from toolbox.utils.aami import LEARNING_PERIOD, MATCH_WINDOW

WINDOW = 10  # s
FLUTTER = "207"  # the record of DS1 with ventricular flutter, in which no beats are annotated


def read(signal: np.ndarray, fs: float) -> tuple[np.ndarray, np.ndarray]:
    """R peaks (n,) in samples of a lead (m,), and whether each of its seconds is shut down."""
    reader, peaks, shut = LeadReader(), [], np.zeros(int(len(signal) / fs), dtype=bool)
    for chunk in iter_chunks([signal.astype(np.float32)], Chunker(fs)):
        reading = reader.read(chunk)
        peaks.append(chunk.to_own(reading.peaks[(reading.peaks >= chunk.start) & (reading.peaks < chunk.stop)]))
        for start, stop, _ in reading.noise:
            a, b = chunk.to_own(np.clip([start, stop], chunk.start, chunk.stop)) / fs
            shut[round(a) : round(b)] = True
    return np.unique(np.concatenate(peaks)), shut


def errors(reference: np.ndarray, peaks: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """The beats of `reference` (n,) without one of `peaks` (m,) within `reach` of their own, and the peaks without."""
    if not len(peaks):
        return reference, peaks
    right = np.searchsorted(peaks, reference).clip(0, len(peaks) - 1)
    left = (right - 1).clip(0)
    nearest = np.where(np.abs(peaks[left] - reference) <= np.abs(peaks[right] - reference), left, right)
    pairs: dict[int, int] = {}
    for beat, peak in enumerate(nearest.tolist()):
        distance = abs(int(peaks[peak]) - int(reference[beat]))
        if distance <= reach and (peak not in pairs or distance < abs(int(peaks[peak]) - int(reference[pairs[peak]]))):
            pairs[peak] = beat
    return np.delete(reference, list(pairs.values())), np.delete(peaks, list(pairs))


def measure(record: Record, signal: np.ndarray, bad_before: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Counts of one lead: bad windows, of them shut down, good ones, of them shut down; then, behind the learning
    period and outside of what is shut down, reference beats, missed, extra, and seconds shut down of all seconds; then
    bad windows that were not `bad_before` (w,), and of them shut down. And (w,) whether each window is bad."""
    peaks, shut = read(signal, record.fs)
    reference = record.sample[np.isin(record.symbol, list(BEATS))]
    missed, extra = errors(reference, peaks, MATCH_WINDOW * record.fs)
    size = len(shut) // WINDOW
    wrong = np.bincount((np.concatenate([missed, extra]) / record.fs / WINDOW).astype(int), minlength=size)[:size]
    closed = shut[: size * WINDOW].reshape(size, WINDOW).mean(axis=1) >= 0.5

    def left(samples: np.ndarray) -> int:
        second = np.minimum((samples / record.fs).astype(int), len(shut) - 1)
        return int((~shut[second] & (second >= LEARNING_PERIOD)).sum())

    bad, good = wrong >= 2, wrong == 0
    by_noise = bad if bad_before is None else bad & ~bad_before
    windows = [bad.sum(), (closed & bad).sum(), good.sum(), (closed & good).sum()]
    beats = [left(reference), left(missed), left(extra), shut[300:].sum(), len(shut[300:])]
    return np.array([*windows, *beats, by_noise.sum(), (closed & by_noise).sum()]), bad


def read_noise(path: Path, records_dir: Path) -> tuple[str, np.ndarray, float]:
    """The name of a noise, its first lead (n,) in mV, and Hz."""
    import wfdb

    record = wfdb.rdrecord(str(path))
    signal, name = record.p_signal[:, 0], path.name
    if name.startswith("118e"):
        signal, name = np.cumsum(recorded_motion(path, records_dir / "118")[0][:, 0]), "em"
    return name, signal - signal.mean(), float(record.fs)


def with_noise(record: Record, noise: np.ndarray, noise_fs: float, snr: float) -> np.ndarray:
    """(n,) mV, the first lead of `record` with `noise` at `snr` dB in every second PERIOD from QUIET on."""
    signal = record.signal[:, 0].astype(np.float64)
    on = noisy_samples(len(signal), record.fs)
    gain = np.sqrt(qrs_power(signal, record) / noise_power(noise, noise_fs) / 10 ** (snr / 10))
    signal[on] += gain * np.resize(resample(noise, noise_fs, record.fs), int(on.sum()))
    return signal


def records_of(records_dir: Path, svdb_dir: Path | None) -> Iterator[tuple[str, Record]]:
    """The records of DS1 and of the other folder, with the names of their sets; those that cannot be read are left
    out."""
    for name in DS1:
        yield "DS1", read_wfdb(records_dir / name)
    for path in sorted(svdb_dir.glob("*.hea")) if svdb_dir else []:
        try:
            yield "svdb", read_wfdb(path.with_suffix(""))
        except UserError as error:
            print(f"left out: {error}")


def main() -> None:
    """Measure, print the table, and write the figures."""
    parser = make_parser(__doc__)
    parser.add_argument("--svdb-dir", type=Path, help="the records of the Supraventricular Arrhythmia Database")
    parser.add_argument("--noise", type=Path, nargs="+", required=True, help="records of noise: bw, ma, 118e06")
    parser.add_argument("--snr", nargs="+", type=float, default=[24.0, 18.0, 12.0, 6.0, 0.0], help="dB")
    parser.add_argument("--out", type=Path, help="JSON file with all figures")
    args = parser.parse_args()
    state = git_state()
    noises = [read_noise(path, args.records_dir) for path in args.noise]
    grid = [(noise, snr) for noise in noises for snr in args.snr]
    totals: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.zeros(11, dtype=np.int64))
    for number, (database, record) in enumerate(records_of(args.records_dir, args.svdb_dir)):
        if record.name == FLUTTER:
            continue
        counts, bad_before = measure(record, record.signal[:, 0])
        totals[database, "clean"] += counts
        chosen = grid if database == "DS1" else [grid[number % len(grid)]]
        for (name, noise, fs), snr in chosen:
            signal = with_noise(record, noise, fs, snr)
            totals[database, f"{name} {snr:g} dB"] += measure(record, signal, bad_before)[0]
    rows, entries = [], []
    for (database, kind), counts in sorted(totals.items()):
        bad, bad_shut, good, good_shut, beats, missed, extra, closed, seconds, by_noise, noise_shut = counts.tolist()
        figures = {
            "bad_windows": bad, "bad_shut_down": bad_shut, "good_windows": good, "good_shut_down": good_shut,
            "bad_by_noise": by_noise, "bad_by_noise_shut_down": noise_shut,
            "qrs_se": (beats - missed) / max(beats, 1), "qrs_p": (beats - missed) / max(beats - missed + extra, 1),
            "shut_down": closed / seconds,
        }  # fmt: skip
        entries.append({"records": database, "noise": kind, **figures})
        caught = f"{100 * bad_shut / bad:.1f} of {bad}" if bad else "none"
        shares = [good_shut / max(good, 1), figures["qrs_se"], figures["qrs_p"], figures["shut_down"]]
        by = f"{100 * noise_shut / by_noise:.1f} of {by_noise}" if by_noise and kind != "clean" else ""
        rows.append([database, kind, caught, by, *(f"{100 * share:.2f}" for share in shares)])
    head = [
        "records",
        "noise",
        "bad windows shut down",
        "bad by noise",
        "good ones",
        "Se of the rest",
        "+P",
        "time shut down",
    ]
    print(table(head, rows))
    command = "python -m benchmarks.quality --records-dir MITDB --svdb-dir SVDB --noise bw ma 118e06"
    command += f" --snr {' '.join(f'{snr:g}' for snr in args.snr)}"
    write_results(args.out, {**state, "command": command, "window_s": WINDOW, "figures": entries})


if __name__ == "__main__":
    run_program(main)
