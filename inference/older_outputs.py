"""Files of --predict by versions whose summaries name no SHA-256: recognized by comparing them with each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from loaders.io.annotations import TABLE_OF_BEATS, read_annotations
from toolbox.utils import UserError
from toolbox.utils.aami import LETTER_SYMBOLS

HEAD = 1 << 16  # bytes that tell a page or a picture
PICTURE_WIDTHS = [pixels.to_bytes(4, "big") for pixels in (1570, 1571)]  # of strips in true size at 150 dpi
PICTURE_DPI = b"pHYs" + 2 * (5906).to_bytes(4, "big")  # pixels per metre


def is_of_older_version(file: Path, target: Path, summary: Mapping[str, Any]) -> bool:
    """Check whether a file is as an older version wrote it, as far as can be told.

    Args:
        file: one of those of a recording.
        target: the annotation file among them.
        summary: without digests.
    """
    if file == target:
        return _is_uncorrected(target, summary)
    kind = file.suffix
    if kind == ".csv":
        return _table(file) is not None
    with open(file, "rb") as handle:
        head = handle.read(HEAD)
    if kind == ".html":
        return b"<!doctype html" in head[:100].lower() and b"a network named these beats" in head
    return kind == ".json" or (head.startswith(b"\x89PNG") and head[16:20] in PICTURE_WIDTHS and PICTURE_DPI in head)


def _is_uncorrected(target: Path, summary: Mapping[str, Any]) -> bool:
    """Check whether the annotation file has the very beats of the table beside it and of the summary."""
    table = _table(target.with_name(f"{target.name}.csv"))
    if table is None:
        return False
    try:
        content = read_annotations(target)
    except UserError:
        return False
    sample, symbols, subtype = content.annotations
    beats = [k for k, symbol in enumerate(symbols) if symbol != "~"]
    own = {"sample": sample[beats].tolist(), "symbol": [symbols[k] for k in beats]}
    written = {"sample": table["sample"].tolist(), "symbol": [LETTER_SYMBOLS.get(str(one)) for one in table["class"]]}
    counts = summary.get("beats")
    whole = not isinstance(counts, dict) or counts.get("all") == len(table)
    return own == written and whole and not any(content.texts) and not subtype[beats].any()


def _table(path: Path) -> pd.DataFrame | None:
    """The table of beats in a file; None where it holds something else."""
    try:
        with open(path, encoding="ascii") as handle:
            if not handle.readline().startswith(TABLE_OF_BEATS):
                return None
        kinds = {"sample": "int64", "class": "str"}
        return pd.read_csv(path, usecols=list(kinds), dtype=kinds, na_filter=False)
    except (OSError, ValueError):
        return None
