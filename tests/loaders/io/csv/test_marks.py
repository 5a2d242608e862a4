"""Marks within numbers: decimal commas of all kinds are read, marks between thousands are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.loaders.io.csv.written import FS, assert_reads, beats, cells, lines, opened
from toolbox.utils import UserError

SIGNAL = beats()
SECONDS = cells(np.arange(len(SIGNAL)) / FS, 3)


@pytest.mark.parametrize("shift", [-3, 0, 3])
@pytest.mark.parametrize("decimals", [4, 5])
@pytest.mark.parametrize("head", ["", "II\n"])
def test_a_column_with_decimal_commas(tmp_path: Path, shift: int, decimals: int, head: str) -> None:
    text = head + lines(cells(SIGNAL + shift, decimals, ","))
    assert_reads(opened(tmp_path, text, FS), np.round(SIGNAL + shift, 6))


def test_decimal_commas_and_powers_of_ten(tmp_path: Path) -> None:
    assert_reads(opened(tmp_path, "II\n" + lines([f"{v:.5e}".replace(".", ",") for v in SIGNAL]), FS), SIGNAL)


@pytest.mark.parametrize("separator", [";", "\t", " "])
@pytest.mark.parametrize("name", ["II", "I"])
def test_columns_with_decimal_commas(tmp_path: Path, separator: str, name: str) -> None:
    seconds = [each.replace(".", ",") for each in SECONDS]
    text = f"t{separator}{name}\n" + lines(seconds, cells(SIGNAL, 4, ","), separator=separator)
    assert_reads(opened(tmp_path, text), SIGNAL, name=name)


@pytest.mark.parametrize("head", ["", "t,II\n"])
@pytest.mark.parametrize("whole", [False, True])
def test_commas_within_numbers_and_between_them_are_refused(tmp_path: Path, head: str, whole: bool) -> None:
    first = [str(4 * k) for k in range(len(SIGNAL))] if whole else [each.replace(".", ",") for each in SECONDS]
    with pytest.raises(UserError, match="commas stand within numbers and between them; separate columns by semicolons"):
        opened(tmp_path, head + lines(first, cells(SIGNAL, 4, ",")), FS)


@pytest.mark.parametrize("mark", [",", ".", "'", "\u00a0", "\u202f"])
@pytest.mark.parametrize("gain", [1e4, 1e6])
def test_marks_between_thousands_are_refused(tmp_path: Path, mark: str, gain: float) -> None:
    values = [f"{gain * v:,.0f}".replace(",", mark) for v in SIGNAL]
    with pytest.raises(UserError, match="its numbers have marks between thousands"):
        opened(tmp_path, "t;II\n" + lines(SECONDS, values, separator=";"), FS, gain)


def test_two_leads_of_whole_numbers_are_two(tmp_path: Path) -> None:
    values = [str(round(1000 * v)) for v in SIGNAL]
    recording = opened(tmp_path, "II,V5\n" + lines(values, values), FS, 1000)
    assert [lead.name for lead in recording.leads] == ["II", "V5"]
    assert_reads(recording, SIGNAL)
