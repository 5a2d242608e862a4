"""Annotate a recording and write its files: WFDB annotations, a table, a summary, a page, a picture."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from inference.classifier import (
    MADE_UP,
    Classifier,
    adaptation_of,
    dataset_of,
    learned_any_lead,
    pretrained_name,
    training_limits,
    training_warnings,
)
from inference.corrections import Corrections, correction_text, describe_corrections
from inference.hours_table import write_hours
from inference.outputs import EPISODES, HOURS, REMEDY, Outputs
from inference.recording import AnnotatedLead, annotate_lead
from loaders.beats.lead_choice import choose_lead_by_signal
from loaders.io.annotations import write_beats, write_rows, write_table
from loaders.io.discovery import Item
from loaders.io.leads import TRAINED_LEADS, folded
from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat, Recording
from toolbox.holter.episodes import EPISODE_COLUMNS
from toolbox.holter.numbers import ReportedBeats, report_numbers
from toolbox.holter.page import NOTE, write_page
from toolbox.holter.strip_figure import draw_strips
from toolbox.holter.strips import select_strips
from toolbox.plotter import save_plot
from toolbox.utils import UserError, os_error_text, sha256_of

FILES_VERSION = 13  # raise it when the same recording and network give other files: older ones are then made anew
NOTE_CODE = '"'  # WFDB's, of a text
NOTHING_READ = "no heartbeat could be read"  # the text in an annotation file without beats
FIRST_FREE = 2  # sample behind marks of a rhythm at the start; wfdb takes texts at 0 for remarks on the file
PICTURE_DPI = 150  # strips are drawn in true size


@dataclass(frozen=True)
class AnnotateOptions:
    """How recordings are annotated.

    Attributes:
        lead: its name; None for the one that networks are trained on.
        peaks: "detect", or the annotator whose beats are taken.
        polarity: "auto", "keep" or "invert".
        live: classify beats as if the recording came live: each knows the 3 s after its R peak.
        annotator: the extension of the annotation files.
        out: the folder they go to; None for beside each recording.
        png: whether to draw a picture as well.
        csv: how CSV files are to be read.
        corrections: lists of a person's changes of the beats, by the name of the recording.
        adapt: how classes follow the recording's other beats; None for as the network was trained to be read.
    """

    lead: str | None = None
    peaks: str = "detect"
    polarity: str = "auto"
    live: bool = False
    annotator: str = "ecg"
    out: Path | None = None
    png: bool = False
    csv: CsvFormat = field(default_factory=CsvFormat)
    corrections: Mapping[str, tuple[Corrections, ...]] = field(default_factory=dict)
    adapt: str | None = None

    def target(self, item: Item) -> Path:
        """The annotation file of a recording; its other files have the same name and one more extension."""
        folder = item.path.parent if self.out is None else self.out / item.below
        return folder / f"{item.name}.{self.annotator}"


def annotate_file(
    item: Item,
    classifier: Classifier,
    options: AnnotateOptions,
    show_progress: bool = False,
    single: Classifier | None = None,
    facts: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Annotate one recording and write its files, unless they are there already.

    Args:
        single: a network of one lead, see `annotate_lead`.
        facts: of a copy of a recording from elsewhere, keys of the summary: its address as "path", its "source".

    Returns:
        Its summary without the list of episodes, with "page" and, where the files were there, "done_before".

    Raises:
        UserError: it cannot be read, or its files cannot be written or are not as they were written.
    """
    outputs = Outputs(options.target(item))
    extra = {"page": str(outputs.file("html"))}
    try:
        before = outputs.check_own(options.png)
        recording = open_recording(item.path, options.csv)
        corrections = options.corrections.get(item.name, ())
        fingerprint = input_fingerprint(recording, classifier, options, corrections, single)
        if before and before["fingerprint"] == fingerprint and outputs.are_complete(before):
            return {**_without_episodes(before), **extra, "done_before": True}
        if before and before.get("corrections") and not corrections:
            raise UserError(f"{outputs.target} holds a person's corrections: give --corrections again, or {REMEDY}")
        png = options.png or outputs.has_own_picture(before)  # no picture of other beats stays behind
        outputs.target.parent.mkdir(parents=True, exist_ok=True)
        with outputs.folder_to_write() as folder:
            any_lead = learned_any_lead(classifier, single)
            position, warning = choose_lead_by_signal(recording, options.lead, any_lead)
            annotated = annotate_lead(
                recording, position, classifier, peaks=options.peaks, polarity=options.polarity, live=options.live,
                corrections=corrections, single=single, alone=options.lead is not None, adapt=options.adapt,
                show_progress=show_progress,
            )  # fmt: skip
            network = single if single is not None and annotated.network == single.name else classifier
            warnings = [*training_warnings(network), *([warning] if warning else [])]
            summary = summarize(recording, annotated, options, warnings)
            summary["model"] |= {"dataset": dataset_of(network), "limits": training_limits(network)}
            summary["model"] |= {"pretrained": pretrained_name(network), "chosen": annotated.chosen}
            summary |= facts
            if corrections:
                summary["corrections"] = describe_corrections(corrections, annotated.beats)
            files = [outputs.file(kind) for kind in ("", "csv", EPISODES, HOURS, "html", *(["png"] if png else []))]
            summary |= {"fingerprint": fingerprint, "outputs": [file.name for file in files]}
            _write_files(Outputs(folder / outputs.target.name), recording, annotated, summary, options)
            summary = outputs.put_in_place(folder, summary, png)
    except OSError as error:
        raise UserError(os_error_text(error)) from error
    return {**_without_episodes(summary), **extra}


def input_fingerprint(
    recording: Recording,
    classifier: Classifier,
    options: AnnotateOptions,
    corrections: Sequence[Corrections] = (),
    single: Classifier | None = None,
) -> str:
    """SHA-256 of all that a recording's files depend on: its bytes, the networks, the options, its corrections."""
    files = list(recording.files)
    if options.peaks != "detect":
        files += [recording.stem.with_name(f"{recording.stem.name}.{options.peaks}")]
    digests = [[file.name, sha256_of(file)] for file in files if file.is_file()]
    return request_fingerprint(digests, classifier, options, corrections, single)


def request_fingerprint(
    files: Sequence[Sequence[str]],
    classifier: Classifier,
    options: AnnotateOptions,
    corrections: Sequence[Corrections] = (),
    single: Classifier | None = None,
) -> str:
    """SHA-256 of the networks, the options, the corrections, and `files`, a name and a mark of its content each."""
    values = {key: str(value) for key, value in asdict(options).items() if key not in ("out", "corrections", "adapt")}
    parts = [
        FILES_VERSION,
        classifier.fingerprint(),
        values,
        files,
        *([[one.file.name, one.digest] for one in corrections]),
        *([single.fingerprint()] if single is not None else []),
        *([f"adapt {method}"] if (method := adaptation_of(classifier, options.adapt)) != "none" else []),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def summarize(
    recording: Recording,
    annotated: AnnotatedLead,
    options: AnnotateOptions,
    warnings: list[str],
) -> dict[str, Any]:
    """The summary of an annotated recording, as its JSON file holds it, but for what `Outputs` adds."""
    beats = annotated.beats
    return {
        "recording": recording.name,
        "path": str(recording.path),
        "note": NOTE,
        "lead": annotated.lead,
        "leads": [lead.to_dict() for lead in annotated.leads],
        "switches": [
            {"start": round(start / beats.fs, 3), "stop": round(stop / beats.fs, 3), "lead": name}
            for start, stop, name in annotated.switches
        ],
        "fs": beats.fs,
        "samples": beats.samples,
        "seconds": round(beats.samples / beats.fs, 3),
        "unit": annotated.unit,
        **beats.summary(),
        **report_numbers(ReportedBeats.of(beats, recording.start)),
        "polarity": {"qrs": annotated.qrs_height, "inverted": annotated.inverted},
        "warnings": [*warnings, *recording.notes, *annotated.warnings],
        "model": {"name": annotated.network, "classes": list(beats.class_names), "adapt": annotated.adapt},
        "peaks": options.peaks,
        "live": options.live,
        "leads_read": annotated.network_leads,
    }


def _write_files(
    outputs: Outputs, recording: Recording, annotated: AnnotatedLead, summary: dict[str, Any], options: AnnotateOptions
) -> None:
    """Write the files of an annotated recording but for its summary, which names them."""
    beats, target, table = annotated.beats, outputs.target, outputs.file("csv")
    marks = [*beats.rhythm_marks(), *_switch_marks(annotated), *_nothing_mark(annotated)]
    write_beats(target, beats.sample, beats.symbols, beats.fs, beats.skipped, marks)
    columns = beats.times, beats.sample, beats.rr, beats.letters, beats.probabilities, beats.class_letters
    write_table(table, *columns, _table_comments(summary))
    write_rows(outputs.file(EPISODES), summary["episodes"], EPISODE_COLUMNS)
    write_hours(outputs.file(HOURS), summary)
    details = {
        "Recording": f"{recording.path.name} ({recording.kind})",
        "Leads": ", ".join(one.name for one in recording.leads),
        "Signal": ", ".join(_shares(summary)),
        "Beats": "detected" if options.peaks == "detect" else f"from {recording.stem.name}.{options.peaks}",
        "Model": "; ".join(part for part in (summary["model"]["name"], summary["model"]["chosen"]) if part),
        **({"Classes": f"by the beats that are alike, --adapt {annotated.adapt}"} if annotated.adapt != "none" else {}),
        **({"Corrections": correction_text(summary)} if "corrections" in summary else {}),
        "Annotations": ", ".join([target.name, table.name, outputs.file("json").name]),
    }
    shown = {**summary, "warnings": [text for text in summary["warnings"] if text != MADE_UP]}  # it is among the limits
    write_page(outputs.file("html"), shown, details, beats, annotated.shown, marks)
    if outputs.file("png").name in summary["outputs"]:
        windows = select_strips(beats.trace.seconds, beats.marks, beats.episodes)
        title = f"{recording.name}, {annotated.lead}: 25 mm/s, 10 mm/{annotated.unit}"
        figure = draw_strips(beats.trace, beats.marks, windows, title, NOTE, annotated.unit)
        save_plot(figure, outputs.file("png"), PICTURE_DPI)


def _switch_marks(annotated: AnnotatedLead) -> list[tuple[int, str, str]]:
    """(sample, WFDB code, text): notes in the annotation file, from where on which lead is read."""
    marks: dict[int, str] = {}
    for start, stop, name in annotated.switches:
        marks |= {start: name, stop: annotated.lead}
    return [(at, NOTE_CODE, f"lead {name}") for at, name in marks.items() if at < annotated.beats.samples]


def _nothing_mark(annotated: AnnotatedLead) -> list[tuple[int, str, str]]:
    """The note in an annotation file without beats, where it parts no two "~": EC57 wants those next to each other."""
    beats, at = annotated.beats, FIRST_FREE
    for start, stop, _ in beats.skipped:
        at = stop + 1 if start <= at <= stop else at
    return [(at, NOTE_CODE, NOTHING_READ)] if not len(beats.sample) and at < beats.samples else []


def _shares(summary: dict[str, Any]) -> list[str]:
    """The leads that were read, and how much of each holds a signal, for people."""
    return [f"{lead['name']} {100 * lead['signal']:.1f} %" for lead in read_leads(summary)]


def read_leads(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The leads of a summary that the network reads, and those that were read in their place."""
    return [lead for k, lead in enumerate(summary["leads"]) if k < summary["leads_read"] or lead["read"]]


def _table_comments(summary: dict[str, Any]) -> list[str]:
    """Remarks before the table: none where one lead was read, one that networks are trained on, without a warning."""
    trained = {folded(name) for name in TRAINED_LEADS}
    renamed = [f"{count} beats called {why}, whatever their p_" for why, count in summary["reclassified"].items()]
    remarks = [f"corrected: {correction_text(summary)}"] if "corrections" in summary else []
    warnings = [text for text in summary["warnings"] if text != MADE_UP]  # a table is the same whatever was learned
    remarks += [*(f"warning: {text}" for text in warnings), *renamed]
    if not remarks and not summary["switches"] and summary["leads_read"] == 1 and folded(summary["lead"]) in trained:
        return []
    leads = f"leads read, with signal: {', '.join(_shares(summary))}"
    return [leads, *remarks]


def _without_episodes(summary: dict[str, Any]) -> dict[str, Any]:
    """A summary small enough to keep thousands of them in memory."""
    return {key: value for key, value in summary.items() if key != "episodes"}
