"""The MIT-BIH ST Change Database."""

from __future__ import annotations

from loaders.sources.databases.base import Database, own_person

DATABASE = Database(
    "stdb",
    "MIT-BIH ST Change Database",
    fs=360.0,
    leads="one or two",
    notes="mostly stress tests; beats only, no changes of ST",
    person=own_person("stdb"),
)
