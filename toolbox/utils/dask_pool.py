"""Work on a Dask cluster: an item at a time per worker, sent again when its worker dies.

A worker that dies (killed, out of memory, its machine gone) takes no item along: the scheduler gives its items to
others, `distributed.scheduler.allowed-failures` times (3 unless configured). Items that only waited at a worker are
counted as those that killed it; so each item that was given up gets one more chance with nothing beside it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import secrets
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError
from itertools import islice
from pathlib import Path
from typing import Any, Self

import dask
from distributed import Client, LocalCluster, Worker, WorkerPlugin, as_completed
from distributed.scheduler import KilledWorker

from toolbox.utils.errors import UserError, note
from toolbox.utils.parallel import attempt
from toolbox.utils.program import project_version

CONNECTING = 10  # s for a scheduler to answer
AHEAD = 2  # items that wait at the scheduler, for each that is worked on
FEWEST_AHEAD = 16  # so that a cluster that grows with its queue does grow
JOBS: dict[str, Callable[[Any], Any]] = {}  # of this worker, by name
ONE_AT_A_TIME = threading.Lock()  # in a worker of several threads, too: memory holds one item


class DaskPool:
    """A context with a connection to a Dask cluster.

    Args:
        address: of a scheduler, or its file.
        processes: how many to start on this machine instead; 0 for none.

    Raises:
        UserError: no scheduler answers.
    """

    def __init__(self, address: str, processes: int = 0) -> None:
        self.address = address
        self.processes = processes
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters of it, the results say
        with contextlib.ExitStack() as stack:
            self.client = self._connect(stack)
            self._stack = stack.pop_all()
        workers = len(self.client.scheduler_info(n_workers=-1)["workers"])
        here = f"{workers} worker{'s' * (workers > 1)}" if workers else "no worker yet; the work waits for the first"
        note(f"--cluster {self.address}: {here}")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _connect(self, stack: contextlib.ExitStack) -> Client:
        if self.processes:
            stack.enter_context(dask.config.set({"distributed.scheduler.worker-saturation": 1.0}))
            cluster = LocalCluster(
                n_workers=self.processes, threads_per_worker=1, dashboard_address=None, host="127.0.0.1",
                silence_logs=logging.CRITICAL,
            )  # fmt: skip
            return stack.enter_context(Client(stack.enter_context(cluster)))
        file = self.address if self.address.endswith(".json") else None
        if file and not Path(file).is_file():
            raise UserError(f"--cluster {file}: no such file; dask scheduler --scheduler-file {file} writes it")
        try:
            where = {"scheduler_file": file} if file else {"address": self.address}
            return stack.enter_context(Client(**where, timeout=CONNECTING))
        except (OSError, ValueError, KeyError) as error:
            raise UserError(
                f"--cluster {self.address}: no Dask scheduler answers there; start one by: dask scheduler, and its "
                "workers by: dask worker ADDRESS --nthreads 1"
            ) from error

    def spread(self, work: Callable[[Any], Any], items: Sequence[Any]) -> Generator[tuple[int, Any], None, None]:
        """See `parallel.spread`."""
        name = f"job-{os.getpid()}-{secrets.token_hex(4)}"
        answers = self.client.register_plugin(Job(name, pickle.dumps(work)), name=name)
        refused = [one for one in answers.values() if one.get("status") == "error"]
        try:
            if refused:
                raise UserError(f"--cluster {self.address}: {pickle.loads(refused[0]['exception'])}")
            yield from self._results(name, items)
        except CancelledError as error:
            raise UserError(f"--cluster {self.address}: the scheduler is gone; the same command goes on") from error
        finally:
            with contextlib.suppress(Exception):  # the scheduler may be gone
                self.client.unregister_worker_plugin(name)

    def _results(self, job: str, items: Sequence[Any]) -> Generator[tuple[int, Any], None, None]:
        """The results in the order of completion. Few items are at the scheduler at a time, however many there are."""
        waiting, given_up = iter(range(len(items))), list[int]()
        running = as_completed()
        positions: dict[str, int] = {}  # of what is at the scheduler, by key

        def submit(count: int) -> None:
            for position in islice(waiting, count):
                future = self.client.submit(_run_item, job, items[position], key=f"{job}-{position}", pure=False)
                positions[str(future.key)] = position
                running.add(future)

        submit(1)
        submit(self._room() - 1)
        for future in running:
            position = positions.pop(str(future.key))
            try:
                result = future.result()
            except KilledWorker:
                given_up.append(position)
            else:
                yield position, result
            future.release()
            submit(max(self._room() - len(positions), 0))
        for position in given_up:
            yield position, self._alone(job, items[position], f"{job}-{position}-alone")

    def _room(self) -> int:
        """How many items may be at the scheduler now."""
        threads = sum(self.client.nthreads().values())
        return max((1 + AHEAD) * threads, FEWEST_AHEAD)

    def _alone(self, job: str, item: Any, key: str) -> Any:
        """The result of an item while nothing else is at the scheduler; UserError where it kills workers again."""
        try:
            return self.client.submit(_run_item, job, item, key=key, pure=False).result()
        except KilledWorker as error:
            times = error.allowed_failures + 1
            return UserError(f"its worker died {times} times, and {times} times more alone (out of memory?)")


class Job(WorkerPlugin):
    """Brings the work to each worker of a cluster, also to those that join later or are started again.

    Args:
        name: of the job.
        work: pickled; called with each item.
    """

    def __init__(self, name: str, work: bytes) -> None:
        self.name = name
        self.work = work
        self.version = project_version()

    def setup(self, worker: Worker) -> None:
        """Unpack the work; UserError where the worker runs another version of the program."""
        if project_version() != self.version:
            raise UserError(f"worker {worker.address} has version {project_version()}, this program {self.version}")
        JOBS[self.name] = pickle.loads(self.work)

    def teardown(self, worker: Worker) -> None:
        """Forget the work."""
        JOBS.pop(self.name, None)


def _run_item(job: str, item: Any) -> Any:
    with ONE_AT_A_TIME:
        return attempt(JOBS[job], item)
