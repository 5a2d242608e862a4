"""Which recordings a command line names: records, files, folders and patterns of them."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loaders.io.annotations import TABLE_OF_BEATS, annotation_file
from loaders.io.recording import CSV_SUFFIXES
from loaders.io.wfdb_record import list_records
from toolbox.utils import UserError

SEGMENTED = re.compile(r"^\s*[^\s#/]+/(\d+)\s")  # the first line of a multi-segment header: name/segments


@dataclass(frozen=True)
class Item:
    """A recording that is named.

    Attributes:
        path: its header (.hea) or file.
        below: the folder it was found in, relative to the one that was named; "." when it was named itself.
    """

    path: Path
    below: Path = Path()

    @property
    def name(self) -> str:
        """What its annotation files are called by: the file's name without its extension."""
        return self.path.name[: -len(self.path.suffix)]


def find_recordings(arguments: list[str], csv: bool) -> tuple[list[Item], dict[str, str]]:
    """The recordings that `arguments` name, each once, in order; and which arguments name none, with why.

    Args:
        arguments: paths of records (with or without extension), files, folders and patterns with * ? [ ].
        csv: whether the CSV files of folders are meant as well; one that is named always is.
    """
    found: dict[Path, Item] = {}
    failed: dict[str, str] = {}
    for argument in arguments:
        items = list(_named(argument, csv))
        if not items:
            failed[argument] = _why_none(argument, csv)
        for item in items:
            found.setdefault(item.path.resolve(), item)
    return list(found.values()), failed


def _named(argument: str, csv: bool) -> Iterator[Item]:
    path = Path(argument)
    if path.is_dir():
        yield from _in_folder(path, csv)
    elif (one := _as_recording(path)) is not None:
        yield Item(one)
    elif glob.has_magic(argument):
        both = {*glob.glob(argument, recursive=True), *glob.glob(f"{argument}.hea", recursive=True)}  # noqa: PTH207
        for match in sorted(map(Path, both)):
            if match.is_dir():
                yield from _in_folder(match, csv)
            elif (one := _as_recording(match)) is not None and not _is_table(one):
                yield Item(one)


def _as_recording(path: Path) -> Path | None:
    """The header or file of the recording that `path` belongs to: 100, 100.hea, 100.dat and 100.atr are one."""
    header = path.with_name(f"{path.name}.hea")
    if header.is_file():
        return header
    if path.suffix.lower() in (".hea", ".edf", *CSV_SUFFIXES) and path.is_file():
        return path
    while path.suffix:
        path = path.with_suffix("")
        if (header := path.with_name(f"{path.name}.hea")).is_file():
            return header
    return None


def _in_folder(folder: Path, csv: bool) -> Iterator[Item]:
    """All recordings in `folder` and below, but for the segments of records and what --predict wrote."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        paths = [Path(parent) / name for name in sorted(names) if not name.startswith(".")]
        headers = [path for path in paths if path.suffix == ".hea"]
        segments = {name for path in headers for name in _segments(path)}
        below = Path(parent).relative_to(folder)
        yield from (Item(path, below) for path in headers if path.stem not in segments)
        yield from (Item(path, below) for path in paths if path.suffix.lower() == ".edf")
        tables = (path for path in paths if csv and path.suffix.lower() in CSV_SUFFIXES)
        yield from (Item(path, below) for path in tables if not _is_table(path))


def _segments(header: Path) -> list[str]:
    """The names of a multi-segment record's segments."""
    try:
        lines = header.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []  # whoever opens it says why
    lines = [line for line in lines if line.strip() and not line.startswith("#")]
    if not lines or not SEGMENTED.match(lines[0]):
        return []
    return [line.split()[0] for line in lines[1:]]


def _is_table(path: Path) -> bool:
    """Whether a file is a table of beats that --predict wrote."""
    try:
        with open(path, "rb") as handle:
            return handle.read(len(TABLE_OF_BEATS)) == TABLE_OF_BEATS.encode()
    except OSError:
        return False


def _why_none(argument: str, csv: bool) -> str:
    path = Path(argument)
    if path.is_dir():
        more = "" if csv else " (CSV files of folders are read when --fs tells their rate)"
        return f"no recording in folder {argument}: expected WFDB records (.hea) or EDF files{more}"
    if path.is_file():
        return f"{argument} is no recording: expected a WFDB record (its .hea), an EDF file (.edf) or a CSV file"
    return f"no recording {argument}: no such file, folder or WFDB record ({argument}.hea)"


def find_pairs(
    given: Sequence[str], reference: str, test: str, test_dir: str | None = None, exclude: Sequence[str] = ()
) -> tuple[list[Path], list[str]]:
    """The records meant by `given`, each a record (path without extension) or a folder of them.

    Returns:
        The records to compare, and the names of those in the folders that have no annotations by `test` and are left
        out for it.

    Raises:
        UserError: there is no such record or folder, a record that was named lacks annotations, two records have one
            name, an excluded name is none of theirs, or nothing is left.
    """
    records: list[Path] = []
    lacking: list[str] = []
    unused = set(exclude)
    for text in given:
        path = Path(text)
        path = path.with_suffix("") if path.suffix in (".hea", ".dat", ".edf", ".csv", f".{reference}") else path
        folder = path.is_dir()
        for record in list_records(path, reference) if folder else [path]:
            unused.discard(record.name)
            if record.name in exclude:
                continue
            if not annotation_file(record, reference).is_file():
                raise UserError(f"record {record}: {annotation_file(record, reference)} is missing")
            if annotation_file(record, test, test_dir).is_file():
                records.append(record)
            elif folder:
                lacking.append(record.name)
            else:
                raise UserError(f"record {record}: {annotation_file(record, test, test_dir)} is missing")
    names = [record.name for record in records]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise UserError(f"record {twice[0]} is given twice; each can be scored once")
    if unused:
        raise UserError(f"--exclude {' '.join(sorted(unused))}: no such record among those given")
    if not records:
        where = test_dir or ", ".join(given)
        raise UserError(f"no annotations NAME.{test} in {where} for the records of {', '.join(given)}")
    return records, lacking
