"""EDF, EDF+ and BDF files to annotate (Kemp et al. 1992, Kemp & Olivan 2003; BioSemi's 24 bits), read through edfio."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import edfio
import numpy as np

from loaders.io.recording import LONGEST, Lead, Recording, millivolts, readable
from loaders.io.start_time import Start, clock_of, day_of, parse_start, settled
from loaders.io.wfdb_private import timekeeping_samples
from toolbox.utils import UserError

ONSET = re.compile(rb"^([+-]\d+(?:\.\d*)?)\x14")  # the first annotation of each data record of an EDF+ file
KINDS = {"EDF": (b"0       ", 2), "BDF": (b"\xffBIOSEMI", 3)}  # first bytes; bytes of a sample
FIRST_YEAR = 85  # of the two digits of a year: 85 to 99 are 1985 to 1999, 00 to 84 are 2000 to 2084
HEADER_BYTES = 256  # of the file, and of each of its signals
UNKNOWN = -1  # data records that a header states while the recorder still writes
BLOCK = 1 << 22  # bytes of data records read at a time where edfio reads them all


@dataclass(frozen=True)
class EdfHeader:
    """The numbers of a file's first 256 bytes, and how many data records there really are.

    Attributes:
        kind: "EDF" or "BDF".
        signals: how many there are, annotations among them.
        duration: s of a data record.
        stated: data records by the header.
        held: whole data records in the file.
        record_bytes: of a data record.
        rest: bytes after the last whole data record.
        start: of the first data record.
    """

    kind: str
    signals: int
    duration: float
    stated: int
    held: int
    record_bytes: int
    rest: int
    start: Start | None

    @property
    def offset(self) -> int:
        """Bytes before the first data record."""
        return HEADER_BYTES * (1 + self.signals)

    def notes(self) -> list[str]:
        """Where the header and the length of the file differ."""
        if self.held < self.stated or (self.rest and self.stated == UNKNOWN):
            stated = "unfinished" if self.stated == UNKNOWN else f"{self.stated} data records"
            return [f"it is cut off: its header states {stated}, it holds {self.held} whole data records"]
        if self.stated not in (UNKNOWN, self.held):
            return [f"its header states {self.stated} data records, it holds {self.held}; all are read"]
        return [f"{self.rest} bytes after its last data record are left out"] if self.rest else []


@dataclass(kw_only=True)
class EdfRecording(Recording):
    """An EDF or BDF file; where data records do not follow each other in time, samples are missing between them.

    Attributes:
        edf: as edfio reads it; of BDF, which edfio reads as a whole, with the first data record alone.
        header: see `EdfHeader`.
        starts: (data records,) s, of EDF+D and BDF+D; None where they follow each other.
    """

    edf: Any
    header: EdfHeader
    starts: np.ndarray | None = None

    @property
    def seconds(self) -> float:
        """See `Recording.seconds`; without what is missing between data records."""
        return self.header.held * self.header.duration

    def stream(self, lead: int, size: int) -> Iterator[np.ndarray]:
        """See `Recording.stream`."""
        signal, scale = self.edf.signals[lead], self.leads[lead].scale or 1.0
        written = 0  # samples
        for first, last in self._runs(max(1, size // signal.samples_per_data_record)):
            with readable(str(self.path)):
                block = self._block(lead, first, last)
            if self.starts is not None:
                due = round((self.starts[first] - self.starts[0]) * self.leads[lead].fs)
                for start in range(written, due, size):
                    yield np.full(min(size, due - start), np.nan, dtype=np.float32)
                written = max(written, due) + len(block)
            yield (block * scale).astype(np.float32)

    def _block(self, lead: int, first: int, last: int) -> np.ndarray:
        """The samples of a lead in the data records from `first` to before `last`, in the file's unit."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a signal without a range stays as it is; `_lead` noted it
            if self.header.kind == "BDF":
                samples: np.ndarray = _read_part(self.path, self.header, first, last).signals[lead].data
            else:
                duration = self.edf.data_record_duration  # s
                samples = self.edf.signals[lead].get_data_slice(first * duration, last * duration)
        return samples

    def _runs(self, most: int) -> Iterator[tuple[int, int]]:
        """(first, last) of data records that follow each other in time, at most `most` of them."""
        n = self.header.held
        edges = [0, n]
        if self.starts is not None:
            breaks = np.flatnonzero(np.abs(np.diff(self.starts) - self.header.duration) > 1e-6) + 1
            edges = [0, *breaks.tolist(), n]
        for begin, end in pairwise(edges):
            for first in range(begin, end, most):
                yield first, min(first + most, end)


def open_edf(path: Path) -> EdfRecording:
    """Open the EDF, EDF+ or BDF file `path`; its first bytes say which it is.

    Raises:
        UserError: it is none of these, damaged, or has no signal.
    """
    header = read_edf_header(path)
    with readable(str(path)), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        edf = (
            _read_part(path, header, 0, 1) if header.kind == "BDF" else edfio.read_edf(path, header_encoding="latin-1")
        )
        leads, notes = [], header.notes()
        for signal in edf.signals:
            lead, note = _lead(signal, header)
            leads.append(lead)
            notes += [note] if note else []
        starts = _starts(path, header, edf) if edf.reserved.startswith(f"{header.kind}+D") else None
    if not leads:
        raise UserError(f"{path} has annotations only, no signal")
    return EdfRecording(
        path, path.stem, header.kind, leads, [path], notes, edf=edf, header=header, starts=starts, start=header.start
    )


def read_edf_header(path: Path) -> EdfHeader:
    """The numbers of the header, checked against the file's length.

    Raises:
        UserError: it is no EDF or BDF file, its header is damaged, or it has no data record.
    """
    size = path.stat().st_size
    with open(path, "rb") as handle:
        head = handle.read(HEADER_BYTES)
        kind = next((kind for kind, (magic, _) in KINDS.items() if head.startswith(magic)), None)
        if kind is None:
            begins = f"it begins with {head[:12]!r}" if head else "it is empty"
            raise UserError(f"{path} is no {path.suffix[1:].upper()} file: {begins}")
        stated, signals = (_number(path, head[slice(*place)], int) for place in ((236, 244), (252, 256)))
        duration = _number(path, head[244:252], float)
        if not 1 <= signals <= (size - HEADER_BYTES) // HEADER_BYTES:
            raise UserError(f"{path}: its header states {signals} signals, which its {size} bytes cannot hold")
        handle.seek(HEADER_BYTES + 216 * signals)
        counts = [_number(path, handle.read(8), int) for _ in range(signals)]
    if not (duration >= 0 and min(counts) >= 0 and sum(counts) > 0):
        raise UserError(f"{path}: its header states data records of {duration:g} s with {min(counts)} samples")
    if not np.isfinite(duration) or duration == 0:
        raise UserError(f"{path}: its data records last {duration:g} s; a signal takes more than 0")
    record_bytes = KINDS[kind][1] * sum(counts)
    held, rest = divmod(size - HEADER_BYTES * (1 + signals), record_bytes)
    if not held:
        raise UserError(f"{path} has no signal: no whole data record follows its header")
    return EdfHeader(kind, signals, duration, stated, held, record_bytes, rest, _start(head))


def _number(path: Path, field: bytes, kind: type) -> Any:
    text = field.decode("latin-1").strip().strip("\0")
    try:
        return kind(text)
    except ValueError as error:
        raise UserError(f"{path}: its header is damaged: {text!r} is no number") from error


def _start(head: bytes) -> Start | None:
    """The start by a header's first 256 bytes: EDF+ writes the date with four digits of the year, or X for none."""
    recorded, day, clock = (head[slice(*place)].decode("latin-1") for place in ((88, 168), (168, 176), (176, 184)))
    numbers = [re.fullmatch(r"\s*(\d{1,2})\.(\d{1,2})\.(\d{1,2})\s*", text) for text in (day, clock)]
    if numbers[1] is None:
        return None
    at = clock_of(*map(int, numbers[1].groups()))
    words = recorded.split()
    if words[:1] == ["Startdate"] and len(words) > 1:
        whole = parse_start(f"{words[1]} 12:00")
        return settled(whole.date() if isinstance(whole, datetime) else None, at)
    if numbers[0] is None:
        return settled(None, at)
    date, month, year = map(int, numbers[0].groups())
    return settled(day_of(year + (1900 if year >= FIRST_YEAR else 2000), month, date), at)


def _read_part(path: Path, header: EdfHeader, first: int, last: int) -> Any:
    """A BDF file's header with its data records from `first` to before `last`, as edfio reads them."""
    with open(path, "rb") as handle:
        content = handle.read(header.offset)
        handle.seek(header.offset + first * header.record_bytes)
        content += handle.read((last - first) * header.record_bytes)
    return edfio.read_bdf(io.BytesIO(content), header_encoding="latin-1")


def _lead(signal: Any, header: EdfHeader) -> tuple[Lead, str]:
    """A signal's description, and a note ("" for none) where its range gives no gain."""
    name, unit = _text(signal.label), _text(signal.physical_dimension)
    fs = signal.samples_per_data_record / header.duration
    physical, digital = ([signal.physical_min, signal.physical_max], [signal.digital_min, signal.digital_max])
    if physical[0] == physical[1] or digital[0] == digital[1] or not np.isfinite(physical).all():
        note = f"the range of lead {name} gives no gain ({physical} {unit} for {digital}): its unit is unknown"
        return Lead(name, "", None, fs), note
    scale = millivolts(unit)
    low, high = sorted(np.array(physical) * (scale or 1.0))
    return Lead(name, unit, scale, fs, low, high), ""


def _text(field: str) -> str:
    """A text of the header, which was decoded as Latin-1; some recorders write UTF-8."""
    try:
        return field.encode("latin-1").decode("utf-8").strip()
    except UnicodeDecodeError:
        return field


def _starts(path: Path, header: EdfHeader, edf: Any) -> np.ndarray:
    """(data records,) s: the start of each data record of an EDF+D or BDF+D file."""
    parts = [edf]
    if header.kind == "BDF":
        most = max(1, BLOCK // header.record_bytes)
        edges = range(0, header.held, most)
        parts = [_read_part(path, header, first, min(first + most, header.held)) for first in edges]
    onsets = [ONSET.match(record.tobytes()) for part in parts for record in timekeeping_samples(part)]
    starts = np.array([float(onset[1]) if onset else np.nan for onset in onsets])
    if not (np.diff(starts) >= 0.999 * header.duration).all():
        raise UserError(f"{path}: data records without a time, or not in its order")
    if starts[-1] - starts[0] > LONGEST:
        raise UserError(f"{path}: its data records are {(starts[-1] - starts[0]) / 86400:.0f} days apart")
    return starts
