"""The hourly table of a recording as a CSV file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loaders.io.annotations import TABLE_OF_HOURS, write_rows

HRV_COLUMNS = ("mean_nn_ms", "sdnn_ms", "rmssd_ms")


def write_hours(path: Path, summary: Mapping[str, Any]) -> None:
    """Write a line for each hour and one for all of the recording, atomically.

    Args:
        summary: with the blocks "hours" and "totals".
    """
    lines = [_line(str(number), hour) for number, hour in enumerate(summary["hours"], start=1)]
    lines.append(_line("all", summary["totals"]))
    write_rows(path, lines, list(lines[0]))


def _line(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The cells of a row, the first called as in TABLE_OF_HOURS."""
    beats = dict(row["beats"])
    first = (name, row["from"], row["to"], row["clock"], beats.pop("all"))
    cells = dict(zip(TABLE_OF_HOURS.split(","), first, strict=True))
    cells |= beats | {f"rate_{name}": rate for name, rate in row["rate_per_min"].items()}
    for pattern in ("runs", "couplets"):
        cells |= {f"{letter}_{pattern}": count for letter, count in row[pattern].items()}
    cells |= {name: row[name] for name in ("pauses", "longest_rr_s", "af_minutes", "judged")}
    return cells | {name: row["hrv"][name] for name in HRV_COLUMNS}
