"""The European ST-T Database."""

from __future__ import annotations

from loaders.sources.databases.base import Database

DATABASE = Database(
    "edb",
    "European ST-T Database",
    fs=250.0,
    leads="two of MLI, MLIII, D3, V1 to V5",
    notes="symbols of the beats' origin, beside changes of ST and T; 90 records of 79 people, not said of whom",
    person=lambda record, comments: None,
)
