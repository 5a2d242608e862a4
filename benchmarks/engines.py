"""Beats per second of torch, and of onnxruntime in floats and in 8 bits, side by side on one core.

python -m benchmarks.engines RUN     (the folder of a run with an export)

Seconds are those that the process had the core for, so that other work on the machine does not count.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.common import make_parser, run_program, table
from inference import load_classifier
from toolbox.export.onnx_file import FOLDER, INT8, MODEL
from toolbox.runs.provenance import processor

ROUNDS = 7  # each engine in its turn; the best of them counts, as what else runs only takes time
SECONDS = 0.5  # of each turn
SIZES = 1, 1024  # rows at once


def of_run(run: Path) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """rows (n, 187) -> probabilities, by engine."""
    files = {f"onnxruntime, {name}": run / FOLDER / name for name in (MODEL, INT8)}
    return {name: load_classifier(source).probabilities for name, source in {"torch": run, **files}.items()}


def rate(classify: Callable[[np.ndarray], np.ndarray], rows: np.ndarray) -> float:
    """Rows per second, of SECONDS."""
    begun, done = time.process_time(), 0
    while (passed := time.process_time() - begun) < SECONDS or not done:
        classify(rows)
        done += len(rows)
    return done / passed


def main() -> None:
    """Measure and print a table."""
    parser = make_parser(__doc__, records=False)
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    os.environ["OMP_NUM_THREADS"] = "1"  # onnxruntime's too, see open_session
    torch.set_num_threads(1)
    engines = of_run(run)
    rng = np.random.default_rng(0)
    best: dict[tuple[str, int], float] = {}
    for size in SIZES:
        rows = rng.random((size, 187), dtype=np.float32)
        for _ in range(ROUNDS):
            for name, classify in engines.items():
                best[name, size] = max(best.get((name, size), 0.0), rate(classify, rows))
    lines = [[name, *(f"{best[name, size]:,.0f}" for size in SIZES)] for name in engines]
    head = ["beats per second", "a beat at a time", f"{SIZES[1]:,} at a time"]
    print(f"{processor()}, one thread\n\n{table(head, lines)}")


if __name__ == "__main__":
    run_program(main)
