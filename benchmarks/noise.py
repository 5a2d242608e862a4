"""Measure how annotations degrade with electrode-motion noise, by the noise stress test (WFDB's nst).

python -m benchmarks.noise --records-dir DIR [--em PATH/118e06] [--records 118 119] [--snr 24 18 12 6 0]
    [--out results/noise.json] and the flags that name a run to --predict: --root-dir R --model-name M --version N, or
    --model-file FILE

With --em the noise is the one recorded as em, of the MIT-BIH Noise Stress Test Database: what its record 118e06 holds
more than record 118. Beside it, and alone without --em, noise is made here after what nst(1) of the WFDB Applications
Guide says of em: intermittent forces on the electrodes, which can mimic beats, with baseline wander and muscle noise.
Amounts (SNR) and protocol (five minutes without noise, then two with it and two without in turn) are those of nst(1),
after Moody GB, Muldrow WK, Mark RG, "A noise stress test for arrhythmia detectors", Computers in Cardiology 11:381-384
(1984).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import make_parser, run_program, table, write_results
from benchmarks.raw_signal import HEADER, annotate_and_score, percent
from loaders.io.wfdb_record import Record, read_wfdb, write_wfdb
from loaders.sources.synthetic import FS, band_noise
from toolbox.runs.provenance import git_state
from toolbox.utils import read_json

MEASURED = 300  # QRS complexes, and seconds of noise, that amounts are measured over
TRIMMED = 0.05  # of the measurements, at each end
QUIET, PERIOD = 300.0, 120.0  # s without noise at first; s with it, and without, from then on
SNR_118E06 = 6.0  # dB, as its name says
FORCES = 1.2  # a second, while the subject moves


def electrode_motion(n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, 2) noise of two leads at 360 Hz, in no unit: potentials that jump when an electrode is pushed and come back,
    in bouts of movement; under them baseline wander and muscle noise. The leads share the forces, not their sizes."""
    moving = np.exp(0.9 * band_noise(rng, n, 0.01, 0.1))  # bouts of some 20 s
    forces = np.flatnonzero(rng.random(n) < FORCES / FS * np.minimum(moving, 3))
    noise = np.zeros((n, 2))
    reach = round(3 * FS)
    seconds = np.arange(reach) / FS
    padded = np.zeros((n + reach, 2))
    for at in forces.tolist():
        rise, fall = np.exp(rng.uniform(np.log([0.01, 0.04]), np.log([0.1, 0.6])))  # s: a push, and its end
        wave = np.exp(-seconds / fall) - np.exp(-seconds / rise)
        wave = wave / np.abs(wave).max() if fall > rise else -wave / np.abs(wave).max()
        if rng.random() < 0.4:  # the electrode swings back
            wave = np.gradient(wave)
            wave = wave / np.abs(wave).max()
        padded[at : at + reach] += wave[:, None] * (rng.laplace(0, 1, 2) * moving[at])
    noise += padded[:n]
    for lead in range(2):
        noise[:, lead] += 0.5 * band_noise(rng, n, 0.05, 0.7) + 0.1 * moving * band_noise(rng, n, 15, 120)
    return noise


def qrs_power(signal: np.ndarray, record: Record) -> float:
    """The power of a lead's (n,) signal as nst defines it: of its first 300 normal beats the range within 50 ms of the
    R peak, trimmed mean, squared, by 8 (as of a sine)."""
    reach = round(0.05 * record.fs)
    normal = record.sample[np.isin(record.symbol, list("NLR"))]
    normal = normal[(normal >= reach) & (normal + reach < len(signal))][:MEASURED]
    return trimmed_mean(np.ptp(signal[normal[:, None] + np.arange(-reach, reach + 1)], axis=1)) ** 2 / 8


def noise_power(noise: np.ndarray, fs: float) -> float:
    """The power of (n,) noise as nst defines it: deviation within each of its first 300 s, trimmed mean, squared."""
    size = round(fs)
    chunks = noise[: len(noise) // size * size].reshape(-1, size)[:MEASURED]
    return trimmed_mean(chunks.std(axis=1)) ** 2


def trimmed_mean(values: np.ndarray) -> float:
    """Without the largest and the smallest 5 %."""
    cut = int(TRIMMED * len(values))
    return float(np.sort(values)[cut : len(values) - cut].mean())


def noisy_samples(n: int, fs: float, quiet: float = QUIET, period: float = PERIOD) -> np.ndarray:
    """(n,) the samples at `fs` Hz that noise is added to: every second `period` from `quiet` s on."""
    since = np.arange(n) / fs - quiet
    return (since >= 0) & (since % (2 * period) < period)


def recorded_motion(path: Path, clean: Path) -> tuple[np.ndarray, float]:
    """(n, 2) mV by which em, electrode motion, moves with each sample, and Hz: what record 118e06 at `path` holds more
    than record 118 at `clean`, in its noisy minutes."""
    import wfdb

    record = wfdb.rdrecord(str(path))
    more = record.p_signal - wfdb.rdrecord(str(clean)).p_signal
    steps = np.diff(more, axis=0, prepend=more[:1])
    return steps[noisy_samples(len(more), record.fs)], float(record.fs)


def with_recorded(record: Record, motion: np.ndarray, snr: float, clean: Record) -> Record:
    """`record` (360 Hz) with `motion` (n, 2) of `recorded_motion` at `snr` dB, in the amounts of the stress test; what
    the noise has shifted stays shifted in the minutes without it.

    These are taken from 118e06, which has 6 dB by its name: to the power of QRS complexes of `clean`, record 118,
    belongs `motion` as it is. By `noise_power`, over the em that 118e06 shows, its first lead has 0.1 dB and its second
    6.4.
    """
    signal = record.signal.astype(np.float64)
    on = noisy_samples(len(signal), record.fs)
    for lead in range(signal.shape[1]):
        of_118 = qrs_power(clean.signal[:, lead % 2].astype(np.float64), clean)
        gain = np.sqrt(qrs_power(signal[:, lead], record) / of_118 * 10 ** ((SNR_118E06 - snr) / 10))
        steps = np.zeros(len(signal))
        steps[on] = gain * np.resize(motion[:, lead % 2], int(on.sum()))
        signal[:, lead] += np.cumsum(steps)
    return digitized(record, signal)


def noisy(record: Record, snr: float, rng: np.random.Generator, quiet: float = QUIET, period: float = PERIOD) -> Record:
    """`record` (360 Hz) with electrode-motion noise at `snr` dB in every second `period` from `quiet` s on.

    Where noise starts or ends, levels do not jump: what the noise has shifted stays shifted.
    """
    signal = record.signal.astype(np.float64)
    noise = electrode_motion(len(signal), rng)
    on = noisy_samples(len(signal), record.fs, quiet, period)
    for lead in range(signal.shape[1]):
        power = noise_power(noise[:, lead % 2], record.fs)
        gain = np.sqrt(qrs_power(signal[:, lead], record) / power / 10 ** (snr / 10))
        signal[:, lead] += np.cumsum(np.where(on, gain * np.diff(noise[:, lead % 2], prepend=0), 0))
    return digitized(record, signal)


def digitized(record: Record, signal: np.ndarray) -> Record:
    """`record` with another `signal` (n, leads) in mV."""
    digital = np.clip(np.rint(signal * record.gain + record.baseline), -32767, 32767).astype(np.int64)  # format 16
    return Record(
        record.name, record.patient, record.fs, record.leads, digital, record.gain, record.baseline,
        record.sample, record.symbol,
    )  # fmt: skip


def main() -> None:
    """Measure, print the table, and write all figures."""
    parser = make_parser(__doc__)
    parser.add_argument("--em", type=Path, help="record 118e06 of the Noise Stress Test Database, without extension")
    parser.add_argument("--records", nargs="+", default=["118", "119"])
    parser.add_argument("--snr", nargs="+", type=float, default=[24.0, 18.0, 12.0, 6.0, 0.0], help="dB")
    parser.add_argument("--seed", type=int, default=0, help="of the made noise, which is the same at every SNR")
    parser.add_argument("--out", type=Path, help="JSON file with all figures")
    args, model = parser.parse_known_args()
    git, rows, entries = git_state(), [], []
    motion = recorded_motion(args.em, args.records_dir / "118")[0] if args.em else None
    of_118 = read_wfdb(args.records_dir / "118")
    kinds = ["made"] if motion is None else ["made", "recorded"]
    for name in args.records:
        clean = read_wfdb(args.records_dir / name)
        cases = [("none", float("inf")), *((kind, snr) for kind in kinds for snr in args.snr)]
        for kind, snr in cases:
            if kind == "recorded" and motion is not None:
                record = with_recorded(clean, motion, snr, of_118)
            else:
                record = noisy(clean, snr, np.random.default_rng(args.seed))
            entry = {"record": name, "noise": kind, "snr": None if np.isinf(snr) else snr, **scored(record, model)}
            entries.append(entry)
            shown = "no noise" if np.isinf(snr) else f"{kind}, {snr:g} dB"
            rows.append([f"{name}, {shown}", *percent(entry["scores"]), f"{100 * entry['usable']:.1f}"])
    print(f"{entries[0]['model']}; per cent, EC57 gross (escape beats are S), made noise of seed {args.seed}\n")
    print(table([*HEADER, "usable"], rows))
    command = "python -m benchmarks.noise --records-dir MITDB --model-file CHECKPOINT" + " --em 118e06" * bool(args.em)
    write_results(args.out, {"command": command, "git": git, "seed": args.seed, "entries": entries})


def scored(record: Record, model: list[str]) -> dict[str, Any]:
    """EC57's gross figures of `record`, annotated with a network that the flags `model` name, and "usable", the share
    of it that was judged."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_wfdb(record, place)
        result: dict[str, Any] = annotate_and_score([place / record.name], model, [], place / "out")
        usable = annotated_share(place / "out" / f"{record.name}.ecg.json")
    return {**result["gross"], "usable": usable, "model": result["model"]}


def annotated_share(summary: Path) -> float:
    """How much of a recording --predict could judge."""
    return read_json(summary)["signal_quality"]["usable"]


if __name__ == "__main__":
    run_program(main)
