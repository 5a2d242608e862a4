"""Damaged files of every format: read as far as they go, or refused in one line; never a traceback or endless."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat
from loaders.io.wfdb_record import Record
from tests.loaders.io import writers
from tests.loaders.io.writers import WRITERS
from toolbox.utils import UserError

TRIES = 20  # of each format
SAMPLES = 1080
LONGEST_READ = 100 * SAMPLES
FORMATS: dict[str, Callable[[np.ndarray], bytes]] = {
    **WRITERS,
    ".muse.xml": writers.muse,
    ".4.mat": lambda digital: writers.mat4("val", digital.astype(np.int16)) + writers.mat4("fs", np.array([[360.0]])),
    ".packed.mat": lambda digital: writers.mat5({"val": digital / 40, "fs": np.array([[360.0]])}, compressed=True),
}


def damaged(content: bytes, number: int, rng: np.random.Generator) -> bytes:
    """`content` cut off, with bytes changed, with a number of all ones, or with bytes taken out."""
    head = min(len(content), 1500)
    place = int(rng.integers(head))
    if number % 5 == 0:
        return content[: int(rng.integers(len(content)))]
    if number % 5 == 1:
        return content[:place]
    if number % 5 == 2:
        return content[:place] + b"\xff\xff\xff\x7f" + content[place + 4 :]
    if number % 5 == 3:
        return content[:place] + content[place + int(rng.integers(1, 20)) :]
    changed = bytearray(content)
    for each in rng.integers(head, size=4):
        changed[each] = int(rng.integers(256))
    return bytes(changed)


@pytest.mark.parametrize("suffix", FORMATS)
def test_damaged_files_are_read_or_refused_in_one_line(record: Record, tmp_path: Path, suffix: str) -> None:
    content, rng = FORMATS[suffix](record.digital[:SAMPLES]), np.random.default_rng(sorted(FORMATS).index(suffix))
    path, refusals = tmp_path / f"r{suffix}", 0
    for number in range(TRIES):
        path.write_bytes(damaged(content, number, rng))
        try:
            recording = open_recording(path, CsvFormat(360.0))
            for lead in range(len(recording.leads)):
                read = 0
                for block in recording.stream(lead, 1000):
                    read += len(block)
                    assert read < LONGEST_READ and not np.isinf(block).any()
            said = "".join(recording.notes)
        except UserError as error:
            said, refusals = str(error), refusals + 1
        assert "\n" not in said and "Secret" not in said
    assert refusals or suffix in (".csv", ".tsv", ".txt", ".ish", ".ecg")
