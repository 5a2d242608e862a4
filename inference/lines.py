"""Annotate the lines of a CSV file as they come, such as those of standard input."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import IO

import numpy as np

from inference.classifier import Classifier, learned_any_lead, training_warnings
from inference.stream import Beat, Stream
from loaders.io.csv.cells import encoding_of
from loaders.io.csv.gaps import GapFiller
from loaders.io.csv.recording import CsvLayout, CsvRecording, detect_layout, parse_cell, parse_time
from loaders.io.leads import choose_lead
from loaders.io.recording import CsvFormat
from toolbox.utils import UserError, note, warn
from toolbox.utils.signals import Ended

LONGEST_LINE = 1 << 20  # bytes; more hold no line of numbers
LAYOUT_LINES = 100  # lines that the layout is read off; the first beats come later anyway


def text_lines(binary: IO[bytes]) -> Iterator[str]:
    """The lines of a byte stream as text, as they come, whatever the locale: its first lines tell the encoding.

    Bytes that are no characters in it become "\ufffd": one bad byte makes one cell a missing sample.

    Raises:
        UserError: a line does not end.
    """
    first = list(islice(_byte_lines(binary), LAYOUT_LINES))
    encoding = encoding_of(b"".join(first))
    rest = ""
    for piece in codecs.iterdecode(chain(first, _byte_lines(binary)), encoding, errors="replace"):
        *whole, rest = (rest + piece).split("\n")  # in UTF-16 a piece is not a line
        yield from (f"{line}\n" for line in whole)
    if rest:
        yield rest


def _byte_lines(binary: IO[bytes]) -> Iterator[bytes]:
    """The lines of a byte stream; UserError for one that is too long to be one."""
    while line := binary.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise UserError(f"standard input has a line of {LONGEST_LINE:,} bytes and more; expected a sample a line")
        yield line


def annotate_lines(
    lines: Iterable[str], out: IO[str], classifier: Classifier, csv: CsvFormat, lead: str | None, polarity: str
) -> dict[str, int]:
    """Annotate the lines of a CSV file as they come, and write a line for each beat at once.

    The lines written are those of --predict's tables. A cell that is not a number is a missing sample; the first one
    is warned of. It ends with the lines, or when nobody reads its output any more.

    Returns:
        The numbers of "samples" read and of "beats" written.

    Raises:
        UserError: the rate is not given, or the first lines hold no numbers or lack the lead.
    """
    lines = iter(lines)
    first = list(islice(lines, LAYOUT_LINES))
    layout, leads = detect_layout("standard input", [line.rstrip("\r\n") for line in first], csv)
    recording = CsvRecording(Path("standard input"), "stream", "CSV", leads, [], [], layout)
    position, warning = choose_lead(recording, lead, learned_any_lead(classifier))
    for each in (*training_warnings(classifier), *layout.notes, *([warning] if warning else [])):
        warn(each)
    column = layout.names.index(leads[position].name)
    stream = Stream(classifier, leads[position].fs, 1 / (leads[position].scale or 1.0), polarity)
    counts = {"samples": 0, "beats": 0}
    try:
        print("time_s,sample,rr_s,class", *(f"p_{name}" for name in stream.names), sep=",", file=out, flush=True)
        for values in _samples(chain(first[layout.header :], lines), layout, column):
            quality = stream.quality
            counts["samples"] += len(values)
            counts["beats"] += _write(stream.push(values), out)
            if stream.quality != quality:
                seconds = f"{counts['samples'] / stream.fs:.1f} s"
                judged = f"{stream.quality}, no beats are annotated" if stream.quality else "the signal is usable again"
                note(f"{seconds}: {judged}")
        counts["beats"] += _write(stream.finish(), out)
        if not counts["beats"]:
            why = f" ({stream.quality} at its end)" if stream.quality else ""
            warn(f"no heartbeat could be read in {counts['samples'] / stream.fs:.1f} s of standard input{why}")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())  # Python flushes it once more at its end
    except Ended as stop:
        stop.advice = f"{counts['beats']} beats annotated in {counts['samples'] / stream.fs:.0f} s"
        raise
    return counts


def _samples(lines: Iterable[str], layout: CsvLayout, column: int) -> Iterator[np.ndarray]:
    """The samples in a column of `lines`: one a line, and those that its column of times says are missing before it.

    Cells that are not numbers are NaN; the first one is warned of, and so is the first gap.
    """
    warned = False
    filler = GapFiller(layout.time, "standard input") if layout.time is not None else None
    for number, line in enumerate(lines, start=layout.header + 1):
        if not line.strip():
            if layout.blank_is_missing:
                yield np.array([np.nan])
            continue
        value = parse_cell(line, column, layout)
        if value is None and not warned:
            warned = True
            place = f"line {number} of standard input, {line.strip()[:60]!r}"
            warn(f"{place}, has no number in column {column + 1}; such samples count as missing")
        values = np.array([np.nan if value is None else value])
        if filler is None or layout.time is None:
            yield values
            continue
        gaps = filler.gaps
        yield from filler.fill(np.array([parse_time(line, layout.time.column, layout)]), values)
        if filler.gaps > gaps == 0:
            late = f"{filler.missing} samples late" if filler.missing else "late, and samples may be missing"
            warn(f"line {number} of standard input comes {late}; gaps count as missing")


def _write(beats: list[Beat], out: IO[str]) -> int:
    """Write a line for each beat; returns their number."""
    for beat in beats:
        rr = [] if beat.rr is None else [beat.rr]
        time, *rest = (f"{np.round(value, 4):.10g}" for value in (beat.time, *rr, *beat.probabilities))
        cells = [time, str(beat.sample), rest.pop(0) if rr else "", beat.letter, *rest]
        print(*cells, sep=",", file=out, flush=True)
    return len(beats)
