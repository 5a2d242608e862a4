"""The MIT-BIH Supraventricular Arrhythmia Database."""

from __future__ import annotations

from loaders.sources.databases.base import Database, own_person

# Two halves of its 78 records, so that what is chosen on one can be measured on the other.
DEV = tuple(str(number) for first, last in ((800, 806), (820, 824), (840, 866)) for number in range(first, last + 1))
TEST = tuple(str(number) for first, last in ((807, 812), (825, 829), (867, 894)) for number in range(first, last + 1))

DATABASE = Database(
    "svdb",
    "MIT-BIH Supraventricular Arrhythmia Database",
    fs=128.0,
    leads="two, ECG1 and ECG2; most headers state no gain",
    notes="S is the symbol S, sinus beats are N; one annotation of 860 lies behind its last sample",
    person=own_person("svdb"),
    lists={"dev": DEV, "test": TEST},
)
