"""The St Petersburg INCART 12-lead Arrhythmia Database."""

from __future__ import annotations

import re
from collections.abc import Sequence

from loaders.sources.databases.base import Database

PATIENT = re.compile(r"\bpatient\s+(\d+)\b", re.IGNORECASE)  # in a header's comments: "# patient 1"


def person(record: str, comments: Sequence[str]) -> str | None:
    """The patient that the header names: 75 records are of 32 people."""
    match = PATIENT.search(" \n".join(comments))
    return f"incartdb/patient {int(match[1])}" if match else None


DATABASE = Database(
    "incartdb",
    "St Petersburg INCART 12-lead Arrhythmia Database",
    fs=257.0,
    leads="twelve; II is read first",
    notes="annotated by a program and corrected by hand; B and n are N",
    person=person,
)
