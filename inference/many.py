"""Annotate many recordings, one after the other or spread over processes and machines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from inference.classifier import MADE_UP, Classifier, training_warnings
from inference.corrections import correction_text
from inference.files import AnnotateOptions, annotate_file, read_leads
from inference.folder_summary import summarize_folder
from inference.outputs import REMEDY, Outputs
from loaders.io.discovery import Item
from toolbox.holter.episodes import ATRIAL_FIBRILLATION, FIBRILLATION, PACED
from toolbox.utils import printable, warn
from toolbox.utils.parallel import run_all
from toolbox.utils.signals import Ended


def annotate_files(
    items: Sequence[Item],
    failed: dict[str, str],
    classifier: Classifier,
    options: AnnotateOptions,
    processes: int,
    single: Classifier | None = None,
) -> dict[str, Any]:
    """Annotate this machine's share of recordings; one that fails is reported and the rest go on.

    Args:
        items: the recordings.
        failed: by name, what else was asked for and why it cannot be done.
        single: a network of one lead, see `annotate_lead`.
        processes: how many recordings to annotate at once, each in a process; 0 and 1 start none.

    Returns:
        {"recordings": {path: summary}, "failed": {path: why}}; the summaries lack the lists of episodes.

    Raises:
        UserError: none could be annotated, by fault of the recordings.
    """
    named, refused = _by_path(items, options)
    progress = min(processes, len(named)) < 2
    work = partial(annotate_file, classifier=classifier, options=options, show_progress=progress, single=single)
    finished: list[str] = []

    def report(summary: dict[str, Any]) -> None:
        finished.append(summary["path"])  # first: a signal may come while it is printed
        with tqdm.external_write_mode():  # moves progress bars out of the way
            for text in training_warnings(classifier) if len(finished) == 1 else ():
                warn(text)
            print_summary(summary)

    try:
        done, all_failed = run_all(work, named, {**failed, **refused}, processes, report)
    except Ended as stop:
        stop.advice = (
            f"{len(finished)} of {len(named)} recordings are finished; the same command skips them and goes on"
        )
        raise
    summarize_folder(done, all_failed, options.out)
    return {"recordings": done, "failed": all_failed}


def _by_path(items: Sequence[Item], options: AnnotateOptions) -> tuple[dict[str, Item], dict[str, str]]:
    """Recordings by their path; and those whose files would overwrite another's, or a recording, with the reason."""
    owner: dict[Path, Path] = {}
    inputs = {item.path.resolve() for item in items}
    named: dict[str, Item] = {}
    refused: dict[str, str] = {}
    for item in items:
        outputs = Outputs(options.target(item))
        first = owner.setdefault(outputs.target.resolve(), item.path)
        recordings = [file for file in outputs.files if file.resolve() in inputs]
        if first != item.path:
            refused[str(item.path)] = f"{item.path}: its files would overwrite those of {first}; give it another --out"
        elif recordings:
            refused[str(item.path)] = f"{item.path}: {recordings[0]} is a recording of this command, and kept; {REMEDY}"
        else:
            named[str(item.path)] = item
    return named, refused


def print_summary(summary: dict[str, Any]) -> None:
    """Print a line on an annotated recording, and its warnings on stderr."""
    rate = summary["rate_per_min"]["mean"]
    names = [lead["name"] for lead in read_leads(summary)]
    network = f" by {name}" if (name := summary["model"].get("pretrained")) else ""
    parts = [f"lead{'s' * (len(names) > 1)} {' and '.join(names)}{network}"]
    count = summary["beats"]["all"]
    parts += [f"{count} beats", *([f"{rate:.0f}/min"] if rate else [])]
    shares = {letter: share for letter, share in summary["burden"].items() if letter in ("S", "V", "A") and count}
    parts += [f"{letter} {100 * share:.2f} %" for letter, share in shares.items()]
    lasting = [(kind, summary.get("rhythms", {}).get(kind)) for kind in (ATRIAL_FIBRILLATION, PACED)]
    parts += [f"{kind} {rhythm['seconds'] / 60:.1f} min" for kind, rhythm in lasting if rhythm]
    silence, fibrillation = summary["without_beats"]["longest"], summary["without_beats"]["seconds"][FIBRILLATION]
    parts += [f"{FIBRILLATION} {fibrillation:.1f} s"] if fibrillation and silence["kind"] != FIBRILLATION else []
    parts += [f"longest without a beat {silence['seconds']:.1f} s ({silence['kind']})"] if silence else []
    parts += [f"corrected: {text}"] if (text := correction_text(summary)) else []
    again = ", done before" if summary.get("done_before") else ""
    print(printable(f"{summary['recording']}: {', '.join(parts)}{again} -> {summary['page']}"), flush=True)
    for warning in summary["warnings"]:
        if warning != MADE_UP:  # said once, of all recordings
            warn(f"{summary['recording']}: {warning}")
