"""EDF and EDF+ files to annotate (Kemp et al. 1992, Kemp & Olivan 2003), read through edfio."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import edfio
import numpy as np

from loaders.io.recording import Lead, Recording, millivolts, readable
from loaders.io.wfdb_private import timekeeping_samples
from toolbox.utils import UserError

ONSET = re.compile(rb"^([+-]\d+(?:\.\d*)?)\x14")  # the first annotation of each data record of an EDF+ file


@dataclass
class EdfRecording(Recording):
    """An EDF file; where data records do not follow each other in time (EDF+D), samples are missing between them."""

    edf: Any = None
    starts: np.ndarray | None = None  # (data records,) s, of EDF+D

    @property
    def seconds(self) -> float:
        """See `Recording.seconds`; without what is missing between data records."""
        return self.edf.num_data_records * self.edf.data_record_duration

    def stream(self, lead: int, size: int) -> Iterator[np.ndarray]:
        """See `Recording.stream`."""
        signal, scale = self.edf.signals[lead], self.leads[lead].scale or 1.0
        duration = self.edf.data_record_duration  # s
        written = 0  # samples
        for first, last in self._runs(max(1, size // signal.samples_per_data_record)):
            with readable(str(self.path)), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a signal without a range stays as it is
                block = signal.get_data_slice(first * duration, last * duration)
            if self.starts is not None:
                due = round((self.starts[first] - self.starts[0]) * signal.sampling_frequency)
                for start in range(written, due, size):
                    yield np.full(min(size, due - start), np.nan, dtype=np.float32)
                written = max(written, due) + len(block)
            yield (block * scale).astype(np.float32)

    def _runs(self, most: int) -> Iterator[tuple[int, int]]:
        """(first, last) of data records that follow each other in time, at most `most` of them."""
        n = self.edf.num_data_records
        edges = [0, n]
        if self.starts is not None:
            breaks = np.flatnonzero(np.abs(np.diff(self.starts) - self.edf.data_record_duration) > 1e-6) + 1
            edges = [0, *breaks.tolist(), n]
        for begin, end in pairwise(edges):
            for first in range(begin, end, most):
                yield first, min(first + most, end)


def open_edf(path: Path) -> EdfRecording:
    """Open the EDF or EDF+ file `path`.

    Raises:
        UserError: it is missing, no EDF file, or has no signal.
    """
    if not path.is_file():
        raise UserError(f"no file {path}")
    with readable(str(path)), warnings.catch_warnings(record=True) as cautions:
        warnings.simplefilter("always")
        edf = edfio.read_edf(path, header_encoding="latin-1")  # "µV" is no ASCII
        leads = [_lead(signal) for signal in edf.signals]
        if not leads or not edf.num_data_records or not edf.data_record_duration > 0:
            raise UserError(f"{path} has no signal")
        starts = _starts(path, edf) if edf.reserved.startswith("EDF+D") else None
    notes = [f"it is cut off: {cautions[-1].message}"] if cautions else []
    return EdfRecording(path, path.stem, "EDF", leads, [path], notes, edf, starts)


def _lead(signal: Any) -> Lead:
    scale = millivolts(signal.physical_dimension)
    low, high = sorted(np.array([signal.physical_min, signal.physical_max]) * (scale or 1.0))
    return Lead(signal.label, signal.physical_dimension, scale, float(signal.sampling_frequency), low, high)


def _starts(path: Path, edf: Any) -> np.ndarray:
    """(data records,) s: the start of each data record of an EDF+D file."""
    onsets = [ONSET.match(record.tobytes()) for record in timekeeping_samples(edf)]
    starts = np.array([float(onset[1]) if onset else np.nan for onset in onsets])
    if not (np.diff(starts) >= 0.999 * edf.data_record_duration).all():
        raise UserError(f"{path}: data records without a time, or not in its order")
    return starts
