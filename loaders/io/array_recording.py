"""Arrays of samples to annotate: MATLAB's .mat (versions 4 to 7), NumPy's .npy and .npz. No code in a file is run."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from loaders.io.loaded_recording import LoadedRecording
from loaders.io.recording import CsvFormat, Lead, millivolts, readable
from toolbox.utils import UserError

HDF5 = b"\x89HDF\r\n\x1a\n"  # at the beginning, or after the 512 bytes that MATLAB 7.3 puts before it
NPY = b"\x93NUMPY"
MATLAB_73 = b"MATLAB 7.3"
# Names of variables that state a rate, a unit or times, without case and punctuation.
RATE_NAMES = {"fs", "fsamp", "freq", "frequency", "sfreq", "srate", "rate", "hz", "fsecg", "ecgfs"} | {
    f"{first}{last}" for first in ("samp", "sample", "sampling") for last in ("rate", "freq", "frequency", "fs")
}
UNIT_NAMES = {"unit", "units"}
LEAD_NAMES = {"labels", "leads", "leadnames", "signame", "signames", "channels", "channelnames", "names"}
PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6}
JOINED = {"datastart", "dataend"}  # of LabChart, which puts all channels into one row
TIME_NAMES = {"t", "time", "times", "timestamp", "timestamps", "seconds", "tm", "ts"}
NUMERIC = {"double", "single", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
LARGEST = 1 << 28  # numbers of an array that is read into memory
MOST_LEADS = 64
LONGEST_TEXT = 4096  # characters of a variable that names or describes leads
CONTRADICTED = 0.01  # relative difference of two rates that cannot both be right


def open_array(path: Path, csv: CsvFormat) -> LoadedRecording:
    """Open the file of arrays `path`.

    Raises:
        UserError: it is damaged or of another version, has no array of samples, or nothing states their rate.
    """
    kind = {".mat": "MATLAB", ".npy": "NumPy", ".npz": "NumPy"}[path.suffix.lower()]
    with readable(str(path)):
        if kind == "MATLAB":
            variables = _matlab(path)
        elif path.suffix.lower() == ".npz":
            variables = _archive(path)
        else:
            variables = {"column": _array(path)}
    if {_folded(name) for name in variables} >= JOINED:
        raise UserError(f"{path} is LabChart's, which joins all channels in one row: export it as EDF or as text")
    signals, notes = _signals(path, variables)
    fs = _rate(path, variables, csv.fs, notes)
    names = _texts(variables, LEAD_NAMES, len(signals)) or list(signals)
    units = _units(variables, csv.gain, len(signals), notes)
    leads = [Lead(name, unit, scale, fs) for name, (unit, scale) in zip(names, units, strict=True)]
    return LoadedRecording(path, path.stem, kind, leads, [path], notes, list(signals.values()))


def _matlab(path: Path) -> Mapping[str, Any]:
    """The variables of a MATLAB file that are numbers or short texts."""
    from scipy import io  # here: it takes a tenth of a second

    with open(path, "rb") as handle:
        head = handle.read(520)
    if head.startswith((HDF5, MATLAB_73)) or head[512:].startswith(HDF5):
        raise UserError(f"{path} is a MATLAB 7.3 file (HDF5), which is not read: save it with '-v7'")
    listed = io.whosmat(path)
    wanted = [
        name for name, shape, kind in listed if kind in NUMERIC or (kind == "char" and np.prod(shape) < LONGEST_TEXT)
    ]
    if sum(int(np.prod(shape, dtype=np.float64)) for name, shape, _ in listed if name in wanted) > LARGEST:
        raise UserError(f"{path} has more than {LARGEST} numbers: split it, or save it as .npy")
    return io.loadmat(path, variable_names=wanted, chars_as_strings=True) if wanted else {}


def _array(path: Path) -> np.ndarray:
    """The array of an .npy file, read from it where it is used."""
    with open(path, "rb") as handle:
        if not handle.read(len(NPY)) == NPY:  # np.load would advise to run its code
            raise UserError(f"{path} is no NumPy file: expected {NPY!r} at its beginning")
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def _archive(path: Path) -> Mapping[str, Any]:
    """The arrays of an .npz file."""
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > 8 * LARGEST:
            raise UserError(f"{path} has more than {LARGEST} numbers: split it, or save it as .npy")
    with np.load(path, allow_pickle=False) as content:
        return {name: content[name] for name in content.files}


def _folded(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _is_number(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "iuf"


def _signals(path: Path, variables: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], list[str]]:
    """(samples,) of each lead by name, from the longest arrays; and notes on what is left out."""
    arrays = {
        name: np.atleast_2d(value)
        for name, value in variables.items()
        if _is_number(value) and value.size > 1 and not name.startswith("__") and _folded(name) not in TIME_NAMES
    }
    if not arrays:
        raise UserError(
            f"{path} has no array of numbers: expected samples, or samples x leads, as a variable of its own"
        )
    longest = max(max(array.shape) for array in arrays.values())
    signals: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if max(array.shape) != longest:
            continue
        if array.ndim != 2 or min(array.shape) > MOST_LEADS:
            raise UserError(f"{path}: {name} is an array of {_shape(array)}; expected samples x leads")
        columns = array if array.shape[0] == longest else array.T
        names = [name] if columns.shape[1] == 1 else [f"{name} {k + 1}" for k in range(columns.shape[1])]
        signals |= dict(zip(names, columns.T, strict=True))
    if len(signals) > MOST_LEADS:
        raise UserError(
            f"{path} has {len(signals)} arrays of {longest} samples; a recording has up to {MOST_LEADS} leads"
        )
    others = [name for name, array in arrays.items() if max(array.shape) != longest]
    return signals, [f"variables of another length are no leads: {', '.join(others[:8])}"] if others else []


def _shape(array: np.ndarray) -> str:
    return " x ".join(map(str, array.shape))


def _rate(path: Path, variables: Mapping[str, Any], given: float | None, notes: list[str]) -> float:
    """Samples per second: of a variable, of the times, or as given; where they differ the file's, with a note."""
    stated: dict[str, float] = {}
    for name, value in variables.items():
        if _is_number(value) and value.size == 1 and _folded(name) in RATE_NAMES:
            stated[name] = float(value.reshape(-1)[0])
        elif _is_number(value) and value.size == 1 and _folded(name) == "isi":  # AcqKnowledge's interval
            unit = (_texts(variables, {"isiunits"}, 1) or [""])[0]
            stated[name] = PER_SECOND.get(unit, np.nan) / float(value.reshape(-1)[0] or np.nan)
        elif _is_number(value) and value.size > 8 and _folded(name) in TIME_NAMES:
            steps = np.diff(value.reshape(-1).astype(np.float64))
            if steps.min() > 0.99 * steps.max() > 0:
                stated[name] = float(len(steps) / steps.sum())
    if not stated and given is None:
        raise UserError(f"{path} does not state its sampling rate: give it by --fs, or as a variable fs")
    rates = [*stated.items(), *([("--fs", given)] if given is not None else [])]
    (name, rate), *others = rates
    if not (np.isfinite(rate) and rate > 0):
        raise UserError(f"{path}: {name} is {rate:g}; expected samples per second, more than 0")
    for other, value in others:
        if not abs(value / rate - 1) <= CONTRADICTED:
            notes.append(f"{name} says {rate:g} samples per second, {other} says {value:g}; took {rate:g}")
    return rate


def _texts(variables: Mapping[str, Any], names: set[str], count: int) -> list[str]:
    """The texts of a variable of one of these names that has `count` of them, all different; [] where there is none."""
    for name, value in variables.items():
        if _folded(name) in names and isinstance(value, np.ndarray) and value.dtype.kind == "U" and value.size == count:
            texts = [str(text).strip("\0 ") for text in value.reshape(-1)]
            if all(texts) and (len(set(texts)) == count or names is UNIT_NAMES):
                return texts
    return []


def _units(
    variables: Mapping[str, Any], gain: float | None, count: int, notes: list[str]
) -> list[tuple[str, float | None]]:
    """The unit of each lead and mV of one: as --gain gives it, of a variable, else mV with a note."""
    if gain is not None:
        return [(f"1/{gain:g} mV", 1 / gain)] * count
    units = _texts(variables, UNIT_NAMES, count) or _texts(variables, UNIT_NAMES, 1) * count
    if units:
        return [(unit, millivolts(unit)) for unit in units]
    notes.append("no unit is stated: its numbers are taken for mV (--gain gives the number that 1 mV is)")
    return [("mV", 1.0)] * count
