"""Beats of an annotated record of any database: of any rate, leads of any name, gains that no header states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from loaders.beats.input_spec import InputSpec
from loaders.beats.segment_record import rows_of
from loaders.beats.table import Beats, labels_of
from loaders.dsp.resample import MITBIH_FS, positions, resample
from loaders.io.leads import TRAINED_LEADS, kind_of, position_of
from loaders.io.recording import HIGHEST_RATE, LOWEST_RATE, Lead
from loaders.io.wfdb_record import Record, read_wfdb
from toolbox.utils import UserError

VERSION = 1  # to be raised when other rows come out of the same files: caches made before are then rebuilt
PACED_SYMBOLS = ("/", "f")  # paced beats, and fusions of them


def ecg_channels(names: list[str], fs: float) -> list[int]:
    """The positions of the channels that are leads by name: II, as MLII, first, the rest in their order; all, where no
    name is a lead's."""
    kinds = [kind_of(Lead(name, "mV", 1.0, fs)) for name in names]
    kept = [k for k, kind in enumerate(kinds) if kind in ("named", "ecg")]
    kept = kept or [k for k, kind in enumerate(kinds) if kind != "other"] or list(range(len(names)))
    trained = (position_of(name, names) for name in TRAINED_LEADS)
    first = next((k for k in trained if k is not None and k in kept), kept[0])
    return [first, *(k for k in kept if k != first)]


def read_annotated(path: Path, spec: InputSpec, classes: Mapping[str, int]) -> tuple[Beats | None, dict[str, Any]]:
    """The beats of the WFDB record `path`, by `spec`, and facts about it; None for a record without beats.

    Returns:
        Beats, with samples in the record's own rate; and name, fs (Hz), samples, leads (those that are read, in order),
        comments (of the header), beyond (annotations behind the last sample), uncalibrated, paced.

    Raises:
        UserError: it is damaged, of a rate that no ECG has, or has fewer leads than `spec` reads.
    """
    record = read_wfdb(path)
    if not LOWEST_RATE <= record.fs <= HIGHEST_RATE:
        raise UserError(
            f"record {path} has {record.fs:g} samples per second; an ECG takes {LOWEST_RATE:g} to {HIGHEST_RATE:,.0f}"
        )
    order = ecg_channels(record.leads, record.fs)
    facts: dict[str, Any] = {
        "name": record.name,
        "fs": record.fs,
        "samples": len(record.digital),
        "leads": [record.leads[k] for k in order],
        "comments": record.comments,
        "beyond": record.beyond,
        "uncalibrated": bool(record.notes),
        "paced": bool(np.isin(record.symbol, PACED_SYMBOLS).any()),
    }
    chosen = labels_of(record.symbol, classes) >= 0
    if not chosen.any():
        return None, facts
    ordered = replace(
        record, leads=facts["leads"], digital=record.digital[:, order], gain=record.gain[order],
        baseline=record.baseline[order],
    )  # fmt: skip
    if spec.context == "kaggle" and record.fs != MITBIH_FS:
        beats = rows_of(at_mitbih_rate(ordered), spec, classes)
        beats.sample, beats.time = record.sample[chosen].astype(np.int32), record.sample[chosen] / record.fs
        return beats, facts
    return rows_of(ordered, spec, classes), facts


def at_mitbih_rate(record: Record) -> Record:
    """The record at 360 Hz, in whole ADC units, as Kaggle's rows are cut from."""
    digital = np.rint(resample(record.digital, record.fs, MITBIH_FS)).astype(np.int64)
    return replace(
        record, fs=MITBIH_FS, digital=digital, sample=positions(record.sample, record.fs, MITBIH_FS, len(digital))
    )
