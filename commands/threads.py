"""Threads of a training on a CPU: those of --threads, those that a resumed run had, or the fastest for a few steps."""

from __future__ import annotations

import contextlib
import copy
import os
import statistics
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from commands.build import BuiltRun
from toolbox.losses import mixed_loss
from toolbox.optimizers import get_optimizer
from toolbox.options import MOST_THREADS
from toolbox.runs.folders import Run
from toolbox.training.step import WeightEMA
from toolbox.utils.seeding import generator_states, restore_generators

ROUNDS, SECONDS = 5, 1.0  # each number of threads takes that many turns; after this time three must do
STEPS = 3  # timed in each turn, after one that wakes the threads
GAIN = 1.3  # fewer threads are taken unless more save this much: other work may need them, and near ties would fall
# either way, so that the same command would not give the same bits twice


@contextlib.contextmanager
def using_threads(args: Namespace, run: Run | None = None) -> Iterator[None]:
    """In this block torch computes with the threads of --threads N, or with those that `run`, to be resumed, had;
    afterwards with as many as before, whatever was chosen within."""
    before = torch.get_num_threads()
    if args.threads != "auto":
        torch.set_num_threads(int(args.threads))
    elif run is not None and "threads" in run.config and "threads" not in args.given:
        torch.set_num_threads(min(max(run.config["threads"]["number"], 1), MOST_THREADS))
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


def choose_threads(built: BuiltRun, resumed: bool = False) -> dict[str, Any]:
    """Choose the threads of a training on a CPU that begins, by timing steps where --threads is "auto".

    They stay as they are in several processes, and where they are fixed by OMP_NUM_THREADS, for --deterministic or
    because the run is `resumed`: sums of other threads differ in their last bits.

    Returns:
        For config.json: {"number"} and, where steps were timed, {"ms_per_step": {threads: milliseconds}}; {} for other
        devices.
    """
    options, context = built.options.device, built.context
    if context.device.type != "cpu":
        return {}
    most = torch.get_num_threads()
    fixed = options.threads != "auto" or options.deterministic or "OMP_NUM_THREADS" in os.environ
    kept = resumed and "threads" not in built.args.given
    if fixed or kept or most == 1 or context.processes.size > 1:
        return {"number": most}
    step, states = bare_step(built), generator_states()
    batch = built.data.train.batch(torch.arange(min(built.options.batches.batch_size, len(built.data.train))))
    inputs, y = batch.inputs(context.device), batch.y.to(context.device)
    seconds = time_threads(lambda: step(inputs, y), thread_counts(most))
    restore_generators(states)
    number = fewest(seconds)
    torch.set_num_threads(number)
    return {"number": number, "ms_per_step": {str(count): round(1000 * each, 2) for count, each in seconds.items()}}


def bare_step(built: BuiltRun) -> Callable[[tuple[Tensor, ...], Tensor], None]:
    """A training step of a copy of the model, which leaves model and optimizer of the run alone: forward, loss,
    backward, optimizer, average. It takes the inputs of a batch and its labels."""
    context, ema = built.context, built.options.training.ema
    model, criterion = copy.deepcopy(context.model).train(), copy.deepcopy(context.criterion).train()
    optimizer, average = get_optimizer(built.args, model), WeightEMA(model, ema) if ema else None

    def step(inputs: tuple[Tensor, ...], y: Tensor) -> None:
        optimizer.zero_grad()
        with torch.autocast(context.device.type, torch.bfloat16, enabled=context.bf16):
            loss = mixed_loss(criterion, model(*inputs), y, None, 1.0)
        loss.backward()
        optimizer.step()
        if average is not None:
            average.update()

    return step


def thread_counts(most: int) -> list[int]:
    """The numbers of threads that are tried: 1, 2, 4, ... and `most`."""
    return [count for count in (1 << power for power in range(most.bit_length())) if count < most] + [most]


def time_threads(step: Callable[[], None], counts: Sequence[int]) -> dict[int, float]:
    """Seconds of `step` with each number of threads: the median of turns, which alternate, as a machine's load does."""
    times: dict[int, list[float]] = {count: [] for count in counts}
    begun = time.perf_counter()
    for number in range(ROUNDS):
        if number >= 3 and time.perf_counter() - begun > SECONDS:
            break
        for count in counts:
            torch.set_num_threads(count)
            step()
            start = time.perf_counter()
            for _ in range(STEPS):
                step()
            times[count].append((time.perf_counter() - start) / STEPS)
    return {count: statistics.median(each) for count, each in times.items()}


def fewest(seconds: dict[int, float]) -> int:
    """The smallest number of threads that is about as fast as the fastest."""
    return min(count for count, each in seconds.items() if each <= GAIN * min(seconds.values()))


def described(threads: dict[str, Any]) -> str:
    """The choice in words, as "1 of 2: a step takes 4.02 ms with 1, 34.1 ms with 2"; "" where nothing was timed."""
    times = threads.get("ms_per_step", {})
    if not times:
        return ""
    each = ", ".join(f"{ms:.3g} ms with {count}" for count, ms in times.items())
    return f"{threads['number']} of {max(map(int, times))}: a step takes {each} (--threads N sets it)"
