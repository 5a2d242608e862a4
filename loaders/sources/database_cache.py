"""The cache of a database's beats: one for each database, so that one more database rebuilds no other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from loaders.beats.table import Beats
from loaders.io.wfdb_record import list_records
from loaders.names import DATABASE_FILES, parse_database, parse_symbols
from loaders.options import SourceOptions
from loaders.sources import annotated, cache
from loaders.sources.cache import Cache, Source
from loaders.sources.databases import database_of
from loaders.sources.databases.base import CLASSES, Database
from loaders.sources.finder import DOWNLOADS, SourceFinder, open_cache, report
from loaders.sources.physionet import LIST
from loaders.sources.records import RECORD_FILES, Layout, read_all, warn_flat
from toolbox.utils import UserError, nearest, warn

PLACEHOLDER = "{database}"  # in --physionet-url, where several databases are downloaded
REMARKS = {
    "beyond": "annotations behind the last sample, left out",
    "uncalibrated": "no gain in the header, 200 ADC units per mV are assumed",
    "beatless": "no beats, left out",
}


@dataclass(frozen=True)
class Place:
    """A database by name, or a folder of records.

    Attributes:
        name: its name in tables, runs' names and records' names.
        folder: of the records; None for the usual one below ROOT.
        facts: of a database in the table; None for a folder of own records.
    """

    name: str
    folder: Path | None
    facts: Database | None


def place_of(text: str) -> Place:
    """The place that a flag names: a database, or a folder, which is a database's where it has one's name.

    Raises:
        UserError: it is neither.
    """
    if text in DATABASE_FILES:
        return Place(text, None, database_of(text))
    folder = Path(text)
    if not folder.is_dir():
        raise UserError(
            f"{text}: no folder of records, and no database{nearest(text, list(DATABASE_FILES)) or ';'} known: "
            f"{', '.join(DATABASE_FILES)}"
        )
    name = folder.resolve().name
    return Place(name, folder, database_of(name))


def records_of(text: str) -> tuple[Place, tuple[str, ...] | None]:
    """The place and the records that "DB", "DB:LIST" or "DB:RECORD,RECORD" names; None for all records.

    Raises:
        UserError: no such database or folder.
    """
    name, listed = parse_database(text)
    place = place_of(name)
    lists = place.facts.lists if place.facts else {}
    return place, lists.get(listed[0], listed) if listed and len(listed) == 1 else listed


def classes_of(place: Place, symbols: Iterable[str]) -> Mapping[str, int]:
    """The classes of a place's symbols; `symbols` of the flag change those of folders of own records."""
    if place.facts:
        return place.facts.classes
    return {**CLASSES, **{each: number for number, text in map(parse_symbols, symbols) for each in text}}


def open_database(place: Place, options: SourceOptions, layout: Layout, symbols: Iterable[str]) -> Cache:
    """The cache of all beats of a place, downloaded and built where it is not there.

    Raises:
        UserError: there are no records and none can be had, or they are damaged.
    """
    if options.physionet_url:
        options = replace(options, physionet_url=options.physionet_url.replace(PLACEHOLDER, place.name))
    if place.name == "mitdb" and place.facts:  # shared with --split interpatient
        if place.folder:
            options = replace(options, source="records", records_dir=str(place.folder))
        return SourceFinder(options, layout).find_records()
    folder = place.folder or Path(options.root_dir) / place.name
    parent = Path(options.root_dir) / "cache" / place.name
    if place.facts is None:
        parent = parent.with_name(f"{place.name}-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]}")
    classes = classes_of(place, symbols)
    if place.facts and place.folder is None:
        away = options.source == "auto" and missing_files(folder) is None
        built = cache.find(parent, kind=layout.kind, recipe=recipe_of(layout, classes)) if away else None
        if built is not None:
            report(f"built cache of {built.meta['source']['where']}")
            return built
        if options.source == "physionet" or (options.source == "auto" and missing_files(folder) != []):
            download(place.facts, folder, options.physionet_url)
    missing = missing_files(folder)
    if missing is None:
        raise UserError(f"no annotated WFDB record in {folder}")
    if missing:
        raise UserError(f"{folder} lacks {', '.join(missing[:6])}{' ...' if len(missing) > 6 else ''}")
    return open_cache(parent, database_source(folder, layout, classes))


def download(database: Database, folder: Path, url: str | None) -> None:
    """Download a database, verified, from PhysioNet or from another address of its files."""
    report(f"downloading {database.title} to {folder}")
    digest = database.list_sha256 if url is None else None
    DOWNLOADS["physionet"](folder, url or database.url, list_sha256=digest, some_annotated=True)


def annotated_records(folder: Path) -> list[Path]:
    """The records of a folder that have, or by its SHA256SUMS.txt should have, annotations; all, without RECORDS."""
    try:
        paths = list_records(folder)
    except UserError:
        return []
    listed = folder / LIST
    names = set(listed.read_text(encoding="utf-8", errors="replace").split()) if listed.is_file() else set()
    return [path for path in paths if f"{path.name}.atr" in names or path.with_name(f"{path.name}.atr").is_file()]


def missing_files(folder: Path) -> list[str] | None:
    """The files that the annotated records of a folder lack; None where it has no such record."""
    files = [path.with_name(f"{path.name}.{kind}") for path in annotated_records(folder) for kind in RECORD_FILES]
    return [path.name for path in files if not path.is_file()] if files else None


def recipe_of(layout: Layout, classes: Mapping[str, int]) -> dict[str, Any]:
    """Everything but the files that the rows depend on."""
    return {**layout.recipe, "annotated": annotated.VERSION, "classes": dict(classes)}


def database_source(folder: Path, layout: Layout, classes: Mapping[str, int]) -> Source:
    """All beats of the annotated records in `folder`, by these classes of symbols."""
    paths = annotated_records(folder)
    files = [path.with_name(f"{path.name}.{extension}") for path in paths for extension in RECORD_FILES]

    def build() -> dict[str, Beats]:
        read = read_all(paths, partial(annotated.read_annotated, spec=layout.spec, classes=classes))
        beats = [part for part, _ in read if part is not None]
        if not beats:
            raise UserError(f"{folder}: no beat among the annotations of its {len(paths)} records")
        source.notes["records"] = [{**facts, "beatless": part is None} for part, facts in read]
        for line in remarks(source.notes["records"]):
            warn(f"{folder}: {line}")
        parts = layout.divide(Beats.join(beats))
        warn_flat(parts.values(), str(folder))
        return parts

    source = Source(layout.kind, recipe_of(layout, classes), files, build, f"raw records in {folder}", layout.keep)
    return source


def remarks(records: Iterable[Mapping[str, object]]) -> list[str]:
    """A line for each kind of peculiar records: how many, what is done, the first names."""
    lines, every = [], list(records)
    for key, text in REMARKS.items():
        odd = [each for each in every if each[key]]
        if odd:
            names = ", ".join(str(each["name"]) for each in odd[:6]) + (" ..." if len(odd) > 6 else "")
            count = f", {sum(int(str(each[key])) for each in odd)} in all" if key == "beyond" else ""
            lines.append(f"{len(odd)} of {len(every)} records: {text}{count} ({names})")
    return lines
