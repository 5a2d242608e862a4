"""Train several small runs in this process, or in those that torchrun starts: python job.py OUT ROOT; keeps the losses.

OUT gets, by the first process, one array for each case of CASES: the loss of each step.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch

import commander
from toolbox.training.outputs import EpochOutputs
from toolbox.utils.process import rank_and_world_size

# Batches of 128 are uneven for three processes, and the last one of an epoch is smaller.
COMMON = "--dataset synthetic --epochs 1 --batch-size 128 --precision fp32 --seed 3 --lr 0.001"
CASES = {
    "normalised": "--model-name resnet1d_10 --optimizer sgd --short-run",
    "dropout, weighted draws": "--model-name mlp --sampler importance --ema 0.9",
    "weighted classes, mixed rows": (
        "--model-name lstm_1 --class-balance effective --mixup 0.4 --augment light --accumulate 3 --clip-grad 0.5"
    ),
}


def main() -> None:
    """Train all cases."""
    out, root = Path(sys.argv[1]), sys.argv[2]
    losses: list[float] = []
    check = EpochOutputs.check_finite

    def kept(outputs: EpochOutputs, *args: object) -> None:
        losses.extend(torch.stack(outputs.losses).tolist())
        check(outputs, *args)  # type: ignore[arg-type]

    EpochOutputs.check_finite = kept  # type: ignore[method-assign,assignment]
    rank, size = rank_and_world_size()
    if size > 1:
        torch.distributed.init_process_group("gloo", timeout=timedelta(minutes=3))
    results = {}
    for name, flags in CASES.items():
        losses.clear()
        commander.main([*f"{COMMON} {flags} --root-dir".split(), root])
        results[name] = np.array(losses)
    if rank == 0:
        np.savez(out, **results)


if __name__ == "__main__":
    main()
