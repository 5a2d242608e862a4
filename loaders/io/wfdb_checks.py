"""Checks of a WFDB record's files before they are used: wfdb itself reads nearly everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from loaders.io.wfdb_files import SAMPLE_BYTES, missing_value, signal_file
from toolbox.utils import UserError
from toolbox.utils.errors import warn

MATLAB_5_HEADER = 128  # bytes; PhysioNet's challenges use MATLAB files of version 4, whose samples begin at byte 24
FLAC = ("508", "516", "524")


def check_header(path: Path, header: Any) -> None:
    """Raise UserError unless the header suits training and matches the signal files."""
    if not hasattr(header, "fmt"):
        raise UserError(f"record {path} has several segments; only single recordings are read")
    if any(per != 1 for per in header.samps_per_frame or ()) or None in (header.sig_name or ()):
        raise UserError(f"record {path}: leads without a name, or of several sampling rates")
    check_files(path, header)
    if not all(np.isfinite(gain) and gain != 0 for gain in header.adc_gain):
        raise UserError(f"record {path}: gains of {header.adc_gain} ADC units per mV")


def check_files(path: Path, header: Any) -> None:
    """Raise UserError if the header of a single recording says more than its signal files hold.

    Args:
        path: the record, without extension.
        header: as wfdb.rdheader returns it; its length is known.
    """
    n, leads = header.sig_len, header.n_sig
    if not n or not leads or header.file_name is None or not (np.isfinite(header.fs) and header.fs > 0):
        raise UserError(f"record {path}: the header states {n} samples of {leads} leads at {header.fs} Hz")
    if len(header.sig_name) != leads:
        raise UserError(f"record {path}: the header describes {len(header.sig_name)} of {leads} leads")
    for name in dict.fromkeys(header.file_name):
        file = signal_file(path, name)
        own = [k for k in range(leads) if header.file_name[k] == name]
        frame = sum(header.samps_per_frame[k] for k in own)  # samples
        form, offset = header.fmt[own[0]], header.byte_offset[own[0]] or 0
        if form in FLAC:
            _check_flac(path, file, n * header.samps_per_frame[own[0]])
        else:
            _check_length(path, file, n, form, (len(own), frame), offset)


def _check_flac(path: Path, file: Path, n: int) -> None:
    """Raise UserError unless the FLAC file states `n` samples of each lead."""
    with open(file, "rb") as handle:
        head = handle.read(26)  # RFC 9639, 8.2: the last 36 bits here count the samples of a lead
    stored = int.from_bytes(head[18:26], "big") & (1 << 36) - 1 if head.startswith(b"fLaC") else 0
    if stored != n:
        raise UserError(f"record {path}: {file.name} has {stored} samples of each lead, the header says {n}")


def _check_length(path: Path, file: Path, n: int, form: str, leads: tuple[int, int], offset: int) -> None:
    """Raise UserError if `file` holds fewer than the `n` frames that its header says; warn if it holds more.

    Args:
        leads: the number of leads in the file, and the number of samples of all of them in a frame.
    """
    with open(file, "rb") as handle:
        head = handle.read(8)
    if offset < MATLAB_5_HEADER and head.startswith((b"MATLAB 5", b"MATLAB 7", b"\x89HDF")):
        raise UserError(
            f"record {path}: {file.name} is a MATLAB file of version 5 or later, the header says {form}+{offset}; "
            f"save it with '-v4', or annotate it in a folder without {path.name}.hea"
        )
    if form not in SAMPLE_BYTES:
        raise UserError(f"record {path}: {file.name} has signal format {form}, which is not known")
    expected, stored = int(SAMPLE_BYTES[form] * leads[1] * n) + offset, file.stat().st_size
    if stored < expected:
        raise UserError(
            f"record {path}: {file.name} has {stored} bytes, the header says {n} samples of {leads[0]} leads in format "
            f"{form}, which are {expected}"
        )
    if stored > expected + 4:  # samples may be packed in threes
        warn(f"record {path}: {file.name} has {stored} bytes, {expected} of them are read, as the header says")


def check_gaps(path: Path, digital: np.ndarray, formats: list[str], leads: list[str]) -> None:
    """Raise UserError if any sample is missing: has the value that marks a gap in its format."""
    for k, (form, lead) in enumerate(zip(formats, leads, strict=True)):
        missing = np.flatnonzero(digital[:, k] == missing_value(form))
        if len(missing):
            raise UserError(
                f"record {path}: lead {lead} lacks {len(missing)} samples (gaps), the first at sample {missing[0]}"
            )


def check_sums(path: Path, digital: np.ndarray, header: Any) -> None:
    """Warn when a lead's samples do not add up to what the header says (header(5): modulo 65536)."""
    for k, (lead, stated) in enumerate(zip(header.sig_name, header.checksum, strict=True)):
        if stated is not None and (int(digital[:, k].sum(dtype=np.int64)) - stated) % 65536:
            warn(f"record {path}: lead {lead} has not the checksum that its header says; is the file damaged?")
