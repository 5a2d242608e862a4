"""Beats of whole annotated records: rows, features and labels, and the synthetic patients made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from loaders.beats.input_spec import InputSpec
from loaders.beats.spliced import LEAD, splices
from loaders.beats.table import Beats, kaggle_beats, labels_of
from loaders.beats.windows import prepared, scaled
from loaders.dsp.resample import positions
from loaders.io.wfdb_record import Record, read_wfdb
from toolbox.utils import UserError, warn
from toolbox.utils.aami import DE_CHAZAL_CLASSES

CLASS_SYMBOLS = np.array(list("NAVFQ"))  # WFDB symbols that synthetic beats of each class get


def rows_of(record: Record, spec: InputSpec, classes: Mapping[str, int] = DE_CHAZAL_CLASSES) -> Beats:
    """All beats of `record`, at least one, by `spec`, and those of the synthetic patients made of it.

    Args:
        classes: WFDB symbol -> class; annotations of other symbols are no beats.

    Raises:
        UserError: it has too few leads, or (Kaggle's rows) another rate than 360 Hz.
    """
    labels = labels_of(record.symbol, classes)
    chosen = np.flatnonzero(labels >= 0)
    sample, labels = record.sample[chosen], labels[chosen]
    times = sample / record.fs
    if spec.context == "kaggle":
        beats = kaggle_beats(record, whole=True, classes=classes)
        beats.time = times
        if not spec.features:
            return beats
    kinds = dict(spec.spliced)
    channels = max(spec.leads, len(record.leads)) if LEAD in kinds else spec.leads
    every_lead = prepared(record, channels, spec.rate, spec.highpass, spec.baseline)
    signal = every_lead[:, : spec.leads]
    at = positions(sample, record.fs, spec.rate, len(signal))
    if spec.context == "kaggle":
        beats.features = spec.numbers(scaled(signal, at, spec.rate), at, times)
        return beats
    x, features = spec.values(signal, at, times)
    parts = [_beats(x, features, labels, record.symbol[chosen], record.name, record.patient, sample, times)]
    for patient in splices(record, every_lead, at, labels, spec.rate, kinds, spec.leads):
        times = patient.at / spec.rate
        x, features = spec.values(patient.signal, patient.at, times)
        symbols = CLASS_SYMBOLS[patient.labels]
        whole = _beats(x, features, patient.labels, symbols, patient.name, record.patient, patient.at, times)
        parts.append(whole.take(np.arange(0, len(patient.labels), patient.every)))
    return Beats.join(parts)


def _beats(
    x: np.ndarray,
    features: np.ndarray | None,
    labels: np.ndarray,
    symbols: np.ndarray,
    name: str,
    patient: str,
    sample: np.ndarray,
    times: np.ndarray,
) -> Beats:
    n = len(labels)
    length, names = np.full(n, x.shape[2], dtype=np.int16), (np.full(n, name), np.full(n, patient))
    return Beats(x, labels, length, *names, sample.astype(np.int32), symbols, features, times)


def read_rows(path: Path, spec: InputSpec) -> Beats:
    """The beats of the WFDB record `path`.

    Raises:
        UserError: it is damaged, has no beat, or is refused by `rows_of`.
    """
    record = read_wfdb(path)
    if record.beyond:
        warn(f"record {path}: {record.beyond} of its annotations behind its last sample are left out")
    if not (labels_of(record.symbol) >= 0).any():
        raise UserError(f"record {path}: no beat among its {len(record.sample)} annotations")
    return rows_of(record, spec)
