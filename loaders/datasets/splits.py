"""Which beats train, validate and test: Kaggle's split, and splits by patient, which are proved disjoint.

Kaggle's split was drawn at random within each class, so every patient is in both train and test: scores on it show how
well a model fits, not how it does on new patients.

The inter-patient protocol is that of de Chazal P, O'Dwyer M, Reilly RB, "Automatic classification of heartbeats using
ECG morphology and heartbeat interval features", IEEE TBME 51(7):1196-1206, 2004: DS1 trains, DS2 tests, whole records,
reference beat times, the four paced records left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np

from loaders.beats.table import Beats
from loaders.io.wfdb_record import SAME_PATIENT
from loaders.sources.databases.mitdb import DS1, DS2
from toolbox.utils import UserError
from toolbox.utils.aami import CLASS_LETTERS, CLASSES_BY_PATIENT

# The beats of Kaggle's mitbih_test.csv in its order: `beat` counts through all records (in order of name) and their
# beats (in order of time); `records` and `counts` hold the number of beats of each record. Recovered by matching the
# file's rows against the records, which identifies every one of them.
KAGGLE_TEST = Path(__file__).with_name("kaggle_test.npz")

PACED = ("102", "104", "107", "217")
# Classes that take part: N, S, V and F; Q (15 beats outside the paced records) is left out, as in the papers.
SCORED = CLASSES_BY_PATIENT["ecg"]
DRAWS, COMPARED = 256, 16  # random choices of validation patients; the best is one of the first sound ones


def stratified(labels: np.ndarray, fraction: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Split rows at random within each class.

    Args:
        labels: (n,) int.
        fraction: the share of each class that goes into the second part; of a class with two rows or more, at least
            one row goes to either part.
        rng: what the choice is drawn from.

    Returns:
        Two rising arrays of row numbers, disjoint, together all rows.
    """
    chosen = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = round(fraction * len(rows))
        if len(rows) > 1 and fraction > 0:
            count = min(max(count, 1), len(rows) - 1)
        chosen[rng.permutation(rows)[:count]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def by_label(beats: Beats, rows: np.ndarray) -> np.ndarray:
    """`rows` in the order of their labels, otherwise as they stand: as Kaggle's files are sorted."""
    return rows[np.argsort(beats.y[rows], kind="stable")]


def kaggle_rows(beats: Beats) -> tuple[np.ndarray, np.ndarray]:
    """The row numbers of Kaggle's train and test file, in their order, among the rows of the 48 records (in order of
    record, then time).

    Raises:
        UserError: the beats are not those of the 48 records.
    """
    with np.load(KAGGLE_TEST) as listed:
        test, names, counts = listed["beat"].astype(np.int64), listed["records"], listed["counts"]
    left = dict(zip(*np.unique(beats.record, return_counts=True), strict=True))
    odd = [name for name, count in zip(names, counts, strict=True) if left.pop(name, 0) != count]
    if odd or left:
        problem = f"missing or altered: {', '.join(odd)}" if odd else f"not of the database: {', '.join(left)}"
        raise UserError(
            f"Kaggle's split needs the 48 records of the MIT-BIH Arrhythmia Database as published; {problem}"
        )
    rest = np.setdiff1d(np.arange(len(beats)), test)
    return by_label(beats, rest), test


def fifth_rows(beats: Beats, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The row numbers of train and test in a split like Kaggle's: a fifth of each class, at random, is the test set."""
    train, test = stratified(beats.y, 0.2, np.random.default_rng(seed))
    return by_label(beats, train), by_label(beats, test)


def mixed_rows(beats: Beats, seed: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The row numbers of train and test in Kaggle's split, or, given a seed, in one like it of other recordings; the
    last beat of each record is in neither part.

    Args:
        beats: all beats of all records, in order of record and time.

    Raises:
        UserError: without a seed, the beats are not those of the 48 records.
    """
    last = np.append(beats.record[1:] != beats.record[:-1], True)
    kept = np.flatnonzero(~last)
    rows = without_signal(beats, kept)
    if seed is None:
        train, test = kaggle_rows(rows)
    else:
        train, test = fifth_rows(rows, seed)
    return kept[train], kept[test]


def without_signal(beats: Beats, rows: np.ndarray) -> Beats:
    """These `rows` of the beats, without signal and features."""
    light = {name: array[rows] for name, array in beats.arrays().items() if name not in ("x", "features")}
    return Beats(x=np.empty((len(rows), 0)), **light)


@dataclass
class Division:
    """Row numbers of train, validation and test.

    Attributes:
        rows: by part, rising.
        patients: by part, their names.
        records: by part, their names.
        shared: patients that the protocol itself has on both sides.
        left_out: by part, the number of Q beats of its records, which are in no part.
    """

    rows: dict[str, np.ndarray]
    patients: dict[str, list[str]] = field(default_factory=dict)
    records: dict[str, list[str]] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)


def divide(
    beats: Beats, split: str, fold: tuple[int, int] | None, fraction: float, seed: int, whole: bool = False
) -> Division:
    """Split whole recordings by patient.

    Args:
        beats: all beats of all records.
        split: "interpatient" (DS1 and DS2 as published: 201 and 202 are one man, on both sides), "interpatient_strict"
            (DS2 without 202) or "kfold".
        fold: (I, K). With kfold, the I-th of K groups of patients tests, whatever the seed. With the others, the I-th
            of K groups of DS1's patients validates, so that DS1 can be cross-validated and DS2 left alone.
        fraction: about that share of the training beats validates, where no fold says which.
        seed: of the random choice of these patients.
        whole: no patient is held out; validation is all of the training patients.

    Raises:
        UserError: records are missing, there are fewer patients than groups, or a patient would be on two sides.
    """
    scored = beats.y < SCORED
    if split == "kfold":
        eligible = np.flatnonzero(scored & ~np.isin(beats.record, PACED))
        assert fold is not None  # the flags' check
        inside = fold_of(beats, eligible, *fold)
        learning, test = eligible[~inside], eligible[inside]
        fold = None
    else:
        require(beats, (*DS1, *DS2))
        testing = [name for name in DS2 if split == "interpatient" or name not in SAME_PATIENT]
        learning = np.flatnonzero(scored & np.isin(beats.record, DS1))
        test = np.flatnonzero(scored & np.isin(beats.record, testing))
    if whole:
        rows = {"train": learning, "val": learning, "test": test}
    else:
        held = fold_of(beats, learning, *fold) if fold else held_out(beats, learning, fraction, seed)
        rows = {"train": learning[~held], "val": learning[held], "test": test}
    shared = tuple(SAME_PATIENT.values()) if split == "interpatient" else ()
    patients = {part: sorted(set(beats.patient[chosen].tolist())) for part, chosen in rows.items()}
    records = {part: sorted(set(beats.record[chosen].tolist())) for part, chosen in rows.items()}
    sides = {part: names for part, names in patients.items() if not (whole and part == "val")}
    prove_disjoint(sides, shared)
    left_out = {part: int((~scored & np.isin(beats.record, names)).sum()) for part, names in records.items()}
    return Division(rows, patients, records, shared, left_out)


def require(beats: Beats, names: Iterable[str]) -> None:
    """Raise UserError unless there are beats of all these records."""
    missing = sorted(set(names) - set(beats.record.tolist()))
    if missing:
        raise UserError(
            f"the inter-patient split needs the records of DS1 and DS2; missing: {', '.join(missing)}. Complete "
            "them by --source physionet, or take --split kfold, which splits the records there are"
        )


def prove_disjoint(patients: Mapping[str, Iterable[str]], shared: Iterable[str] = ()) -> None:
    """Raise UserError if a patient is in two parts, but for those that the protocol itself shares."""
    for one, other in combinations(patients, 2):
        both = sorted((set(patients[one]) & set(patients[other])) - set(shared))
        if both:
            raise UserError(f"patients in both {one} and {other}: {', '.join(both)}; such a split proves nothing")


def class_counts(beats: Beats, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The patients of `rows`, rising, and (patients, 4) the number of their beats of each class."""
    names, patient = np.unique(beats.patient[rows], return_inverse=True)
    flat = np.bincount(patient * SCORED + beats.y[rows], minlength=len(names) * SCORED)
    return names, flat.reshape(-1, SCORED)


def fold_of(beats: Beats, rows: np.ndarray, number: int, folds: int) -> np.ndarray:
    """(len(rows),) bool: the rows of the `number`-th (1-based) of `folds` groups of patients.

    The patients with the most uneven classes are dealt first, each to the group that it evens out most (scikit-learn's
    StratifiedGroupKFold); nothing is drawn, so that the groups are the same for every seed.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # here: it takes a second, and other splits do without

    patients = np.unique(beats.patient[rows])
    if folds > len(patients):
        raise UserError(f"--fold {number}/{folds}: there are {len(patients)} patients; at most that many groups")
    labels, groups = beats.y[rows], beats.patient[rows]
    if folds > np.bincount(labels).max():
        raise UserError(f"--fold {number}/{folds}: fewer beats than that in every class")
    parts = list(StratifiedGroupKFold(folds).split(labels, labels, groups))
    inside = np.zeros(len(rows), dtype=bool)
    inside[parts[number - 1][1]] = True
    if not inside.any() or inside.all():
        raise UserError(f"--fold {number}/{folds} of {len(patients)} patients leaves one side empty; take fewer groups")
    return inside


def held_out(beats: Beats, rows: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """(len(rows),) bool: the rows of whole patients, drawn by `seed`, that validate.

    Of random choices of about `fraction` of the beats, the first few are compared in which all of S, V and F (or as
    many as there can be) are on both sides; that one is taken whose share of each class comes nearest to `fraction`.
    Few, so that another seed gives other patients.
    """
    names, counts = class_counts(beats, rows)  # (P,), (P, 4)
    if len(names) < 2:
        raise UserError(f"{len(names)} patient to train and validate on; a split by patient takes at least two")
    rng = np.random.default_rng(seed)
    order = rng.permuted(np.tile(np.arange(len(names)), (DRAWS, 1)), axis=1)  # (draws, P)
    total = counts.sum(axis=1)[order].cumsum(axis=1) / counts.sum()
    size = np.clip(np.abs(total - fraction).argmin(axis=1) + 1, 1, len(names) - 1)
    chosen = np.zeros(order.shape, dtype=bool)
    np.put_along_axis(chosen, order, np.arange(len(names)) < size[:, None], axis=1)
    inside = chosen @ counts  # (draws, 4) beats of each class that would validate
    there = counts.sum(axis=0)
    missing = (((inside == 0) | (inside == there))[:, 1:] & (there[1:] > 0)).sum(axis=1)
    share = inside / np.maximum(there, 1)
    distance = np.abs(share - fraction)[:, there > 0].sum(axis=1)
    sound = np.flatnonzero(missing == missing.min())[:COMPARED]
    best = sound[distance[sound].argmin()]
    return np.isin(beats.patient[rows], names[chosen[best]])


def describe(division: Division, known: bool = True, source: str = "") -> list[str]:
    """Text: the patients of each part, and that they are disjoint.

    Args:
        division: the parts.
        known: whether it is known whose the records are; else nothing is said of patients.
        source: the file that says so, if it was one.
    """
    whose = f"the patients are those in {source}" if source else "a record's number stands for its patient"
    if not known:
        whose = "it is not known which are of one patient; --patients FILE says so"
    lines = ["", f"{'patients' if known else 'records'} (whole records; {whose})"]
    for part, names in division.records.items():
        count = f"{len(division.patients[part]):3d} patients, records" if known else f"{len(names):3d} records:"
        lines.append(f"{part:5}  {count} {' '.join(names)}")
    sides = "of train and test" if division.patients["val"] == division.patients["train"] else "of train, val and test"
    if not known:
        lines.append(f"no record is in two {sides}; of patients that is not known")
    elif division.shared:
        lines.append(
            f"disjoint: yes, but for patient {' '.join(division.shared)}, whose records 201 (DS1) and 202 (DS2) are on "
            "both sides of the published list; --split interpatient_strict leaves 202 out"
        )
    else:
        lines.append(f"disjoint: yes, no patient is in two {sides}")
    count = ", ".join(f"{part} {count}" for part, count in division.left_out.items())
    letters = " ".join(CLASS_LETTERS[:SCORED])
    return [
        *lines,
        f"classes {letters}; Q beats are left out, as the papers do ({count}), and so are the paced records",
    ]
