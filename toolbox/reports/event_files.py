"""Read back TensorBoard's event files, so that a resumed run neither skips nor repeats a step."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GRAPH = ("graph", 0)


def records(path: Path) -> Iterator[bytes]:
    """Iterate over the records of an event file, up to the first incomplete one, which a killed process leaves.

    A record is its length (uint64), a CRC of that, the bytes, a CRC of those (TFRecord). The CRCs are not checked: in
    Python that takes seconds instead of milliseconds, and TensorBoard checks them when it shows the curves.
    """
    content, at = path.read_bytes(), 0
    while at + 12 <= len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        if at + 16 + length > len(content):
            return
        yield content[at + 12 : at + 12 + length]
        at += 16 + length


def wait_for_new_name(folder: Path) -> None:
    """Wait until the name of a new event file, which begins with the second, sorts behind the existing ones.

    TensorBoard reads files in the order of their names. After a clock was set back nothing is waited for.
    """
    seconds = [path.name.split(".")[3] for path in folder.glob("events.out.tfevents.*")]
    latest = max((int(second) for second in seconds if second.isdecimal()), default=0)
    if 0 <= (left := latest + 1 - time.time()) <= 1:
        time.sleep(left)


def read_events(folder: Path) -> dict[tuple[str, int], float | None]:
    """Read {(tag, step): value} of all events that TensorBoard would show of `folder`; None for a value but a number.

    Files are read in the order of their names, as TensorBoard does; a start event hides the earlier events of its step
    and later steps. GRAPH stands for the network.
    """
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog

    events: dict[tuple[str, int], float | None] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for record in records(path):
            event: Any = Event()
            try:
                event.ParseFromString(record)
            except Exception:  # damaged; the rest of the file cannot be trusted either
                break
            kind = event.WhichOneof("what")
            if kind == "session_log" and event.session_log.status == SessionLog.START:
                events = {key: value for key, value in events.items() if key == GRAPH or key[1] < event.step}
            elif kind == "graph_def":
                events[GRAPH] = None
            elif kind == "summary":
                for value in event.summary.value:
                    number = value.simple_value if value.WhichOneof("value") == "simple_value" else None
                    events[value.tag, event.step] = number
    return events
