"""WFDB records to annotate, of one segment or several, in every format that wfdb reads.

Formats and headers: signal(5) and header(5) of the WFDB Applications Guide. A lead may have several samples per frame
(its rate is then a multiple of the record's) and a skew (its samples are stored that many frames late).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from loaders.io.recording import LONGEST, Lead, Recording, millivolts, readable
from loaders.io.wfdb_checks import check_files
from loaders.io.wfdb_files import (
    BITS,
    SAMPLE_BYTES,
    calibration,
    missing_value,
    read_samples,
    signal_file,
)
from loaders.io.wfdb_header import read_header
from toolbox.utils import UserError

MOST_NOTES = 4  # of a record of many segments
MOST_BITS = 32  # of an analog-to-digital converter; a header that states more is wrong there


@dataclass
class Segment:
    """A part of a record that is stored together: a header and its signal files, or (without header) a gap.

    Attributes:
        path: of the header, without extension.
        frames: its length.
        header: as wfdb.rdheader returns it.
    """

    path: Path
    frames: int
    header: Any = None

    def leads(self) -> list[Lead]:
        """Its channels, none for a gap; those without a name are called by their number."""
        return [self._lead(k) for k in range(self.header.n_sig)] if self.header is not None else []

    def _lead(self, k: int) -> Lead:
        header = self.header
        unit = header.units[k] or "mV"
        scale = millivolts(unit)
        bits = header.adc_res[k] if 0 < (header.adc_res[k] or 0) <= MOST_BITS else BITS.get(header.fmt[k], 16)
        rails = (header.adc_zero[k] or 0) + np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1])
        gain, baseline = calibration(header, k)
        if not np.isfinite(gain):
            raise UserError(f"record {self.path}: its header states a gain of {gain:g} units per {unit}")
        low, high = np.sort((rails - baseline) / gain * (scale or 1.0)).tolist()
        fs = header.fs * header.samps_per_frame[k]
        return Lead(header.sig_name[k] or f"signal {k}", unit, scale, fs, low, high)

    def stream(self, name: str, size: int) -> Iterator[np.ndarray]:
        """The lead `name` in blocks, NaN throughout where the segment has no lead of that name."""
        leads = self.leads()
        k = next((k for k, lead in enumerate(leads) if lead.name == name), None)
        if k is None:
            yield from _missing(self.frames, size)
            return
        header = self.header
        form, first, skew, per = (
            header.fmt[k],
            header.init_value[k] or 0,
            header.skew[k] or 0,
            header.samps_per_frame[k],
        )
        gain, baseline = calibration(header, k)
        factor = (leads[k].scale or 1.0) / gain
        last, frames = first, max(1, size // per)
        # Format 8 stores differences: a block needs the value before it, so all blocks before it are read.
        start = 0 if form == "8" else skew
        while start < self.frames:
            stop = min(start + frames, self.frames)
            (digital,) = read_samples(self.path, header, [k], start, stop, ignore_skew=True)
            is_missing = digital == missing_value(form)
            if form == "8":
                digital = digital - first + last
                last = digital[-1]
            block = ((digital - baseline) * factor).astype(np.float32)
            block[is_missing] = np.nan
            yield block[max(0, skew - start) * per :]
            start = stop
        yield from _missing(min(skew, self.frames) * per, size)  # the file ends before the skewed lead does


def _missing(n: int, size: int) -> Iterator[np.ndarray]:
    """`n` missing samples in blocks."""
    for start in range(0, n, size):
        yield np.full(min(size, n - start), np.nan, dtype=np.float32)


@dataclass
class WfdbRecording(Recording):
    """A WFDB record; its segments follow each other."""

    segments: list[Segment] = field(default_factory=list)
    fs: float = 0.0  # frames per second

    @property
    def seconds(self) -> float:
        """See `Recording.seconds`."""
        return sum(segment.frames for segment in self.segments) / self.fs

    def stream(self, lead: int, size: int) -> Iterator[np.ndarray]:
        """See `Recording.stream`."""
        wanted = self.leads[lead]
        for segment in self.segments:
            own = next((other for other in segment.leads() if other.name == wanted.name), None)
            if own is None:
                yield from _missing(round(segment.frames * wanted.fs / self.fs), size)
                continue
            if not np.isclose(own.fs, wanted.fs):
                raise UserError(f"record {segment.path}: lead {wanted.name} has {own.fs:g} Hz, before {wanted.fs:g}")
            yield from segment.stream(wanted.name, size)


def open_wfdb(path: Path) -> WfdbRecording:
    """Open the WFDB record `path` (without extension) for prediction.

    Raises:
        UserError: a file is missing, cannot be read, or holds less than its header says.
    """
    header = read_header(path)
    layout, segments = None, [Segment(path, header.sig_len or 0, header)]
    if hasattr(header, "seg_name"):
        layout, segments = _segments(path, header)
    files = [path.with_name(f"{path.name}.hea")]
    leads: dict[str, Lead] = {}
    notes = list(header.notes)
    for segment in segments:
        if segment.header is None:
            continue
        _check(segment)
        notes += [note for note in segment.header.notes if note not in notes]
        files += [signal_file(segment.path, name) for name in dict.fromkeys(segment.header.file_name)]
        files += [segment.path.with_name(f"{segment.path.name}.hea")] if segment.path != path else []
        with readable(f"record {segment.path}"):
            for lead in segment.leads():
                leads.setdefault(lead.name, lead)
    if not leads:
        raise UserError(f"record {path} has no signal")
    if layout is not None:  # its order, which segments need not keep
        leads = {name: leads[name] for name in [*filter(None, layout.sig_name or ()), *leads] if name in leads}
    return WfdbRecording(
        path.with_name(f"{path.name}.hea"),
        path.name,
        "WFDB",
        list(leads.values()),
        files,
        notes[:MOST_NOTES],
        segments,
        header.fs,
        start=header.start,
    )


def _segments(path: Path, header: Any) -> tuple[Any, list[Segment]]:
    """The layout (None where all segments are alike) and the segments of a multi-segment record."""
    if sum(header.seg_len) != header.sig_len:
        raise UserError(f"record {path}: {header.sig_len} samples, its segments have {sum(header.seg_len)}")
    if header.sig_len > LONGEST * header.fs:
        raise UserError(f"record {path}: its header states a length of {header.sig_len / header.fs / 86400:.0f} days")
    layout, segments = None, []
    for name, frames in zip(header.seg_name, header.seg_len, strict=True):
        if name == "~":
            segments.append(Segment(path, frames))
            continue
        if Path(name).name != name or "\\" in name:
            raise UserError(f"record {path}: the header names the segment {name!r}, which lies in another folder")
        own = read_header(path.with_name(name))
        if hasattr(own, "seg_name"):
            raise UserError(f"record {path}: its segment {name} has segments itself")
        if frames == 0:
            layout = own
            continue
        if own.sig_len not in (None, frames) or (own.n_sig and own.fs != header.fs):
            raise UserError(
                f"record {path}: segment {name} has {own.sig_len} samples at {own.fs:g} Hz, "
                f"the record {frames} at {header.fs:g} Hz"
            )
        own.sig_len = frames
        segments.append(Segment(path.with_name(name), frames, own if own.n_sig else None))
    return layout, segments


def _check(segment: Segment) -> None:
    """Raise UserError unless a segment's files hold as much as its header says; fill in a length that it lacks."""
    header, path = segment.header, segment.path
    if not header.sig_len and header.n_sig and header.file_name:
        first = header.file_name[0]
        own = [k for k in range(len(header.file_name)) if header.file_name[k] == first]
        each = sum(SAMPLE_BYTES.get(header.fmt[k], 0) * header.samps_per_frame[k] for k in own)
        stored = signal_file(path, first).stat().st_size - (header.byte_offset[0] or 0)
        if not each:
            raise UserError(f"record {path}: the header does not state how many samples {first} has")
        header.sig_len = segment.frames = int(stored / each + 1e-6)
    check_files(path, header)
    if len({name or k for k, name in enumerate(header.sig_name)}) != header.n_sig:
        for k, name in enumerate(header.sig_name):  # two leads of one name: the later ones get a number
            header.sig_name[k] = f"{name} ({k})" if name in header.sig_name[:k] else name
