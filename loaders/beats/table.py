"""Beats as a table; their AAMI labels; rows of 187 samples as in Kaggle's "ECG Heartbeat Categorization Dataset"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

import numpy as np

from loaders.beats.mapped import join_rows
from loaders.dsp.resample import MITBIH_FS
from loaders.io.wfdb_record import Record
from toolbox.utils import UserError
from toolbox.utils.aami import DE_CHAZAL_CLASSES, KAGGLE_ROW

DECIMATION = 3  # 360 Hz -> 120 Hz, without a filter, as Kaggle's rows were made
USUAL_RR = 0.8  # s, of a beat that stands alone
TOGETHER = 512  # rows that are cut at once
TAIL = 0.2  # share of the RR interval after the next one that a row goes on for


@dataclass
class Beats:
    """Model inputs of beats, with label and origin of each; all arrays share their first axis.

    Attributes:
        x: (n, 187) float32 in [0, 1], zero-padded on the right.
        y: (n,) int64 labels 0..4.
        length: (n,) int16, how many samples of a row are signal, the rest is padding.
        record: (n,) "U", the recording's name ("" for rows from CSV); patient: the same of the patient.
        sample: (n,) int32, the beat's sample number in the recording (-1 for CSV).
        symbol: (n,) "U1", the WFDB annotation code ("" for CSV).
        features: (n, k) float32, numbers beside each row (see features/); None without --features.
        time: (n,) float64, s from the recording's start; None for Kaggle's files.

    Windows (see windows.py) have an x of (n, leads, samples), in the unit that they were scaled to.
    """

    x: np.ndarray
    y: np.ndarray
    length: np.ndarray
    record: np.ndarray
    patient: np.ndarray
    sample: np.ndarray
    symbol: np.ndarray
    features: np.ndarray | None = None
    time: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, index: np.ndarray) -> Beats:
        """The beats at `index`, in that order."""
        return Beats(**{name: array[index] for name, array in self.arrays().items()})

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name, without those that are None."""
        arrays = {part.name: getattr(self, part.name) for part in fields(self)}
        return {name: array for name, array in arrays.items() if array is not None}

    @staticmethod
    def join(parts: Iterable[Beats]) -> Beats:
        """One Beats of several, in order; of large ones (see mapped.py) through a map of a file."""
        listed = [part.arrays() for part in parts]
        return Beats(**{name: join_rows([part[name] for part in listed]) for name in listed[0]})


def labels_of(symbols: np.ndarray, classes: Mapping[str, int] = DE_CHAZAL_CLASSES) -> np.ndarray:
    """(n,) int64: the AAMI class of each WFDB symbol by `classes`, -1 for symbols of no beat of the five classes."""
    codes = np.array([classes.get(symbol, -1) for symbol in symbols.tolist()], dtype=np.int64)
    return codes.reshape(-1)


def cut_kaggle_rows(lead: np.ndarray, at: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of 187 samples of one lead, for training, prediction and streaming alike.

    A row starts at its beat and ends 20 % of an RR interval after the next one; every third sample is kept, then the
    segment is scaled to [0, 1] and cut or zero-padded to 187.

    Args:
        lead: (n,) the signal at 360 Hz, in any unit.
        at: (m,) the samples of the beats, rising, and after the last one to be cut two more (see `extend_peaks`).
        chosen: which of `at` to cut, each below m - 2.

    Returns:
        Rows (k, 187) float32, and how many samples of each are signal (k,) int16.
    """
    starts = at[chosen]
    stops = np.minimum(at[chosen + 1] + np.floor(TAIL * (at[chosen + 2] - at[chosen + 1])).astype(np.int64), len(lead))
    counts = np.maximum(-(-(stops - starts) // DECIMATION), 0)
    x = np.zeros((len(chosen), KAGGLE_ROW), dtype=np.float32)
    for first in range(0, len(chosen), TOGETHER):
        part = slice(first, first + TOGETHER)
        count = counts[part, None]
        column = np.arange(max(count.max(), 1))
        # Shorter segments are filled up with their last sample, which changes neither their least nor their greatest.
        index = starts[part, None] + DECIMATION * np.minimum(column, np.maximum(count - 1, 0))
        segments = lead[np.minimum(index, len(lead) - 1)]  # (rows, samples)
        low, high = segments.min(axis=1, keepdims=True), segments.max(axis=1, keepdims=True)
        span = np.where(high > low, high - low, 1).astype(np.float64)
        scaled = (segments - low) / span * (column < count)  # scaled over all of it, then cut
        x[part, : len(column)] = scaled[:, :KAGGLE_ROW]
    return x, np.minimum(counts, KAGGLE_ROW).astype(np.int16)


def extend_peaks(peaks: np.ndarray) -> np.ndarray:
    """(m + 2,) R peaks (m,) and two more where the next ones would come if the rhythm went on; m is at least 1.

    With them, the last beats before a gap or the end have rows as well. The rhythm is the median of the last RR
    intervals.
    """
    usual = round(float(np.median(np.diff(peaks)[-8:]))) if len(peaks) > 1 else round(USUAL_RR * MITBIH_FS)
    return np.append(peaks, peaks[-1] + usual * np.array([1, 2]))


def kaggle_beats(record: Record, whole: bool = False, classes: Mapping[str, int] = DE_CHAZAL_CLASSES) -> Beats:
    """The beats of `record` as Kaggle's rows of its first lead.

    The recipe was recovered by matching Kaggle's rows against the records; it reproduces them bit for bit. The next
    annotation after a beat counts as the next R peak (beat or not, as it was done there), after the last one the end
    of the signal; the record's last annotation gives no row, unless `whole`: its row then ends with the signal.
    `classes` are those of the symbols.

    Raises:
        UserError: the recording has another rate than the 360 Hz that the recipe counts in.
    """
    if record.fs != MITBIH_FS:
        raise UserError(
            f"record {record.name} has {record.fs:g} Hz; rows are cut from {MITBIH_FS:g} Hz, resample it first"
        )
    lead = record.digital[:, 0].astype(np.int64)
    at = np.append(record.sample, [len(lead)] * 2)  # the end of the signal stands for the annotations after the last
    labels = labels_of(record.symbol, classes)
    chosen = np.flatnonzero((labels if whole else labels[:-1]) >= 0)
    x, length = cut_kaggle_rows(lead, at, chosen)
    n = len(chosen)
    return Beats(
        x=x,
        y=labels[chosen],
        length=length,
        record=np.full(n, record.name),
        patient=np.full(n, record.patient),
        sample=record.sample[chosen].astype(np.int32),
        symbol=record.symbol[chosen],
    )
