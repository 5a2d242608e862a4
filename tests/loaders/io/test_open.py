"""Recordings are opened by the suffix of their file."""

from __future__ import annotations

from pathlib import Path

import edfio
import numpy as np
import pytest

from loaders.io.open import OPENERS, open_recording
from loaders.io.recording import CSV_SUFFIXES, CsvFormat
from tests.made import write_format
from toolbox.utils import UserError

DIGITAL = np.arange(1440).reshape(-1, 2) % 90


def write(folder: Path, suffix: str) -> Path:
    """A recording r of two seconds in the format of `suffix`."""
    if suffix == ".hea":
        return write_format(folder, "r", DIGITAL, "16")
    path = folder / f"r{suffix}"
    if suffix == ".edf":
        edfio.Edf([edfio.EdfSignal(DIGITAL[:, 0] / 40, 360, label="MLII", physical_dimension="mV")]).write(path)
    else:
        path.write_text("MLII,V1\n" + "".join(f"{a / 40},{b / 40}\n" for a, b in DIGITAL.tolist()))
    return path


@pytest.mark.parametrize("suffix", OPENERS)
def test_each_format_is_opened(tmp_path: Path, suffix: str) -> None:
    recording = open_recording(write(tmp_path, suffix), CsvFormat(360.0))
    expected = {".hea": "WFDB", ".edf": "EDF", **dict.fromkeys(CSV_SUFFIXES, "CSV")}
    assert (recording.kind, recording.name, recording.stem) == (expected[suffix], "r", tmp_path / "r")
    assert recording.leads[0].name == "MLII" and recording.leads[0].fs == 360
    signal = np.concatenate(list(recording.stream(0, 500)))
    assert np.allclose(signal, DIGITAL[:, 0] / 40, atol=1e-4)


def test_suffixes_are_compared_without_case(tmp_path: Path) -> None:
    path = write(tmp_path, ".edf")
    assert open_recording(path.rename(path.with_suffix(".EDF")), CsvFormat()).kind == "EDF"


@pytest.mark.parametrize("suffix", ["", ".atr", ".docx"])
def test_other_files_are_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(UserError, match=r"expected a WFDB record, an EDF file or a CSV file$"):
        open_recording(tmp_path / f"r{suffix}", CsvFormat())
