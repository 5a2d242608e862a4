"""The Dask cluster that --cluster names: its address, and a block in which work is spread over it."""

from __future__ import annotations

import contextlib
import re
from argparse import ArgumentTypeError
from collections.abc import Iterator

from toolbox.utils.errors import UserError
from toolbox.utils.parallel import pool
from toolbox.utils.process import rank_and_world_size
from toolbox.utils.program import missing_package

LOCAL = re.compile(r"local:([1-9]\d{0,3})")
ADDRESS = re.compile(r"(tcp|tls|ucx|ws|wss)://[^\s/]+")


def cluster_address(text: str) -> str:
    """An argparse type: the address of a Dask scheduler."""
    if LOCAL.fullmatch(text) or ADDRESS.fullmatch(text) or text.endswith(".json"):
        return text
    raise ArgumentTypeError(
        f"{text!r}: expected tcp://HOST:PORT of a Dask scheduler, its file SCHEDULER.json, or local:N for N processes"
    )


@contextlib.contextmanager
def working_on(address: str | None) -> Iterator[None]:
    """In this block, `parallel.spread` and all that uses it work on the Dask cluster at `address`; None: as without.

    Args:
        address: "tcp://HOST:PORT" of a scheduler, the path of its file (.json), or "local:N" for N processes here.

    Raises:
        UserError: no scheduler answers there, the package distributed is missing, or this is one of several processes.
    """
    if address is None:
        yield
        return
    if rank_and_world_size()[1] > 1:
        raise UserError("--cluster shares the work out by itself; start one process (unset RANK WORLD_SIZE)")
    try:
        from toolbox.utils.dask_pool import DaskPool
    except ModuleNotFoundError as error:
        raise UserError(f"--cluster: {missing_package(error)}") from error
    local = LOCAL.fullmatch(address)
    with DaskPool(address, int(local[1]) if local else 0) as cluster, pool(cluster.spread):
        yield
