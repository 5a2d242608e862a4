"""An annotated recording as one HTML page: the whole signal on ECG paper, episodes and figures.

The page loads no other file: signal and beats are packed into it (about 0.4 MB an hour, 1 MB up to two hours), and its
own script, the only one that the page's policy allows, unpacks the parts that are shown.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolbox.holter.annotation import AnnotatedRecording
from toolbox.holter.episodes import ECTOPIC, SILENCES, Episode
from toolbox.holter.strip_svg import draw_svg
from toolbox.holter.strips import COLOURS, INK, MAJOR, MINOR, PAPER, clock, select_strips
from toolbox.holter.trace import MISSING, PART_SECONDS, QUANTUM
from toolbox.reports.html import ABSENT, load_template
from toolbox.utils import atomic_write, printable
from toolbox.utils.aami import LETTERS

NOTE = "For research and teaching, not for diagnosis: a network named these beats, and it makes mistakes."
TEMPLATE = Path(__file__).with_name("holter_page.html")
SCRIPTS = ("page_data.js", "page_paint.js", "page_viewer.js")  # one after the other, one program
MOST_ROWS = 500  # of a table; thousands help nobody
ACCENT = "#0072b2"
NAMES = {letter: name.lower() for name, letter in LETTERS.items()}
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


def _figures(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(value, label) of the cards."""
    beats, rate, pauses = summary["beats"], summary["rate_per_min"], summary["pauses"]
    figures = [(f"{beats['all']:,}", "beats")]
    figures += [(ABSENT if rate["mean"] is None else f"{rate['mean']:.0f}", "beats per minute, on average")]
    for letter, burden in summary["burden"].items():
        if letter in ("S", "V", "A") or letter not in NAMES:
            figures.append((f"{100 * burden:.2f}%", f"{NAMES.get(letter, letter)} beats, {beats[letter]:,}"))
    longest = f", longest {pauses['longest_s']:.1f} s" if pauses["count"] else ""
    figures += [(f"{pauses['count']:,}", f"pauses of 2 s and more{longest}")]
    silence = summary["without_beats"]["longest"]
    if silence:
        figures += [
            (f"{silence['seconds']:.1f} s", f"longest without a beat, at {clock(silence['start'])}: {silence['kind']}")
        ]
    return [*figures, (f"{100 * summary['signal_quality']['usable']:.1f}%", "of the signal could be judged")]


def _episodes(episodes: Sequence[Episode]) -> dict[str, Any]:
    """The rows of the first episodes, and how many there are."""
    rows = []
    for episode in episodes[:MOST_ROWS]:
        letter = episode.kind.partition(" ")[0]
        rows.append({
            "start": episode.start,
            "clock": clock(episode.start),
            "first": episode.first,
            "letter": letter if letter in ECTOPIC else "",
            "title": episode.title,
            "seconds": f"{episode.stop - episode.start:.1f}",
            "beats": ABSENT if episode.kind in SILENCES else str(episode.beats),
            "rate": ABSENT if episode.rate is None else f"{episode.rate:.0f}",
        })  # fmt: skip
    return {"rows": rows, "count": len(episodes)}


def _classes(summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """Beats of each class and their share."""
    beats = {letter: count for letter, count in summary["beats"].items() if letter != "all"}
    total = max(summary["beats"]["all"], 1)
    return [
        {
            "letter": letter,
            "name": NAMES.get(letter, letter).capitalize(),
            "beats": f"{count:,}",
            "share": f"{100 * count / total:.2f}%",
        }
        for letter, count in beats.items()
    ]


def _skipped(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The first skipped intervals."""
    intervals = summary["signal_quality"]["skipped"][:MOST_ROWS]
    return [
        {"start": start, "clock": clock(start), "seconds": f"{stop - start:.1f}", "reason": reason}
        for start, stop, reason in intervals
    ]


def _leads(summary: Mapping[str, Any]) -> str:
    """The leads that were read."""
    return ", ".join(lead["name"] for lead in summary.get("leads", [{"name": summary["lead"]}]))


def _packed_beats(annotated: AnnotatedRecording) -> bytes:
    """Samples of the trace (uint32 each), then a byte each: class, confidence, whether no RR interval leads there."""
    samples = np.rint(annotated.times * annotated.trace.rate).astype("<u4")
    numbers = {letter: k for k, letter in enumerate(annotated.all_letters)}
    classes = np.array([numbers[letter] for letter in annotated.letters.tolist()], dtype=np.uint8)
    confidence = np.rint(255 * annotated.confidence).astype(np.uint8)
    columns = (samples, classes, confidence, annotated.begins.astype(np.uint8))
    return zlib.compress(b"".join(column.tobytes() for column in columns))


def _meta(summary: Mapping[str, Any], annotated: AnnotatedRecording) -> dict[str, Any]:
    """The values that the page's script needs."""
    trace, fastest = annotated.trace, summary["rate_per_min"]["max"]
    return {
        "rate": trace.rate,
        "quantum": QUANTUM,
        "missing": MISSING,
        "part": PART_SECONDS,
        "parts": len(trace.parts),
        "seconds": trace.seconds,
        "letters": annotated.all_letters,
        "names": NAMES,
        "colours": COLOURS,
        "bad": annotated.marks.bad,
        "silent": [episode.first for episode in annotated.episodes if episode.kind in SILENCES],
        "unit": summary["unit"],
        "highest": 50 * (1 + int(max(fastest or 0, 120) // 50)),
        "paper": {"paper": PAPER, "minor": MINOR, "major": MAJOR, "ink": INK},
        "accent": ACCENT,
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def write_page(
    path: Path, summary: Mapping[str, Any], details: Mapping[str, Any], annotated: AnnotatedRecording
) -> None:
    """Write the page of an annotated recording to `path`, atomically.

    Args:
        summary: the content of the JSON file.
        details: names and values of how the annotations were made, for people.
        annotated: the beats.
    """
    trace, marks = annotated.trace, annotated.marks
    windows = select_strips(trace.seconds, marks, annotated.episodes)
    script = "".join(Path(__file__).with_name(name).read_text(encoding="utf-8") for name in SCRIPTS)
    meta = _meta(summary, annotated)
    page = load_template(TEMPLATE).generate(
        title=printable(summary["recording"]),
        subtitle=" · ".join((printable(_leads(summary)), clock(trace.seconds), f"{summary['fs']:g} Hz")),
        notes=[NOTE, *map(printable, summary["warnings"])],
        figures=_figures(summary),
        buttons=BUTTONS,
        episodes=_episodes(annotated.episodes),
        strips=[
            {"caption": f"{clock(w.start)} {w.title}", "svg": draw_svg(trace, marks, w, summary["unit"])}
            for w in windows
        ],
        classes=_classes(summary),
        skipped=_skipped(summary),
        details=[(name, printable(value)) for name, value in details.items()],
        colours=COLOURS,
        paper=meta["paper"],
        meta=meta,
        beats=_base64(_packed_beats(annotated)),
        parts=(_base64(part) for part in trace.parts),
        script=script,
        script_sha256=_base64(hashlib.sha256(script.encode()).digest()),
    )
    with atomic_write(path, "w") as handle:
        handle.writelines(page)  # part by part: a day is 11 MB
