"""Recordings of electrocardiographs, read through ecgdatakit: DICOM, SCP-ECG, HL7 aECG, GE Muse, MFER, Kardia.

ecgdatakit comes with the extra `formats`. It reads a file as a whole, which suits recordings of up to some hours, and
rounds sampling rates to whole numbers; the exact ones are taken from what it says beside them.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from loaders.io.loaded_recording import LoadedRecording
from loaders.io.recording import Lead, millivolts, readable
from loaders.io.start_time import settled_moment
from toolbox.utils import UserError
from toolbox.utils.program import missing_package

KINDS = {  # suffix -> the format's name for readers
    ".dcm": "DICOM",
    ".scp": "SCP-ECG",
    ".mwf": "MFER",
    ".mfer": "MFER",
    ".xml": "HL7 aECG or GE Muse XML",
    ".json": "Kardia",
}
# ecgdatakit's names of the formats that the tests write; it reads others.
KNOWN = {"DICOM Waveform", "SCP-ECG", "MFER", "HL7 aECG", "GE MUSE XML", "AliveCor Kardia JSON"}
# Bytes of a file that is read: numbers as text take some 40 times as much memory, 16-bit samples some 8 times.
LARGEST = {".xml": 1 << 26, ".json": 1 << 24, ".dcm": 1 << 28, ".mwf": 1 << 28, ".mfer": 1 << 28, ".scp": 1 << 26}
ROUNDED = 1e-4  # relative; intervals are stated with few digits, so a rate so close to a whole number is that number
HEAD_BYTES = 4096
DEFLATED = b"1.2.840.10008.1.2.1.99"  # DICOM's transfer syntax that is compressed as a whole
MOST_TAGS = 500_000
MOST_NOTES = 4
UNSAID = re.compile(
    "rounded to|Invalid value for VR|value length"
)  # of rates, see `_rates`; of pydicom, with names in it


def open_device(path: Path) -> LoadedRecording:
    """Open the recording `path` of an electrocardiograph.

    Raises:
        UserError: it is damaged, of none of the formats, larger than is read, or ecgdatakit is not installed.
    """
    suffix = path.suffix.lower()
    kind = KINDS[suffix]
    size = path.stat().st_size
    if size > LARGEST[suffix]:
        raise UserError(
            f"{path} has {size} bytes; files of {kind} are read as a whole, up to {LARGEST[suffix]}: export it as EDF"
        )
    _check_content(path)
    try:
        from ecgdatakit import FileParser, UnsupportedFormatError
    except ModuleNotFoundError as error:
        raise UserError(f"{path}: {missing_package(error) or error}") from error
    with readable(str(path)), warnings.catch_warnings(record=True) as cautions:
        warnings.simplefilter("always")
        try:
            content = FileParser.parse(path, units="mV")
        except ImportError as error:  # of pydicom
            raise UserError(f"{path}: {missing_package(ModuleNotFoundError(name='pydicom'))}") from error
        except UnsupportedFormatError as error:
            reason = "" if str(error).startswith("No parser found") else f": {_one_line(error, path)}"
            raise UserError(f"{path} is no file of {kind} that can be read{reason}") from error
        leads, signals = _leads(content)
    if content.file_format.name not in KNOWN:
        raise UserError(f"{path} is a file of {content.file_format.name}, expected {kind}; export it in another format")
    if not leads:
        raise UserError(f"{path} has no signal but an average beat")
    said = [caution for caution in cautions if not UNSAID.search(str(caution.message))]
    notes = list(dict.fromkeys(_one_line(caution.message, path) for caution in said))[:MOST_NOTES]
    start = settled_moment(content.recording.date)
    return LoadedRecording(path, path.stem, content.file_format.name, leads, [path], notes, signals, start=start)


def _check_content(path: Path) -> None:
    """Raise UserError for a small file that would fill the memory: XML of tags alone, DICOM that is compressed."""
    with open(path, "rb") as handle:
        head = handle.read(HEAD_BYTES)
        if DEFLATED in head:
            raise UserError(f"{path} is a compressed DICOM file: save it as Explicit VR Little Endian")
        if path.suffix.lower() == ".xml":
            tags = head.count(b"<") + sum(block.count(b"<") for block in iter(lambda: handle.read(1 << 20), b""))
            if tags > MOST_TAGS:
                raise UserError(f"{path} has {tags} tags, which no recording has")


def _one_line(message: object, path: Path) -> str:
    """A message of ecgdatakit without the path, which whoever shows it names already."""
    return " ".join(str(message).replace(str(path), "the file").split())[:200]


def _leads(content: Any) -> tuple[list[Lead], list[np.ndarray]]:
    """The leads of a file, and the signal of each in its unit; those that start later have nothing before."""
    leads, signals = [], []
    for lead, fs in zip(content.leads, _rates(content), strict=True):
        scale = None if lead.is_raw else millivolts(lead.units)
        leads.append(Lead(lead.label, lead.units, scale, fs))
        late = int(lead.annotations.get("start_sample", 1)) - 1
        signal = lead.samples.astype(np.float32)
        signals.append(np.concatenate([np.full(max(late, 0), np.nan, np.float32), signal]) if late > 0 else signal)
    return leads, signals


def _rates(content: Any) -> list[float]:
    """Samples per second of each lead, exact where the file states them so."""
    stated, facts = [float(lead.sampling_rate) for lead in content.leads], content.raw_metadata
    if "sampling_rates" in facts:  # MFER
        exact = [float(rate) for rate in facts["sampling_rates"]]
    elif "rhythm_sample_interval_us" in facts:  # SCP-ECG
        exact = [1e6 / facts["rhythm_sample_interval_us"]] * len(stated)
    elif "rhythm_time" in facts:  # HL7 aECG
        exact = [float(facts["rhythm_time"]["sampling_rate_exact"])] * len(stated)
    else:  # DICOM; none of the others
        groups = [float(group["sampling_frequency"]) for group in facts.get("multiplex_groups", ())]
        exact = [next((rate for rate in groups if round(rate) == each), each) for each in stated]
    return [whole if abs(rate / whole - 1) < ROUNDED else rate for rate, whole in zip(exact, stated, strict=True)]
