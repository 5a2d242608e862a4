"""The figures of databases for --prepare: records, hours, rate, leads, beats by class, and what is odd about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from loaders.datasets.database_tables import Table, chosen_records
from loaders.sources.database_cache import records_of, remarks
from toolbox.utils.aami import CLASS_LETTERS


def figures(named: Mapping[str, list[str]], tables: Mapping[str, Table]) -> list[str]:
    """Text: records, hours, rate, leads and beats by class of all that is named; and remarks on each database."""
    head = f"{'records of':16} {'number':>6} {'hours':>6} {'Hz':>7} " + " ".join(f"{each:>7}" for each in CLASS_LETTERS)
    lines = ["", f"{head}  leads"]
    for side, texts in named.items():
        for text in texts:
            table = tables[records_of(text)[0].name]
            chosen = np.isin(table.beats.record, chosen_records(text, tables))
            counts = np.bincount(table.beats.y[chosen], minlength=len(CLASS_LETTERS))
            facts = measured(table, chosen)
            numbers = " ".join(f"{count:7d}" for count in counts.tolist())
            lines.append(
                f"{text.rpartition('/')[2]:16} {facts['records']:6d} {facts['hours']:6.1f} {facts['fs']:>7} {numbers}  "
                f"{facts['leads']}; {side}"
            )
    for name, table in tables.items():
        about = table.place.facts
        title = f"{about.title}; labels: {about.notes}" if about else f"own records in {table.place.folder}"
        lines += [f"{name}: {title}", f"{name}: cache {table.cache.folder}"]
        lines += [f"{name}: {line}" for line in remarks(table.cache.meta.get("notes", {}).get("records", []))]
    return lines


def measured(table: Table, chosen: np.ndarray) -> dict[str, Any]:
    """Records, hours, rates and leads of the beats `chosen` (n,) bool of a table."""
    names = set(np.unique(table.beats.record[chosen]).tolist())
    about = table.place.facts
    notes = table.cache.meta.get("notes", {}).get("records", [])
    noted = [each for each in notes if f"{table.place.name}/{each['name']}" in names]
    if not noted:  # MIT-BIH's cache, which --split interpatient shares
        times = table.beats.time
        ends = np.zeros(0) if times is None else last_times(table.beats.record[chosen], times[chosen])
        fs, text = (f"{about.fs:g}", about.leads) if about else ("", "")
        return {"records": len(names), "hours": float(ends.sum()) / 3600, "fs": fs, "leads": text}
    hours = sum(each["samples"] / each["fs"] for each in noted) / 3600
    rates = sorted({each["fs"] for each in noted})
    leads = sorted({", ".join(each["leads"]) for each in noted})
    shown = " | ".join(leads[:4]) + (" ..." if len(leads) > 4 else "")
    return {"records": len(names), "hours": hours, "fs": "/".join(f"{each:g}" for each in rates), "leads": shown}


def last_times(records: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The time of the last beat of each record, s."""
    order = np.argsort(records, kind="stable")
    starts = np.flatnonzero(np.append(True, records[order][1:] != records[order][:-1])) if len(order) else order
    return np.maximum.reduceat(times[order], starts) if len(order) else np.zeros(0)
