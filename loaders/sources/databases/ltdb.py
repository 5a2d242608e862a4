"""The MIT-BIH Long-Term ECG Database."""

from __future__ import annotations

from loaders.sources.databases.base import Database, own_person

DATABASE = Database(
    "ltdb",
    "MIT-BIH Long-Term ECG Database",
    fs=128.0,
    leads="two or three, ECG1, ECG2, ECG3",
    notes="symbols of the beats' origin, 14 to 22 hours a record",
    person=own_person("ltdb"),
)
