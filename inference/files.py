"""Annotate a recording and write its files: WFDB annotations, a table, a summary, a page, a picture."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from inference.classifier import Classifier
from inference.recording import AnnotatedLead, annotate_lead
from loaders.beats.lead_choice import choose_lead_by_signal
from loaders.io.annotations import write_beats, write_table
from loaders.io.discovery import Item
from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat, Recording
from toolbox.holter.page import NOTE, write_page
from toolbox.holter.strip_figure import draw_strips
from toolbox.holter.strips import select_strips
from toolbox.plotter import save_plot
from toolbox.utils import UserError, os_error_text, read_json, sha256_of, write_json

FILES_VERSION = 2  # raise it when the same recording and network give other files: older ones are then made anew
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
    """

    lead: str | None = None
    peaks: str = "detect"
    polarity: str = "auto"
    live: bool = False
    annotator: str = "ecg"
    out: Path | None = None
    png: bool = False
    csv: CsvFormat = field(default_factory=CsvFormat)

    def target(self, item: Item) -> Path:
        """The annotation file of a recording; its other files have the same name and one more extension."""
        folder = item.path.parent if self.out is None else self.out / item.below
        return folder / f"{item.name}.{self.annotator}"


def annotate_file(
    item: Item, classifier: Classifier, options: AnnotateOptions, show_progress: bool = False
) -> dict[str, Any]:
    """Annotate one recording and write its files, unless they are there already.

    Returns:
        Its summary without the list of episodes, with "page" and, where the files were there, "done_before".

    Raises:
        UserError: it cannot be read, holds no beats, or its files cannot be written.
    """
    target = options.target(item)
    summary_file = _beside(target, "json")
    extra = {"page": str(_beside(target, "html"))}
    try:
        recording = open_recording(item.path, options.csv)
        fingerprint = input_fingerprint(recording, classifier, options)
        before = _read_summary(summary_file)
        if before is None and target.exists():
            raise UserError(f"{target} exists and is not of --predict; take another --annotator or --out")
        if before and before.get("fingerprint") == fingerprint and _has_outputs(before, target.parent):
            return {**_without_episodes(before), **extra, "done_before": True}
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_json(summary_file, {"fingerprint": fingerprint, "outputs": None})  # marks the other files as ours
            position, warning = choose_lead_by_signal(recording, options.lead)
            annotated = annotate_lead(
                recording, position, classifier, peaks=options.peaks, polarity=options.polarity, live=options.live,
                show_progress=show_progress,
            )  # fmt: skip
            summary = summarize(recording, annotated, classifier, options, [warning] if warning else [])
            summary |= {"fingerprint": fingerprint, "outputs": _output_names(target, options)}
            _write_files(target, recording, annotated, summary, options)
        except BaseException:
            if not target.exists():  # no other file has been written
                summary_file.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserError(os_error_text(error)) from error
    return {**_without_episodes(summary), **extra}


def input_fingerprint(recording: Recording, classifier: Classifier, options: AnnotateOptions) -> str:
    """SHA-256 of all that a recording's files depend on: its bytes, the network, the options."""
    files = list(recording.files)
    if options.peaks != "detect":
        files += [recording.stem.with_name(f"{recording.stem.name}.{options.peaks}")]
    values = {key: str(value) for key, value in asdict(options).items() if key != "out"}
    parts = [
        FILES_VERSION,
        classifier.fingerprint(),
        values,
        [[file.name, sha256_of(file)] for file in files if file.is_file()],
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def summarize(
    recording: Recording,
    annotated: AnnotatedLead,
    classifier: Classifier,
    options: AnnotateOptions,
    warnings: list[str],
) -> dict[str, Any]:
    """The summary of an annotated recording, as its JSON file holds it, but for "fingerprint" and "outputs"."""
    beats = annotated.beats
    return {
        "recording": recording.name,
        "path": str(recording.path),
        "note": NOTE,
        "lead": annotated.lead,
        "fs": beats.fs,
        "samples": beats.samples,
        "seconds": round(beats.samples / beats.fs, 3),
        "unit": annotated.unit,
        **beats.summary(),
        "polarity": {"qrs": annotated.qrs_height, "inverted": annotated.inverted},
        "warnings": [*warnings, *recording.notes, *annotated.warnings],
        "model": {"name": classifier.name, "classes": list(classifier.class_names)},
        "peaks": options.peaks,
        "live": options.live,
        "leads_read": classifier.input_spec.leads if classifier.input_spec else 1,
    }


def _write_files(
    target: Path, recording: Recording, annotated: AnnotatedLead, summary: dict[str, Any], options: AnnotateOptions
) -> None:
    """Write the files of an annotated recording, its summary last."""
    beats = annotated.beats
    write_beats(target, beats.sample, beats.symbols, beats.fs, beats.skipped)
    table = _beside(target, "csv")
    write_table(table, beats.times, beats.sample, beats.rr, beats.letters, beats.probabilities, beats.class_letters)
    details = {
        "Recording": f"{recording.path.name} ({recording.kind})",
        "Leads": ", ".join(one.name for one in recording.leads),
        "Beats": "detected" if options.peaks == "detect" else f"from {recording.stem.name}.{options.peaks}",
        "Model": summary["model"]["name"],
        "Annotations": ", ".join([target.name, table.name, _beside(target, "json").name]),
    }
    write_page(_beside(target, "html"), summary, details, beats)
    if options.png:
        windows = select_strips(beats.trace.seconds, beats.marks, beats.episodes)
        title = f"{recording.name}, {annotated.lead}: 25 mm/s, 10 mm/{annotated.unit}"
        figure = draw_strips(beats.trace, beats.marks, windows, title, NOTE, annotated.unit)
        save_plot(figure, _beside(target, "png"), PICTURE_DPI)
    write_json(_beside(target, "json"), summary)


def _beside(target: Path, kind: str) -> Path:
    """The file of a kind that goes with the annotation file `target`."""
    return target.with_name(f"{target.name}.{kind}")


def _output_names(target: Path, options: AnnotateOptions) -> list[str]:
    """The names of a recording's files, but for its summary."""
    kinds = ("csv", "html", *(["png"] if options.png else []))
    return [target.name, *(_beside(target, kind).name for kind in kinds)]


def _without_episodes(summary: dict[str, Any]) -> dict[str, Any]:
    """A summary small enough to keep thousands of them in memory."""
    return {key: value for key, value in summary.items() if key != "episodes"}


def _read_summary(path: Path) -> dict[str, Any] | None:
    """The summary that --predict wrote to `path`, None when there is none."""
    try:
        summary = read_json(path)
    except UserError:
        return None
    return summary if isinstance(summary, dict) and "fingerprint" in summary else None


def _has_outputs(summary: dict[str, Any], folder: Path) -> bool:
    """Whether all files that a summary names are there."""
    outputs = summary.get("outputs")
    return isinstance(outputs, list) and all((folder / str(name)).is_file() for name in outputs)
