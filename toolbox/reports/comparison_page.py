"""A comparison of runs as one HTML page: tables to sort, curves, differences over patients, disputed beats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolbox.plotter import COLOURS
from toolbox.reports.comparison import LABELS, Comparison
from toolbox.reports.comparison_tables import class_differences, p_value, with_spread
from toolbox.reports.console import duration
from toolbox.reports.html import ABSENT, load_template, script_digest
from toolbox.reports.line_charts import svg_points
from toolbox.reports.paired_beats import Pair
from toolbox.reports.runs_index import INDEX
from toolbox.utils import atomic_write, printable
from toolbox.utils.options import spelling

TEMPLATE = Path(__file__).with_name("comparison_page.html")
SCRIPT = Path(__file__).with_name("sort_tables.js")
WIDTH, HEIGHT, LEFT, BELOW = 640, 260, 66, 30  # of a drawing of curves, in its own units
DASHES = ("", "7 4", "2 3", "9 3 2 3")
MOST_CURVES = len(COLOURS) * len(DASHES)
MARK = "written by pytorch-ecg --compare"  # in a comment; tells our own pages from others


def write_comparison_page(
    path: Path, title: str, comparison: Comparison, template: Path = TEMPLATE, **more: Any
) -> Path:
    """Write the page to `path`, atomically.

    Args:
        template: one that extends the comparison's own, which takes `more`.
    """
    script = SCRIPT.read_text(encoding="utf-8")
    page = load_template(template).render(
        **more,
        title=title,
        mark=MARK,
        notes=[*comparison.notes, *(f"{name} is not compared: {reason}" for name, reason in comparison.refused)],
        table=_table(comparison, path.parent),
        curves=[drawing for key in ("loss", comparison.columns[-1]) if (drawing := _curves(comparison, key))],
        pairs=[_pair(comparison, k, pair) for k, pair in comparison.pairs.items()],
        index=relative_link(comparison.entries[0].first.run.path.parent / INDEX, path.parent),
        script=script,
        script_sha256=script_digest(script),
    )
    with atomic_write(path) as handle:
        handle.write(page.encode(errors="replace"))
    return path


def _table(comparison: Comparison, folder: Path) -> dict[str, Any]:
    """The head and the rows of the table of entries."""
    flags = [spelling(name) for name in comparison.differing]
    head = [("#", False), ("Network", True), *((LABELS[key], False) for key in comparison.columns)]
    head += [*((flag, True) for flag in flags), ("Epoch", False), ("Time", False), ("Runs", False)]
    rows = []
    for k, entry in enumerate(comparison.entries, start=1):
        seconds = sum(one.seconds for one in entry.tested) / len(entry.tested)
        cells: list[tuple[str, Any]] = [(str(k), k), (printable(entry.title), "")]
        cells += [(with_spread(key, entry, ABSENT, "±"), entry.mean(key)) for key in comparison.columns]
        cells += [(value, "") for value in comparison.flags(entry).values()]
        cells += [(str(entry.first.epoch), entry.first.epoch), (duration(seconds), seconds)]
        runs = [(f"seed {one.run.options.get('seed')}", relative_link(one.run.page, folder)) for one in entry.tested]
        rows.append({"cells": cells, "runs": runs, "colour": _colour(k - 1)})
    return {"head": head, "rows": rows}


def relative_link(page: Path, folder: Path) -> str:
    """The address of a run's page, relative to the folder of this one; "" where there is none yet."""
    if not page.is_file():
        return ""
    page, folder = page.resolve(), folder.resolve()
    for start, up in ((folder, ""), (folder.parent, "../")):
        if page.is_relative_to(start):
            return f"{up}{page.relative_to(start).as_posix()}"
    return page.as_uri()


def _curves(comparison: Comparison, key: str) -> dict[str, Any] | None:
    """The validation curve of each entry as the points of an SVG drawing; of several seeds the mean, and the band
    between the lowest and the highest."""
    series = []
    for k, entry in enumerate(comparison.entries[:MOST_CURVES]):
        by_epoch: dict[int, list[float]] = {}
        for row in (row for one in entry.tested for row in one.logged["val"]):
            value = row.get(key)
            if value is not None and np.isfinite(value):
                by_epoch.setdefault(row["epoch"], []).append(value)
        rows = [(epoch, min(each), float(np.mean(each)), max(each)) for epoch, each in sorted(by_epoch.items())]
        if rows:
            series.append((k, np.array(rows, dtype=float)))  # (epochs, 4)
    if not series:
        return None
    every = np.concatenate([points for _, points in series])
    first, last = every[:, 0].min(), every[:, 0].max()
    low, high = every[:, 1].min(), every[:, 3].max()
    lines = []
    for k, points in series:
        x = LEFT + (points[:, 0] - first) / ((last - first) or 1.0) * (WIDTH - LEFT - 10)
        y = 10 + (1 - (points[:, 1:] - low) / ((high - low) or 1.0)) * (HEIGHT - BELOW - 20)  # (epochs, 3)
        around = svg_points(np.concatenate([x, x[::-1]]), np.concatenate([y[:, 0], y[::-1, 2]]))
        lines.append({
            "points": svg_points(x, y[:, 1]),
            "band": around if len(comparison.entries[k].tested) > 1 else "",
            "colour": _colour(k),
            "dash": DASHES[k // len(COLOURS) % len(DASHES)],
            "name": f"{k + 1} {comparison.entries[k].title}",
        })  # fmt: skip
    title = "Validation loss" if key == "loss" else f"Validation {LABELS[key]}"
    ends = {"left": f"{first:.0f}", "right": f"{last:.0f}", "low": f"{low:.4g}", "high": f"{high:.4g}"}
    return {"title": title, "lines": lines, **ends, "width": WIDTH, "height": HEIGHT, "margin": LEFT}


def _colour(k: int) -> str:
    """The colour of entry `k`; black is the text's, so that it is seen in the dark."""
    colour = COLOURS[k % len(COLOURS)]
    return "currentColor" if colour == "#000000" else colour


def _pair(comparison: Comparison, k: int, pair: Pair) -> dict[str, Any]:
    """An entry against the first, for people."""
    entry = comparison.entries[k]
    records: Sequence[tuple[str, int, float, float]] = pair.records
    return {
        "title": f"{k + 1} {entry.title} against 1 {comparison.entries[0].title}",
        "reason": pair.reason,
        "unit": pair.unit,
        "differences": [
            (title, text, p_value(pair.corrected[key]) if key in pair.corrected else "")
            for key, title, text in class_differences(pair.differences)
        ],
        "records": [_record(*one, most=max(max(a, b) for _, _, a, b in records)) for one in records],
        "only": (f"{pair.only_reference:,}", f"{pair.only_entry:,}", p_value(pair.mcnemar)),
        "beats": [(*one[:1], _clock(one.time), *one[2:]) for one in pair.beats],
    }


def _record(name: str, beats: int, first: float, entry: float, most: float) -> dict[str, Any]:
    """A record's row: its texts, and where the two dots of its bar stand, in per cent of the greatest share."""
    places = [f"{5 + 90 * share / (most or 1.0):.1f}" for share in (first, entry)]
    cells = (name, beats, f"{100 * first:.2f}", f"{100 * entry:.2f}", f"{100 * (entry - first):+.2f}")
    return {"cells": cells, "places": places}


def _clock(seconds: float | None) -> str:
    """A time in a record as m:ss.s."""
    return ABSENT if seconds is None else f"{int(seconds // 60)}:{seconds % 60:04.1f}"
