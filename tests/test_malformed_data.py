"""Generated damage in what people train on, CSV rows and WFDB records: read, or refused in one line."""

from __future__ import annotations

import random
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loaders.io.wfdb_record import Record, read_wfdb, write_wfdb
from loaders.sources import synthetic
from loaders.sources.kaggle_csv import read_csv
from tests.test_malformed import TRIES, damage, read_or_refuse
from toolbox.utils import UserError

GOOD = "\n".join(",".join([f"{k / 187:.3f}" for k in range(187)] + [f"{label}.0"]) for label in range(5)) + "\n"
BAD_CELLS = ["", "x", "nan", "-inf", "1e400", "0,5", "1_0", "٣", "0x1p3", "--1", "1 2", '"', "\x00", "\N{MINUS SIGN}1"]


@TRIES
@given(damage(GOOD.encode()))
def test_csv_files_with_damaged_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mitbih_train.csv"
    path.write_bytes(content)
    result = read_or_refuse(tmp_path, lambda: read_csv(path))
    if result is not None:
        assert np.isfinite(result.x).all()
        assert result.x.shape == (len(result), 187)
        assert set(result.y.tolist()) <= set(range(5))


@TRIES
@given(st.integers(0, 4), st.integers(0, 187), st.sampled_from(BAD_CELLS))
def test_a_bad_cell_is_named_by_line_and_column(tmp_path: Path, line: int, column: int, cell: str) -> None:
    rows = [row.split(",") for row in GOOD.splitlines()]
    rows[line][column] = cell
    path = tmp_path / "mitbih_train.csv"
    path.write_text("".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(Exception, match=re.escape(str(path))) as caught:
        read_csv(path)
    assert type(caught.value).__name__ == "UserError"
    message = str(caught.value)
    assert "\n" not in message
    if cell not in ('"', "0,5"):  # an open quote swallows what follows; a comma makes another column
        assert f"line {line + 1}, column {column + 1}:" in message


@TRIES
@given(st.integers(0, 4), st.sampled_from(["-1", "5", "0.5", "1e3", "4.0001"]))
def test_labels_that_are_no_class(tmp_path: Path, line: int, label: str) -> None:
    rows = [row.split(",") for row in GOOD.splitlines()]
    rows[line][187] = label
    path = tmp_path / "mitbih_train.csv"
    path.write_text("".join(",".join(row) + "\n" for row in rows))
    with pytest.raises(Exception, match=f"line {line + 1}, column 188: label {re.escape(label)}, expected 0 to 4"):
        read_csv(path)


def test_empty_lines_count_in_the_number_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "mitbih_train.csv"
    rows = GOOD.splitlines()
    path.write_text("\n\n".join([*rows, rows[0].replace("0.000", "?", 1)]) + "\n")
    with pytest.raises(UserError, match=r"line 11, column 1: '\?', expected a number$"):
        read_csv(path)
    path.write_text("\n\n".join([*rows, rows[0].replace("0.000", "1e39", 1)]) + "\n")
    with pytest.raises(UserError, match=r"line 11, column 1: '1e39', expected a finite number$"):
        read_csv(path)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound record of ten seconds with its annotations."""
    whole = next(iter(synthetic.synthesize(2, 1, 0)))
    kept = whole.sample < 3600
    short = Record(
        "syn", "syn", whole.fs, whole.leads, whole.digital[:3600], whole.gain, whole.baseline,
        whole.sample[kept], whole.symbol[kept],
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("sound")
    write_wfdb(short, folder)
    assert len(read_wfdb(folder / "syn").sample) == kept.sum()
    return folder


@pytest.mark.timeout(120)
@pytest.mark.parametrize("extension", ["hea", "dat", "atr"])
def test_records_with_damaged_bytes(record: Path, tmp_path: Path, extension: str) -> None:
    files = {path.suffix[1:]: path.read_bytes() for path in record.iterdir()}

    @TRIES
    @given(damage(files[extension]))
    def attempt(content: bytes) -> None:
        for name, sound in files.items():
            (tmp_path / f"syn.{name}").write_bytes(content if name == extension else sound)
        result = read_or_refuse(tmp_path, lambda: read_wfdb(tmp_path / "syn"))
        if result is not None:
            assert result.fs > 0
            assert len(result.sample) == len(result.symbol)
            assert not len(result.sample) or result.sample.max() < len(result.digital)

    attempt()


def test_the_inputs_that_are_tried_are_over_three_hundred() -> None:
    """Each reader or case is tried TRIES.max_examples times, those over several files more often than is counted."""
    here = Path(__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in (here / "test_malformed.py", Path(__file__))]
    decorated = sum(len(re.findall(r"^\s*@TRIES$", text, flags=re.M)) for text in texts)
    assert decorated * TRIES.max_examples >= 300


@TRIES
@given(st.integers(0, 2**32))
def test_csv_files_of_shuffled_lines_and_other_separators(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    separator = rng.choice([";", "\t", " ", ","])
    lines = GOOD.replace(",", separator).splitlines()
    rng.shuffle(lines)
    start = rng.choice(["", "\N{BYTE ORDER MARK}"])
    path = tmp_path / "mitbih_test.csv"
    path.write_text(start + "\n".join(lines) + rng.choice(["", "\n", "\r\n"]), encoding="utf-8")
    result = read_or_refuse(tmp_path, lambda: read_csv(path))
    assert (result is not None) == (separator == ",")
    if result is not None:
        assert sorted(result.y.tolist()) == [0, 1, 2, 3, 4]
