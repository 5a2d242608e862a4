"""Work spread over machines and processes; what fails is told, and the rest goes on.

A process works at one item at a time, so that it is known what one that dies was at.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import timedelta
from multiprocessing import connection, get_context
from typing import Any

from tqdm import tqdm

from toolbox.utils.errors import UserError
from toolbox.utils.process import progress
from toolbox.utils.signals import held_back

PATIENCE = 5.0  # s for a process to end by itself
LONGEST_WAIT = timedelta(days=14)  # of the first process to finish for the last


def run_all(
    work: Callable[[Any], Any],
    items: Mapping[str, Any],
    failed: dict[str, str],
    processes: int,
    tell: Callable[[Any], None],
) -> tuple[dict[str, Any], dict[str, str]]:
    """Call `work` with this machine's share of `items`: every one whose number is its rank, modulo the world's size.

    Args:
        items: by name.
        failed: what has failed before, and why; of all machines, the first tells.
        processes: see `spread`.
        tell: called with each result.

    Returns:
        The results, and the reasons of what failed (of all processes of a torchrun), by name. Each failure is a line
        on stderr.

    Raises:
        UserError: everything failed, on all machines, by faults of the user's; with the reason, if it is one thing.
    """
    rank, world = rank_and_world_size()
    asked = len(items) + len(failed)
    failed = dict(failed) if rank == 0 else {}
    names = list(items)[rank::world]
    faults = dict.fromkeys(failed, True)  # whether a failure is the user's
    for why in failed.values() if asked > 1 else ():
        print(f"failed: {why}", file=sys.stderr, flush=True)
    done = {}
    with contextlib.closing(spread(work, [items[name] for name in names], processes)) as results:
        for position, came in progress(results, "recordings", total=len(names)) if len(names) > 1 else results:
            name = names[position]
            if not isinstance(came, Exception):
                done[name] = came
                tell(came)
                continue
            stem = name.rpartition(".")[0] or name
            failed[name] = str(came) if stem in str(came) else f"{name}: {came}"
            faults[name] = isinstance(came, UserError)
            if asked > 1 or not faults[name]:
                with tqdm.external_write_mode():  # moves progress bars out of the way
                    print(f"failed: {failed[name]}", file=sys.stderr, flush=True)
    everyone = all_gather((all(faults.values()), failed))
    refused = {name: why for _, told in everyone for name, why in told.items()}
    if len(refused) == asked and all(users for users, _ in everyone):
        raise UserError(next(iter(failed.values())) if asked == 1 else f"all {asked} failed, see above")
    return done, refused


def spread(work: Callable[[Any], Any], items: Sequence[Any], processes: int) -> Generator[tuple[int, Any], None, None]:
    """Call `work` with each item, in `processes` processes of their own (0 and 1: in this one).

    Yields:
        (position, what came of it), in the order they get done. What came is the result, or the exception that `work`
        raised; a process that dies (out of memory, killed) gives a UserError and is replaced.
    """
    if min(processes, len(items)) < 2:
        for position, item in enumerate(items):
            yield position, _attempt(work, item)
        return
    waiting = list(enumerate(items))[::-1]
    busy: dict[Any, tuple[Any, int]] = {}  # a pipe: its process, the position it is at
    try:
        while waiting or busy:
            while waiting and len(busy) < processes:
                pipe, process = _start(work, processes)
                position, item = waiting.pop()
                pipe.send(item)
                busy[pipe] = process, position
            ready: list[Any] = connection.wait(list(busy))
            for pipe in ready:
                process, position = busy[pipe]
                try:
                    came = pipe.recv()
                except (EOFError, OSError):
                    del busy[pipe]
                    process.join()
                    yield position, UserError(f"its process died ({_how(process.exitcode)})")
                    continue
                if waiting:
                    following, item = waiting.pop()
                    pipe.send(item)
                    busy[pipe] = process, following
                else:
                    del busy[pipe]
                    pipe.close()
                yield position, came
    finally:
        _end([process for process, _ in busy.values()])


def _start(work: Callable[[Any], Any], processes: int) -> tuple[Any, Any]:
    """A process that waits for items, and the pipe to it. It is spawned: forks of a process with threads can hang."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, pickle.dumps(work)), daemon=True)
    threads = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = threads or str(max(1, (os.cpu_count() or 1) // processes))
    try:
        with held_back(signal.SIGINT):  # Ctrl-C is this process's to handle
            process.start()
    finally:
        if threads is None:
            del os.environ["OMP_NUM_THREADS"]
    there.close()
    return here, process


def _end(processes: Sequence[Any]) -> None:
    """End processes in the middle of their work, which clear away what they had begun to write."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()


def _serve(pipe: Any, pickled: bytes) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for Windows, where it could not be held back
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that `finally` is run
    work = pickle.loads(pickled)
    while True:
        try:
            item = pipe.recv()
        except (EOFError, OSError):  # no more items, or nobody is left to give any
            return
        pipe.send(_attempt(work, item))


def _attempt(work: Callable[[Any], Any], item: Any) -> Any:
    """What comes of an item; errors other than the user's are told with their traceback."""
    try:
        return work(item)
    except UserError as error:
        return error
    except Exception as error:
        return RuntimeError(f"{type(error).__name__}: {error}\n{traceback.format_exc()}")


def _how(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"signal {signal.Signals(-exitcode).name}" + (", out of memory?" if exitcode == -9 else "")
    return f"exit code {exitcode}"


def rank_and_world_size() -> tuple[int, int]:
    """Which of how many processes this is: RANK and WORLD_SIZE, (0, 1) where they are not set.

    Raises:
        UserError: they tell no such thing.
    """
    rank, world = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    if not (rank.isdigit() and world.isdigit() and int(rank) < int(world)):
        raise UserError(f"RANK is {rank!r}, WORLD_SIZE {world!r}: expected numbers, the first below the second")
    return int(rank), int(world)


def all_gather(value: Any) -> list[Any]:
    """The `value` of each process that torchrun started, by rank, once all have come here; else this one's alone.

    torchrun ends all processes when one of them fails; so none may before all are done.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ or rank_and_world_size()[1] == 1:
        return [value]
    import torch.distributed as dist

    dist.init_process_group("gloo", timeout=LONGEST_WAIT)
    try:
        values: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(values, value)
    finally:
        dist.destroy_process_group()
    return values
