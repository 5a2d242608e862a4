"""The age and sex of a recording's subject, as far as its WFDB header says them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from loaders.io.wfdb_header import read_header
from toolbox.utils import UserError

# MIT-BIH's headers begin with "69 M 1085 1629 x1", age -1 where it is not known; others write "Age: 62  Sex: M" (the
# European ST-T Database) or "<age>: 65 <sex>: F" (St Petersburg).
MITDB_LINE = re.compile(r"^\s*(-?\d{1,3})\s+([MF])\b")
AGE, SEX = re.compile(r"\bage\W+(\d{1,3})\b", re.IGNORECASE), re.compile(r"\bsex\W+([MF])", re.IGNORECASE)
OLDEST = 120


class Subject(NamedTuple):
    """A recording's subject: age in years, None where it is not known; sex "F" or "M", "" likewise."""

    age: int | None = None
    sex: str = ""


def subject_of(comments: Sequence[str]) -> Subject:
    """The subject that a header's comment lines describe."""
    text = "\n".join(comments)
    first = MITDB_LINE.match(comments[0]) if comments else None
    age, sex = (first[1], first[2]) if first else (_first(AGE, text), _first(SEX, text))
    years = int(age) if age is not None and 0 <= int(age) <= OLDEST else None
    return Subject(years, sex.upper() if sex else "")


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    """The first group of a pattern's first match."""
    match = pattern.search(text)
    return match[1] if match else None


def read_subject(path: Path | None) -> Subject:
    """The subject of the record at `path` (without extension); an empty one where there is no header to be read."""
    if path is None:
        return Subject()
    try:
        return subject_of(read_header(path).comments)
    except UserError:
        return Subject()
