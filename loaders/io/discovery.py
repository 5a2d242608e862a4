"""Find the recordings that a command line names: records, files, folders and patterns of them."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loaders.io.annotations import annotation_file, is_table_of_beats
from loaders.io.open import OPENERS, SIGNATURES, TABLES, expected_formats, is_recording
from loaders.io.recording import suffix_of, without_suffix
from loaders.io.wfdb_record import list_records
from toolbox.utils import UserError

HEAD = 1 << 16  # bytes that tell a table of beats
SEGMENTED = re.compile(r"^\s*[^\s#/]+/(\d+)\s")  # the first line of a multi-segment header: name/segments


@dataclass(frozen=True)
class Item:
    """A recording named on the command line.

    Attributes:
        path: its header (.hea) or file.
        below: its folder, relative to the folder that was named; "." for a recording that was named itself.
    """

    path: Path
    below: Path = Path()

    @property
    def name(self) -> str:
        """The name of its annotation files: the file's name without its extension."""
        return without_suffix(self.path).name


def find_recordings(arguments: list[str], csv: bool) -> tuple[list[Item], dict[str, str]]:
    """Find the recordings that `arguments` name, each once, in order; and why, by argument, where there are none.

    Args:
        arguments: paths of records (with or without extension), files, folders and patterns with * ? [ ].
        csv: whether to take the tables of folders (CSV files and arrays); one that is named itself is always taken.
    """
    recordings: dict[Path, Item] = {}
    reasons: dict[str, str] = {}
    for argument in arguments:
        items = list(_named(argument, csv))
        if not items:
            reasons[argument] = _why_none(argument, csv)
        for item in items:
            recordings.setdefault(item.path.resolve(), item)
    return list(recordings.values()), reasons


def _named(argument: str, csv: bool) -> Iterator[Item]:
    """The recordings that one argument names."""
    path = Path(argument)
    if path.is_dir():
        yield from _in_folder(path, csv)
    elif (recording := _as_recording(path)) is not None:
        yield Item(recording)
    elif glob.has_magic(argument):
        both = {*glob.glob(argument, recursive=True), *glob.glob(f"{argument}.hea", recursive=True)}  # noqa: PTH207
        for match in sorted(map(Path, both)):
            if match.is_dir():
                yield from _in_folder(match, csv)
            elif (recording := _as_recording(match)) is not None and not _is_table_of_beats(recording):
                yield Item(recording)


def _as_recording(path: Path) -> Path | None:
    """The header or file of the recording that `path` belongs to: 100, 100.hea, 100.dat and 100.atr are one."""
    if (header := _header_of(path)) is not None:
        return header
    beside = path.with_suffix(".hea")  # a .mat file may hold the samples of a WFDB record
    if is_recording(path) and not (suffix_of(path) == ".mat" and beside.is_file()):
        return path
    if path.exists() and not path.is_file() and suffix_of(path) in OPENERS:
        return path  # opening it says why it is not read
    while path.suffix:
        path = path.with_suffix("")
        if (header := _header_of(path)) is not None:
            return header
    return None


def _header_of(record: Path) -> Path | None:
    """The header of a record without extension; on a camera card or an old CD its name may be in upper case."""
    headers = (record.with_name(f"{record.name}{suffix}") for suffix in (".hea", ".HEA"))
    return next((header for header in headers if header.is_file()), None)


def _in_folder(folder: Path, csv: bool) -> Iterator[Item]:
    """The recordings in `folder` and below, without segments and tables of beats: WFDB, other formats, tables."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        paths = [Path(parent) / name for name in sorted(names) if not name.startswith(".")]
        below = Path(parent).relative_to(folder)
        for path in (*_records(paths), *_other_formats(paths), *(_tables(paths) if csv else ())):
            yield Item(path, below)


def _records(paths: list[Path]) -> list[Path]:
    """The headers among the files of a folder, without those of segments."""
    headers = [path for path in paths if suffix_of(path) == ".hea"]
    segments = {name for path in headers for name in _segments(path)}
    return [path for path in headers if path.stem not in segments]


def _other_formats(paths: list[Path]) -> list[Path]:
    """The recordings among the files of a folder that are neither WFDB records nor tables."""
    suffixes = OPENERS.keys() - {".hea", *TABLES}
    others = [path for path in paths if suffix_of(path) in suffixes]
    return [path for path in others if is_recording(path) or (suffix_of(path) not in SIGNATURES and not path.is_file())]


def _tables(paths: list[Path]) -> list[Path]:
    """The CSV files and arrays among the files of a folder, without tables of beats and the samples of records."""
    records = {path.stem for path in paths if path.suffix == ".hea"}
    tables = [path for path in paths if suffix_of(path) in TABLES and not _is_table_of_beats(path)]
    return [path for path in tables if path.suffix.lower() != ".mat" or path.stem not in records]


def _segments(header: Path) -> list[str]:
    """The names of a multi-segment record's segments; none for any other record."""
    try:
        return segments_in(header.read_text(encoding="ascii", errors="replace") if header.is_file() else "")
    except OSError:
        return []  # opening the record says why


def segments_in(header: str) -> list[str]:
    """The names of the segments in the text of a multi-segment record's header; none of any other header."""
    lines = [line for line in header.splitlines() if line.strip() and not line.startswith("#")]
    if not lines or not SEGMENTED.match(lines[0]):
        return []
    return [line.split()[0] for line in lines[1:]]


def _is_table_of_beats(path: Path) -> bool:
    """Check whether --predict wrote the file."""
    if not path.is_file():
        return False
    try:
        with open(path, "rb") as handle:
            return is_table_of_beats(handle.read(HEAD).decode("latin-1").splitlines())
    except OSError:
        return False


def _why_none(argument: str, csv: bool) -> str:
    """The reason why an argument names no recording."""
    path = Path(argument)
    if path.is_dir():
        more = "" if csv else f" (tables, {', '.join(TABLES)}, are read when --fs gives their rate)"
        others = ", ".join(suffix for suffix in OPENERS if suffix not in TABLES)
        return f"no recording in folder {argument}: expected files {others}{more}"
    if path.is_file():
        return f"{argument} is no recording: {expected_formats(path)}"
    return f"no recording {argument}: no such file, folder or WFDB record ({argument}.hea)"


def find_pairs(
    arguments: Sequence[str], reference: str, test: str, test_dir: str | None = None, exclude: Sequence[str] = ()
) -> tuple[list[Path], list[str]]:
    """Find the records to compare among `arguments`, each a record (path without extension) or a folder of them.

    Returns:
        The records, and the names of those in folders that are left out for want of annotations by `test`.

    Raises:
        UserError: there is no such record or folder, a record that was named lacks annotations, two records have one
            name, an excluded name is none of theirs, or no record is left.
    """
    records: list[Path] = []
    lacking: list[str] = []
    unused = set(exclude)
    for path in map(Path, arguments):
        candidates = list_records(path, reference) if path.is_dir() else [_without_extension(path, reference)]
        unused -= {record.name for record in candidates}
        for record in candidates:
            if record.name in exclude:
                continue
            _check_annotated(record, annotation_file(record, reference))
            if path.is_dir() and not annotation_file(record, test, test_dir).is_file():
                lacking.append(record.name)
                continue
            _check_annotated(record, annotation_file(record, test, test_dir))
            records.append(record)
    names = [record.name for record in records]
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        raise UserError(f"record {repeated[0]} is given twice; each can be scored once")
    if unused:
        raise UserError(f"--exclude {' '.join(sorted(unused))}: no such record among those given")
    if not records:
        where = test_dir or ", ".join(arguments)
        raise UserError(f"no annotations NAME.{test} in {where} for the records of {', '.join(arguments)}")
    return records, lacking


def _without_extension(path: Path, annotator: str) -> Path:
    return without_suffix(path) if suffix_of(path) in (".dat", f".{annotator}", *OPENERS) else path


def _check_annotated(record: Path, file: Path) -> None:
    if not file.is_file():
        raise UserError(f"record {record}: {file} is missing")
