"""Train, validation and test rows out of several databases, by --train-on and --test-on; no person is on two sides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from loaders.beats.spliced import is_spliced
from loaders.beats.table import Beats
from loaders.datasets import splits
from loaders.datasets.by_patient import Q_WARNING, Parts, add_spliced
from loaders.datasets.database_figures import figures
from loaders.datasets.database_tables import Table, chosen_records, listing, open_tables
from loaders.datasets.dataset import ECGLoader
from loaders.datasets.patients import UNKNOWN_WARNING
from loaders.io.wfdb_record import MITDB
from loaders.options import DataOptions
from loaders.sources.annotated import PACED_SYMBOLS
from loaders.sources.cache import Cache
from loaders.sources.database_cache import records_of
from loaders.sources.databases.mitdb import person as person_of_mitdb
from loaders.sources.records import Layout
from toolbox.utils import UserError

DS1 = "mitdb:ds1"  # what --split interpatient trains on


@dataclass
class Sides:
    """The records that train, and that test; and text about those that were named and take no part."""

    train: list[str]
    test: list[str]
    left_out: list[str]


def load(options: DataOptions, layout: Layout, unspliced: Layout, kind: type[ECGLoader]) -> tuple[Cache, Parts]:
    """The beats of all databases that the flags name, in one table, and the rows of each part.

    Args:
        layout: of the databases that train.
        unspliced: the same without synthetic patients, of those that only test.

    Raises:
        UserError: a database, a list or a record is not there; records train and test; nothing is left to test.
    """
    split = options.split
    if not (split.train_on or split.split.startswith("interpatient")):
        raise UserError(f"--test-on goes with --train-on, or with a run of --split interpatient, not of {split.split}")
    named = {"train": split.train_on or [DS1], "test": split.test_on}
    learned = {records_of(text)[0].name for text in named["train"]}
    texts = [text for side in named.values() for text in side]
    tables = open_tables(options, lambda name: layout if name in learned else unspliced, texts)
    sides = sides_of(named, tables)
    beats = Beats.join(table.beats for table in tables.values())
    trained = [tables[name] for name in dict.fromkeys(records_of(text)[0].name for text in named["train"])]
    cache = joined(trained, beats, named)
    parts = divide(beats, sides, options, kind)
    parts.known = all(table.known for table in tables.values())
    parts.warnings = [
        Q_WARNING, *sides.left_out, *([] if parts.known else [UNKNOWN_WARNING]),
    ]  # fmt: skip
    described = splits.describe(parts.division, parts.known, split.patients or "")
    parts.lines = [*figures(named, tables), *described, *parts.lines]
    parts.facts = {
        "databases": {name: table.cache.fingerprint for name, table in tables.items()},
        "left_out": sides.left_out,
        "people": parts.division.patients,  # of unknown ones the records' names
    }
    return cache, parts


def sides_of(named: Mapping[str, list[str]], tables: Mapping[str, Table]) -> Sides:
    """The records of both sides, without paced ones, and without test records of people who train.

    Raises:
        UserError: a record is on both sides, or a text of --test-on has no record left.
    """
    people = {name: person for table in tables.values() for name, person in table.people.items()}
    paced = {name for table in tables.values() for name in paced_records(table.beats)}
    by_text = {side: {text: chosen_records(text, tables) for text in texts} for side, texts in named.items()}
    every = {side: dict.fromkeys(name for names in texts.values() for name in names) for side, texts in by_text.items()}
    both = [name for name in every["train"] if name in every["test"]]
    if both:
        raise UserError(f"records to train on and to test on: {listing(both)}; name each on one side")
    train = [name for name in every["train"] if name not in paced]
    learned = {people[name] for name in train}
    twins = {name for name in every["test"] if people[name] in learned}
    for text, names in by_text["test"].items():
        if set(names) <= twins | paced:
            raise UserError(f"--test-on {text}: all its records are paced or of people who train: {listing(names)}")
    test = [name for name in every["test"] if name not in paced | twins]
    left_out = []
    if odd := [name for name in (*every["train"], *every["test"]) if name in paced]:
        left_out.append(f"Left out, as they have paced beats: {listing(odd)}.")
    if twins:
        pairs = [f"{name} ({people[name]})" for name in every["test"] if name in twins]
        left_out.append(f"Left out of the test, as they are of people who train: {listing(pairs)}.")
    return Sides(train, test, left_out)


def paced_records(beats: Beats) -> list[str]:
    """The records with paced beats, which EC57 leaves out."""
    return np.unique(beats.record[np.isin(beats.symbol, PACED_SYMBOLS)]).tolist()


def divide(beats: Beats, sides: Sides, options: DataOptions, kind: type[ECGLoader]) -> Parts:
    """The rows of each part. Validation is whole people of the training side: those of --fold, or drawn by the seed;
    with --split kfold the I-th of K groups of people tests."""
    split = options.split
    number, _, folds = (split.fold or "").partition("/")
    spliced = is_spliced(beats.record)
    real = np.flatnonzero(~spliced)
    light = splits.without_signal(beats, real)
    scored = light.y < splits.SCORED
    learning, test = (np.flatnonzero(scored & np.isin(light.record, names)) for names in (sides.train, sides.test))
    if split.split == "kfold":
        inside = splits.fold_of(light, learning, int(number), int(folds))
        learning, test, folds = learning[~inside], learning[inside], ""
    if split.validate_on == "train":
        train = held = learning
    else:
        inside = (
            splits.fold_of(light, learning, int(number), int(folds))
            if folds
            else splits.held_out(light, learning, split.val_fraction, options.seed)
        )
        train, held = learning[~inside], learning[inside]
    rows = {"train": train, "val": held, "test": test}
    patients = {part: sorted(set(light.patient[chosen].tolist())) for part, chosen in rows.items()}
    records = {part: sorted(set(light.record[chosen].tolist())) for part, chosen in rows.items()}
    whole = split.validate_on == "train"
    splits.prove_disjoint({part: names for part, names in patients.items() if not (whole and part == "val")})
    left_out = {part: int((~scored & np.isin(light.record, names)).sum()) for part, names in records.items()}
    division = splits.Division({part: real[chosen] for part, chosen in rows.items()}, patients, records, (), left_out)
    lines = add_spliced(division, beats, spliced)
    empty = () if sides.test or split.split == "kfold" else ("test",)
    return Parts(division, kind.without_q(), [], lines, empty=empty)


def joined(trained: list[Table], beats: Beats, named: Mapping[str, list[str]]) -> Cache:
    """The beats of several databases as one cache; its fingerprint is that of the databases that train."""
    where = "; ".join(f"{side} on {' '.join(texts)}" for side, texts in named.items() if texts)
    marks = [table.cache.fingerprint for table in trained]
    mark = marks[0] if len(marks) == 1 else hashlib.sha256(" ".join(marks).encode()).hexdigest()
    first = trained[0].cache
    meta: dict[str, Any] = {**first.meta, "fingerprint": mark, "source": {"where": where, "files": {}}}
    return Cache(first.folder, {"all": beats}, meta)


def people_of(records: Iterable[str]) -> set[str]:
    """The people of records as config.json keeps them, of MIT-BIH's where they have no database's name before them."""
    return {person_of_mitdb(name, ()) if name in MITDB else name for name in records}
