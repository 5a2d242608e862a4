"""Annotation files: two annotators of one recording, brought to the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from loaders.io.wfdb_record import list_records
from toolbox.utils import UserError


class Annotations(NamedTuple):
    """What one annotator wrote, in the order of the file.

    sample: (n,) int64; symbol: (n,) WFDB's standard codes, "" for codes of the file's own; subtype: (n,) int64.
    """

    sample: np.ndarray
    symbol: list[str]
    subtype: np.ndarray


@dataclass
class Pair:
    """The annotations of one recording by two annotators, in samples at `fs` Hz of a recording of `length` samples
    (None: unknown)."""

    name: str
    reference: Annotations
    test: Annotations
    fs: float
    length: int | None


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


def annotation_file(record: Path, annotator: str, folder: str | None = None) -> Path:
    """Where `annotator`'s annotations of `record` are: beside it, or in another folder under its name."""
    return (Path(folder) if folder else record.parent) / f"{record.name}.{annotator}"


def read_pair(record: Path, reference: str, test: str, test_dir: str | None = None) -> Pair:
    """Read two annotators of `record`, both brought to the recording's own samples.

    The rate is the header's; where there is none, that of the annotation files. Annotations that were written at
    another time resolution are rescaled and rounded, halves up, as the WFDB library does.

    Raises:
        UserError: a file cannot be read, or nothing tells the rate.
    """
    header = _read_header(record)
    own, own_fs = _read(annotation_file(record, reference))
    other, other_fs = _read(annotation_file(record, test, test_dir))
    fs = float(header.fs) if header is not None else own_fs or other_fs
    if not fs or not np.isfinite(fs) or fs <= 0:
        raise UserError(f"record {record}: neither a header nor the annotations tell the sampling rate")
    length = int(header.sig_len) if header is not None and header.sig_len else None
    return Pair(record.name, _rescale(own, own_fs, fs), _rescale(other, other_fs, fs), fs, length)


def _rescale(annotations: Annotations, own_fs: float | None, fs: float) -> Annotations:
    if not own_fs or own_fs == fs:
        return annotations
    return annotations._replace(sample=np.floor(annotations.sample * (fs / own_fs) + 0.5).astype(np.int64))


def _read_header(record: Path) -> Any:
    import wfdb

    path = record.with_name(f"{record.name}.hea")
    if not path.is_file():
        return None
    try:
        return wfdb.rdheader(str(record))
    except Exception as error:  # wfdb raises all kinds of errors for broken files
        raise UserError(f"record {record}: {path.name} cannot be read: {_reason(error)}") from error


def _read(path: Path) -> tuple[Annotations, float | None]:
    """The annotations in a file, and their time resolution in Hz where it is known."""
    import wfdb

    if path.stat().st_size <= 2:  # nothing but the mark of the end, which wfdb cannot read
        return Annotations(np.zeros(0, dtype=np.int64), [], np.zeros(0, dtype=np.int64)), None
    stem, annotator = str(path.parent / path.name.rpartition(".")[0]), path.name.rpartition(".")[2]
    try:
        read = wfdb.rdann(stem, annotator, return_label_elements=["label_store"])
    except Exception as error:
        raise UserError(f"{path} cannot be read as WFDB annotations: {_reason(error)}") from error
    symbols = {label.label_store: label.symbol for label in wfdb.io.annotation.ann_labels}
    sample = np.asarray(read.sample, dtype=np.int64)
    symbol = [symbols.get(int(code), "").strip() for code in read.label_store]
    return Annotations(sample, symbol, np.asarray(read.subtype, dtype=np.int64)), read.fs


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
