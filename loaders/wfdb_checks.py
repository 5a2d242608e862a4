"""What must hold of a WFDB record's files before they are believed: wfdb itself reads nearly everything."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

from toolbox.utils import UserError

# By WFDB signal format (signal(5)): bytes of a sample; the bits whose lowest value stands for a missing one.
SAMPLE_BYTES = {"8": 1, "80": 1, "212": 1.5, "310": 4 / 3, "311": 4 / 3, "16": 2, "61": 2, "160": 2, "24": 3, "32": 4}
FLAC = ("508", "516", "524")
BITS = {"80": 8, "508": 8, "310": 10, "311": 10, "212": 12, "24": 24, "524": 24, "32": 32}
BITS |= dict.fromkeys(("16", "61", "160", "516"), 16)  # format 8 stores differences and has no such value
NOTE = 22  # the code of an annotation that is a text
RATE_NOTE = re.compile(r"## time resolution: \d")
SYMBOL_NOTES = {"## annotation type definitions": "b", "## end of definitions": "e"}


def warn(text: str) -> None:
    """A line on stderr."""
    print(f"warning: {text}", file=sys.stderr, flush=True)


def check_header(path: Path, header: Any) -> None:
    """UserError for a header that is no single recording, or that says more than its signal files hold."""
    if not hasattr(header, "fmt"):
        raise UserError(f"record {path} has several segments; only single recordings are read")
    n, leads = header.sig_len, header.n_sig
    if not n or not leads or header.file_name is None or not (np.isfinite(header.fs) and header.fs > 0):
        raise UserError(f"record {path}: the header tells {n} samples of {leads} leads at {header.fs} Hz")
    if any(per != 1 for per in header.samps_per_frame) or len(header.sig_name) != leads or None in header.sig_name:
        raise UserError(f"record {path}: leads without a name, or of several sampling rates")
    for name in dict.fromkeys(header.file_name):
        if Path(name).name != name or "\\" in name:
            raise UserError(f"record {path}: the header names the signal file {name!r}, which lies in another folder")
        file = path.with_name(name)
        if not file.is_file():
            raise UserError(f"record {path}: {name} is missing")
        own = [k for k in range(leads) if header.file_name[k] == name]
        _check_length(path, file, n, header.fmt[own[0]], len(own), header.byte_offset[own[0]] or 0)
    if not all(np.isfinite(gain) and gain != 0 for gain in header.adc_gain):
        raise UserError(f"record {path}: gains of {header.adc_gain} ADC units per mV")


def _check_length(path: Path, file: Path, n: int, form: str, leads: int, offset: int) -> None:
    """UserError when the signal file `file` holds fewer than the `n` samples of `leads` leads that its header says."""
    if form in FLAC:
        with open(file, "rb") as handle:
            head = handle.read(26)  # RFC 9639, 8.2: the last 36 bits here count the samples of a lead
        have = int.from_bytes(head[18:26], "big") & (1 << 36) - 1 if head.startswith(b"fLaC") else 0
        if have != n:
            raise UserError(f"record {path}: {file.name} has {have} samples of each lead, the header says {n}")
        return
    if form not in SAMPLE_BYTES:
        raise UserError(f"record {path}: {file.name} has signal format {form}, which is not known")
    size, have = int(SAMPLE_BYTES[form] * leads * n) + offset, file.stat().st_size
    if have < size:
        raise UserError(
            f"record {path}: {file.name} has {have} bytes, the header says {n} samples of {leads} leads in format "
            f"{form}, which are {size}"
        )
    if have > size + 4:  # samples may be packed in threes
        warn(f"record {path}: {file.name} has {have} bytes, {size} of them are read, as the header says")


def check_gaps(path: Path, digital: np.ndarray, formats: list[str], leads: list[str]) -> None:
    """UserError when a sample has the value that its format marks missing ones by."""
    for k, (form, lead) in enumerate(zip(formats, leads, strict=True)):
        missing = np.flatnonzero(digital[:, k] == -(1 << BITS[form] - 1)) if form in BITS else np.empty(0, np.int64)
        if len(missing):
            raise UserError(
                f"record {path}: lead {lead} lacks {len(missing)} samples (gaps), the first at sample {missing[0]}"
            )


def check_sums(path: Path, record: Any) -> None:
    """Warn when a lead's samples do not add up to what the header says (header(5): modulo 65536)."""
    for k, (lead, stated) in enumerate(zip(record.sig_name, record.checksum, strict=True)):
        if stated is not None and (int(record.d_signal[:, k].sum(dtype=np.int64)) - stated) % 65536:
            warn(f"record {path}: lead {lead} has not the checksum that its header says; is the file damaged?")


def read_annotations(path: Path, annotator: str, fs: float) -> Any:
    """What wfdb reads of NAME.ANNOTATOR, but for what it would never come back from.

    Notes at sample 0 that begin with "## " tell of the file itself: the rate it counts in, and symbols of its own. Over
    any other such note wfdb 4.3 loops for ever.
    """
    import wfdb
    from wfdb.io import annotation as raw

    file = path.with_name(f"{path.name}.{annotator}")
    if not file.read_bytes().endswith(b"\0\0") or file.stat().st_size % 2:
        raise UserError(f"record {path}: {file.name} is cut off or damaged: no annotation file ends like this")
    try:
        sample, code, *_, notes = raw.proc_ann_bytes(raw.load_byte_pairs(str(path), annotator, None), None)
    except IndexError as error:
        raise UserError(f"record {path}: {file.name} is damaged: its last annotation goes beyond its end") from error
    count = sum(at == 0 and kind == NOTE for at, kind in zip(sample, code, strict=True))
    told = [note for note in notes[:count] if note.startswith("## ")]
    kinds = "".join("r" if RATE_NOTE.search(note) else SYMBOL_NOTES.get(note, "?") for note in told)
    if not re.fullmatch("(be)*r?(be)*", kinds):
        raise UserError(f"record {path}: the notes that {file.name} begins with make no sense: {str(told)[:99]}")
    annotation = wfdb.rdann(str(path), annotator)
    if "r" in kinds and annotation.fs != fs:
        raise UserError(f"record {path}: {file.name} counts {annotation.fs:g} samples a second, the signal has {fs:g}")
    return annotation
