"""Annotate a signal or a recording from Python: a table of its beats."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from inference.classifier import Classifier, training_warnings
from inference.load import load_classifier
from inference.options import ADAPTATIONS
from inference.recording import AnnotatedLead, annotate_lead
from inference.signal_recording import SIGNAL, signal_recording
from loaders.beats.lead_choice import choose_lead_by_signal
from loaders.io.discovery import find_recordings
from loaders.io.open import TABLES, open_recording
from loaders.io.recording import CsvFormat, Recording, suffix_of
from toolbox.utils import UserError, os_error_text, printable

NO_CLASSIFIER = (
    "classifier is missing: annotate(signal, fs, classifier=load_classifier(RUN)), where RUN is the folder of a "
    "trained run, a checkpoint or an .onnx file"
)


def annotate(
    recording: Any,
    fs: float | None = None,
    classifier: Classifier | str | os.PathLike[str] | None = None,
    *,
    lead: str | int | None = None,
    leads: Sequence[str] | None = None,
    polarity: str = "auto",
    peaks: str = "detect",
    adapt: str | None = None,
) -> pd.DataFrame:
    """Find and classify the beats of a signal or of a recording file.

    Args:
        recording: (samples,) or (samples, leads) in mV, NaN where samples are missing; or the path of a recording.
        fs: samples per second; files but for some tables (CSV, .npy, .mat) state their own.
        classifier: what `load_classifier` gives, or what it takes.
        lead: the lead to annotate, by its name or its position from 0. Unless given, MLII or II, else the first.
        leads: the names of a signal's columns; of a table, the columns that are leads.
        polarity: "auto" turns a lead around that is upside down, "keep" does not, "invert" does in any case.
        peaks: "detect" finds the R peaks; of a file, also the extension of an annotation file with the beats to take.
        adapt: "votes" or "smooth" lets classes follow the recording's other beats that are alike, "none" does not.
            Unless given, as the network was trained to be read.

    Returns:
        A row for each beat, in order: "time_s" and "sample" of its R peak, "rr_s" (s since the beat before, NaN where
        no interval leads to it), "class" (N, S, V, F or Q after AAMI EC57; A for abnormal), "symbol" (the WFDB
        annotation code) and the probability of each class, "p_N" and so on. Its attrs hold "recording", "lead", "leads"
        (those that the network read, and the share of each that holds a signal), "fs", "unit", "inverted",
        "classifier", "warnings" and "skipped", a list of (start, stop, why) in s.

    Raises:
        UserError: the signal cannot be annotated: too short, no beats, too few leads for the network, a rate below
            50 Hz; the file cannot be read; or there is no network.

    Example:
        table = annotate(signal, 360, "ecg_data/synthetic/runs/NAME")
        print(table["class"].value_counts())
    """
    if classifier is None:
        raise UserError(NO_CLASSIFIER)
    if isinstance(classifier, str | os.PathLike):
        classifier = load_classifier(Path(classifier))
    if adapt not in (None, *ADAPTATIONS):
        raise UserError(f"adapt={adapt!r}: expected {', '.join(map(repr, ADAPTATIONS))}")
    if polarity not in ("auto", "keep", "invert"):
        raise UserError(f"polarity={polarity!r}: expected 'auto', 'keep' or 'invert'")
    if isinstance(recording, str | os.PathLike):
        source = _open_file(Path(recording), fs, leads)
    else:
        source = signal_recording(recording, fs, leads)
        if peaks != "detect":
            raise UserError(f"peaks={peaks!r}: expected 'detect'; a signal in memory has no annotation file")
    position, warning = _position(source, lead, named=source.kind != SIGNAL or leads is not None)
    try:
        annotated = annotate_lead(
            source, position, classifier, peaks=peaks, polarity=polarity, alone=lead is not None, adapt=adapt
        )
    except OSError as error:
        raise UserError(os_error_text(error)) from error
    table = beat_table(annotated)
    notes = [*training_warnings(classifier), *([warning] if warning else []), *source.notes, *annotated.warnings]
    table.attrs |= {"recording": source.name, "classifier": annotated.network, "warnings": notes}
    for text in notes:
        warnings.warn(printable(f"{source.name}: {text}"), stacklevel=2)
    return table


def beat_table(annotated: AnnotatedLead) -> pd.DataFrame:
    """The beats of a lead as a table; see `annotate`."""
    beats = annotated.beats
    columns: dict[str, Any] = {
        "time_s": beats.times,
        "sample": beats.sample,
        "rr_s": beats.rr,
        "class": beats.letters,
        "symbol": beats.symbols,
    }
    columns |= {f"p_{name}": beats.probabilities[:, k] for k, name in enumerate(beats.class_letters)}
    table = pd.DataFrame(columns)
    skipped = [(start / beats.fs, stop / beats.fs, kind) for start, stop, kind in beats.skipped]
    table.attrs = {
        "lead": annotated.lead,
        "leads": {lead.name: lead.signal for lead in annotated.leads},
        "good": {lead.name: lead.good for lead in annotated.leads},
        "switches": [(start / beats.fs, stop / beats.fs, name) for start, stop, name in annotated.switches],
        "fs": beats.fs,
        "unit": annotated.unit,
        "inverted": annotated.inverted,
        "skipped": skipped,
    }
    return table


def _open_file(path: Path, fs: float | None, leads: Sequence[str] | None) -> Recording:
    """The recording of a file; UserError when it states another rate than `fs`."""
    items, failed = find_recordings([str(path)], csv=True)
    if failed or len(items) != 1 or path.is_dir():
        raise UserError(next(iter(failed.values()), f"{path} names {len(items)} recordings; annotate takes one"))
    try:
        recording = open_recording(items[0].path, CsvFormat(fs, tuple(leads or ())))
    except OSError as error:
        raise UserError(os_error_text(error)) from error
    if suffix_of(items[0].path) not in TABLES:
        if leads is not None:
            raise UserError(f"{path} names its leads itself; leave out leads=, choose one by lead=")
        stated = sorted({one.fs for one in recording.leads})
        if fs is not None and fs not in stated:
            raise UserError(f"fs={fs:g}: {path} states {', '.join(f'{rate:g}' for rate in stated)} Hz; leave out fs=")
    return recording


def _position(recording: Recording, lead: str | int | None, named: bool) -> tuple[int, str]:
    """The position of the lead to annotate, and a warning ("" when there is nothing to say)."""
    if isinstance(lead, int):
        if not 0 <= lead < len(recording.leads):
            raise UserError(f"lead={lead}: expected a position from 0 to {len(recording.leads) - 1}, or a name")
        lead = recording.leads[lead].name
    if lead is None and not named:
        return 0, ""
    return choose_lead_by_signal(recording, lead)
