"""Figures and tables of a recording's page, from its summary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolbox.holter.page_pack import NAMES
from toolbox.holter.strips import clock
from toolbox.reports.html import ABSENT

MOST_ROWS = 500  # of skipped stretches


def figures(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(value, label) of the cards."""
    beats, rate, pauses = summary["beats"], summary["rate_per_min"], summary["pauses"]
    cards = [(f"{beats['all']:,}", "beats")]
    cards += [(ABSENT if rate["mean"] is None else f"{rate['mean']:.0f}", "beats per minute, on average")]
    for letter, burden in summary["burden"].items():
        if letter in ("S", "V", "A") or letter not in NAMES:
            cards.append((f"{100 * burden:.2f}%", f"{NAMES.get(letter, letter)} beats, {beats[letter]:,}"))
    longest = f", longest {pauses['longest_s']:.1f} s" if pauses["count"] else ""
    cards += [(f"{pauses['count']:,}", f"pauses of 2 s and more{longest}")]
    silence = summary["without_beats"]["longest"]
    if silence:
        cards += [
            (f"{silence['seconds']:.1f} s", f"longest without a beat, at {clock(silence['start'])}: {silence['kind']}")
        ]
    return [*cards, (f"{100 * summary['signal_quality']['usable']:.1f}%", "of the signal could be judged")]


def classes(summary: Mapping[str, Any]) -> list[dict[str, str]]:
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


def skipped(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The first skipped intervals."""
    intervals = summary["signal_quality"]["skipped"][:MOST_ROWS]
    return [
        {"start": start, "clock": clock(start), "seconds": f"{stop - start:.1f}", "reason": reason}
        for start, stop, reason in intervals
    ]


def lead_names(summary: Mapping[str, Any]) -> str:
    """The leads that were read."""
    return ", ".join(lead["name"] for lead in summary.get("leads", [{"name": summary["lead"]}]))
