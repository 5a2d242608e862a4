"""Facts on a run's page: what it is in one line, how to go on, which flags were changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolbox.logger import STOPPED
from toolbox.reports.console import duration
from toolbox.reports.html import ABSENT
from toolbox.reports.score_names import name_of
from toolbox.utils.options import spelling

SPLITS = {
    "kaggle": "Kaggle's split (patients mixed)",
    "interpatient": "DS1 trains, DS2 tests (de Chazal 2004)",
    "interpatient_strict": "DS1 trains, DS2 without 202 tests (no patient in both)",
    "kfold": "patients in folds (no patient in both)",
    "databases": "by database (no person in two parts)",
}
SHOWN_NAMES = 6
# What validates, by --validate-on, as a title and as the name of a line.
HELD = {"train": "Training rows", "test": "Test rows", "val": "Validation"}


@dataclass(frozen=True)
class Guide:
    """All that the page says of a run beyond its files: the program's commands and defaults.

    Attributes:
        commands: purpose -> a command line to copy.
        defaults: name of a flag -> its value when it is left out.
        records: the command line that annotates RECORD, "" where the run's rows are of no recordings.
        folders: where annotated pages may lie: beside the records, or where that command puts them.
        index: the address of the page over all runs, from that of this one; "" for none.
    """

    commands: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    records: str = ""
    folders: Sequence[Path] = ()
    index: str = ""

    def pages(self, examples: Mapping[str, Any] | None) -> dict[str, str]:
        """Record -> the address of its annotated page, for the records of `examples` that have one."""
        names = dict.fromkeys(one["record"] for one in (examples or {}).get("examples", ()) if one["record"])
        links = {}
        for name in names:
            pages = (folder / f"{name.rpartition('/')[2]}.ecg.html" for folder in self.folders)
            if page := next((page for page in pages if page.is_file()), None):
                links[name] = page.resolve().as_uri()
        return links


def title_of(config: Mapping[str, Any]) -> tuple[str, str]:
    """The heading, and the run's full name below it ("" where it is the heading)."""
    options, name = config.get("options", {}), str(config.get("name", "run"))
    if options.get("name"):
        return str(options["name"]), name
    if not options.get("model_name"):
        return name, ""
    split = options.get("split") or "kaggle"
    return f"{options['model_name']}, {SPLITS.get(split, split).partition(' (')[0]}", name


def described(config: Mapping[str, Any], log: Mapping[str, Any]) -> list[str]:
    """The run in a few words each: split, rows, tested people, device, weights, minutes.

    Args:
        log: the content of logger.json.
    """
    options, data, parts = config.get("options", {}), config.get("data") or {}, []
    if split := options.get("split"):
        parts.append(SPLITS.get(split, split) + (f", fold {options['fold']}" if options.get("fold") else ""))
    if rows := data.get("rows"):
        parts.append(
            f"{rows.get('train', 0):,} rows train, {rows.get('val', 0):,} validate, {rows.get('test', 0):,} test"
        )
    parts += tested(data)
    if weights := (log.get("info") or {}).get("parameters"):
        parts.append(f"{weights:,} weights")
    hardware = config.get("hardware") or {}
    if hardware.get("name"):
        threads = hardware.get("threads") if hardware.get("device") == "cpu" else None
        shown = "" if threads is None else f", {threads} thread{'' if threads == 1 else 's'}"
        parts.append(f"{hardware['name']}{shown}, {config.get('precision', 'fp32')}")
    logged = log.get("logged", {})
    seconds = sum(row.get("seconds") or 0 for split in ("train", "val") for row in logged.get(split, ()))
    if seconds:
        parts.append(f"trained in {duration(seconds)}")
    return parts


def tested(data: Mapping[str, Any]) -> list[str]:
    """Whose beats test, if it is known."""
    people = (data.get("people") or data.get("patients") or {}).get("test")
    if not people:
        return []
    names = ", ".join(map(str, people[:SHOWN_NAMES])) + (", ..." if len(people) > SHOWN_NAMES else "")
    return [f"tested on {len(people)} {'person' if len(people) == 1 else 'people'}: {names}"]


def labels_of(options: Mapping[str, Any]) -> str:
    """The tags and the note that a person gave the run, as one line."""
    tags = [f"#{tag}" for tag in options.get("tag") or () if isinstance(tag, str)]
    note = options.get("note")
    return " ".join([*tags, *([note] if isinstance(note, str) and note else [])])


def progress(config: Mapping[str, Any], logged: Mapping[str, Any], test: Mapping[str, Any] | None) -> str:
    """One line on how far the run has come."""
    done = max((row["epoch"] for row in logged.get("train", ())), default=0)
    epochs = config.get("options", {}).get("epochs")
    trained = f"epochs trained: {done}" + (f" of {epochs}" if epochs else "")
    if stop := logged.get(STOPPED):
        waited = f"{stop['patience']} without a better {name_of(stop['best']['monitor'])}"
        trained += f", stopped early: {waited if stop['patience'] else 'the search gave it up'}"
    parts = [
        trained,
        f"tested at epoch {test['epoch']}" if test and "epoch" in test else "tested" if test else "not tested yet",
    ]
    if config.get("started"):
        parts.append(f"started {minute(config['started'])}")
    return " · ".join(parts)


def minute(started: Any) -> str:
    """A time in ISO 8601 to the minute: "2024-05-06 07:08 UTC"."""
    text = str(started)
    day, clock = text[:10], text[11:16]
    return f"{day} {clock}" + (" UTC" if text.endswith("+00:00") else "")


def held_name(options: Mapping[str, Any]) -> str:
    """The name of the rows that are scored after each epoch."""
    return HELD.get(options.get("validate_on") or "val", HELD["val"])


def best_name(options: Mapping[str, Any]) -> str:
    """The word before the number of the epoch that is kept as the model."""
    return "last epoch" if options.get("monitor") == "last" else "best epoch"


def plain(value: Any) -> str:
    """A value as text; lists as words, nested values as JSON."""
    if isinstance(value, Mapping | list | tuple):
        words = [str(part) for part in value if not isinstance(part, Mapping | list | tuple)]
        if not isinstance(value, Mapping) and len(words) == len(value):
            return " ".join(words) or ABSENT
        return json.dumps(value, ensure_ascii=False, default=str) if value else ABSENT
    return ABSENT if value in (None, "") else str(value)


def pairs(values: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Names and values as text."""
    return [(str(name), plain(value)) for name, value in (values or {}).items()]


def flags(
    options: Mapping[str, Any], defaults: Mapping[str, Any]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The flags that differ from their defaults, and the others."""
    changed = {name: value for name, value in options.items() if name not in defaults or value != defaults[name]}
    rest = {name: value for name, value in options.items() if name not in changed}
    one, other = ([(spelling(name), text) for name, text in pairs(part)] for part in (changed, rest))
    return one, other
