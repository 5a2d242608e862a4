"""loaders.sources.kaggle_csv: good files are read bit for bit, bad ones are refused with line and column."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from loaders.beats.table import Beats
from loaders.sources.kaggle_csv import read_csv
from toolbox.utils import UserError
from toolbox.utils.aami import KAGGLE_ROW


@pytest.fixture
def table() -> np.ndarray:
    """Six lines of a file: 187 samples and the label."""
    values = np.random.default_rng(0).random((6, KAGGLE_ROW + 1)).astype(np.float32)
    values[3, 100:KAGGLE_ROW] = 0  # padding
    values[4, :KAGGLE_ROW] = 0
    values[:, KAGGLE_ROW] = [0, 1, 2, 3, 4, 0]
    return values


def as_csv(values: np.ndarray) -> str:
    return "".join(",".join(f"{value:.18e}" for value in line) + "\n" for line in values)


def with_cell(text: str, line: int, column: int, cell: str) -> str:
    """The text with another cell, line and column counted from 1."""
    lines = [part.split(",") for part in text.splitlines()]
    lines[line - 1][column - 1] = cell
    return "".join(",".join(part) + "\n" for part in lines)


def test_csv_rows_come_out_bit_for_bit(tmp_path: Path, beats: dict[str, Beats]) -> None:
    path, made = tmp_path / "rows.csv", beats["train"].take(np.arange(0, len(beats["train"]), 2))
    np.savetxt(path, np.concatenate([made.x, made.y[:, None]], axis=1), fmt="%.18e", delimiter=",")
    read = read_csv(path)
    assert read.x.flags.c_contiguous
    for name in ("x", "y"):
        found, expected = getattr(read, name), getattr(made, name)
        assert found.dtype == expected.dtype
        assert hashlib.sha256(found.tobytes()).hexdigest() == hashlib.sha256(expected.tobytes()).hexdigest()


def test_csv_rows_tell_nothing_of_their_origin(tmp_path: Path, table: np.ndarray) -> None:
    (tmp_path / "rows.csv").write_text(as_csv(table))
    read = read_csv(tmp_path / "rows.csv")
    assert read.y.tolist() == [0, 1, 2, 3, 4, 0]
    assert read.length.tolist() == [187, 187, 187, 100, 0, 187]
    assert read.sample.tolist() == [-1] * 6
    for name in ("record", "patient", "symbol"):
        assert getattr(read, name).tolist() == [""] * 6


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\n" + text.replace("\n", "\n\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace(",", ", "),
        lambda text: "".join('"' + line.replace(",", '","') + '"\n' for line in text.splitlines()),
    ],
    ids=["no newline at the end", "windows", "empty lines", "byte order mark", "spaces after commas", "quotes"],
)
def test_harmless_ways_of_writing_csv_are_read(tmp_path: Path, table: np.ndarray, change: Callable[[str], str]) -> None:
    (tmp_path / "rows.csv").write_bytes(change(as_csv(table)).encode())
    read = read_csv(tmp_path / "rows.csv")
    assert np.array_equal(read.x, table[:, :KAGGLE_ROW])
    assert read.y.tolist() == [0, 1, 2, 3, 4, 0]


def joined(text: str, separator: str) -> str:
    return text.replace(",", separator)


MALFORMED: dict[str, tuple[Callable[[str], str], str]] = {
    "text": (lambda t: with_cell(t, 3, 7, "abc"), ", line 3, column 7: 'abc', expected a number$"),
    "empty cell": (lambda t: with_cell(t, 3, 7, ""), ", line 3, column 7: '', expected a number$"),
    "NaN": (lambda t: with_cell(t, 4, 187, "NaN"), ", line 4, column 187: 'NaN', expected a finite number$"),
    "inf": (lambda t: with_cell(t, 1, 1, "inf"), ", line 1, column 1: 'inf', expected a finite number$"),
    "minus infinity": (lambda t: with_cell(t, 2, 9, "-Infinity"), ", line 2, column 9: '-Infinity', expected a finite"),
    "too large": (lambda t: with_cell(t, 6, 5, "1e39"), ", line 6, column 5: "),
    "null": (lambda t: with_cell(t, 5, 2, "null"), ", line 5, column 2: 'null', expected a number$"),
    "label 5": (lambda t: with_cell(t, 2, 188, "5.0"), ", line 2, column 188: label 5.0, expected 0 to 4$"),
    "label 0.5": (lambda t: with_cell(t, 6, 188, "0.5"), ", line 6, column 188: label 0.5, expected 0 to 4$"),
    "label -1": (lambda t: with_cell(t, 6, 188, "-1"), ", line 6, column 188: label -1, expected 0 to 4$"),
    "no label": (lambda t: with_cell(t, 2, 188, ""), ", line 2, column 188: '', expected a number$"),
    "header": (
        lambda t: ",".join(f"s{k}" for k in range(188)) + "\n" + t,
        ", line 1, column 1: 's0', expected a number; a header line must be removed$",
    ),
    "column too many": (lambda t: t.replace("\n", ",0\n"), ", line 1: 189 columns, expected 188 .187 samples and the"),
    "one line too long": (lambda t: with_cell(t, 5, 188, "1,0"), ", line 5: 189 columns, expected 188 "),
    "one line too short": (lambda t: t + "1,2,3\n", ", line 7: 3 columns, expected 188 "),
    "truncated in the last line": (lambda t: t[:-500], r", line 6: \d+ columns, expected 188 "),
    "truncated in the last cell": (lambda t: t[:-3], ", line 6, column 188: .*, expected a number$"),
    "semicolons": (lambda t: joined(t, ";"), ", line 1: separated by semicolons, expected commas$"),
    "tabs": (lambda t: joined(t, "\t"), ", line 1: separated by tabs, expected commas$"),
    "spaces": (lambda t: joined(t, " "), ", line 1: separated by spaces, expected commas$"),
    "empty": (lambda t: "", "[Ee]mpty"),
    "nothing but newlines": (lambda t: "\n\n", "empty"),
    "prose": (lambda t: "no numbers here\n", ", line 1: 1 columns, expected 188 "),
    "one long word": (lambda t: "x" * 300_000, ", line 1: 1 columns, expected 188 "),
}


@pytest.mark.parametrize("fault", MALFORMED)
def test_malformed_csv_is_told_with_its_place(tmp_path: Path, table: np.ndarray, fault: str) -> None:
    change, message = MALFORMED[fault]
    path = tmp_path / "mitbih_train.csv"
    path.write_text(change(as_csv(table)))
    with pytest.raises(UserError, match=message) as caught:
        read_csv(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [os.urandom(5000), b"\x00" * 5000, "1,2\n".encode("utf-16")])
def test_files_that_are_no_text_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"rows\.csv"):
        read_csv(tmp_path / "rows.csv")


def test_a_fault_far_into_a_file_is_found(tmp_path: Path, table: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loaders.sources.kaggle_csv.BLOCK", 1 << 16)  # several blocks
    (tmp_path / "rows.csv").write_text(with_cell(as_csv(table) * 40, 221, 33, "?"))
    with pytest.raises(UserError, match=r"rows\.csv, line 221, column 33: '\?', expected a number$"):
        read_csv(tmp_path / "rows.csv")


def test_a_missing_csv_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^cannot read .*rows\.csv: "):
        read_csv(tmp_path / "rows.csv")
