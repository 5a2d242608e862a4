"""Read a recording to annotate, for tests of each format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat
from toolbox.utils import UserError


def read(path: Path, lead: int = 0, size: int = 1000, csv: CsvFormat | None = None) -> np.ndarray:
    """All of a lead, read in blocks of `size`."""
    recording = open_recording(path, csv or CsvFormat())
    blocks = list(recording.stream(lead, size))
    assert all(block.dtype == np.float32 and len(block) <= max(size, 1) + 1000 for block in blocks)
    return np.concatenate(blocks)


def refused(path: Path, csv: CsvFormat | None = None, lead: int = 0) -> str:
    """Why a recording cannot be read: one line."""
    with pytest.raises(UserError) as error:
        read(path, lead, csv=csv)
    assert "\n" not in str(error.value)
    return str(error.value)
