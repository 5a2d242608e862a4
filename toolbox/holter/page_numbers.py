"""The numbers of a report on a recording's page: the hourly table, heart-rate variability, extremes, the clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolbox.holter.strips import STRIP_SECONDS, Window, clock
from toolbox.reports.html import ABSENT

MEASURES = {  # of heart-rate variability: key -> name, unit
    "mean_nn_ms": ("Mean N-N interval", "ms"),
    "sdnn_ms": ("SDNN", "ms"),
    "sdann_ms": ("SDANN", "ms"),
    "sdnn_index_ms": ("SDNN index", "ms"),
    "rmssd_ms": ("RMSSD", "ms"),
    "pnn50": ("pNN50", "%"),
    "lf_ms2": ("LF", "ms²"),
    "hf_ms2": ("HF", "ms²"),
    "lf_hf": ("LF / HF", ""),
    "intervals": ("N-N intervals", ""),
    "windows": ("Windows of 5 minutes", ""),
}
EXTREMES = {  # key -> title, and the unit of its value
    "longest_rr": ("Longest RR interval", "seconds", "s"),
    "fastest_minute": ("Fastest minute", "rate", "per minute"),
    "slowest_minute": ("Slowest minute", "rate", "per minute"),
}


def start_of_day(summary: Mapping[str, Any]) -> float | None:
    """s from midnight to the start of the recording; None where its clock is not known."""
    start = summary.get("start")
    if not start:
        return None
    hours, minutes, seconds = start.rpartition("T")[2][:8].split(":")
    return 3600.0 * int(hours) + 60.0 * int(minutes) + int(seconds)


def hours_table(summary: Mapping[str, Any]) -> dict[str, Any] | None:
    """The hourly table: "head", and "rows" of (start s or None, name, cells); None where the summary has none."""
    hours = summary.get("hours")
    if not hours:
        return None
    letters = [letter for letter in hours[0]["beats"] if letter not in ("all", "N")]
    patterns = list(hours[0]["runs"])
    head = [
        "Hour", "Beats", "Rate, mean", "least", "greatest", *letters, *(f"{letter} runs" for letter in patterns),
        "Pauses", "Longest RR, s", "AF, min", "Judged", "SDNN, ms", "RMSSD, ms",
    ]  # fmt: skip
    rows = [(hour["from"], _hour(hour), _cells(hour, letters, patterns)) for hour in hours]
    totals = summary.get("totals")
    if totals:
        rows.append((None, "All", _cells(totals, letters, patterns)))
    return {"head": head, "rows": rows}


def _hour(hour: Mapping[str, Any]) -> str:
    """When an hour begins, by the clock where it is known."""
    return hour["clock"].rpartition("T")[2][:5] if hour.get("clock") else clock(hour["from"])


def _cells(row: Mapping[str, Any], letters: Sequence[str], patterns: Sequence[str]) -> list[str]:
    rate, hrv = row["rate_per_min"], row.get("hrv") or {}
    return [
        f"{row['beats']['all']:,}",
        *(_number(rate[name]) for name in ("mean", "min", "max")),
        *(f"{row['beats'].get(letter, 0):,}" for letter in letters),
        *(f"{row['runs'][letter]:,}" for letter in patterns),
        f"{row['pauses']:,}",
        _number(row["longest_rr_s"], 2),
        _number(row["af_minutes"], 1),
        f"{100 * row['judged']:.1f}%",
        _number(hrv.get("sdnn_ms")),
        _number(hrv.get("rmssd_ms")),
    ]


def _number(value: float | None, digits: int = 0) -> str:
    return ABSENT if value is None else f"{value:,.{digits}f}"


def hrv_table(summary: Mapping[str, Any]) -> dict[str, Any] | None:
    """Heart-rate variability: "head" and "rows" of cells; None where the summary has none."""
    hrv = summary.get("hrv")
    if not hrv:
        return None
    columns = {"All": hrv, **({name.capitalize(): hrv[name] for name in ("day", "night") if hrv.get(name)})}
    rows = [
        [f"{name}, {unit}" if unit else name, *(_measure(column.get(key), unit) for column in columns.values())]
        for key, (name, unit) in MEASURES.items()
        if any(column.get(key) is not None for column in columns.values())
    ]
    return {"head": ["", *columns], "rows": rows, "af_minutes": hrv.get("af_minutes_left_out") or 0}


def _measure(value: float | None, unit: str) -> str:
    if value is None:
        return ABSENT
    if unit == "%":
        return f"{100 * value:.1f}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{2 if not unit else 1 if value < 100 else 0}f}"


def extreme_windows(summary: Mapping[str, Any], seconds: float) -> list[Window]:
    """The strips of the longest RR interval and of the fastest and slowest minute; none where the summary has none."""
    windows = []
    for key, (title, value, unit) in EXTREMES.items():
        one = (summary.get("extremes") or {}).get(key)
        if one:
            begin = min(max(one["start"] - 2.0, 0.0), max(seconds - STRIP_SECONDS, 0.0))
            amount = f"{one[value]:.2f}" if unit == "s" else f"{one[value]:.0f}"
            windows.append(Window(begin, min(begin + STRIP_SECONDS, seconds), f"{title}: {amount} {unit}"))
    return windows
