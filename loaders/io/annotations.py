"""Beats beside a recording: WFDB annotation files to read and to write, and tables to write."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from loaders.io.wfdb_checks import check_order, readable
from toolbox.utils import UserError, atomic_write

BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")  # the codes that stand for a QRS complex (ecgcodes.h, isqrs)
TABLE_OF_BEATS = "time_s,sample,rr_s,class"  # how a table begins
UNREADABLE, CLEAN = -1, 0  # subtypes of "~", signal quality; EC57 tools do not count beats between the two


def read_beats(path: Path, annotator: str, fs: float) -> np.ndarray:
    """(beats,) int64: where an annotation file has beats, in samples at `fs` Hz, rising.

    Args:
        path: of the recording, without extension.
        annotator: the annotation file's extension.
        fs: of the lead that is annotated; the file may count in samples of another rate, which it then tells.

    Raises:
        UserError: there is no such file, or it is damaged.
    """
    import wfdb

    file = path.with_name(f"{path.name}.{annotator}")
    if not file.is_file():
        raise UserError(f"{path}: no annotation file {file.name}; --peaks detect finds the beats itself")
    with readable(str(file)):
        annotation = wfdb.rdann(str(path), annotator)
        own = float(annotation.fs or fs)
        symbols = np.asarray(annotation.symbol, dtype="U1")
    sample = np.asarray(annotation.sample, dtype=np.int64)
    check_order(path, sample, np.iinfo(np.int64).max)
    beats = np.unique(np.rint(sample[np.isin(symbols, list(BEATS))] * (fs / own)).astype(np.int64))
    if not len(beats):
        raise UserError(f"{file} has no beats")
    return beats


def write_beats(
    path: Path, sample: np.ndarray, symbol: np.ndarray, fs: float, skipped: Sequence[tuple[int, int, str]]
) -> None:
    """Write beats as a WFDB annotation file, atomically.

    Args:
        path: with the annotator as its extension.
        sample: (beats,) int64, rising; at least one.
        symbol: (beats,) their WFDB codes.
        fs: Hz that `sample` counts in; the file tells it, for recordings without a header.
        skipped: (start, stop, why) in the same samples: a "~" goes to their start (unreadable) and to their end.
    """
    import wfdb

    edges = np.array([edge for stretch in skipped for edge in stretch[:2]], dtype=np.int64)
    at = np.concatenate([sample, edges])
    order = np.argsort(at, kind="stable")
    symbols = np.concatenate([symbol, np.full(len(edges), "~")])[order]
    subtypes = np.concatenate([np.zeros(len(sample), np.int64), np.tile([UNREADABLE, CLEAN], len(skipped))])[order]
    # wfdb takes few characters in names, and writes in place
    with tempfile.TemporaryDirectory() as folder:
        wfdb.wrann("beats", "ecg", at[order], symbol=symbols, subtype=subtypes, fs=fs, write_dir=folder)
        content = (Path(folder) / "beats.ecg").read_bytes()
    with atomic_write(path) as handle:
        handle.write(content)


def write_table(
    path: Path, times: np.ndarray, sample: np.ndarray, rr: np.ndarray, letters: np.ndarray, probabilities: np.ndarray,
    names: Sequence[str],
) -> None:  # fmt: skip
    """Write beats as a CSV file, atomically: time, sample, RR interval, class, and the probability of each class.

    Args:
        times, sample, rr: (n,) s, the recording's samples, s (NaN, an empty cell, where no interval leads to a beat).
        letters: (n,) the classes.
        probabilities: (n, classes), `names` their letters.
    """
    import pyarrow as pa
    from pyarrow import csv

    columns = [np.round(times, 4), sample, np.round(rr, 4), letters, *np.round(probabilities.T.astype(np.float64), 4)]
    table = pa.table(
        [pa.array(column, from_pandas=True) for column in columns], names=[str(k) for k in range(len(columns))]
    )
    with atomic_write(path) as handle:
        handle.write((",".join([TABLE_OF_BEATS, *(f"p_{name}" for name in names)]) + "\n").encode())
        csv.write_csv(table, handle, csv.WriteOptions(include_header=False, quoting_style="none"))
