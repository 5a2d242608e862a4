"""Classifiers that import little, so that workers start soon: one by a rule, one that kills its process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np

from toolbox.utils.aami import CLASS_NAMES


class Rule:
    """Names beats by how broad their rows begin."""

    class_names = CLASS_NAMES
    name = "rule"
    input_spec = None
    dataset = "ecg"

    def __init__(self, version: str = "1") -> None:
        self.version = version

    def probabilities(self, rows: np.ndarray, features: np.ndarray | None = None) -> np.ndarray:
        """(n, 5): more ventricular the broader."""
        broad = (rows[:, :20] > 0.5).mean(axis=1)
        scores = np.stack([np.full(len(rows), 0.45), 0.2 * broad, broad, 0.1 * broad, 0.1 * broad], axis=1)
        return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)

    def fingerprint(self) -> str:
        """Its version."""
        return self.version


class Mortal(Rule):
    """Kills its process with the first beats that it sees; a process that works after it lives.

    Args:
        mark: a file that is made by the one that dies.
    """

    def __init__(self, mark: Path) -> None:
        super().__init__()
        self.mark = str(mark)

    def probabilities(self, rows: np.ndarray, features: np.ndarray | None = None) -> np.ndarray:
        """See `Rule`."""
        try:
            os.close(os.open(self.mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return super().probabilities(rows, features)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError
