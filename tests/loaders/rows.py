"""Rows of known labels for the tests of loaders."""

from __future__ import annotations

import numpy as np

from loaders.beats.table import Beats
from loaders.sources.kaggle_csv import as_beats
from toolbox.utils.aami import KAGGLE_ROW


def rows(labels: list[int] | np.ndarray, seed: int = 0) -> Beats:
    """Rows of known labels whose first sample tells their number, of unknown origin."""
    y = np.asarray(labels, dtype=np.int64)
    x = np.random.default_rng(seed).random((len(y), KAGGLE_ROW)).astype(np.float32)
    x[:, 0] = np.arange(len(y))
    return as_beats(x, y)
