"""The page of many annotated recordings: a table with a line for each, the worst first, and links to their pages."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from toolbox.holter.episodes import ATRIAL_FIBRILLATION, FIBRILLATION, SHUT_DOWN
from toolbox.holter.sealed import is_sealed, write_sealed
from toolbox.holter.strips import clock
from toolbox.reports.html import ABSENT, load_template, script_digest
from toolbox.utils import printable

TEMPLATE, SCRIPT = (Path(__file__).with_name(f"index_page.{kind}") for kind in ("html", "js"))
LAST_LINE = "<!-- pytorch-ecg: SHA-256 of the lines above {} -->\n"
SEAL = re.compile(rb"<!-- pytorch-ecg: SHA-256 of the lines above ([0-9a-f]{64}) -->\n\Z")
HEAD = (
    "Recording", "Start", "Length", "Beats", "Per minute", "Longest without a beat, s", "V runs",
    "Longest V run, beats", "AF, min", "V", "S", "Judged", "Warnings",
)  # fmt: skip


def index_row(summary: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The line of a recording in the table of a folder, in plain values; None for what is not known.

    Args:
        summary: as `annotate_file` returns it, with "page", the path of the recording's page.
        folder: of the table; the link to the page is relative to it.
    """
    silence = summary["without_beats"]["longest"]
    totals = summary.get("totals") or {}
    af = [row["stop"] - row["start"] for row in summary.get("episodes", ()) if row["kind"] == ATRIAL_FIBRILLATION]
    return {
        "recording": summary["recording"],
        "page": Path(os.path.relpath(summary["page"], folder)).as_posix(),
        "start": summary.get("start"),
        "seconds": summary["seconds"],
        "beats": summary["beats"]["all"],
        "rate_per_min": summary["rate_per_min"]["mean"],
        "longest_without_beat_s": silence["seconds"] if silence else None,
        "longest_without_beat": silence["kind"] if silence else None,
        "fibrillation_s": summary["without_beats"].get("seconds", {}).get(FIBRILLATION, 0.0),
        "v_runs": summary["runs"].get("V"),
        "longest_v_run_beats": summary["longest_run_beats"].get("V"),
        "af_minutes": totals.get("af_minutes", round(sum(af) / 60, 2)),
        "v_burden": summary["burden"].get("V", summary["burden"].get("A")),
        "s_burden": summary["burden"].get("S"),
        "judged": summary["signal_quality"]["usable"],
        "warnings": list(summary["warnings"]),
    }


def worst_first(row: Mapping[str, Any]) -> tuple[float, ...]:
    """Sorting key of a line: ventricular fibrillation, the longest without a beat (of noise, nobody knows), V runs, AF,
    the share that could not be judged, warnings."""
    silence = 0 if row["longest_without_beat"] == SHUT_DOWN else row["longest_without_beat_s"]
    worst = (row["fibrillation_s"], silence, row["longest_v_run_beats"], row["v_runs"], row["af_minutes"])
    return (*(-(value or 0) for value in worst), row["judged"], -len(row["warnings"]))


def write_index(path: Path, rows: Sequence[Mapping[str, Any]], failed: Mapping[str, str] | None = None) -> None:
    """Write the table of a folder's recordings to `path`, atomically; nothing but an older one is replaced.

    Args:
        rows: of `index_row`, in any order.
        failed: why recordings could not be annotated, by name.

    Raises:
        UserError: the file that is there is another's, or was changed since it was written.
    """
    script = SCRIPT.read_text(encoding="utf-8")
    page = load_template(TEMPLATE).render(
        title=f"{len(rows):,} recording{'s' * (len(rows) != 1)}",
        head=HEAD,
        rows=[_cells(row) for row in sorted(rows, key=worst_first)],
        failed=[printable(why if name in why else f"{name}: {why}") for name, why in (failed or {}).items()],
        script=script,
        script_sha256=script_digest(script),
    )
    write_sealed(path, f"{page.rstrip()}\n".encode(), LAST_LINE, SEAL)


def is_own_index(path: Path) -> bool:
    """Whether a file is a table that `write_index` wrote and nobody has changed."""
    return is_sealed(path, SEAL)


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the table: the link, and (value to sort by, text) of each column."""
    share = {name: row[name] for name in ("v_burden", "s_burden", "judged")}
    silence = row["longest_without_beat_s"]
    kind = f" {row['longest_without_beat']}" if silence else ""
    warnings = "; ".join(map(printable, row["warnings"]))
    values = [
        (row["recording"], printable(row["recording"])),
        (row["start"] or "", (row["start"] or ABSENT).replace("T", " ")),
        (row["seconds"], clock(row["seconds"])),
        (row["beats"], f"{row['beats']:,}"),
        *[(row["rate_per_min"], _text(row["rate_per_min"]))],
        (silence or 0, f"{silence:.1f}{kind}" if silence else ABSENT),
        (row["v_runs"], _text(row["v_runs"])),
        (row["longest_v_run_beats"], _text(row["longest_v_run_beats"])),
        (row["af_minutes"], _text(row["af_minutes"], 1)),
        *((value, ABSENT if value is None else f"{100 * value:.2f}%") for value in share.values()),
        (len(row["warnings"]), warnings or ABSENT),
    ]
    return {"page": quote(row["page"]), "values": [(-1 if value is None else value, text) for value, text in values]}


def _text(value: float | None, digits: int = 0) -> str:
    return ABSENT if value is None else f"{value:,.{digits}f}"
