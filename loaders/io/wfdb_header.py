"""Headers of WFDB records as they are found: with dates in any order, units in any spelling, rates that make no sense.

wfdb reads a header leniently: it takes 250 Hz for a rate that it does not understand, 200 units per mV where there is
no gain, and drops letters that are not ASCII. So a header, header(5) of the WFDB Applications Guide, is checked before.
"""

from __future__ import annotations

import re
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from loaders.io.recording import HIGHEST_RATE, readable
from loaders.io.start_time import Start, parse_start
from toolbox.utils import UserError

RECORD = re.compile(r"[-\w]+(/\d+)?")  # name / number of segments
RATE = re.compile(r"(\d+\.?\d*|\.\d+)(/.*)?")  # samples per second / those of a counter
GAIN = re.compile(r"-?\d*\.?\d*(e[+-]?\d+)?")
NOT_ASCII, NUMBERED = re.compile(r"[^\x00-\x7f]"), re.compile(r"_U([0-9A-F]{4,6})_")
WITH_LETTERS = ("sig_name", "file_name", "seg_name", "comments")  # parts of a header that may hold any letters
LARGEST = 1 << 24  # bytes of a header


def read_header(path: Path) -> Any:
    """The header of the WFDB record `path` (without extension) as wfdb reads it, with "notes" on what it does not say.

    Its "start" is the time and date of the record line, in whatever order they stand there.

    Raises:
        UserError: it is missing or damaged, or its rate or length make no sense.
    """
    import wfdb  # here: it brings pandas, which takes most of a second

    file = path.with_name(f"{path.name}.hea")
    what = f"record {path}: {file.name}"
    if not file.is_file():
        if (upper := file.with_suffix(".HEA")).is_file():
            raise UserError(f"{upper}: names of WFDB files end in lower case: rename it to {file.name}")
        raise UserError(f"{what} is missing")
    if file.stat().st_size > LARGEST:
        raise UserError(f"{what} has {file.stat().st_size} bytes, which no header has")
    content = file.read_bytes()
    lines = _text(content).splitlines()
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    notes = _check_record_line(what, lines[0]) if lines else []
    plain = _as_ascii(_plain(_text(content), lines[0] if lines else ""))
    with readable(what):
        if plain.encode("ascii") == content:
            header = wfdb.rdheader(str(path))
        else:
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / file.name).write_text(plain, encoding="utf-8")
                header = wfdb.rdheader(str(Path(folder) / path.name))
            for part in WITH_LETTERS:
                if values := getattr(header, part, None):
                    setattr(header, part, [value and _as_written(value) for value in values])
    header.start = _start(lines[0]) if lines else None
    header.notes = notes + ([] if hasattr(header, "seg_name") else _uncalibrated(header, lines[1:]))
    return header


def _as_ascii(text: str) -> str:
    """A header with each letter that is not ASCII, which wfdb would drop, as its number."""
    return NOT_ASCII.sub(lambda match: f"_U{ord(match[0]):04X}_", text)


def _as_written(text: str) -> str:
    """A part of a header with the letters that `_as_ascii` numbered."""
    return NUMBERED.sub(lambda match: chr(int(match[1], 16)), text)


def _text(content: bytes) -> str:
    """The text of a header: UTF-8, else Latin-1."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _check_record_line(what: str, line: str) -> list[str]:
    """Notes on the rate and the length that the first line states.

    Raises:
        UserError: they make no sense.
    """
    words = line.split()
    if not words or not RECORD.fullmatch(words[0]):
        return []  # wfdb says that it is no header
    if len(words) < 3:
        return ["its header states no sampling rate; 250 samples per second are the format's default"]
    match = RATE.fullmatch(words[2])
    if not match or not 0 < float(match[1]) <= HIGHEST_RATE:
        raise UserError(
            f"{what} states a sampling rate of {words[2]!r}; expected samples per second, above 0 and at most "
            f"{HIGHEST_RATE:g}"
        )
    if len(words) > 3 and not words[3].isdecimal():
        raise UserError(f"{what} states a length of {words[3]!r}; expected a number of samples")
    return []


def _plain(text: str, record_line: str) -> str:
    """A header with micro signs as "u", and without a time and date that wfdb cannot read; nothing here uses them."""
    text = text.replace("µ", "u").replace("μ", "u")
    words = record_line.split()
    if len(words) < 5 or _is_time(words[4:]):
        return text
    return text.replace(record_line, " ".join(words[:4]), 1)


def _is_time(words: list[str]) -> bool:
    """Check whether the end of the record line is a time, or a time and a date, as the format has them."""
    time, date = f"{words[0]}{'' if '.' in words[0] else '.0'}", words[1] if len(words) > 1 else "1/1/2000"
    try:
        datetime.strptime(f"{time} {date}", "%H:%M:%S.%f %d/%m/%Y")
    except ValueError:
        return False
    return len(words) <= 2


def _start(record_line: str) -> Start | None:
    """The start that the record line states."""
    return parse_start(" ".join(record_line.split()[4:]), day_first=True)


def _uncalibrated(header: Any, lines: list[str]) -> list[str]:
    """A note on the leads without a gain."""
    names = []
    for k, line in enumerate(lines[: header.n_sig]):
        words = [*line.split(), "", ""]
        gain = GAIN.match(words[2])
        if not (gain and re.search(r"[1-9]", gain[0])):
            names.append(header.sig_name[k] or f"signal {k}")
    if not names:
        return []
    return [f"uncalibrated: its header states no gain of {', '.join(names[:8])}; taken for 200 units per mV"]
