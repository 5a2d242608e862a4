"""Measures of heart-rate variability by neurokit2, on intervals of an hour, for the tests to compare ours with.

pip install neurokit2==0.3.0
python -m benchmarks.hrv [--out tests/toolbox/metrics/hrv_neurokit2.json]

Beside them the program prints ours. neurokit2 takes a quadratic spline and integrates by trapezoids, so that its
powers differ by up to 2 %.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.common import make_parser, run_program, table, write_results
from toolbox.metrics.hrv import ENOUGH, GRID, WINDOW, Measures, hrv
from toolbox.utils import UserError
from toolbox.utils.program import missing_package

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


def main() -> None:
    """Compare, print and write."""
    parser = make_parser(__doc__, records=False)
    parser.add_argument("--out", type=Path, default=None, help="JSON file of neurokit2's values")
    args = parser.parse_args()
    nn = intervals(62)
    theirs, own = neurokit(nn), ours(nn)
    rows = [[name, f"{value:.6g}", f"{own[name]:.6g}"] for name, value in theirs.items()]
    print(table(["measure", "neurokit2", "ours"], rows))
    write_results(args.out, theirs)


if __name__ == "__main__":
    run_program(main)
