"""Tables of all recordings of a corpus as partitioned Parquet: beats, episodes, recordings.

PARQUET/TABLE/part=pHH/data.parquet: a recording is in the partition that the SHA-256 of its id begins with, so it is
always in the same. A partition is renewed as a whole, from its old rows and from the files of the recordings that are
new in it, a recording at a time; the table of recordings comes last, and what it does not name is added the next time.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from inference.corpus.schemas import SCHEMAS
from inference.folder_summary import recordings_line
from inference.outputs import EPISODES
from loaders.io.annotations import COMMENT
from loaders.io.remote import Store, is_remote, parent_of, under
from toolbox.utils import UserError, os_error_text
from toolbox.utils.temporary import alone_in

FOLDER = "parquet"
ROW_GROUP = 1 << 16  # rows


@dataclass(frozen=True)
class Finished:
    """A recording whose files are finished.

    Attributes:
        id: see `CorpusItem`.
        files: the path or the address of its annotation file, without the annotator: FOLDER/NAME.
        fingerprint: of its files, see `input_fingerprint`.
    """

    id: str
    files: str
    fingerprint: str


def partition_of(identity: str) -> str:
    """The partition of a recording: p00 to pff."""
    return f"p{hashlib.sha256(identity.encode()).hexdigest()[:2]}"


@dataclass(frozen=True)
class TablesWork:
    """The renewal of a partition of the tables, sent to the processes that work on them.

    Attributes:
        folder: of the tables, a path or an address.
        annotator: the extension of the annotation files.
    """

    folder: str
    annotator: str

    def __call__(self, partition: tuple[str, list[Finished]]) -> int:
        """Add the recordings that are new in a partition to its tables, or that were annotated anew.

        Returns:
            How many there were.

        Raises:
            UserError: a recording's files or a table cannot be read or written.
        """
        name, everything = partition
        try:
            with tempfile.TemporaryDirectory(prefix="ecg-") as scratch:
                return self._renew(name, everything, Path(scratch))
        except OSError as error:
            raise UserError(os_error_text(error)) from error

    def _renew(self, name: str, everything: list[Finished], scratch: Path) -> int:
        old = {table: self._fetch(table, name, scratch) for table in SCHEMAS}
        present = _fingerprints(old["recordings"])
        new = [one for one in everything if present.get(one.id) != one.fingerprint]
        if not new:
            return 0
        renewed = pa.array([one.id for one in new])
        with ExitStack() as stack:
            writers = {
                table: stack.enter_context(_Writer(scratch / f"{table}.new", schema))
                for table, schema in SCHEMAS.items()
            }
            for table, writer in writers.items():
                for batch in _batches(old[table]):
                    writer.add(batch.filter(pc.invert(pc.is_in(batch["id"], renewed))))
            for one in new:
                for table, rows in self._rows(one).items():
                    writers[table].add(rows)
        for table in writers:  # recordings last
            self._put(scratch / f"{table}.new", table, name)
        return len(new)

    def _rows(self, one: Finished) -> dict[str, pa.Table]:
        """The rows of a recording in each table, from its files."""
        target = f"{one.files}.{self.annotator}"
        beats = _read(f"{target}.csv")
        lines = pd.read_csv(
            BytesIO(_without_comments(beats)), dtype={"class": "str"}, keep_default_na=False, na_values=[""]
        )
        episodes = pd.read_csv(BytesIO(_read(f"{target}.{EPISODES}")), dtype={"kind": "str"})
        summary = json.loads(_read(f"{target}.json"))
        page = f"{one.id}.{self.annotator}.html"
        line = recordings_line({**summary, "page": page}, Path())
        line |= {key: summary[key] for key in ("path", "fs", "samples", "fingerprint")} | {"page": page}
        frames = {"beats": lines, "episodes": episodes, "recordings": pd.DataFrame([line])}
        return {table: _typed(one.id, frame, SCHEMAS[table]) for table, frame in frames.items()}

    def _fetch(self, table: str, name: str, scratch: Path) -> Path | None:
        """The old file of a partition; None where there is none."""
        address = self._address(table, name)
        if not is_remote(address):
            return Path(address) if Path(address).is_file() else None
        copies = Store(address).fetch_existing([address], scratch)
        return copies[0].rename(scratch / f"{table}.old") if copies else None

    def _put(self, source: Path, table: str, name: str) -> None:
        address = self._address(table, name)
        if is_remote(address):
            Store(address).put(source, address)
            return
        target = Path(address)
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone_in(target.parent):
            beside = target.with_name(f".{target.name}.tmp")
            shutil.copyfile(source, beside)
            beside.replace(target)

    def _address(self, table: str, name: str) -> str:
        return under(self.folder, table, f"part={name}", "data.parquet")


def write_failed(folder: str, failed: Mapping[str, str]) -> None:
    """Write which recordings of this call failed, and why, as failed.parquet; without any it has no rows.

    Args:
        folder: of the tables, a path or an address.
        failed: the reasons, by path or address.
    """
    address = under(folder, "failed.parquet")
    table = pa.table(
        {"path": list(failed), "reason": list(failed.values())},
        pa.schema([("path", pa.string()), ("reason", pa.string())]),
    )
    with tempfile.TemporaryDirectory(prefix="ecg-") as scratch:
        file = Path(scratch) / "failed.parquet"
        pq.write_table(table, file)
        if is_remote(address):
            Store(address).put(file, address)
            return
        Path(folder).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, address)


class _Writer:
    """A Parquet file that is written in row groups of ROW_GROUP rows, of tables as they come."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.schema = schema
        self.writer = pq.ParquetWriter(path, schema)
        self.waiting: list[pa.Table] = []

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self.writer.close()

    def add(self, rows: pa.Table) -> None:
        """Take the next rows."""
        self.waiting.append(rows.cast(self.schema))
        if sum(map(len, self.waiting)) >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self.waiting and (table := pa.concat_tables(self.waiting)):
            self.writer.write_table(table)
        self.waiting = []


def _batches(path: Path | None) -> Iterator[pa.Table]:
    """The rows of a file, some at a time."""
    if path is not None:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROW_GROUP):
                yield pa.Table.from_batches([batch])


def _fingerprints(path: Path | None) -> dict[str, str]:
    """The fingerprint of each recording in a file of the table of recordings, by id."""
    if path is None:
        return {}
    with pq.ParquetFile(path) as file:
        columns = file.read(["id", "fingerprint"]).to_pydict()
    return dict(zip(columns["id"], columns["fingerprint"], strict=True))


def _typed(identity: str, frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """The columns of a schema; null where the frame lacks one."""
    count = len(frame)
    columns = [pa.array([identity] * count, pa.string())]
    for field in list(schema)[1:]:
        values = frame[field.name] if field.name in frame else [None] * count
        columns.append(pa.array(values, field.type, from_pandas=True))
    return pa.Table.from_arrays(columns, schema=schema)


def _read(address: str) -> bytes:
    return Store(parent_of(address)).read(address) if is_remote(address) else Path(address).read_bytes()


def _without_comments(content: bytes) -> bytes:
    """A table without the remarks before it."""
    while content.startswith(COMMENT.encode()):
        content = content[content.index(b"\n") + 1 :]
    return content


def by_partition(finished: Iterable[Finished]) -> list[tuple[str, list[Finished]]]:
    """Finished recordings by their partition."""
    parts: dict[str, list[Finished]] = {}
    for one in finished:
        parts.setdefault(partition_of(one.id), []).append(one)
    return sorted(parts.items())
