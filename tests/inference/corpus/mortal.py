"""What kills the process that works on it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np

from tests.made import Rule


class Mortal(Rule):
    """Kills its process with the first beats that it sees; a process that works after it lives.

    Args:
        mark: a file that is made by the one that dies.
    """

    def __init__(self, mark: Path) -> None:
        super().__init__()
        self.mark = str(mark)

    def probabilities(self, *rows: Any) -> np.ndarray:
        """See `Rule`."""
        try:
            os.close(os.open(self.mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return super().probabilities(*rows)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def double(item: int | str) -> int:
    """Twice a number; "deadly" kills the process, "wrong" raises."""
    if item == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    if isinstance(item, str):
        raise ValueError(item)
    return 2 * item
