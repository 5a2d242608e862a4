"""The MIT-BIH Normal Sinus Rhythm Database."""

from __future__ import annotations

from loaders.sources.databases.base import Database, own_person

DATABASE = Database(
    "nsrdb",
    "MIT-BIH Normal Sinus Rhythm Database",
    fs=128.0,
    leads="two, ECG1 and ECG2",
    notes="18 people without arrhythmias, about a day each; annotated by a program",
    person=own_person("nsrdb"),
)
