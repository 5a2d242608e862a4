"""Two networks on the same test beats: differences over patients and by record, beats that one alone calls right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from toolbox.metrics.confusion import confusion_by_group
from toolbox.metrics.paired import Difference, holm, mcnemar, paired_differences
from toolbox.reports.scored_beats import ScoredBeats
from toolbox.utils.aami import LETTERS, SUPRAVENTRICULAR, VENTRICULAR

PAIRED = ("accuracy", "macro_f1", f"F1 {SUPRAVENTRICULAR}", f"F1 {VENTRICULAR}", "kappa", "j_kappa")  # with p
MOST_BEATS = 200  # that one network has right and another wrong, listed


class Disputed(NamedTuple):
    """A beat that one of two networks calls right: where it is, its class and the two answers, as letters.

    `time` is s from the record's start, None where it is not known.
    """

    record: str
    time: float | None
    true: str
    reference: str
    entry: str


class Pair(NamedTuple):
    """An entry against the reference, on the beats that both were tested on.

    Attributes:
        differences: by score and class, entry less reference.
        corrected: p of each score in PAIRED after Holm, over all entries.
        records: (name, beats, share wrong of the reference, share wrong of the entry), by greatest difference.
        only_reference, only_entry: how many beats one alone calls right, of the first seeds.
        mcnemar: p by beats, as if they were independent.
        beats: those beats, of the first seeds; the ones that the network in error is surest of first.
        unit: "patients", "records" or "" where a file names neither: there are no intervals then.
        reason: why there is no pair, "" for a pair.
    """

    differences: dict[str, Difference]
    corrected: dict[str, float | None]
    records: list[tuple[str, int, float, float]]
    only_reference: int
    only_entry: int
    mcnemar: float
    beats: list[Disputed]
    unit: str
    reason: str


def paired(reference: Sequence[ScoredBeats], entry: Sequence[ScoredBeats]) -> Pair:
    """An entry against the reference, by the test beats of each of their seeds, before the correction of p."""
    nothing = Pair({}, {}, [], 0, 0, 1.0, [], "", "")
    if not (reference and entry):
        return nothing._replace(reason="no beats are kept: run --test again, of both")
    first, second = reference[0], entry[0]
    ours, theirs = _matched(first, second)
    if not len(ours) or (first.labels[ours] != second.labels[theirs]).any():
        return nothing._replace(reason="they were tested on other beats")
    names, origin = first.names, {name: values[ours] for name, values in first.origin.items()}
    patients = origin["patient"] if (origin["patient"] != "").all() else origin["record"]
    unit = "patients" if patients is origin["patient"] else "records"

    def counts(seeds: Sequence[ScoredBeats], rows: np.ndarray) -> np.ndarray:
        """(patients, C, C) confusion counts of all seeds."""
        each = [confusion_by_group(first.labels[ours], one.called[rows], patients, len(names))[1] for one in seeds]
        return np.sum(each, axis=0)

    before, after = counts(reference, ours), counts(entry, theirs)
    wrong = [first.called[ours] != first.labels[ours], second.called[theirs] != first.labels[ours]]
    only_reference, only_entry = int((wrong[1] & ~wrong[0]).sum()), int((wrong[0] & ~wrong[1]).sum())
    return Pair(
        differences=paired_differences(before, after, names),
        corrected={},
        records=_by_record(origin["record"], *wrong),
        only_reference=only_reference,
        only_entry=only_entry,
        mcnemar=mcnemar(only_reference, only_entry),
        beats=_disputed(first, ours, second, theirs, wrong),
        unit=unit if len(before) > 1 else "",
        reason="",
    )


def _matched(first: ScoredBeats, second: ScoredBeats) -> tuple[np.ndarray, np.ndarray]:
    """Positions (m,) in both of the beats that both have: by record and time, by number where no record is named."""
    _, ours, theirs = np.intersect1d(_keys(first), _keys(second), assume_unique=True, return_indices=True)
    return ours, theirs


def _keys(beats: ScoredBeats) -> Any:
    """(n,) a string for each beat that is the same in every run."""
    if "time" not in beats.origin or (beats.origin["record"] == "").any():
        return beats.ids.astype(str)
    milliseconds = np.rint(1000 * beats.origin["time"]).astype(np.int64).astype(str)
    return np.char.add(np.char.add(beats.origin["record"].astype(str), "@"), milliseconds)


def _by_record(records: np.ndarray, wrong: np.ndarray, wrong_too: np.ndarray) -> list[tuple[str, int, float, float]]:
    """Share of wrong beats of each record, those with the greatest difference first."""
    names, group = np.unique(records, return_inverse=True)
    if names.tolist() == [""]:
        return []
    beats = np.bincount(group)
    shares = [np.bincount(group, weights=each, minlength=len(names)) / beats for each in (wrong, wrong_too)]
    order = np.argsort(-np.abs(shares[1] - shares[0]), kind="stable")
    return [(str(names[k]), int(beats[k]), float(shares[0][k]), float(shares[1][k])) for k in order.tolist()]


def _disputed(
    first: ScoredBeats, ours: np.ndarray, second: ScoredBeats, theirs: np.ndarray, wrong: Sequence[np.ndarray]
) -> list[Disputed]:
    """The beats that one network alone calls right, those that the other is surest of first."""
    sure = np.where(wrong[0], first.probabilities[ours].max(axis=1), second.probabilities[theirs].max(axis=1))
    rows = np.flatnonzero(wrong[0] != wrong[1])
    rows = rows[np.argsort(-sure[rows], kind="stable")][:MOST_BEATS]
    letters = np.array([LETTERS.get(name, name) for name in first.names])
    classes = (first.labels[ours], first.called[ours], second.called[theirs])
    true, reference, entry = (letters[each[rows]].tolist() for each in classes)
    records = first.origin["record"][ours][rows].tolist()
    times = first.origin["time"][ours][rows].tolist() if "time" in first.origin else [None] * len(rows)
    return [Disputed(*row) for row in zip(records, times, true, reference, entry, strict=True)]


def corrected(pairs: dict[int, Pair]) -> dict[int, Pair]:
    """The pairs with p corrected for the number of entries, score by score."""
    by_pair: dict[int, dict[str, float | None]] = {k: {} for k in pairs}
    for name in PAIRED:
        p_values = [pair.differences[name].p if name in pair.differences else None for pair in pairs.values()]
        for k, p in zip(pairs, holm(p_values), strict=True):
            by_pair[k][name] = p
    return {k: pair._replace(corrected=by_pair[k]) for k, pair in pairs.items()}
