"""The QT Database: quarter hours out of other databases, each named "sel" and the record that it was taken from."""

from __future__ import annotations

import re
from collections.abc import Sequence

from loaders.sources.databases.base import Database
from loaders.sources.databases.mitdb import person as person_of_mitdb

# The record's name behind "sel" -> its database: Laguna P, Mark RG, Goldberger A, Moody GB, "A database for evaluation
# of algorithms for measurement of QT and other waveform intervals in the ECG", Comput Cardiol 24:673-676 (1997).
SOURCES = {r"[12]\d\d": "mitdb", r"3\d\d": "stdb", r"8\d\d": "svdb", r"14\d{3}|15814": "ltdb", r"1[67]\d{3}": "nsrdb"}


def person(record: str, comments: Sequence[str]) -> str | None:
    """The person of the record that an excerpt was taken from; not known of the European ST-T Database's."""
    name = record.removeprefix("sel")
    database = next((each for pattern, each in SOURCES.items() if re.fullmatch(pattern, name)), None)
    if database is None:
        return None if name.startswith("e") else f"qtdb/{record}"
    return person_of_mitdb(name, comments) if database == "mitdb" else f"{database}/{name}"


DATABASE = Database(
    "qtdb",
    "QT Database",
    fs=250.0,
    leads="two, of many names",
    notes="the labels of the databases that it was taken from; 24 records without them are left out",
    person=person,
)
