"""Annotates recordings with a trained network, one after the other or spread over processes.

The network arrives as an argument; so this runs with whatever gives probabilities for rows.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from inference.classifier import Classifier
from loaders.beats.segmenter import Reading
from loaders.beats.window_segmenter import other_leads, read_windows
from loaders.dsp.quality import merge_intervals
from loaders.io.annotations import write_beats, write_table
from loaders.io.discovery import Item
from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat, Recording, choose_lead
from toolbox.holter.annotation import AnnotatedRecording
from toolbox.holter.page import NOTE, write_page
from toolbox.holter.strip_figure import draw_strips
from toolbox.holter.strips import select_strips
from toolbox.holter.trace import CompressedTrace
from toolbox.plotter import save_plot
from toolbox.utils import UserError, os_error_text, read_json, sha256_of, write_json
from toolbox.utils.parallel import run_all
from toolbox.utils.signals import Ended

VERSION = 1  # to be raised when the same recording and model give other files: those made before are then made anew
DPI = 150  # of the picture; strips are drawn in true size


@dataclass(frozen=True)
class AnnotateOptions:
    """How recordings are to be annotated.

    Attributes:
        lead: its name; None for the one that models are trained on.
        peaks: "detect", or the annotator whose beats are taken.
        polarity: "auto", "keep" or "invert".
        live: name beats as if the recording came live: each knows the 3 s after its R peak.
        annotator: the extension of the annotation files that are written.
        out: the folder they go to; None for beside each recording.
        png: whether to draw a picture as well.
        csv: what CSV files do not tell themselves.
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
        """The annotation file of a recording; the other files are called alike, with one more extension."""
        folder = item.path.parent if self.out is None else self.out / item.below
        return folder / f"{item.name}.{self.annotator}"


def predict_all(
    items: Sequence[Item], failed: dict[str, str], classifier: Classifier, settings: AnnotateOptions, processes: int
) -> dict[str, Any]:
    """Annotate this machine's share of recordings; one that fails is reported and the rest go on.

    Args:
        items: the recordings.
        failed: what else was asked for, and why it cannot be done.
        processes: how many to work at once in.

    Returns:
        {"recordings": {path: summary}, "failed": {path: why}}; the summaries lack the lists of episodes.

    Raises:
        UserError: none could be annotated, by fault of the recordings.
    """
    taken: dict[Path, Path] = {}
    named: dict[str, Item] = {}
    failed = dict(failed)
    for item in items:
        first = taken.setdefault(settings.target(item).resolve(), item.path)
        if first == item.path:
            named[str(item.path)] = item
        else:
            failed[str(item.path)] = f"{item.path}: its files would overwrite those of {first}; give it another --out"
    work = partial(predict, classifier=classifier, settings=settings)
    finished = []

    def tell(summary: dict[str, Any]) -> None:
        finished.append(summary["path"])
        _tell(summary)

    try:
        done, failed = run_all(work, named, failed, processes, tell)
    except Ended as stop:
        stop.told = f"{len(finished)} of {len(named)} recordings are finished; the same command skips them and goes on"
        raise
    return {"recordings": done, "failed": failed}


def _tell(summary: dict[str, Any]) -> None:
    beats, burden = summary["beats"], summary["burden"]
    rate = summary["rate_per_min"]["mean"]
    parts = [f"{beats['all']} beats", *([f"{rate:.0f}/min"] if rate else [])]
    parts += [f"{letter} {100 * share:.2f} %" for letter, share in burden.items() if letter in ("S", "V", "A")]
    again = ", done before" if summary.get("done_before") else ""
    print(f"{summary['recording']}: {', '.join(parts)}{again} -> {summary['page']}", flush=True)
    for warning in summary["warnings"]:
        print(f"warning: {summary['recording']}: {warning}", file=sys.stderr, flush=True)


def predict(item: Item, classifier: Classifier, settings: AnnotateOptions) -> dict[str, Any]:
    """Annotate one recording and write its files, unless they are there already.

    Returns:
        Its summary without the list of episodes, with "page" and (where nothing was to do) "done_before".

    Raises:
        UserError: it cannot be read, holds no beats, or its files cannot be written.
    """
    target = settings.target(item)
    paths = {kind: target.with_name(f"{target.name}.{kind}") for kind in ("csv", "html", "png", "json")}
    extra = {"page": str(paths["html"])}
    try:
        recording = open_recording(item.path, settings.csv)
        mark = fingerprint(recording, classifier, settings)
        before = _summary_in(paths["json"])
        if before is None and target.exists():
            raise UserError(f"{target} exists and is not of --predict; take another --annotator or --out")
        if before and before.get("fingerprint") == mark and _whole(before, target.parent):
            return {**_short(before), **extra, "done_before": True}
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_json(paths["json"], {"fingerprint": mark, "outputs": None})  # says whose the other files are
            return {**_short(write_files(recording, classifier, settings, target, paths, mark)), **extra}
        except BaseException:
            if not target.exists():  # there are no others yet
                paths["json"].unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserError(os_error_text(error)) from error


def fingerprint(recording: Recording, classifier: Classifier, settings: AnnotateOptions) -> str:
    """SHA-256 of all that a recording's files depend on: its bytes, the model, the settings."""
    files = list(recording.files)
    if settings.peaks != "detect":
        files += [recording.stem.with_name(f"{recording.stem.name}.{settings.peaks}")]
    known = {key: str(value) for key, value in asdict(settings).items() if key != "out"}
    parts = [
        VERSION,
        classifier.fingerprint(),
        known,
        [[file.name, sha256_of(file)] for file in files if file.is_file()],
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _short(summary: dict[str, Any]) -> dict[str, Any]:
    """A summary that a thousand of fit into memory."""
    return {key: value for key, value in summary.items() if key != "episodes"}


def _summary_in(path: Path) -> dict[str, Any] | None:
    """The summary that --predict wrote to `path`, None when there is none."""
    try:
        found = read_json(path)
    except UserError:
        return None
    return found if isinstance(found, dict) and "fingerprint" in found else None


def _whole(summary: dict[str, Any], folder: Path) -> bool:
    outputs = summary.get("outputs")
    return isinstance(outputs, list) and all((folder / str(name)).is_file() for name in outputs)


def judge(
    recording: Recording, lead: int, classifier: Classifier, settings: AnnotateOptions
) -> tuple[AnnotatedRecording, Reading]:
    """Find and name the beats of one lead, in memory that grows with its beats only.

    Raises:
        UserError: the signal is damaged, or holds no beat that can be judged.
    """
    # What a window is compared with is known when all beats are, unless it is to be read as if it came live.
    later, now = (None, classifier.input_spec) if settings.live else (classifier.input_spec, None)
    reading = Reading(recording, lead, settings.peaks, settings.polarity, settings.live, now)
    leads = other_leads(recording, lead, later.leads) if later else [lead]  # too few are told before all is read
    tracing, scale = CompressedTrace(), 0.0
    parts, named, skipped = [], [], []
    for part in reading:
        if not scale:  # in an unknown unit, the average beat is drawn as high as 1 mV
            scale = 1.0 if reading.in_millivolts or not reading.height else 1 / abs(reading.height)
        if len(part.sample):
            parts.append((part.sample, part.begins))
            if later is None:
                named.append(classifier.probabilities(part.rows, part.features))
        skipped += part.skipped
        tracing.add(part.shown * scale)
    skipped = merge_intervals(skipped)
    lost = sum(stretch.stop - stretch.start for stretch in skipped)
    if not parts:
        flat = f"; {100 * lost / reading.samples:.0f} % of it is flat, saturated or missing" if lost else ""
        raise UserError(f"{recording.path}: no heartbeat in lead {reading.lead.name}{flat}")
    sample, begins = (np.concatenate(column) for column in zip(*parts, strict=True))
    if later is not None:
        rows = read_windows(recording, leads, reading.inverted, sample, later)
        named = [classifier.probabilities(x, features) for x, features in rows]
    told = np.concatenate(named), classifier.class_names
    found = AnnotatedRecording(sample, begins, *told, reading.lead.fs, reading.samples, skipped, tracing.finish())
    return found, reading


def write_files(
    recording: Recording,
    classifier: Classifier,
    settings: AnnotateOptions,
    target: Path,
    paths: dict[str, Path],
    mark: str,
) -> dict[str, Any]:
    """Annotate `recording` and write its files, the summary last. Returns the summary."""
    chosen, warning = choose_lead(recording, settings.lead)
    found, reading = judge(recording, chosen, classifier, settings)
    lead = reading.lead
    summary = {
        "recording": recording.name,
        "path": str(recording.path),
        "note": NOTE,
        "lead": lead.name,
        "fs": lead.fs,
        "samples": found.samples,
        "seconds": round(found.samples / lead.fs, 3),
        "unit": "mV" if reading.in_millivolts else "QRS height",
        **found.figures(),
        "polarity": {"qrs": round(reading.height, 3), "inverted": reading.inverted},
        "warnings": [*([warning] if warning else []), *recording.notes, *_doubts(reading, settings)],
        "model": {"name": classifier.name, "classes": list(classifier.class_names)},
        "peaks": settings.peaks,
        "live": settings.live,
        "leads_read": classifier.input_spec.leads if classifier.input_spec else 1,
        "fingerprint": mark,
        "outputs": [target.name, *(paths[kind].name for kind in ("csv", "html", *(["png"] if settings.png else [])))],
    }
    write_beats(target, found.sample, found.symbols, lead.fs, found.skipped)
    write_table(paths["csv"], found.times, found.sample, found.rr, found.letters, found.probabilities, found.names)
    details = {
        "Recording": f"{recording.path.name} ({recording.kind})",
        "Leads": ", ".join(one.name for one in recording.leads),
        "Beats": "detected" if settings.peaks == "detect" else f"from {recording.stem.name}.{settings.peaks}",
        "Model": classifier.name,
        "Annotations": f"{target.name}, {paths['csv'].name}, {paths['json'].name}",
    }
    write_page(paths["html"], summary, details, found)
    if settings.png:
        windows = select_strips(found.tracing.seconds, found.marks, found.episodes)
        title = f"{recording.name}, {lead.name}: 25 mm/s, 10 mm/{summary['unit']}"
        save_plot(draw_strips(found.tracing, found.marks, windows, title, NOTE, summary["unit"]), paths["png"], DPI)
    write_json(paths["json"], summary)
    return summary


def _doubts(reading: Reading, settings: AnnotateOptions) -> list[str]:
    """What whoever reads the result has to know of the signal."""
    doubts = []
    if reading.lead.scale is None:
        doubts.append(f"unit {reading.lead.unit!r} of lead {reading.lead.name} is no voltage that is known")
    elif not reading.in_millivolts:
        doubts.append(
            f"QRS complexes of {abs(reading.height):.3g} mV: the signal is not in mV"
            f"{'; --gain tells how much 1 mV is' if reading.recording.kind == 'CSV' else ''}"
        )
    if reading.inverted and settings.polarity == "auto":
        doubts.append("the lead is upside down (P waves and QRS complexes point down) and was turned around")
    return doubts
