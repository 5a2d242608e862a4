"""The MIT-BIH Noise Stress Test Database."""

from __future__ import annotations

import re
from collections.abc import Sequence

from loaders.sources.databases.base import Database

SOURCE = re.compile(r"(\d{3})e[_\d]\d")  # 118e24: MIT-BIH's record 118 with noise at 24 dB; 118e_6: at -6 dB


def person(record: str, comments: Sequence[str]) -> str | None:
    """The patient of MIT-BIH's record that noise was added to."""
    match = SOURCE.fullmatch(record)
    return f"mitdb/{match[1]}" if match else None


DATABASE = Database(
    "nstdb",
    "MIT-BIH Noise Stress Test Database",
    fs=360.0,
    leads="two, as MIT-BIH's 118 (MLII, V1) and 119",
    notes="MIT-BIH's 118 and 119 with noise of six strengths, their labels; bw, em and ma are noise alone and left out",
    person=person,
)
