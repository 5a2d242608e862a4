"""Train small runs in this process, or in those that torchrun starts, and keep the loss of each step.

python job.py losses OUT ROOT      each of CASES; OUT gets an array for each
python job.py killed ROOT          the run of COMMON and KILLED; the last process kills itself once, in epoch 2
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch

import commander
from toolbox.training.distributed import restarts
from toolbox.training.outputs import EpochOutputs
from toolbox.training.step import OptimizerStep
from toolbox.utils.process import rank_and_world_size

# Batches of 128 are uneven for three processes, and the last one of an epoch is smaller.
COMMON = "--dataset synthetic --batch-size 128 --precision fp32 --seed 3 --lr 0.001 --version bump"
CASES = {
    "normalised": "--model-name resnet1d_10 --optimizer sgd --short-run --epochs 1",
    "dropout, weighted draws": "--model-name mlp --sampler importance --ema 0.9 --epochs 1",
    "weighted classes, mixed rows": (
        "--model-name lstm_1 --class-balance effective --mixup 0.4 --augment light --accumulate 3 --clip-grad 0.5 "
        "--epochs 1"
    ),
}
KILLED = "--model-name mlp --epochs 2 --checkpoint-minutes 0.0001"
KILLED_AT = 150  # optimizer steps; an epoch has 104


def losses(out: Path, root: str) -> None:
    """Train all of CASES below `root`; the first process writes their losses to `out`."""
    steps: list[float] = []
    check = EpochOutputs.check_finite

    def kept(outputs: EpochOutputs, *args: object) -> None:
        steps.extend(torch.stack(outputs.losses).tolist())
        check(outputs, *args)  # type: ignore[arg-type]

    EpochOutputs.check_finite = kept  # type: ignore[method-assign,assignment]
    rank, size = rank_and_world_size()
    if size > 1:
        store, *_ = next(torch.distributed.rendezvous("env://", rank, size))
        store = torch.distributed.PrefixStore(f"start {restarts()}", store)  # not the addresses of dead processes
        wait = timedelta(minutes=5)
        torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=wait)
    results = {}
    try:
        for name, flags in CASES.items():
            steps.clear()
            commander.main([*f"{COMMON} {flags} --root-dir".split(), root])
            results[name] = np.array(steps)
    finally:
        EpochOutputs.check_finite = check  # type: ignore[method-assign]
    if rank == 0:
        np.savez(out, **results)  # type: ignore[arg-type]


def killed(root: str) -> None:
    """Train the run of KILLED below `root`; the last process kills itself once."""
    step, steps = OptimizerStep.step, 0

    def deadly(stepper: OptimizerStep) -> None:
        nonlocal steps
        steps += 1
        if steps == KILLED_AT:
            os.kill(os.getpid(), signal.SIGKILL)
        step(stepper)

    rank, size = rank_and_world_size()
    if rank == size - 1 and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        OptimizerStep.step = deadly  # type: ignore[method-assign]
    commander.main([*f"{COMMON} {KILLED} --root-dir".split(), root])


if __name__ == "__main__":
    if sys.argv[1] == "losses":
        losses(Path(sys.argv[2]), sys.argv[3])
    else:
        killed(sys.argv[2])
