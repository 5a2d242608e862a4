"""Beats beside a recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb

from loaders.io.annotations import TABLE_OF_BEATS, read_beats, write_beats, write_table
from toolbox.utils import UserError


def test_annotation_files_are_read_back_by_wfdb(tmp_path: Path) -> None:
    sample = np.array([10, 400, 2_000_000, 40_000_000])
    symbol = np.array(list("NSVQ"))
    write_beats(tmp_path / "my rec.1.ecg", sample, symbol, 512.0, [(500, 900, "gap"), (3_000_000, 3_000_500, "flat")])
    assert [path.name for path in tmp_path.iterdir()] == ["my rec.1.ecg"]
    found = wfdb.rdann(str(tmp_path / "my rec.1"), "ecg")
    assert found.fs == 512
    assert found.sample.tolist() == [10, 400, 500, 900, 2_000_000, 3_000_000, 3_000_500, 40_000_000]
    assert found.symbol == ["N", "S", "~", "~", "V", "~", "~", "Q"]
    unreadable = [(int(kind) & 0x30) == 0x30 for kind in np.asarray(found.subtype)]  # as bxb reads it
    assert unreadable == [False, False, True, False, False, True, False, False]
    assert read_beats(tmp_path / "my rec.1", "ecg", 512.0).tolist() == sample.tolist()
    assert read_beats(tmp_path / "my rec.1", "ecg", 256.0).tolist() == (sample // 2).tolist()


def test_only_beats_are_read_each_once_in_order(tmp_path: Path) -> None:
    wfdb.wrann("r", "atr", np.array([0, 5, 9, 9, 20]), list("+NV~f"), write_dir=str(tmp_path))
    assert read_beats(tmp_path / "r", "atr", 360.0).tolist() == [5, 9, 20]


def test_files_without_beats_or_broken_ones_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no annotation file r\.atr"):
        read_beats(tmp_path / "r", "atr", 360.0)
    wfdb.wrann("r", "atr", np.array([3]), ["+"], write_dir=str(tmp_path))
    with pytest.raises(UserError, match="has no beats"):
        read_beats(tmp_path / "r", "atr", 360.0)
    (tmp_path / "r.atr").write_bytes(b"\x01\x02\x03")
    with pytest.raises(UserError, match=r"r\.atr"):
        read_beats(tmp_path / "r", "atr", 360.0)


def test_tables_hold_a_line_per_beat(tmp_path: Path) -> None:
    probabilities = np.array([[0.25, 0.75], [0.98765432, 0.01234568]], dtype=np.float32)
    rr = np.array([np.nan, 0.81])
    arguments = np.array([0.5, 1.31]), np.array([180, 472]), rr, np.array(["S", "N"]), probabilities, ("N", "S")
    write_table(tmp_path / "t.csv", *arguments)
    assert (tmp_path / "t.csv").read_text() == (
        f"{TABLE_OF_BEATS},p_N,p_S\n0.5,180,,S,0.25,0.75\n1.31,472,0.81,N,0.9877,0.0123\n"
    )
