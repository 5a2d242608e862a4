"""The rows of each part where the split goes by patient, with synthetic patients in the training part."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from loaders.beats.spliced import is_spliced, spliced_from
from loaders.beats.table import Beats
from loaders.datasets import splits
from loaders.datasets.dataset import ECGLoader
from loaders.datasets.patients import UNKNOWN_WARNING, are_known
from loaders.options import DataOptions
from toolbox.utils.aami import CLASS_LETTERS

SYNTHETIC_PATIENTS_WARNING = "Synthetic recordings: scores on them say nothing about people."
Q_WARNING = "Four classes, N S V F: Q and the paced records are left out, as the papers do."
SHARED_WARNING = (
    "The published inter-patient list has one man on both sides (201 in DS1, 202 in DS2); "
    "--split interpatient_strict leaves 202 out."
)


@dataclass
class Parts:
    """The rows of each part, with warnings and text about the split.

    Attributes:
        division: their numbers among all beats.
        kind: the dataset that they make.
        warnings: to be read with the scores.
        lines: more for --prepare to print.
        known: whether it is known whose the records are, and that no beat stands in two of them.
        empty: parts that have no rows, as nothing was named to test on.
        facts: more for config.json.
    """

    division: splits.Division
    kind: type[ECGLoader]
    warnings: list[str]
    lines: list[str]
    known: bool = True
    empty: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


def by_patient(beats: Beats, options: DataOptions, kind: type[ECGLoader]) -> Parts:
    """A split by patient; beats of synthetic patients made of a record's beats train where that record does."""
    split = options.split
    number, _, folds = (split.fold or "").partition("/")
    fold = (int(number), int(folds)) if folds else None
    no_beat = np.zeros(len(beats), dtype=bool)
    spliced = is_spliced(beats.record) if options.patients.spliced != "none" else no_beat
    real = np.flatnonzero(~spliced)
    division = splits.divide(
        splits.without_signal(beats, real), split.split, fold, split.val_fraction, options.seed,
        whole=split.validate_on == "train",
    )  # fmt: skip
    division.rows = {part: real[rows] for part, rows in division.rows.items()}
    warnings = [SYNTHETIC_PATIENTS_WARNING] if options.source.is_synthetic else []
    warnings += [Q_WARNING, *([SHARED_WARNING] if division.shared else [])]
    known = options.source.is_synthetic or bool(split.patients) or are_known(beats, bool(spliced.any()))
    warnings += [] if known else [UNKNOWN_WARNING]
    lines = splits.describe(division, known, split.patients or "")
    lines += add_spliced(division, beats, spliced)
    return Parts(division, kind.without_q(), warnings, lines, known)


def add_spliced(division: splits.Division, beats: Beats, spliced: np.ndarray) -> list[str]:
    """Add the synthetic patients made of training records to the training part; text about them for --prepare.

    Args:
        spliced: (n,) bool, the beats of all synthetic patients.
    """
    if not spliced.any():
        return []
    rows = np.flatnonzero(spliced & (beats.y < splits.SCORED))
    rows = rows[np.isin(spliced_from(beats.record[rows]), division.records["train"])]
    division.rows["train"] = np.sort(np.concatenate([division.rows["train"], rows]))
    return spliced_lines(beats, rows)


def spliced_lines(beats: Beats, rows: np.ndarray) -> list[str]:
    """Text for --prepare: the synthetic patients in the training part, whose beats are `rows` (k,)."""
    names = np.unique(beats.record[rows])
    counts = np.bincount(beats.y[rows], minlength=splits.SCORED)
    by_class = ", ".join(f"{letter} {count}" for letter, count in zip(CLASS_LETTERS, counts.tolist(), strict=False))
    sources = len(np.unique(spliced_from(names)))
    return ["", f"spliced patients, in train only: {len(names)}, out of {sources} of its records; rows {by_class}"]
