"""CSV files to annotate, in the ways people write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat
from loaders.io.wfdb_record import Record
from tests.loaders.io.reading import read, refused
from tests.made import GAIN


@pytest.mark.parametrize(
    ("head", "line", "names"),
    [
        ("", "{0:.4f},{1:.4f}", ["column 1", "column 2"]),
        ("MLII,V1\n", "{0:.4f},{1:.4f}", ["MLII", "V1"]),
        ("time,MLII (uV),V1 [uV]\n", "{2:.4f},{3:.1f},{4:.1f}", ["MLII", "V1"]),
        ("'Elapsed time','MLII','V1'\n'seconds','uV','uV'\n", "{2:.3f},{3:.1f},{4:.1f}", ["MLII", "V1"]),
        ("Zeit;MLII;V1\n", "0:00,001;{0:.4f};{1:.4f}", ["MLII", "V1"]),
        ("", "{5}\t {0:.4f}\t{1:.4f}", ["column 2", "column 3"]),
        ("\ufeffMLII\tV1\r\n", "{0:.4f}\t{1:.4f}\r", ["MLII", "V1"]),
    ],
    ids=["bare", "header", "units", "rdsamp", "semicolons", "tabs", "bom"],
)
def test_csv_in_the_ways_it_is_written(record: Record, tmp_path: Path, head: str, line: str, names: list[str]) -> None:
    signal = record.digital[:2000] / GAIN
    rows = [line.format(a, b, k / 360, 1000 * a, 1000 * b, k) for k, (a, b) in enumerate(signal.tolist())]
    text = head + "\n".join(rows) + "\n"
    if ";" in head:
        text = text.replace(".", ",")
    (tmp_path / "r.csv").write_text(text, encoding="utf-8", newline="")
    csv = CsvFormat(360.0)
    recording = open_recording(tmp_path / "r.csv", csv)
    assert [lead.name for lead in recording.leads] == names
    for lead in (0, 1):
        assert np.allclose(read(tmp_path / "r.csv", lead, 900, csv), signal[:, lead], atol=1e-4)


def test_columns_and_gain_can_be_told(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("a,b,c\n" + "1,200,x\n" * 50)
    csv = CsvFormat(250.0, ("b", "1"), 200.0)
    recording = open_recording(tmp_path / "r.csv", csv)
    assert [(lead.name, lead.fs) for lead in recording.leads] == [("b", 250.0), ("a", 250.0)]
    assert read(tmp_path / "r.csv", 0, csv=csv).tolist() == [1.0] * 50
    assert "no column d; it has: a, b, c" in refused(tmp_path / "r.csv", CsvFormat(250.0, ("d",)))


def test_empty_cells_are_missing(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("MLII,V1\n1,2\n,2\nnan,2\nNA,3\n5,inf\n")
    assert np.array_equal(
        read(tmp_path / "r.csv", 0, csv=CsvFormat(360.0)), [1, np.nan, np.nan, np.nan, 5], equal_nan=True
    )
    assert np.isnan(read(tmp_path / "r.csv", 1, csv=CsvFormat(360.0))[-1])


def test_single_cells_that_are_no_numbers_count_as_missing_and_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("1,2\n" * 400 + "1,x\n" + "1,2\n")
    recording = open_recording(path, CsvFormat(360.0))
    values = np.concatenate(list(recording.stream(1, 1000)))
    assert np.flatnonzero(np.isnan(values)).tolist() == [400] and len(values) == 402
    assert recording.notes == ["1 cell(s) of lead column 2 are no numbers; they count as missing"]


def test_bad_csv_is_refused_with_where_it_is_bad(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("1,2\n" * 400)
    assert "give it by --fs" in refused(path)
    path.write_text("1,2\n" * 400 + "1,2,3\n" + "1,2\n")
    assert "line 401 has 3 cells; the others have 2" in refused(path, CsvFormat(360.0))
    path.write_text("1,2\n" * 400 + "1,x\n" * 40 + "1,2\n")
    assert "column column 2 holds text in 40 of its first 441 lines" in refused(path, CsvFormat(360.0), 1)
    for content in ("", "\n\n", "hello\n"):
        path.write_text(content)
        assert "no numbers" in refused(path, CsvFormat(360.0))
    path.write_text("".join(f"{k},{k / 100}\n" for k in range(100)))
    assert "--columns" in refused(path, CsvFormat(360.0))
    path.write_text("time_s,sample,rr_s,class,p_N\n0.1,36,,N,1\n")
    assert "table of beats" in refused(path, CsvFormat(360.0))
    path.write_text((",".join("1" * 1025) + "\n") * 3)
    assert "has 1025 columns; expected a line per sample" in refused(path, CsvFormat(360.0))
    (tmp_path / "r.xyz").write_text("1\n")
    assert "no recording" in refused(tmp_path / "r.xyz")
