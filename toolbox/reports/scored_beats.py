"""The beats that a run was scored on, with their probabilities, kept so that anybody can compare and redraw."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolbox.training.outputs import EpochResult
from toolbox.utils import UserError, atomic_write

ORIGIN = ("record", "patient", "symbol")  # strings of each beat, "" where a CSV file does not name them


@dataclass(frozen=True)
class ScoredBeats:
    """Beats that a network was tested on.

    Attributes:
        ids: (n,) int64, numbers of the rows.
        labels: (n,) int64, classes by `names`.
        probabilities: (n, C) float32.
        origin: record, patient and symbol of each beat, (n,) strings; time in s where it is known.
        names: of the classes.
    """

    ids: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    origin: Mapping[str, np.ndarray]
    names: tuple[str, ...]

    @classmethod
    def of(cls, outcome: EpochResult, origin: Mapping[str, np.ndarray], names: tuple[str, ...]) -> ScoredBeats:
        """The beats of an epoch's result."""
        return cls(outcome.ids.numpy(), outcome.labels.numpy(), outcome.probabilities.numpy(), origin, names)

    @property
    def called(self) -> np.ndarray:
        """(n,) the likeliest class of each beat."""
        return self.probabilities.argmax(axis=1)


def beats_path(folder: Path, epoch: int, part: str = "test") -> Path:
    """The file of the beats of an epoch, which NumPy alone reads: pred/test_beats_epN.npz, or, where `part` is "val",
    res/val_beats_epN.npz."""
    return folder / ("pred" if part == "test" else "res") / f"{part}_beats_ep{epoch}.npz"


def write_scored_beats(folder: Path, epoch: int, beats: ScoredBeats, part: str = "test") -> Path:
    """Write the file of `beats_path`, about 10 bytes a beat; return its path."""
    arrays: dict[str, Any] = {
        "ids": beats.ids,
        "labels": beats.labels,
        "probabilities": beats.probabilities,
        **beats.origin,
    }
    path = beats_path(folder, epoch, part)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as handle:
        np.savez_compressed(handle, names=np.array(beats.names), **arrays)
    return path


def read_scored_beats(folder: Path, epoch: int, part: str = "test") -> ScoredBeats | None:
    """The beats of an epoch, in the order of their ids; None where an older version tested and kept none.

    Raises:
        UserError: the file is damaged.
    """
    path = beats_path(folder, epoch, part)
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        order = np.argsort(arrays["ids"], kind="stable")
        names = tuple(arrays["names"].tolist())
        origin = {name: arrays[name][order] for name in (*ORIGIN, "time") if name in arrays}
        beats = ScoredBeats(
            arrays["ids"][order], arrays["labels"][order], arrays["probabilities"][order], origin, names
        )
        sound = beats.probabilities.shape == (len(beats.ids), len(names)) and set(ORIGIN) <= origin.keys()
        if not (sound and len(beats.ids) and 0 <= beats.labels.min() <= beats.labels.max() < len(names)):
            raise ValueError("its arrays do not belong together")
    except (OSError, ValueError, KeyError, IndexError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged: {error}; write it anew by --test") from error
    return beats
