"""An annotated recording as one HTML page: the whole of it on ECG paper to go through, its episodes and figures.

The page needs no network and no other file: signal and beats are packed into it (about 0.4 MB an hour, 1 MB up to two
hours), and its own script, the only one that the page's policy lets run, unpacks what is looked at.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolbox.holter import strips
from toolbox.holter.annotation import AnnotatedRecording
from toolbox.holter.episodes import ECTOPIC, Episode
from toolbox.holter.strips import clock, draw_svg, select_strips
from toolbox.holter.trace import MISSING, PART, QUANTUM
from toolbox.reports.run_page import CSS
from toolbox.utils import atomic_write
from toolbox.utils.aami import LETTERS

NOTE = "For research and teaching, not for diagnosis: a network named these beats, and it makes mistakes."
SCRIPTS = ("page_data.js", "page_paint.js", "page_viewer.js")  # one after the other, one program
LISTED = 500  # episodes; a table of thousands helps nobody
NAMES = {letter: name.lower() for name, letter in LETTERS.items()}
STYLE = """
#viewer { margin: 0 0 1rem; }
.bar { display: flex; flex-wrap: wrap; gap: .35rem; align-items: center; margin: 0 0 .5rem; }
.bar span { margin-left: auto; color: var(--soft); font-variant-numeric: tabular-nums; }
button { font: inherit; font-size: .9rem; padding: .2rem .65rem; border: 1px solid var(--line); border-radius: 6px;
  background: var(--panel); color: var(--ink); cursor: pointer; }
button:hover { border-color: var(--accent); }
td button, th button { padding: 0 .4rem; }
canvas { display: block; width: 100%; touch-action: pan-y; }
#strip { border: 1px solid var(--line); border-radius: 6px 6px 0 0; cursor: grab; }
#overview { border: 1px solid var(--line); border-top: 0; border-radius: 0 0 6px 6px; background: var(--panel);
  color: var(--soft); cursor: pointer; }
#status { min-height: 1.5em; margin: .4rem 0 0; font-variant-numeric: tabular-nums; }
.episodes td, .episodes th { text-align: left; }
.dot { display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .45em; }
svg.pattern { position: absolute; width: 0; height: 0; }
figure svg { display: block; width: 100%; height: auto; border: 1px solid var(--line); }
figure { margin: 0 0 1rem; }
.trace { fill: none; stroke: #1b1b1b; stroke-width: .28; stroke-linejoin: round; }
.mark { fill: none; stroke-width: .25; stroke-dasharray: 1.3 1; }
.beat { font: bold 3.2px system-ui, sans-serif; text-anchor: middle; }
.why { font: 3px system-ui, sans-serif; fill: #444; }
.bad { fill: #888; fill-opacity: .3; }
@media print { .bar button, #status { display: none; } }
"""
PATTERN = f"""<svg class="pattern" aria-hidden="true"><defs>
<pattern id="millimetres" width="1" height="1" patternUnits="userSpaceOnUse">
<path d="M1 0H0V1" fill="none" stroke="{strips.MINOR}" stroke-width=".14"/></pattern>
<pattern id="paper" width="5" height="5" patternUnits="userSpaceOnUse">
<rect width="5" height="5" fill="{strips.PAPER}"/>
<rect width="5" height="5" fill="url(#millimetres)"/>
<path d="M5 0H0V5" fill="none" stroke="{strips.MAJOR}" stroke-width=".25"/></pattern></defs></svg>"""
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


def _text(value: Any) -> str:
    return html.escape(str(value))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table of cells that are HTML already; a row's first heads it."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>' for first, *rest in rows
    )
    return (
        f'<div class="scroll"><table class="{kind}">{f"<thead><tr>{top}</tr></thead>" if head else ""}'
        f"<tbody>{body}</tbody></table></div>"
    )


def _packed(name: str, content: bytes) -> str:
    """Bytes as a part of the page that no browser runs or shows."""
    return f'<script type="text/plain" id="{name}">{base64.b64encode(content).decode("ascii")}</script>'


def _cards(summary: Mapping[str, Any]) -> str:
    beats, rate, quality = summary["beats"], summary["rate_per_min"], summary["signal_quality"]
    cards = [("beats", f"{beats['all']:,}")]
    cards += [("beats per minute, on average", "–" if rate["mean"] is None else f"{rate['mean']:.0f}")]
    for letter, burden in summary["burden"].items():
        if letter in ("S", "V", "A") or (letter not in NAMES):
            cards.append((f"{_text(NAMES.get(letter, letter))} beats, {beats[letter]:,}", f"{100 * burden:.2f}%"))
    pauses = summary["pauses"]
    longest = f", longest {pauses['longest_s']:.1f} s" if pauses["count"] else ""
    cards += [(f"pauses of 2 s and more{longest}", f"{pauses['count']:,}")]
    cards += [("of the signal could be judged", f"{100 * quality['usable']:.1f}%")]
    return '<div class="cards">' + "".join(f'<div class="card"><b>{v}</b>{k}</div>' for k, v in cards) + "</div>"


def _dot(letter: str) -> str:
    return f'<span class="dot" style="background:{strips.COLOURS.get(letter, "#767676")}"></span>'


def _episodes(found: Sequence[Episode]) -> str:
    if not found:
        return '<p class="soft">None: no runs, couplets, bigeminy or pauses.</p>'
    rows = []
    for e in found[:LISTED]:
        letter = e.kind.partition(" ")[0]
        dot = _dot(letter) if letter in ECTOPIC else ""
        go = f'<button data-at="{e.start:.2f}" data-beat="{e.first}">{clock(e.start)}</button>'
        rate = "–" if e.rate is None else f"{e.rate:.0f}"
        count = "–" if e.kind == "pause" else str(e.beats)
        rows.append([go, dot + _text(e.title), f"{e.stop - e.start:.1f}", count, rate])
    more = f'<p class="soft">The first {LISTED} of {len(found):,}.</p>' if len(found) > LISTED else ""
    return _table(["Start", "Episode", "Seconds", "Beats", "Per minute"], rows, "episodes") + more


def _classes(summary: Mapping[str, Any]) -> str:
    rows = []
    for letter, count in summary["beats"].items():
        if letter != "all":
            share = count / max(summary["beats"]["all"], 1)
            name = NAMES.get(letter, letter).capitalize()
            rows.append([f"{_dot(letter)}{letter}", _text(name), f"{count:,}", f"{100 * share:.2f}%"])
    return _table(["Class", "", "Beats", "Share"], rows, "episodes")


def _quality(summary: Mapping[str, Any]) -> str:
    quality = summary["signal_quality"]
    rows = [
        [f'<button data-at="{start:.2f}" data-beat="-1">{clock(start)}</button>', f"{stop - start:.1f}", _text(kind)]
        for start, stop, kind in quality["skipped"][:LISTED]
    ]
    table = _table(["Start", "Seconds", "Skipped"], rows, "episodes") if rows else ""
    told = "".join(f"<p>{_text(warning)}</p>" for warning in summary["warnings"])
    return f"{told}{table}" or '<p class="soft">All of it could be judged.</p>'


def write_page(path: Path, summary: Mapping[str, Any], details: Mapping[str, Any], found: AnnotatedRecording) -> None:
    """Write the page of an annotated recording to `path`, atomically.

    Args:
        summary: what the JSON file holds.
        details: names and values of how it was made, for people.
        found: the beats.
    """
    tracing, marks, letters = found.tracing, found.marks, found.names
    at = np.rint(found.times * tracing.rate).astype("<u4")
    classes = found.probabilities.argmax(axis=1).astype(np.uint8)
    sure = np.rint(255 * found.confidence).astype(np.uint8)
    beats = b"".join(part.tobytes() for part in (at, classes, sure, found.begins.astype(np.uint8)))
    rates = summary["rate_per_min"]
    meta = {
        "rate": tracing.rate, "quantum": QUANTUM, "missing": MISSING, "part": PART, "parts": len(tracing.parts),
        "seconds": tracing.seconds, "letters": letters, "names": NAMES, "colours": strips.COLOURS, "bad": marks.bad,
        "unit": summary["unit"], "highest": 50 * (1 + int(max(rates["max"] or 0, 120) // 50)),
        "paper": {"paper": strips.PAPER, "minor": strips.MINOR, "major": strips.MAJOR, "ink": strips.INK},
        "accent": "#0072b2",
    }  # fmt: skip
    shown = [
        f"<figure><figcaption>{clock(w.start)} {_text(w.title)}</figcaption>{draw_svg(tracing, marks, w)}</figure>"
        for w in select_strips(tracing.seconds, marks, found.episodes)
    ]
    buttons = "".join(f'<button type="button" data-do="{name}">{label}</button>' for name, label in BUTTONS)
    script = "".join(Path(__file__).with_name(name).read_text(encoding="utf-8") for name in SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    name = _text(summary["recording"])
    head = " · ".join(_text(part) for part in (summary["lead"], clock(tracing.seconds), f"{summary['fs']:g} Hz"))
    body = f"""<header><h1>{name}</h1><div class="soft">{head}</div></header>
<p class="note" role="note"><strong>Note:</strong> {NOTE}</p>
{_cards(summary)}
<section><h2>Rhythm</h2><div id="viewer"><div class="bar">{buttons}<span id="scale"></span></div>
<canvas id="strip" tabindex="0" aria-label="rhythm strip"></canvas>
<canvas id="overview" aria-label="heart rate"></canvas>
<p id="status" role="status"></p></div>
<p class="soft">Drag to move, Ctrl and the wheel to zoom, arrow keys, N and P for the next and the previous abnormal
beat; a click on a beat names it, one on the heart rate below goes there.</p></section>
<section><h2>Episodes</h2>{_episodes(found.episodes)}</section>
<section><h2>Strips</h2>{PATTERN}{"".join(shown)}</section>
<section><h2>Classes</h2>{_classes(summary)}</section>
<section><h2>Signal quality</h2>{_quality(summary)}</section>
<section><h2>How it was made</h2>{_table([], [[_text(k), _text(v)] for k, v in details.items()], "pairs")}</section>"""
    data = json.dumps(meta).replace("<", "\\u003c")
    with atomic_write(path, "w") as handle:
        handle.write(
            f"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{name}</title>
<style>{CSS}{STYLE}</style>
{body}
<script type="application/json" id="meta">{data}</script>
{_packed("beats", zlib.compress(beats))}
"""
        )
        handle.writelines(f"{_packed(f'part{k}', part)}\n" for k, part in enumerate(tracing.parts))
        handle.write(f"<script>{script}</script>\n</html>\n")
