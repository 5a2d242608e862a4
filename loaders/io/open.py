"""Open a recording by the suffix of its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from loaders.io.array_recording import open_array
from loaders.io.csv.recording import open_csv
from loaders.io.device_recording import KINDS as DEVICE_KINDS
from loaders.io.device_recording import open_device
from loaders.io.edf_recording import open_edf
from loaders.io.ishne_recording import MAGIC as ISHNE_MAGIC
from loaders.io.ishne_recording import open_ishne
from loaders.io.packed_recording import open_packed
from loaders.io.recording import CSV_SUFFIXES, HIGHEST_RATE, PACKED, CsvFormat, Recording, suffix_of
from loaders.io.wfdb_recording import open_wfdb
from toolbox.utils import UserError

# By suffix in lower case: opens a path; only tables (CSV files and arrays) need to be described.
OPENERS: dict[str, Callable[[Path, CsvFormat], Recording]] = {
    ".hea": lambda path, _: open_wfdb(path.with_suffix("")),
    **dict.fromkeys((".edf", ".bdf"), lambda path, _: open_edf(path)),
    **dict.fromkeys((".ish", ".ecg"), lambda path, _: open_ishne(path)),
    **dict.fromkeys(DEVICE_KINDS, lambda path, _: open_device(path)),
    **dict.fromkeys((".mat", ".npy", ".npz"), open_array),
    **dict.fromkeys(CSV_SUFFIXES, open_csv),
    **dict.fromkeys((f"{suffix}{PACKED}" for suffix in CSV_SUFFIXES), open_packed),
}
TABLES = tuple(suffix for suffix, opener in OPENERS.items() if opener in (open_array, open_csv, open_packed))
# Other files have these suffixes, too. Ours begin so; all the words of one row stand within the first bytes.
HEAD_BYTES = 4096
SIGNATURES: dict[str, tuple[tuple[bytes, ...], ...]] = {
    ".ecg": ((ISHNE_MAGIC,),),  # an annotation file as often
    ".dcm": ((b"1.2.840.10008.5.1.4.1.1.9.",),),  # the classes of waveforms, not of images
    ".xml": ((b"<annotatedecg",), (b"<restingecg>",)),
    ".json": ((b'"recordedat"', b'"amplituderesolution"'), (b'"recordedat"', b'"algorithmdetermination"')),
}
PACKERS = (".zip", ".gz", ".bz2", ".xz", ".7z", ".rar", ".tar", ".tgz", ".zst")


def is_recording(path: Path) -> bool:
    """Check whether a file is a recording by its suffix and, where others have that suffix, too, by its first bytes."""
    suffix = suffix_of(path)
    if suffix not in OPENERS or not path.is_file():
        return False
    if suffix not in SIGNATURES:
        return True
    try:
        with open(path, "rb") as handle:
            return has_signature(suffix, handle.read(HEAD_BYTES))
    except OSError:
        return True  # opening it says why


def has_signature(suffix: str, head: bytes) -> bool:
    """Check whether a file that begins with `head` is a recording of a suffix of SIGNATURES."""
    plain = head.replace(b"\0", b"").lower()  # text may be UTF-16
    return any(all(word.lower() in plain for word in words) for words in SIGNATURES[suffix])


def open_recording(path: Path, csv: CsvFormat) -> Recording:
    """Open the recording `path`, a file of one of the formats in `OPENERS`.

    Raises:
        UserError: it is missing, no regular file, damaged, of none of the formats, or its rate is that of no ECG.
    """
    opener = OPENERS.get(suffix_of(path))
    if opener is None:
        raise UserError(f"{path} is no recording: {expected_formats(path)}")
    if not path.is_file():
        if path.exists():
            raise UserError(f"{path} is no regular file: a device, a pipe or a folder cannot be read as a recording")
        raise UserError(f"{path} is missing" + (", a link to nowhere" if path.is_symlink() else ""))
    recording = opener(path, csv)
    if all(not 0 < lead.fs <= HIGHEST_RATE for lead in recording.leads):
        lead = recording.leads[0]
        raise UserError(
            f"{path}: lead {lead.name} has {lead.fs:g} samples per second; at most {HIGHEST_RATE:g} make sense"
        )
    return recording


def expected_formats(path: Path) -> str:
    """The suffixes of recordings, for messages; of a packed file, to unpack it."""
    if path.suffix.lower() in PACKERS:
        return "unpack it first"
    return f"expected a WFDB record (its .hea) or a file {', '.join(list(OPENERS)[1:])}"
