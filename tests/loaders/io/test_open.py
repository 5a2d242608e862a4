"""Recordings are opened by the suffix of their file."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from loaders.io.open import OPENERS, is_recording, open_recording
from loaders.io.recording import PACKED, CsvFormat
from tests.conftest import ROOT
from tests.loaders.io.reading import refused
from tests.loaders.io.writers import edf, npy
from tests.made import write_format
from toolbox.utils import UserError

DIGITAL = np.arange(1440).reshape(-1, 2) % 90


def test_suffixes_are_compared_without_case(tmp_path: Path) -> None:
    (tmp_path / "r.EDF").write_bytes(edf(DIGITAL))
    assert open_recording(tmp_path / "r.EDF", CsvFormat()).kind == "EDF"


def test_a_wfdb_record_is_opened_by_its_header(tmp_path: Path) -> None:
    recording = open_recording(write_format(tmp_path, "r", DIGITAL, "16"), CsvFormat())
    assert (recording.kind, recording.name, recording.stem) == ("WFDB", "r", tmp_path / "r")


@pytest.mark.parametrize("suffix", ["", ".atr", ".docx"])
def test_other_files_are_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(UserError, match=r"expected a WFDB record \(its .hea\) or a file .edf, .bdf, .*, .csv, "):
        open_recording(tmp_path / f"r{suffix}", CsvFormat())


@pytest.mark.parametrize("suffix", [".zip", ".edf.gz", ".7z"])
def test_packed_files_are_to_be_unpacked(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(UserError, match=r" is no recording: unpack it first$"):
        open_recording(tmp_path / f"r{suffix}", CsvFormat())


def test_every_suffix_is_in_the_table_of_devices() -> None:
    page = (ROOT / "docs" / "devices.md").read_text(encoding="utf-8")
    assert [suffix for suffix in OPENERS if f"`{suffix}`" not in page and not suffix.endswith(PACKED)] == []
    assert "](devices.md)" in (ROOT / "docs" / "annotate.md").read_text(encoding="utf-8")


def link_to_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def listen(path: Path) -> None:
    """A socket file, with a short path as the system wants it."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


@pytest.mark.parametrize("suffix", OPENERS)
@pytest.mark.parametrize("make", [os.mkfifo, link_to_zero, listen, Path.mkdir])
def test_only_regular_files_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, make: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / f"r{suffix}")
    assert not is_recording(tmp_path / f"r{suffix}")
    assert refused(tmp_path / f"r{suffix}", CsvFormat(360.0)) == (
        f"{tmp_path}/r{suffix} is no regular file: a device, a pipe or a folder cannot be read as a recording"
    )


@pytest.mark.parametrize("suffix", OPENERS)
def test_missing_files_and_links_to_nowhere(tmp_path: Path, suffix: str) -> None:
    assert refused(tmp_path / f"r{suffix}", CsvFormat(360.0)) == f"{tmp_path}/r{suffix} is missing"
    (tmp_path / f"r{suffix}").symlink_to(tmp_path / "nowhere")
    assert refused(tmp_path / f"r{suffix}", CsvFormat(360.0)) == f"{tmp_path}/r{suffix} is missing, a link to nowhere"


@pytest.mark.parametrize("fs", [20_001.0, 1e6, 1e300])
def test_rates_of_no_ecg_are_refused(tmp_path: Path, fs: float) -> None:
    (tmp_path / "r.npy").write_bytes(npy(DIGITAL))
    assert f"has {fs:g} samples per second; at most 20000 make sense" in refused(tmp_path / "r.npy", CsvFormat(fs))
    (tmp_path / "r.csv").write_text("II\n" + "1\n2\n" * 500)
    assert f"has {fs:g} samples per second; at most 20000 make sense" in refused(tmp_path / "r.csv", CsvFormat(fs))


@pytest.mark.parametrize("columns", [9_000, 1_000_000])
def test_a_table_of_more_columns_than_leads_can_be_is_refused_at_once(tmp_path: Path, columns: int) -> None:
    (tmp_path / "r.csv").write_text("\n".join([",".join(["1"] * columns)] * 3))
    begin = time.monotonic()
    assert "has lines of more than 16384 characters" in refused(tmp_path / "r.csv", CsvFormat(360.0))
    assert time.monotonic() - begin < 5
