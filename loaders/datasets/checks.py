"""Checks of train, validation and test rows: rows on two sides, scales that differ, parts without rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from loaders.beats.table import Beats
from toolbox.utils import UserError

SLACK = 0.01  # beyond 0 and 1, of rows that were scaled to their range
SHORTEST = 0.5  # the greatest value of many rows that were scaled to their range is larger
OTHER_SPAN = 1.5  # times the span of 0 to 1, from which on it is another scale
REMEDY = "scale each row by (x - min) / (max - min)"


def check_filled(rows: Mapping[str, int], where: str) -> None:
    """Refuse a split of which a part, by name, has no rows."""
    empty = [name for name, count in rows.items() if not count]
    if empty:
        counts = ", ".join(f"{name} {count}" for name, count in rows.items())
        raise UserError(
            f"{where}: no rows for {' and '.join(empty)} ({counts}); more rows or records are needed, two of a "
            "class at least, or a larger --val-fraction, or --validate-on train --monitor last, which holds none out"
        )


def marks_of(beats: Beats, rows: np.ndarray) -> list[int]:
    """A number for each of `rows` (k,) of the beats by its bytes, alike for like rows; flat lines have none."""
    signals = (beats.x[row] for row in rows.tolist())
    return [hash(signal.tobytes()) for signal in signals if signal.any()]


def shared_rows(beats: Mapping[str, Beats], rows: Mapping[str, np.ndarray], where: str) -> list[str]:
    """Text about rows of the test, or of the validation part, that train too; flat lines do not count.

    Args:
        beats: by part, what `rows`, their numbers, belong to.
        where: the source, for the message.

    Raises:
        UserError: the train and the test part are the same.
    """
    marks = {part: marks_of(beats[part], rows[part]) for part in rows}
    trained, texts = set(marks["train"]), []
    for part in (part for part in marks if part != "train"):
        own = set(marks[part])
        both = sum(mark in trained for mark in marks[part])
        backwards = sum(mark in own for mark in marks["train"])
        if part == "test" and both and both == len(marks[part]) and backwards == len(marks["train"]):
            raise UserError(
                f"{where}: all {both} test rows are the same as train rows, and all {backwards} train rows as test "
                "rows; one is a copy of the other"
            )
        if both:
            texts.append(
                f"{both} of {len(marks[part])} {part} rows are the same as train rows: their scores show what was "
                "learned by heart, not how new beats are told apart."
            )
    return texts


def scale_problems(parts: Mapping[str, Beats], where: str) -> list[str]:
    """Text about rows of a CSV file that are not between 0 and 1, as Kaggle's and those of --predict are.

    Raises:
        UserError: the parts are of different scales.
    """
    ranges = {name: (float(beats.x.min()), float(beats.x.max())) for name, beats in parts.items() if len(beats)}
    odd = [name for name, (low, high) in ranges.items() if low < -SLACK or not SHORTEST <= high <= 1 + SLACK]
    if not odd:
        return []
    spans = [high - low for low, high in ranges.values()]
    said = ", ".join(f"{name} from {low:g} to {high:g}" for name, (low, high) in ranges.items())
    text = f"rows are not between 0 and 1, as Kaggle's and those of --predict are: {said}"
    if max(spans) > OTHER_SPAN * max(min(spans), 1e-9):
        raise UserError(f"{where}: {text}; train and test are of different scales: {REMEDY}")
    return [f"{text}; {REMEDY}."]


def swapped_files(train: int, test: int) -> list[str]:
    """Text about more test rows than train rows."""
    if train >= test:
        return []
    return [f"There are fewer train rows ({train}) than test rows ({test}): are the two files swapped?"]
