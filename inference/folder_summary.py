"""The tables of many recordings, summary.csv and index.html: a line for each, of this call and of those before."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from inference.files import read_leads
from loaders.io.annotations import TABLE_OF_RECORDINGS
from toolbox.holter.index_page import index_row, write_index
from toolbox.holter.sealed import is_sealed, write_sealed
from toolbox.utils import UserError, os_error_text, printable, read_json, warn
from toolbox.utils.temporary import alone_in

NAME, INDEX = "summary.csv", "index.html"
LAST_LINE = "# pytorch-ecg: SHA-256 of the lines above {}\n"
SEAL = re.compile(rb"# pytorch-ecg: SHA-256 of the lines above ([0-9a-f]{64})\r?\n\Z")
HRV_COLUMNS = ("mean_nn_ms", "sdnn_ms", "rmssd_ms", "lf_hf")
FORMULA = ("=", "+", "-", "@")  # what a spreadsheet would take for one, at the beginning of a text


def recordings_line(summary: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The cells of a recording; None for what is not known.

    Args:
        summary: as `annotate_file` returns it, with "page".
        folder: that "page" is given from.
    """
    beats, burden, totals = summary["beats"], summary["burden"], summary["totals"]
    silence = summary["without_beats"]["longest"] or {}
    leads = " ".join(lead["name"] for lead in read_leads(summary))
    line = dict(zip(TABLE_OF_RECORDINGS.split(","), (
        summary["recording"], summary["start"], summary["seconds"], leads), strict=True))  # fmt: skip
    line |= {"beats": beats["all"]} | {f"rate_{name}": rate for name, rate in summary["rate_per_min"].items()}
    for letter in "SVA":
        line |= {letter: beats.get(letter), f"{letter}_burden": burden.get(letter)}
    for pattern in ("runs", "couplets"):
        line |= {f"{letter}_{pattern}": summary[pattern].get(letter) for letter in "SV"}
    line |= {"longest_V_run_beats": summary["longest_run_beats"].get("V"), "pauses": summary["pauses"]["count"]}
    line |= {"longest_rr_s": totals["longest_rr_s"], "longest_without_beat_s": silence.get("seconds")}
    line |= {"af_minutes": totals["af_minutes"], "judged": summary["signal_quality"]["usable"]}
    line |= {name: summary["hrv"][name] for name in HRV_COLUMNS}
    page = Path(os.path.relpath(summary["page"], folder)).as_posix()
    return line | {"warnings": "; ".join(summary["warnings"]), "page": page}


def gathered(summaries: Iterable[Mapping[str, Any]], folder: Path) -> list[Mapping[str, Any]]:
    """Summaries of this call, and of those that the table in `folder` names and that are still there, by page."""
    by_page = {_key(summary["page"]): summary for summary in summaries}
    for page in _pages(folder / NAME):
        if (key := _key(folder / page)) not in by_page:
            with contextlib.suppress(UserError, KeyError, TypeError, AttributeError):
                summary = read_json((folder / page).with_suffix(".json"))
                entry = {**summary, "page": str(folder / page)}
                recordings_line(entry, folder)  # of this version
                by_page[key] = {name: value for name, value in entry.items() if name != "episodes"}
    return [by_page[key] for key in sorted(by_page)]


def _key(page: str | Path) -> str:
    return os.path.realpath(page)


def _pages(path: Path) -> Iterator[str]:
    """The pages that a table of ours names."""
    if is_own_summary(path):
        with open(path, encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(line for line in handle if not line.startswith("# ")):
                if row.get("page"):
                    yield row["page"].removeprefix("'")


def write_summary(folder: Path, summaries: Iterable[Mapping[str, Any]]) -> None:
    """Write the table of recordings in `folder`, atomically; nothing but an older one is replaced.

    Raises:
        UserError: the file that is there is another's, or was changed since it was written.
    """
    lines = [recordings_line(summary, folder) for summary in summaries]
    text = io.StringIO()
    text.write(",".join(lines[0]) + "\n")
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerows([_cell(value) for value in line.values()] for line in lines)
    write_sealed(folder / NAME, text.getvalue().encode(), LAST_LINE, SEAL)


def _cell(value: Any) -> Any:
    """A value as the table has it: no text begins like a formula."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def is_own_summary(path: Path) -> bool:
    """Check whether a file is a table that `write_summary` wrote and nobody has changed."""
    return is_sealed(path, SEAL)


def common_folder(pages: Iterable[str], out: Path | None) -> Path | None:
    """The folder of the table: `out`, else the deepest that holds all pages; None where that is none, or the root."""
    if out is not None:
        return out
    parents = [str(Path(page).resolve().parent) for page in pages]
    try:
        folder = Path(os.path.commonpath(parents))
    except ValueError:  # none, or on several drives
        return None
    return folder if folder != Path(folder.anchor) else None


def summarize_folder(summaries: Mapping[str, Mapping[str, Any]], failed: Mapping[str, str], out: Path | None) -> None:
    """Renew the tables of the recordings that were annotated; a warning where that cannot be done.

    A single recording only renews a table that is there.

    Args:
        summaries: as `annotate_file` returns them, by name.
        failed: why others could not be annotated, by name; in index.html alone.
        out: the folder that was asked for.
    """
    folder = common_folder((summary["page"] for summary in summaries.values()), out)
    if folder is None or (len(summaries) < 2 and not (summaries and is_own_summary(folder / NAME))):
        return
    try:
        with alone_in(folder):  # of processes that each annotate a share
            everything = gathered(summaries.values(), folder)
            with _warning():
                write_summary(folder, everything)
            with _warning():
                write_index(folder / INDEX, [index_row(summary, folder) for summary in everything], failed)
    except OSError as error:
        warn(f"no table of recordings: {os_error_text(error)}")


@contextlib.contextmanager
def _warning() -> Iterator[None]:
    """Warn of a table that is another's, and go on."""
    try:
        yield
    except UserError as error:
        warn(str(error))
