"""Annotate a signal or a recording from Python: a table of its beats."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from datetime import datetime, time
from pathlib import Path
from typing import Any

import pandas as pd

from inference.classifier import Classifier, learned_any_lead, training_limits, training_warnings
from inference.corrections import Corrections, find_corrections, read_corrections
from inference.load import default_networks, load_classifier
from inference.options import ADAPTATIONS
from inference.recording import AnnotatedLead, annotate_lead
from inference.signal_recording import SIGNAL, signal_recording
from loaders.beats.lead_choice import choose_lead_by_signal
from loaders.io.discovery import find_recordings
from loaders.io.open import TABLES, open_recording
from loaders.io.recording import CsvFormat, Recording, suffix_of
from toolbox.holter.numbers import ReportedBeats, report_numbers
from toolbox.utils import UserError, os_error_text, printable


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
    corrections: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    start: datetime | time | str | None = None,
) -> pd.DataFrame:
    """Find and classify the beats of a signal or of a recording file.

    Args:
        recording: (samples,) or (samples, leads) in mV, NaN where samples are missing; or the path of a recording.
        fs: samples per second; files but for some tables (CSV, .npy, .mat) state their own.
        classifier: what `load_classifier` gives, or what it takes. Unless given, the network "two-lead" that comes with
            the program, or "one-lead" where a recording shows one lead, as --predict does.
        lead: the lead to annotate, by its name or its position from 0. Unless given, MLII or II, else the first.
        leads: the names of a signal's columns; of a table, the columns that are leads.
        polarity: "auto" turns a lead around that is upside down, "keep" does not, "invert" does in any case.
        peaks: "detect" finds the R peaks; of a file, also the extension of an annotation file with the beats to take.
        adapt: "votes" or "smooth" lets classes follow the recording's other beats that are alike, "none" does not.
            Unless given, as the network was trained to be read.
        corrections: lists of a person's changes, as a recording's page saves them: files, of a recording file also
            folders of them. The table and all that is drawn from it are of the corrected beats.
        start: when the recording began, instead of what the file says: date and time, or the time of day alone; as text
            "2020-03-02T22:15" or "22:15".

    Returns:
        A row for each beat, in order: "time_s" and "sample" of its R peak, "rr_s" (s since the beat before, NaN where
        no interval leads to it), "class" (N, S, V, F or Q after AAMI EC57; A for abnormal), "symbol" (the WFDB
        annotation code) and the probability of each class, "p_N" and so on. Its attrs hold "recording", "lead", "leads"
        (those that the network read, and the share of each that holds a signal), "fs", "unit", "inverted",
        "classifier", "limits" (of its training), "warnings", "skipped", a list of (start, stop, why) in s, and as the
        JSON of --predict has them "episodes" (rhythms and stretches without beats), "start" and "hours".

    Raises:
        UserError: the signal cannot be annotated: too short, a rate below 50 Hz; the file cannot be read; corrections
            do not fit; the start is no time; or there is no network.

    Example:
        table = annotate(signal, 360)
        table = annotate(signal, 360, "ecg_data/synthetic/runs/NAME")
        print(table["class"].value_counts())
    """
    single = None
    if classifier is None:
        classifier, single = default_networks()
    if isinstance(classifier, str | os.PathLike):
        classifier = load_classifier(os.fspath(classifier))
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
    lists, began = _corrections(corrections, source), source.start if start is None else _start(start)
    named = source.kind != SIGNAL or leads is not None
    position, warning = _position(source, lead, named, learned_any_lead(classifier, single))
    try:
        annotated = annotate_lead(
            source,
            position,
            classifier,
            peaks=peaks,
            polarity=polarity,
            corrections=lists,
            single=single,
            alone=lead is not None,
            adapt=adapt,
        )
    except OSError as error:
        raise UserError(os_error_text(error)) from error
    table = beat_table(annotated)
    numbers = report_numbers(ReportedBeats.of(annotated.beats, began))
    table.attrs |= {key: numbers[key] for key in ("start", "hours")}
    network = single if single is not None and annotated.network == single.name else classifier
    notes = [*training_warnings(network), *([warning] if warning else []), *source.notes, *annotated.warnings]
    table.attrs |= {"recording": source.name, "classifier": annotated.network, "limits": training_limits(network)}
    table.attrs["warnings"] = notes
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
        "episodes": [episode.to_dict() for episode in beats.episodes],
    }
    return table


def _corrections(arguments: Any, recording: Recording) -> tuple[Corrections, ...]:
    """The lists of changes that were given; of a signal, which has no name, those of any recording."""
    several = [arguments] if isinstance(arguments, str | os.PathLike) else arguments
    paths = [os.fspath(one) for one in several]
    if recording.kind == SIGNAL:
        return tuple(read_corrections(Path(path)) for path in paths)
    return find_corrections(paths, [recording.name]).get(recording.name, ())


def _start(start: datetime | time | str) -> datetime | time:
    """When a recording began, of what was given."""
    if not isinstance(start, str):
        return start
    kind = datetime if "-" in start else time
    try:
        return kind.fromisoformat(start)
    except ValueError as error:
        raise UserError(f'start={start!r}: expected "2020-03-02T22:15:00", or the time of day, "22:15:00"') from error


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


def _position(recording: Recording, lead: str | int | None, named: bool, any_lead: bool) -> tuple[int, str]:
    """The position of the lead to annotate, and a warning ("" when there is nothing to say)."""
    if isinstance(lead, int):
        if not 0 <= lead < len(recording.leads):
            raise UserError(f"lead={lead}: expected a position from 0 to {len(recording.leads) - 1}, or a name")
        lead = recording.leads[lead].name
    if lead is None and not named:
        return 0, ""
    return choose_lead_by_signal(recording, lead, any_lead)
