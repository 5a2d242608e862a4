"""An annotated recording as one HTML page: the whole signal on ECG paper, episodes, figures and corrections.

The page loads no other file: signals and beats are packed into it (about 0.4 MB an hour and lead, 1 MB up to two
hours), and its own script, the only one that the page's policy allows, unpacks the parts that are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from toolbox.holter import page_numbers, page_tables
from toolbox.holter.annotation import AnnotatedRecording
from toolbox.holter.families import find_families
from toolbox.holter.page_pack import encode, pack_beats, pack_episodes, pack_families, page_values
from toolbox.holter.strip_svg import draw_svg
from toolbox.holter.strips import clock, select_strips
from toolbox.holter.trace import CompressedTrace
from toolbox.reports.html import load_template, script_digest
from toolbox.utils import atomic_write, printable
from toolbox.utils.aami import CLASS_COLOURS, CLASS_LETTERS

NOTE = "For research and teaching, not for diagnosis: a network named these beats, and it makes mistakes."
TEMPLATE = Path(__file__).with_name("holter_page.html")
SCRIPTS = (  # one after the other, one program
    "page_data.js", "page_beats.js", "page_edits.js", "page_save.js", "page_paint.js", "page_overview.js",
    "page_viewer.js", "page_pointer.js", "page_episodes.js", "page_families.js", "page_correct.js", "page_main.js",
)  # fmt: skip
BUTTONS = (
    ("back", "◀ page"),
    ("on", "page ▶"),
    ("previous", "◀ abnormal"),
    ("next", "abnormal ▶"),
    ("out", "− time"),
    ("in", "+ time"),
    ("flatter", "− height"),
    ("taller", "+ height"),
    ("standard", "25 mm/s"),
)


def write_page(
    path: Path,
    summary: Mapping[str, Any],
    details: Mapping[str, Any],
    annotated: AnnotatedRecording,
    other_leads: Mapping[str, CompressedTrace] | None = None,
    marks: Sequence[tuple[int, str, str]] | None = None,
) -> None:
    """Write the page of an annotated recording to `path`, atomically.

    Args:
        path: NAME.ANNOTATOR.html.
        summary: the content of the JSON file.
        details: names and values of how the annotations were made, for people.
        annotated: the beats.
        other_leads: the leads to show below the annotated one, by name.
        marks: (sample, WFDB symbol, text) of the annotations that are no beats; None for those of rhythms alone.
    """
    trace, beats = annotated.trace, annotated.marks
    windows = [
        *page_numbers.extreme_windows(summary, trace.seconds),
        *select_strips(trace.seconds, beats, annotated.episodes),
    ]
    script = "".join(Path(__file__).with_name(name).read_text(encoding="utf-8") for name in SCRIPTS)
    name, _, annotator = path.name.removesuffix(".html").rpartition(".")
    traces = {summary["lead"]: trace, **(other_leads or {})}
    values = page_values(name or annotator, annotator, summary, annotated, traces)
    values["marks"] = annotated.rhythm_marks() if marks is None else marks
    families, family = find_families(trace, annotated.times)
    page = load_template(TEMPLATE).generate(
        title=printable(summary["recording"]),
        subtitle=" · ".join(
            (printable(page_tables.lead_names(summary)), clock(trace.seconds), f"{summary['fs']:g} Hz")
        ),
        notes=[NOTE, *page_tables.limits(summary), *map(printable, summary["warnings"])],
        figures=page_tables.figures(summary),
        buttons=BUTTONS,
        letters=CLASS_LETTERS,
        strips=[
            {
                "start": w.start,
                "clock": clock(w.start),
                "title": w.title,
                "svg": draw_svg(trace, beats, w, summary["unit"]),
            }
            for w in windows
        ],
        hours=page_numbers.hours_table(summary),
        hrv=page_numbers.hrv_table(summary),
        classes=page_tables.classes(summary),
        leads=page_tables.leads_table(summary),
        skipped=sorted([*page_tables.skipped(summary), *page_tables.switches(summary)], key=itemgetter("start")),
        details=[(name, printable(value)) for name, value in details.items()],
        colours=CLASS_COLOURS,
        paper=values["paper"],
        values=values,
        beats=pack_beats(annotated, family),
        episodes=pack_episodes(annotated.episodes),
        families=pack_families(families),
        parts=(
            (f"part{lead}-{k}", encode(part))
            for lead, one in enumerate(traces.values())
            for k, part in enumerate(one.parts)
        ),
        script=script,
        script_sha256=script_digest(script),
    )
    with atomic_write(path, "w") as handle:
        handle.writelines(page)  # part by part: a day is 11 MB and more
