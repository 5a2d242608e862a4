"""Compare measures of heart-rate variability with neurokit2's, with the truth, and by a network's and reference beats.

pip install neurokit2==0.3.0
python -m benchmarks.hrv --neurokit tests/toolbox/metrics/hrv_neurokit2.json
    on an hour of clean intervals; writes neurokit2's values for the tests. It takes a quadratic spline and integrates
    by trapezoids, so that its powers differ by up to 2 %.
python -m benchmarks.hrv --records-dir RECORDS --annotated FOLDER --out results/hrv.json
    on waves of 40 ms, of which some beats are left out; and RMSSD of records by their reference beats (NAME.atr) and
    by a network's in FOLDER (NAME.ecg and its table, of --predict), with the rule that leaves out intervals unlike
    those around them, and without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import wfdb

from benchmarks.common import make_parser, run_program, table, write_results
from toolbox.metrics.hrv import DEVIATION, ENOUGH, GRID, WINDOW, Measures, hrv, measure, normal_intervals
from toolbox.runs.provenance import git_state
from toolbox.utils import UserError
from toolbox.utils.program import missing_package

BEATS = list("NLRejaAJSVEFQ/fn")  # symbols of beats
WAVES, LEFT_OUT = (0.1, 0.25), (0.0, 0.02, 0.05, 0.1)  # Hz; shares of the beats
MEASURES = {"mean_nn_ms": "MeanNN", "sdnn_ms": "SDNN", "rmssd_ms": "RMSSD", "pnn50": "pNN50", "sdann_ms": "SDANN5",
            "sdnn_index_ms": "SDNNI5"}  # fmt: skip


def intervals(minutes: float) -> np.ndarray:
    """(n,) whole ms: about 850, with waves of 0.1 and 0.25 Hz (LF and HF), a slow one, and jitter."""
    beat = np.arange(int(minutes * 60 / 0.85))
    waves = sum(
        height * np.sin(2 * np.pi * frequency * 0.85 * beat + height)
        for height, frequency in ((40, 0.1), (25, 0.25), (60, 1 / 1900))
    )
    return np.round(850 + waves + 8 * np.sin(12.9898 * beat**1.01))


def ours(nn: np.ndarray) -> Measures:
    """The measures of beats that are these (n,) ms apart, the first at 0 s."""
    times = np.append(0, np.cumsum(nn)) / 1e3
    normal = np.ones(len(times), dtype=bool)
    return hrv(times, normal, normal)


def neurokit(nn: np.ndarray) -> dict[str, float]:
    """The same by neurokit2; powers are the mean of the windows of 5 minutes that count."""
    try:
        import neurokit2
    except ModuleNotFoundError as error:
        raise UserError(missing_package(error) or str(error)) from error
    at = np.cumsum(nn) / 1e3
    values = neurokit2.hrv_time({"RRI": nn, "RRI_Time": at}).iloc[0]
    measures = {ours: float(values[f"HRV_{name}"]) for ours, name in MEASURES.items()}
    parts = [at // WINDOW == k for k in range(int(at[-1] // WINDOW) + 1)]
    powers = [
        neurokit2.hrv_frequency(
            {"RRI": nn[part], "RRI_Time": at[part]}, normalize=False, interpolation_rate=int(GRID), silent=True
        ).iloc[0]
        for part in parts
        if nn[part].sum() >= ENOUGH * WINDOW * 1e3
    ]
    lf, hf = (float(np.mean([power[f"HRV_{band}"] for power in powers])) for band in ("LF", "HF"))
    return {**measures, "pnn50": measures["pnn50"] / 100, "lf_ms2": lf, "hf_ms2": hf}


def compare_with_neurokit(path: Path) -> None:
    """Print both libraries' measures of an hour, and write neurokit2's."""
    nn = intervals(62)
    theirs, own = neurokit(nn), ours(nn)
    rows = [[name, f"{value:.6g}", f"{own[name]:.6g}"] for name, value in theirs.items()]
    print(table(["measure", "neurokit2", "ours"], rows))
    write_results(path, theirs)


def waves() -> list[dict[str, Any]]:
    """The power of waves of 40 ms, which is 800 ms^2, and in the other band, by the share of beats left out."""
    results = []
    generator = np.random.default_rng(0)
    for hertz in WAVES:
        times = [0.0]
        while times[-1] < 3600:
            slow = 0.03 * np.sin(2 * np.pi * times[-1] / 120)
            times.append(times[-1] + 0.85 + 0.04 * np.sin(2 * np.pi * hertz * times[-1]) + slow)
        for share in LEFT_OUT:
            normal = generator.random(len(times)) >= share
            measures = hrv(np.array(times), normal, np.ones(len(times), dtype=bool))
            powers = {name: measures[name] for name in ("lf_ms2", "hf_ms2")}
            results.append({"hertz": hertz, "left_out": share, **powers})
    return results


def rmssd(times: np.ndarray, is_normal: np.ndarray, joined: np.ndarray, deviation: float) -> float:
    """RMSSD in ms, of intervals that differ by at most `deviation` from those around them; NaN where there is none."""
    return measure(normal_intervals(times, is_normal, joined, deviation))["rmssd_ms"] or np.nan


def differences(records: Path, annotated: Path) -> dict[str, float]:
    """Medians over the records of |a / b - 1| of RMSSD: by a network's beats and by reference beats, with the rule and
    without it; and by reference beats with the rule and without it."""
    values = []
    for file in sorted(annotated.glob("*.ecg")):
        own, reference = pd.read_csv(f"{file}.csv", comment="#"), wfdb.rdann(str(records / file.stem), "atr")
        is_beat = np.isin(reference.symbol, BEATS)
        times = reference.sample[is_beat] / wfdb.rdheader(str(records / file.stem)).fs
        normal = np.isin(np.array(reference.symbol)[is_beat], list("NLRej"))
        beats = {
            "network": (own["time_s"].to_numpy(), (own["class"] == "N").to_numpy(), own["rr_s"].notna().to_numpy()),
            "reference": (times, normal, np.ones(len(times), dtype=bool)),
        }
        values.append([rmssd(*each, deviation) for each in beats.values() for deviation in (DEVIATION, np.inf)])
    network, network_all, reference_, reference_all = np.array(values).T
    pairs = {"network_by_reference": (network, reference_), "without_rule": (network_all, reference_all),
             "reference_by_rule": (reference_, reference_all)}  # fmt: skip
    return {"records": len(values), **{name: float(np.nanmedian(abs(a / b - 1))) for name, (a, b) in pairs.items()}}


def main() -> None:
    """Compare, print and write."""
    parser = make_parser(__doc__)
    parser.add_argument("--neurokit", type=Path, help="compare with neurokit2, and write its values to this JSON file")
    parser.add_argument("--annotated", type=Path, help="folder of --predict's files")
    parser.add_argument("--out", type=Path, help="JSON file of results")
    args = parser.parse_args()
    if args.neurokit:
        compare_with_neurokit(args.neurokit)
        return
    powers = waves()
    results: dict[str, Any] = {**git_state(), "waves": powers}
    print(table(list(powers[0]), [[f"{value:.4g}" for value in row.values()] for row in powers]))
    if args.annotated:
        results["rmssd"] = differences(args.records_dir, args.annotated)
        print(results["rmssd"])
    write_results(args.out, results)


if __name__ == "__main__":
    run_program(main)
