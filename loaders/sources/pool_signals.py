"""Processes that work for another: signals are that one's to handle."""

from __future__ import annotations

import ctypes
import signal
import sys

ENDING = (signal.SIGINT, signal.SIGTERM)


def leave_signals(_: int = 0) -> None:
    """Leave Ctrl-C and SIGTERM, which come to the whole group, to the main process: it saves or clears away first.

    If it is killed, so is this one, which would wait for it for ever.
    """
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # prctl(2): 1 is PR_SET_PDEATHSIG
