"""Rows that memory may not hold: read through maps of files, joined and gathered into files without a name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

SHARE = 0.25  # of the memory: larger arrays stay in their files
GROUP = Path("/sys/fs/cgroup/memory.max")  # bytes that a container may take, or "max" (cgroups(7))
ROWS = 1 << 14  # that are copied at once


def memory_bytes() -> int:
    """The memory of this machine, or of this container; where it cannot be known, a number that nothing exceeds."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 1 << 62
    try:
        return min(whole, int(GROUP.read_text()))
    except (OSError, ValueError):
        return whole


def is_large(size: int) -> bool:
    """Check whether so many bytes are to stay in their file."""
    return size > SHARE * memory_bytes()


def map_mode(file: Path) -> Literal["r", "c"]:
    """The mode to map a .npy file in: "c", pages that are copied when written to, as torch likes; "r" for a large one,
    as the system sets memory aside for each page that may be written to, and refuses more than there is."""
    return "r" if is_large(file.stat().st_size) else "c"


def join_rows(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Several arrays as one, in order; large ones in a file beside the first one's, gone with the process."""
    if len(parts) == 1:
        return parts[0]
    if not is_large(sum(part.nbytes for part in parts)):
        return np.concatenate(parts)
    joined = _file_of(parts[0], (sum(map(len, parts)), *parts[0].shape[1:]))
    start = 0
    for part in parts:
        for first in range(0, len(part), ROWS):
            piece = part[first : first + ROWS]
            joined[start : start + len(piece)] = piece
            start += len(piece)
    return joined


def gather_rows(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """values[rows]; of large ones in a file beside theirs, gone with the process."""
    if not is_large(len(rows) * values[:1].nbytes):
        return values[rows]
    gathered = _file_of(values, (len(rows), *values.shape[1:]))
    for first in range(0, len(rows), ROWS):
        gathered[first : first + ROWS] = values[rows[first : first + ROWS]]
    return gathered


def all_finite(values: np.ndarray) -> bool:
    """Check that all values are finite, some rows at a time."""
    return all(np.isfinite(values[first : first + ROWS]).all() for first in range(0, len(values), ROWS))


def _file_of(like: np.ndarray, shape: tuple[int, ...]) -> np.memmap:
    """A map of a new file without a name, beside the folder of the cache that `like` is mapped from."""
    source = getattr(like, "filename", None)
    folder = Path(source).parent.parent if source else None
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, dtype=like.dtype, mode="w+", shape=shape)  # keeps the file open
