"""Recordings behind addresses (s3://, https:// and the like): found by their files' names, fetched one at a time."""

from __future__ import annotations

import glob
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from loaders.io.annotations import is_table_of_beats
from loaders.io.discovery import HEAD, segments_in
from loaders.io.open import HEAD_BYTES, OPENERS, SIGNATURES, TABLES, has_signature
from loaders.io.recording import suffix_of, without_suffix
from loaders.io.remote import Store, is_web, name_of, parent_of, under
from toolbox.utils import UserError
from toolbox.utils.addresses import public_address

MISSING_SEGMENT = "~"  # in a multi-segment header: a stretch without signal
OF_RECORDS = (".dat", ".atr")  # beside a header


@dataclass(frozen=True)
class RemoteItem:
    """A recording behind an address.

    Attributes:
        address: of its header (.hea) or file.
        below: its folder, relative to the one that was named; "." for a recording that was named itself.
    """

    address: str
    below: str = "."

    @property
    def name(self) -> str:
        """The name of its annotation files: the file's name without its extension."""
        return without_suffix(Path(name_of(self.address))).name


def find_remote(address: str, csv: bool, annotator: str) -> list[RemoteItem]:
    """Find the recordings that an address names: a record, a file, a folder with those below, a pattern with * ? [ ].

    Args:
        csv: whether to take the tables of folders (CSV files and arrays); one that is named itself is always taken.
        annotator: the extension of annotation files, which with the tables beside them are no recordings.

    Raises:
        UserError: it cannot be reached, or names no recording.
    """
    store = Store(address)
    suffix = suffix_of(Path(name_of(address)))
    if glob.has_magic(address) and not is_web(address):
        matches = [address for address in store.matches(address) if suffix_of(Path(name_of(address))) in OPENERS]
        items = [RemoteItem(match) for match in matches]
    elif suffix in OPENERS and store.is_file(address):
        items = [RemoteItem(address)]
    else:
        stem = address.removesuffix(suffix) if suffix in OF_RECORDS else address.rstrip("/")
        if store.is_file(f"{stem}.hea"):
            items = [RemoteItem(f"{stem}.hea")]
        else:
            items = list(_in_folder(store, address, csv, annotator))
    if not items:
        others = ", ".join(suffix for suffix in OPENERS if csv or suffix not in TABLES)
        raise UserError(f"no recording {public_address(address)}: expected a record, or a folder with files {others}")
    return items


def _in_folder(store: Store, folder: str, csv: bool, annotator: str) -> Iterator[RemoteItem]:
    """The recordings in a folder and below, without segments, and without what --predict wrote."""
    names = store.files(folder)
    there = set(names)
    masters = [name for name in names if name.endswith(".hea") and f"{name.removesuffix('.hea')}.dat" not in there]
    segments = {
        posixpath.join(posixpath.dirname(master), f"{segment}.hea")
        for master in masters
        for segment in segments_in(store.read(under(folder, master)).decode("ascii", errors="replace"))
    }
    for name in names:
        path = PurePosixPath(name)
        suffix = suffix_of(Path(name))
        if name in segments or path.name.startswith(".") or suffix not in OPENERS:
            continue
        if _is_written(name, annotator, there) or (suffix in TABLES and not csv):
            continue
        if suffix == ".mat" and f"{name.removesuffix('.mat')}.hea" in there:
            continue
        if suffix in SIGNATURES and not has_signature(suffix, store.read(under(folder, name), HEAD_BYTES)):
            continue
        if suffix in TABLES and is_table_of_beats(_head_lines(store, under(folder, name))):
            continue
        yield RemoteItem(under(folder, name), str(path.parent))


def _is_written(name: str, annotator: str, there: set[str]) -> bool:
    """Check whether a file has the name of one that --predict writes, and its summary is there."""
    stem, dot, rest = name.rpartition(f".{annotator}")
    return bool(dot) and (rest == "" or rest.startswith(".")) and f"{stem}.{annotator}.json" in there


def _head_lines(store: Store, address: str) -> list[str]:
    return store.read(address, HEAD).decode("latin-1").splitlines()


def fetch_recording(item: RemoteItem, folder: Path, beside: Sequence[str] = ()) -> tuple[Path, dict[str, str]]:
    """Copy the files of one recording into a folder here.

    Args:
        beside: extensions of annotation files that come along where they are there.

    Returns:
        The path of its header or file, and the mark (see `Store.mark`) of each file by its name.

    Raises:
        UserError: a file is missing or cannot be reached.
    """
    store = Store(item.address)
    path = folder / name_of(item.address)
    marks = {path.name: store.mark(item.address)}
    store.fetch(item.address, path)
    names: Iterable[str] = ()
    if path.suffix == ".hea":
        names = _fetched_by_header(store, path, parent_of(item.address), marks)
    for name in names:
        marks[name] = store.mark(under(parent_of(item.address), name))
        store.fetch(under(parent_of(item.address), name), folder / name)
    for extension in beside:
        address = under(parent_of(item.address), f"{item.name}.{extension}")
        if store.fetch_existing([address], folder):
            marks[name_of(address)] = store.mark(address)
    return path, marks


def _fetched_by_header(store: Store, header: Path, parent: str, marks: dict[str, str]) -> list[str]:
    """The names of the signal files of a record whose header is here; the headers of its segments are fetched."""
    text = header.read_text(encoding="latin-1")
    segments = segments_in(text)
    names: list[str] = []
    for segment in dict.fromkeys(segments):
        if segment != MISSING_SEGMENT and PurePosixPath(segment).name == segment:
            file = f"{segment}.hea"
            marks[file] = store.mark(under(parent, file))
            store.fetch(under(parent, file), header.with_name(file))
            names += _signal_files(header.with_name(file).read_text(encoding="latin-1"))
    return list(dict.fromkeys(names if segments else _signal_files(text)))


def _signal_files(text: str) -> list[str]:
    """The names of the signal files in a header, header(5) of the WFDB Applications Guide; none in other folders."""
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    names = [words[0] for words in lines[1:]]
    return [name for name in dict.fromkeys(names) if name != MISSING_SEGMENT and PurePosixPath(name).name == name]
