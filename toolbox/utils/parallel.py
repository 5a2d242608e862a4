"""Work spread over machines and processes; a failed item is reported, and the others go on.

A process works on one item at a time, so that the item of a process that dies is known.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import timedelta
from multiprocessing import connection, get_context
from typing import Any

from tqdm import tqdm

from toolbox.utils.errors import UserError, note, printable
from toolbox.utils.process import progress, rank_and_world_size
from toolbox.utils.signals import held_back

PATIENCE = 5.0  # s for a process to end by itself
LONGEST_WAIT = timedelta(days=14)  # of the first process to finish for the last


Spread = Callable[[Callable[[Any], Any], Sequence[Any]], Generator[tuple[int, Any], None, None]]
_POOLS: list[Spread] = []  # of the blocks that this process is in


@contextlib.contextmanager
def pool(spreading: Spread) -> Iterator[None]:
    """In this block `spread` leaves the work to `spreading`, as that of a cluster."""
    _POOLS.append(spreading)
    try:
        yield
    finally:
        _POOLS.pop()


def has_pool() -> bool:
    """Check whether this process is in a block of `pool`."""
    return bool(_POOLS)


def run_all(
    work: Callable[[Any], Any],
    items: Mapping[str, Any],
    failed: dict[str, str],
    processes: int,
    report: Callable[[Any], None],
    kept: Callable[[Any], Any] = lambda result: result,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Call `work` with this machine's share of `items`: those whose number modulo the world's size is its rank.

    Args:
        items: by name.
        failed: reasons of earlier failures, by name; only the first machine reports them.
        processes: see `spread`.
        report: called with each result.
        kept: what of a result stays in memory.

    Returns:
        What is kept of the results, and the reasons of failures (of all processes of a torchrun), by name. Each failure
        is a line on stderr.

    Raises:
        UserError: everything failed, on all machines, by mistakes of the user; with the reason, if it is one item.
    """
    rank, world = rank_and_world_size()
    asked = len(items) + len(failed)
    failed = dict(failed) if rank == 0 else {}
    names = list(items)[rank::world]
    if world > 1:
        note(f"share {rank + 1} of {world}: {len(names)} of {len(items)} recordings (by RANK and WORLD_SIZE)")
    by_user = dict.fromkeys(failed, True)  # whether a failure is a mistake of the user
    for why in failed.values() if asked > 1 else ():
        print(f"failed: {printable(why)}", file=sys.stderr, flush=True)
    done = {}
    with contextlib.closing(spread(work, [items[name] for name in names], processes)) as results:
        for position, result in progress(results, "recordings", total=len(names)) if len(names) > 1 else results:
            name = names[position]
            if not isinstance(result, Exception):
                done[name] = kept(result)
                report(result)
                continue
            stem = name.rpartition(".")[0] or name
            failed[name] = str(result) if stem in str(result) else f"{name}: {result}"
            by_user[name] = isinstance(result, UserError)
            if asked > 1 or not by_user[name]:
                with tqdm.external_write_mode():  # moves progress bars out of the way
                    lines = (printable(line) for line in failed[name].split("\n"))  # our own errors have a traceback
                    print("failed:", "\n".join(lines), file=sys.stderr, flush=True)
    everyone = all_gather((all(by_user.values()), failed))
    refused = {name: why for _, reasons in everyone for name, why in reasons.items()}
    if len(refused) == asked and all(users for users, _ in everyone):
        raise UserError(next(iter(failed.values())) if asked == 1 else f"all {asked} failed, see above")
    return done, refused


def spread(work: Callable[[Any], Any], items: Sequence[Any], processes: int) -> Generator[tuple[int, Any], None, None]:
    """Call `work` with each item, in `processes` processes of their own (0 and 1: in this one); within `pool`, there.

    Yields:
        (position, result), in the order of completion. The result may be the exception that `work` raised; a process
        that dies (out of memory, killed) gives a UserError and is replaced.
    """
    if _POOLS:
        yield from _POOLS[-1](work, items)
        return
    if min(processes, len(items)) < 2:
        for position, item in enumerate(items):
            yield position, attempt(work, item)
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
                    result = pipe.recv()
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
                yield position, result
    finally:
        _end([process for process, _ in busy.values()])


def _start(work: Callable[[Any], Any], processes: int) -> tuple[Any, Any]:
    """Start a process that waits for items, and a pipe to it; spawned, as forks of a process with threads can hang."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, pickle.dumps(work)), daemon=True)
    threads = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = threads or str(max(1, (os.cpu_count() or 1) // processes))
    try:
        with held_back(signal.SIGINT):  # this process handles Ctrl-C
            process.start()
    finally:
        if threads is None:
            del os.environ["OMP_NUM_THREADS"]
    there.close()
    return here, process


def _end(processes: Sequence[Any]) -> None:
    """End processes in the middle of their work; they remove the files that they had begun to write."""
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
        except (EOFError, OSError):  # no more items, or the main process is gone
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # nothing is left to clean up: it ends without a word
            return
        pipe.send(attempt(work, item))


def attempt(work: Callable[[Any], Any], item: Any) -> Any:
    """The result of an item, or its error; unexpected errors come with their traceback."""
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


def all_gather(value: Any) -> list[Any]:
    """The `value` of each process that torchrun started, by rank, once all have called this; else this one's alone.

    torchrun ends all processes when one fails; so none may fail before all are done.
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
