"""Figures and tables of a recording's page, from its summary."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from toolbox.holter.episodes import FIBRILLATION
from toolbox.holter.page_pack import NAMES
from toolbox.holter.strips import clock
from toolbox.reports.html import ABSENT
from toolbox.utils import printable

MOST_ROWS = 500  # of skipped stretches
TRAINED_ON = re.compile(r" of (?:.*[/\\])?(synthetic|ecg)_")  # in a network's name: its run's begins with the dataset
LIMITS = {
    "synthetic": "The network learned from synthetic recordings alone: what it says here has no meaning for people.",
    "ecg": "The network learned from records of the MIT-BIH Arrhythmia Database (47 patients of one hospital, half an "
    "hour each, leads MLII and V1 for the most part): children, other leads and other recorders are not among them.",
}


def figures(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(value, label) of the cards."""
    beats, rate, pauses = summary["beats"], summary["rate_per_min"], summary["pauses"]
    if not beats["all"]:
        return _without_figures(summary)
    cards = [(f"{beats['all']:,}", "beats")]
    cards += [(ABSENT if rate["mean"] is None else f"{rate['mean']:.0f}", "beats per minute, on average")]
    for letter, burden in summary["burden"].items():
        if letter in ("S", "V", "A") or letter not in NAMES:
            cards.append((f"{100 * burden:.2f}%", f"{NAMES.get(letter, letter)} beats, {beats[letter]:,}"))
    longest = f", longest {pauses['longest_s']:.1f} s" if pauses["count"] else ""
    cards += [(f"{pauses['count']:,}", f"pauses of 2 s and more{longest}")]
    silence, fibrillation = summary["without_beats"]["longest"], summary["without_beats"]["seconds"][FIBRILLATION]
    if fibrillation:
        cards.insert(0, (f"{fibrillation:.1f} s", FIBRILLATION))
    if silence:
        cards += [
            (f"{silence['seconds']:.1f} s", f"longest without a beat, at {clock(silence['start'])}: {silence['kind']}")
        ]
    return [*cards, _judged(summary)]


def _without_figures(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The cards of a recording in which no heartbeat could be read."""
    lasting = sorted(summary["without_beats"]["seconds"].items(), key=lambda kind: -kind[1])
    cards = [(f"{seconds:.1f} s", kind) for kind, seconds in lasting if seconds]
    return [("None", "no heartbeat could be read"), *cards, _judged(summary)]


def _judged(summary: Mapping[str, Any]) -> tuple[str, str]:
    return f"{100 * summary['signal_quality']['usable']:.1f}%", "of the signal could be judged"


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


def limits(summary: Mapping[str, Any]) -> list[str]:
    """The limits of the network, for the top of the page: its own words, or those for the data that it learned from."""
    model = summary.get("model", {})
    if model.get("limits"):
        return [model["limits"]]
    trained_on = TRAINED_ON.search(model.get("name", ""))
    return [LIMITS[trained_on[1]]] if trained_on else []


def leads_table(summary: Mapping[str, Any]) -> list[list[str]]:
    """A row for each lead that was read: name, share with a signal; where known, the good share and that read."""
    return [
        [printable(lead["name"]), *(f"{100 * lead[key]:.1f}%" for key in ("signal", "good", "read") if key in lead)]
        for lead in summary.get("leads", [])
        if "signal" in lead
    ]


def switches(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The first stretches in which another lead was read."""
    return [
        {
            "start": one["start"],
            "clock": clock(one["start"]),
            "seconds": f"{one['stop'] - one['start']:.1f}",
            "reason": f"read from lead {printable(one['lead'])}",
        }
        for one in summary.get("switches", [])[:MOST_ROWS]
    ]
