"""Work that may kill the process that does it; it imports little, so that the next process starts soon."""

from __future__ import annotations

import os
import signal


def double(item: int | str) -> int:
    """Twice a number; "deadly" kills the process, any other text raises."""
    if item == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    if isinstance(item, str):
        raise ValueError(item)
    return 2 * item
