"""What TensorBoard's event files hold already, so that a run that is gone on with leaves no gaps and no doubles."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GRAPH = ("graph", 0)


def records(path: Path) -> Iterator[bytes]:
    """The records of an event file up to the first that is not whole: a process that is killed leaves one.

    Each is its length (uint64), a CRC of that, the bytes, a CRC of those (TFRecord). The CRCs are not checked: in
    Python that takes seconds for what is read here in milliseconds, and whoever looks at the curves checks them.
    """
    content, at = path.read_bytes(), 0
    while at + 12 <= len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        if at + 16 + length > len(content):
            return
        yield content[at + 12 : at + 12 + length]
        at += 16 + length


def wait_for_a_name(folder: Path) -> None:
    """Wait until a new event file's name, which begins with the second, stands behind those there are.

    TensorBoard reads files in the order of their names. A clock that was put back is not waited for.
    """
    seconds = [path.name.split(".")[3] for path in folder.glob("events.out.tfevents.*")]
    latest = max((int(second) for second in seconds if second.isdecimal()), default=0)
    if 0 <= (left := latest + 1 - time.time()) <= 1:
        time.sleep(left)


def written(folder: Path) -> dict[tuple[str, int], float | None]:
    """(tag, step) of all that TensorBoard would show of `folder`, with the value where it is a number.

    Files are read in the order of their names, as TensorBoard does; a start hides all of its step and later steps that
    came before it. GRAPH stands for the network.
    """
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog

    found: dict[tuple[str, int], float | None] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for record in records(path):
            event: Any = Event()
            try:
                event.ParseFromString(record)
            except Exception:  # damaged: what follows cannot be trusted either
                break
            kind = event.WhichOneof("what")
            if kind == "session_log" and event.session_log.status == SessionLog.START:
                found = {key: value for key, value in found.items() if key == GRAPH or key[1] < event.step}
            elif kind == "graph_def":
                found[GRAPH] = None
            elif kind == "summary":
                for value in event.summary.value:
                    number = value.simple_value if value.WhichOneof("value") == "simple_value" else None
                    found[value.tag, event.step] = number
    return found
