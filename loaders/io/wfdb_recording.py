"""WFDB records to annotate, of one segment or several, in every format that wfdb reads.

Formats and headers: signal(5) and header(5) of the WFDB Applications Guide. A lead may have several samples per frame
(its rate is then a multiple of the record's) and a skew (its samples are stored that many frames late).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loaders.io.recording import Lead, Recording, millivolts
from loaders.io.wfdb_checks import SAMPLE_BYTES, check_files, missing_value, read_header, readable, signal_file
from toolbox.utils import UserError

BITS = {"80": 8, "508": 8, "310": 10, "311": 10, "212": 12, "24": 24, "524": 24, "32": 32}  # of a sample, else 16


@dataclass
class Segment:
    """A part of a record that is stored together: a header and its signal files, or (without header) a gap.

    Attributes:
        path: of the header, without extension.
        frames: its length.
        header: what wfdb.rdheader gives.
    """

    path: Path
    frames: int
    header: Any = None

    def leads(self) -> list[Lead]:
        """Its channels; those without a name are called by their number."""
        header, found = self.header, []
        for k in range(header.n_sig):
            unit = header.units[k] or "mV"
            scale = millivolts(unit)
            bits = header.adc_res[k] or BITS.get(header.fmt[k], 16)
            rails = (header.adc_zero[k] or 0) + np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1])
            low, high = np.sort((rails - self._baseline(k)) / self._gain(k) * (scale or 1.0)).tolist()
            found.append(
                Lead(header.sig_name[k] or f"signal {k}", unit, scale, header.fs * header.samps_per_frame[k], low, high)
            )
        return found

    def stream(self, name: str, size: int) -> Iterator[np.ndarray]:
        """The lead `name` in blocks, NaN throughout where the segment has no such lead."""
        names = [lead.name for lead in self.leads()] if self.header is not None else []
        if name not in names:
            yield from _nothing(self.frames, size)
            return
        k = names.index(name)
        lead, header = self.leads()[k], self.header
        skew, per = header.skew[k] or 0, header.samps_per_frame[k]
        factor = (lead.scale or 1.0) / self._gain(k)
        last = header.init_value[k] or 0
        each = max(1, size // per)  # frames
        # Format 8 stores differences: the value before a block is known when all blocks before it were read.
        start = 0 if header.fmt[k] == "8" else skew
        while start < self.frames:
            stop = min(start + each, self.frames)
            digital = self._read(k, start, stop)
            missing = digital == missing_value(header.fmt[k])
            if header.fmt[k] == "8":
                digital = digital - (header.init_value[k] or 0) + last
                last = digital[-1]
            block = ((digital - self._baseline(k)) * factor).astype(np.float32)
            block[missing] = np.nan
            yield block[max(0, skew - start) * per :]
            start = stop
        yield from _nothing(min(skew, self.frames) * per, size)  # the file ends before the skewed lead does

    def _read(self, k: int, start: int, stop: int) -> np.ndarray:
        """int64 samples of a lead as stored, without its skew.

        This is what wfdb.rdrecord calls; that parses the header anew for each block, reads no block of a record whose
        header lacks the length, and gives no integers of format 61 (wfdb 4.3.1).
        """
        from wfdb.io._signal import _rd_segment

        header = self.header
        layout = (header.fmt, header.n_sig, header.sig_len, header.byte_offset, header.samps_per_frame, header.skew)
        with readable(f"record {self.path}"):
            (digital,) = _rd_segment(
                header.file_name, str(self.path.parent), None, *layout, header.init_value, start, stop, [k], True
            )
            if len(digital) != (stop - start) * header.samps_per_frame[k]:
                raise UserError(f"record {self.path}: frames {start} to {stop} are cut off")
            return np.asarray(digital, dtype=np.int64)

    def _gain(self, k: int) -> float:
        return float(self.header.adc_gain[k] or 200.0)  # header(5): 200 where a record does not say

    def _baseline(self, k: int) -> int:
        baseline = self.header.baseline[k]
        return int(baseline if baseline is not None else self.header.adc_zero[k] or 0)


def _nothing(n: int, size: int) -> Iterator[np.ndarray]:
    """`n` missing samples in blocks."""
    for start in range(0, n, size):
        yield np.full(min(size, n - start), np.nan, dtype=np.float32)


@dataclass
class WfdbRecording(Recording):
    """A WFDB record; its segments follow each other."""

    segments: list[Segment] = None  # type: ignore[assignment]  # after fields with defaults
    fs: float = 0.0  # frames per second

    @property
    def seconds(self) -> float:
        """See `Recording.seconds`."""
        return sum(segment.frames for segment in self.segments) / self.fs

    def stream(self, lead: int, size: int) -> Iterator[np.ndarray]:
        """See `Recording.stream`."""
        wanted = self.leads[lead]
        for segment in self.segments:
            own = [other for other in segment.leads() if other.name == wanted.name] if segment.header else []
            if own and not np.isclose(own[0].fs, wanted.fs):
                raise UserError(f"record {segment.path}: lead {wanted.name} has {own[0].fs:g} Hz, before {wanted.fs:g}")
            if own:
                yield from segment.stream(wanted.name, size)
            else:
                yield from _nothing(round(segment.frames * wanted.fs / self.fs), size)


def open_wfdb(path: Path) -> WfdbRecording:
    """The WFDB record `path` (without extension).

    Raises:
        UserError: a file is missing, cannot be read, or holds less than its header says.
    """
    header = read_header(path)
    layout, segments = None, [Segment(path, header.sig_len or 0, header)]
    if hasattr(header, "seg_name"):
        layout, segments = _segments(path, header)
    files = [path.with_name(f"{path.name}.hea")]
    leads: dict[str, Lead] = {}
    for segment in segments:
        if segment.header is None:
            continue
        _check(segment)
        files += [signal_file(segment.path, name) for name in dict.fromkeys(segment.header.file_name)]
        files += [segment.path.with_name(f"{segment.path.name}.hea")] if segment.path != path else []
        for lead in segment.leads():
            leads.setdefault(lead.name, lead)
    if not leads:
        raise UserError(f"record {path} has no signal")
    if layout is not None:  # its order, which segments need not keep
        leads = {name: leads[name] for name in [*filter(None, layout.sig_name or ()), *leads] if name in leads}
    return WfdbRecording(
        path.with_name(f"{path.name}.hea"), path.name, "WFDB", list(leads.values()), files, [], segments, header.fs
    )


def _segments(path: Path, header: Any) -> tuple[Any, list[Segment]]:
    """The layout (None where all segments are alike) and the segments of a multi-segment record."""
    if sum(header.seg_len) != header.sig_len:
        raise UserError(f"record {path}: {header.sig_len} samples, its segments have {sum(header.seg_len)}")
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
                f"record {path}: segment {name} tells {own.sig_len} samples at {own.fs:g} Hz, "
                f"the record {frames} at {header.fs:g} Hz"
            )
        own.sig_len = frames
        segments.append(Segment(path.with_name(name), frames, own if own.n_sig else None))
    return layout, segments


def _check(segment: Segment) -> None:
    """UserError for a segment whose files do not hold what its header says; finds out its length if that is missing."""
    header, path = segment.header, segment.path
    if not header.sig_len and header.n_sig and header.file_name:
        first = header.file_name[0]
        own = [k for k in range(len(header.file_name)) if header.file_name[k] == first]
        each = sum(SAMPLE_BYTES.get(header.fmt[k], 0) * header.samps_per_frame[k] for k in own)
        stored = signal_file(path, first).stat().st_size - (header.byte_offset[0] or 0)
        if not each:
            raise UserError(f"record {path}: the header does not tell how many samples {first} has")
        header.sig_len = segment.frames = int(stored / each + 1e-6)
    check_files(path, header)
    if len({name or k for k, name in enumerate(header.sig_name)}) != header.n_sig:
        for k, name in enumerate(header.sig_name):  # two leads of one name: the later ones get a number
            header.sig_name[k] = f"{name} ({k})" if name in header.sig_name[:k] else name
