"""The beats of the databases that flags name, with the names of their records and people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from loaders.beats.spliced import spliced_from
from loaders.beats.table import Beats
from loaders.datasets.patients import read_patients
from loaders.options import DataOptions
from loaders.sources.cache import Cache
from loaders.sources.database_cache import PLACEHOLDER, Place, open_database, records_of
from loaders.sources.records import Layout
from toolbox.utils import UserError

SHOWN = 8  # names in a message


@dataclass
class Table:
    """The beats of a database, its records named "svdb/800", and whose they are.

    Attributes:
        place, cache: where they come from.
        beats: all of them.
        people: record -> the key of its person; of records of unknown people their own name.
        known: whether it is known of every record whose it is.
    """

    place: Place
    cache: Cache
    beats: Beats
    people: dict[str, str]
    known: bool


def open_tables(options: DataOptions, layout_of: Callable[[str], Layout], texts: Iterable[str]) -> dict[str, Table]:
    """The tables of all databases in these texts of flags, each once, by name, and in the layout of that name."""
    split = options.split
    places: dict[str, Place] = {}
    for place in (records_of(text)[0] for text in texts):
        if places.setdefault(place.name, place) != place:
            raise UserError(
                f"two folders are called {place.name}: {places[place.name].folder or 'the usual one'} and "
                f"{place.folder or 'the usual one'}; tables and runs name them by it, rename one"
            )
    if options.source.physionet_url and PLACEHOLDER not in options.source.physionet_url and len(places) > 1:
        raise UserError(
            f"--physionet-url is of one database, and {len(places)} are named; write {PLACEHOLDER} for each"
        )
    patients = read_patients(split.patients) if split.patients else None
    tables = {}
    for name, place in places.items():
        cache = open_database(place, options.source, layout_of(name), split.symbols)
        tables[name] = table_of(place, cache, patients)
    return tables


def table_of(place: Place, cache: Cache, patients: Mapping[str, str] | None) -> Table:
    """The beats of a cache with the names of their database's records and people.

    Args:
        patients: record -> person, of folders of own records.

    Raises:
        UserError: a record of one's own is not among `patients`.
    """
    beats = cache.splits["all"]
    names, record = np.unique(beats.record, return_inverse=True)
    real = [str(name) for name in spliced_from(names)]
    comments = {each["name"]: each["comments"] for each in cache.meta.get("notes", {}).get("records", [])}
    people: dict[str, str | None] = {}
    for name in dict.fromkeys(real):
        if place.facts:
            people[name] = place.facts.person(name, comments.get(name, []))
        else:
            people[name] = (patients or {}).get(name) or (patients or {}).get(f"{place.name}/{name}")
    missing = [name for name, person in people.items() if person is None]
    if missing and patients is not None and not place.facts:
        raise UserError(f"--patients has no line for record {', '.join(missing[:SHOWN])} of {place.folder}")
    keys = {name: person or f"{place.name}/{name}" for name, person in people.items()}
    whole = replace(
        beats,
        record=np.array([f"{place.name}/{name}" for name in names.tolist()])[record],
        patient=np.array([keys[name] for name in real])[record],
    )
    return Table(place, cache, whole, {f"{place.name}/{name}": key for name, key in keys.items()}, not missing)


def chosen_records(text: str, tables: Mapping[str, Table]) -> list[str]:
    """The records that "DB", "DB:LIST" or "DB:RECORD,RECORD" names, as the tables name them.

    Raises:
        UserError: some are not there.
    """
    place, listed = records_of(text)
    table = tables[place.name]
    if listed is None:
        return list(table.people)
    names = [f"{place.name}/{name}" for name in listed]
    beatless = [each["name"] for each in table.cache.meta.get("notes", {}).get("records", []) if each["beatless"]]
    missing = [name for name in listed if f"{place.name}/{name}" not in table.people and name not in beatless]
    if missing:
        lists = ", ".join(place.facts.lists) if place.facts else ""
        raise UserError(
            f"{text}: {len(missing)} of {len(listed)} records are not among the {len(table.people)} there: "
            f"{', '.join(missing[:SHOWN])}{' ...' if len(missing) > SHOWN else ''}"
            + (f"; lists of {place.name}: {lists}" if lists else "")
        )
    return [name for name in names if name in table.people]


def listing(names: list[str]) -> str:
    """The first names, and how many there are."""
    return ", ".join(names[:SHOWN]) + (f" ... ({len(names)} in all)" if len(names) > SHOWN else "")
