"""The MIT-BIH Arrhythmia Database."""

from __future__ import annotations

from collections.abc import Sequence

from loaders.io.wfdb_record import SAME_PATIENT
from loaders.sources.databases.base import Database

# The lists of de Chazal P, O'Dwyer M, Reilly RB, IEEE TBME 51(7):1196-1206, 2004.
DS1 = tuple("101 106 108 109 112 114 115 116 118 119 122 124 201 203 205 207 208 209 215 220 223 230".split())
DS2 = tuple("100 103 105 111 113 117 121 123 200 202 210 212 213 214 219 221 222 228 231 232 233 234".split())


def person(record: str, comments: Sequence[str]) -> str:
    """The record itself, but for 202, which is of the man of 201."""
    return f"mitdb/{SAME_PATIENT.get(record, record)}"


DATABASE = Database(
    "mitdb",
    "MIT-BIH Arrhythmia Database",
    fs=360.0,
    leads="two; MLII first in all but 102 and 104, then V1, V2, V4 or V5 (114: V5, MLII)",
    notes="symbols of the beats' origin; 102, 104, 107 and 217 are paced",
    person=person,
    lists={"ds1": DS1, "ds2": DS2},
    # The digest of PhysioNet's own list (704 files). The list comes from the server that it vouches for, so alone it
    # proves that nothing broke on the way; with its digest known beforehand it also proves that this is MITDB 1.0.0.
    list_sha256="b61158a96d5f2ca80edfb354a9a66a6324836c390a84e1966dcee2b907d6be43",
)
