"""WFDB annotation files, read and written, and tables of beats."""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from loaders.io.recording import readable
from loaders.io.wfdb_header import read_header
from loaders.io.wfdb_private import parse_annotations
from toolbox.utils import UserError, atomic_write, printable

BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")  # the codes that stand for a QRS complex (ecgcodes.h, isqrs)
TABLE_OF_BEATS = "time_s,sample,rr_s,class"  # the first columns of a table of beats
TABLE_OF_EPISODES = "kind,start,stop,first,last"  # and those of the table of episodes beside it
TABLE_OF_HOURS = "hour,from_s,to_s,clock,beats"
TABLE_OF_RECORDINGS = "recording,start,seconds,leads"
COMMENT = "# "  # begins lines before them
UNREADABLE, CLEAN = -1, 0  # subtypes of "~", signal quality; EC57 tools do not count beats between the two
NOTE = 22  # the code of an annotation that is a text
RATE_NOTE = re.compile(r"## time resolution: \d")
SYMBOL_NOTES = {"## annotation type definitions": "b", "## end of definitions": "e"}


class Annotations(NamedTuple):
    """One annotator's annotations, in the order of the file.

    sample: (n,) int64, never falling; symbol: (n,) characters, "" for a code without one; subtype: (n,) int64.
    """

    sample: np.ndarray
    symbol: list[str]
    subtype: np.ndarray


@dataclass(frozen=True)
class AnnotationFile:
    """The content of a WFDB annotation file.

    Attributes:
        annotations: all of them.
        texts: (n,) their notes: rhythm changes such as "(AFIB".
        fs: Hz that the samples are counted at, as the file or else the header beside it states; None if neither does.
    """

    annotations: Annotations
    texts: list[str]
    fs: float | None


@dataclass
class Pair:
    """The annotations of one recording by two annotators, in samples at `fs` Hz of a recording of `length` samples
    (None: unknown), and the notes of each annotation."""

    name: str
    reference: Annotations
    test: Annotations
    fs: float
    length: int | None
    reference_texts: list[str]
    test_texts: list[str]


def annotation_file(record: Path, annotator: str, folder: str | None = None) -> Path:
    """The path of `annotator`'s annotations of `record`: beside it, or in another folder under its name."""
    return (Path(folder) if folder else record.parent) / f"{record.name}.{annotator}"


def read_annotations(file: Path) -> AnnotationFile:
    """Read a WFDB annotation file: the only reader of them, so that all refuse the same files.

    Raises:
        UserError: the file is missing or damaged, or its annotations go back in time or begin before the signal.
    """
    import wfdb

    if not file.is_file():
        raise UserError(f"{file} is missing")
    with readable(str(file)):
        states_rate = _check_notes(file)
        content = wfdb.rdann(str(file.with_suffix("")), file.suffix[1:])
        sample = np.asarray(content.sample, dtype=np.int64)
        symbol = [_single_character(each) for each in content.symbol]
        subtype = np.asarray(content.subtype, dtype=np.int64)
    if states_rate and not content.fs > 0:
        raise UserError(f"{file} counts {content.fs:g} samples a second, expected more than 0")
    _check_order(file, sample)
    texts = [text.rstrip("\x00") for text in content.aux_note]
    return AnnotationFile(Annotations(sample, symbol, subtype), texts, content.fs or None)


def _check_notes(file: Path) -> bool:
    """Raise UserError for a file that wfdb cannot read or would read for ever; True if it states its sampling rate.

    Notes at sample 0 that begin with "## " describe the file itself: the rate it counts in, and symbols of its own.
    Over any other note there that begins so, wfdb 4.3 loops for ever.
    """
    content = file.read_bytes()
    if not content.endswith(b"\0\0") or len(content) % 2:
        raise UserError(f"{file} is cut off or damaged: an annotation file ends with two zero bytes")
    try:
        sample, code, notes = parse_annotations(file)
    except IndexError as error:
        raise UserError(f"{file} is damaged: its last annotation goes beyond its end") from error
    count = sum(at == 0 and kind == NOTE for at, kind in zip(sample, code, strict=True))
    about_file = [note for note in notes[:count] if note.startswith("## ")]
    kinds = "".join("r" if RATE_NOTE.search(note) else SYMBOL_NOTES.get(note, "?") for note in about_file)
    if not re.fullmatch("(be)*r?(be)*", kinds):
        raise UserError(
            f"{file}: the notes that it begins with make no sense: {str(about_file)[:99]}; expected a time resolution, "
            "or definitions of symbols with their end"
        )
    return "r" in kinds


def _single_character(symbol: Any) -> str:
    """A symbol of one character as it is; "" for codes without one (wfdb gives NaN) and for longer names."""
    text = symbol.strip() if isinstance(symbol, str) else ""
    return text if len(text) == 1 else ""


def _check_order(file: Path, sample: np.ndarray) -> None:
    """Raise UserError when annotations begin before the signal, or go back in time."""
    if not len(sample):
        return
    span = f"{file}: annotations from sample {sample.min()} to {sample.max()}"
    if sample.min() < 0:
        raise UserError(f"{span}, the first sample of a recording is 0")
    back = np.flatnonzero(np.diff(sample) < 0)
    if len(back):
        k = int(back[0])
        raise UserError(f"{file}: annotation {k + 2} is at sample {sample[k + 1]}, before the one at {sample[k]}")


def read_beats(path: Path, annotator: str, fs: float) -> np.ndarray:
    """(beats,) int64: the beats of an annotation file, in samples at `fs` Hz, rising.

    Args:
        path: of the recording, without extension.
        annotator: the annotation file's extension.
        fs: of the annotated lead; the file may count in samples of another rate, which it then states.

    Raises:
        UserError: there is no annotation file, it is damaged, or has no beats.
    """
    file = annotation_file(path, annotator)
    if not file.is_file():
        raise UserError(f"{path}: no annotation file {file.name}; --peaks detect finds the beats itself")
    content = read_annotations(file)
    sample, symbol, _ = content.annotations
    is_beat = np.array([each in BEATS for each in symbol], dtype=bool)
    beats = np.unique(np.rint(sample[is_beat] * (fs / (content.fs or fs))).astype(np.int64))
    if not len(beats):
        raise UserError(f"{file} has no beats")
    return beats


def read_pair(record: Path, reference: str, test: str, test_dir: str | None = None) -> Pair:
    """Read two annotators of `record`, both brought to the recording's own samples.

    The rate is the header's; without a header, that of the annotation files. Annotations written at another time
    resolution are rescaled and rounded, halves up, as the WFDB library does.

    Raises:
        UserError: a file cannot be read, or none of them states the rate.
    """
    header = read_header(record) if record.with_name(f"{record.name}.hea").is_file() else None
    contents = [read_annotations(annotation_file(record, *side)) for side in ((reference,), (test, test_dir))]
    rates = [float(header.fs)] if header is not None else [content.fs for content in contents if content.fs]
    fs = rates[0] if rates else 0.0
    if not np.isfinite(fs) or fs <= 0:
        raise UserError(f"record {record}: neither a header nor the annotations state the sampling rate")
    length = int(header.sig_len) if header is not None and header.sig_len else None
    first, second = (_rescale(content, fs) for content in contents)
    return Pair(record.name, first, second, fs, length, *(content.texts for content in contents))


def _rescale(content: AnnotationFile, fs: float) -> Annotations:
    """The annotations in samples at `fs` Hz."""
    if not content.fs or content.fs == fs:
        return content.annotations
    sample = np.floor(content.annotations.sample * (fs / content.fs) + 0.5).astype(np.int64)
    return content.annotations._replace(sample=sample)


def write_beats(
    path: Path, sample: np.ndarray, symbol: np.ndarray, fs: float, skipped: Sequence[tuple[int, int, str]],
    marks: Sequence[tuple[int, str, str]] = (),
) -> None:  # fmt: skip
    """Write beats as a WFDB annotation file, atomically.

    Args:
        path: with the annotator as its extension.
        sample: (beats,) int64, rising; where there is none, there has to be a mark.
        symbol: (beats,) their WFDB codes.
        fs: Hz that `sample` counts in; stated in the file, for recordings without a header.
        skipped: (start, stop, why) in the same samples: a "~" goes to their start (unreadable) and to their end.
        marks: (sample, WFDB code, text) of rhythms; they come first where others have their sample.
    """
    import wfdb

    edges = np.array([edge for interval in skipped for edge in interval[:2]], dtype=np.int64)
    at = np.concatenate([np.array([mark[0] for mark in marks], dtype=np.int64), sample, edges])
    order = np.argsort(at, kind="stable")
    symbols = np.concatenate([[mark[1] for mark in marks], symbol, np.full(len(edges), "~")]).astype(str)[order]
    edge_types = np.tile([UNREADABLE, CLEAN], len(skipped))
    subtypes = np.concatenate([np.zeros(len(marks) + len(sample), np.int64), edge_types])[order]
    texts = [*(mark[2] for mark in marks), *[""] * (len(sample) + len(edges))]
    notes = [texts[k] for k in order.tolist()] if marks else None
    # wfdb takes few characters in names, and writes in place
    with tempfile.TemporaryDirectory() as folder:
        wfdb.wrann("beats", "ecg", at[order], symbol=symbols, subtype=subtypes, aux_note=notes, fs=fs, write_dir=folder)
        content = (Path(folder) / "beats.ecg").read_bytes()
    with atomic_write(path) as handle:
        handle.write(content)


def write_table(
    path: Path, times: np.ndarray, sample: np.ndarray, rr: np.ndarray, letters: np.ndarray, probabilities: np.ndarray,
    names: Sequence[str], comments: Sequence[str] = (),
) -> None:  # fmt: skip
    """Write beats as a CSV file, atomically: time, sample, RR interval, class, and the probability of each class.

    Args:
        times, sample, rr: (n,) s, the recording's samples, s (NaN, an empty cell, where no interval leads to a beat).
        letters: (n,) the classes.
        probabilities: (n, classes), `names` their letters.
        comments: remarks, in lines that begin with "# ", before the names of the columns.
    """
    columns = [np.round(times, 4), sample, np.round(rr, 4), letters, *np.round(probabilities.T.astype(np.float64), 4)]
    table = pa.table(
        [pa.array(column, from_pandas=True) for column in columns], names=[str(k) for k in range(len(columns))]
    )
    with atomic_write(path) as handle:
        handle.writelines(_comment(text).encode() for text in comments)
        handle.write((",".join([TABLE_OF_BEATS, *(f"p_{name}" for name in names)]) + "\n").encode())
        arrow_csv.write_csv(table, handle, arrow_csv.WriteOptions(include_header=False, quoting_style="none"))


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write plain values as a CSV file, atomically: a line for each of `rows`, an empty cell for None."""
    with atomic_write(path, "w") as handle:
        writer = csv.DictWriter(handle, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _comment(text: str) -> str:
    """A line of comment; a spreadsheet that splits it finds no cell that begins like a formula."""
    spaced = re.sub("([,;])(?! )", r"\1 ", printable(text))
    return f"{COMMENT}{spaced}\n"


def is_table_of_beats(lines: Iterable[str]) -> bool:
    """Check whether a file that begins with these lines is a table of ours, of beats or others, below comments, too."""
    first = next((line for line in lines if not line.startswith(COMMENT)), "")
    return first.startswith((TABLE_OF_BEATS, TABLE_OF_EPISODES, TABLE_OF_HOURS, TABLE_OF_RECORDINGS))
