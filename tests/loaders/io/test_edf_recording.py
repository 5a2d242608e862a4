"""EDF and EDF+ files to annotate."""

from __future__ import annotations

from pathlib import Path

import edfio
import numpy as np
import pytest

from loaders.io.leads import choose_lead
from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat
from loaders.io.wfdb_record import Record
from tests.loaders.io.reading import read, refused
from tests.made import GAIN


def write_edf(path: Path, digital: np.ndarray, unit: str = "uV", name: str = "ECG II") -> Path:
    """An EDF+ file with the lead as its second signal; a data record is 1 s."""
    whole = digital[: len(digital) // 360 * 360]
    physical = (-32768 / GAIN * 1000, 32767 / GAIN * 1000) if unit == "uV" else (-32768 / GAIN, 32767 / GAIN)
    noise = edfio.EdfSignal(np.sin(np.arange(len(whole) // 3)), 120, label="EEG", physical_dimension="uV")
    lead = edfio.EdfSignal.from_digital(
        whole.astype(np.int16), 360, physical_range=physical, digital_range=(-32768, 32767), label=name,
        physical_dimension=unit,
    )  # fmt: skip
    edfio.Edf([noise, lead], annotations=[edfio.EdfAnnotation(0, None, "start")]).write(path)
    return path


@pytest.mark.parametrize("unit", ["uV", "mV"])
def test_edf_gives_the_same_millivolts(record: Record, tmp_path: Path, unit: str) -> None:
    path = write_edf(tmp_path / "r.edf", record.digital[:, 0], unit)
    signal = read(path, 1, 4000)
    assert np.allclose(signal, record.digital[: len(signal), 0] / GAIN, atol=2e-3)
    recording = open_recording(path, CsvFormat())
    assert choose_lead(recording, None) == (1, "")
    assert [(lead.name, lead.fs) for lead in recording.leads] == [("EEG", 120.0), ("ECG II", 360.0)]


def test_discontinuous_edf_has_gaps_where_nothing_was_recorded(record: Record, tmp_path: Path) -> None:
    path = write_edf(tmp_path / "r.edf", record.digital[:, 0])
    content = path.read_bytes().replace(b"EDF+C", b"EDF+D", 1)
    for second in range(29, 10, -1):  # from the tenth data record on 5 s later
        content = content.replace(b"+%d\x14\x14" % second, b"+%d\x14\x14" % (second + 5), 1)
    path.write_bytes(content)
    signal = read(path, 1, 4000)
    assert np.flatnonzero(np.isnan(signal)).tolist() == list(range(11 * 360, 16 * 360))
    assert np.allclose(signal[16 * 360 :], record.digital[11 * 360 : len(signal) - 5 * 360, 0] / GAIN, atol=2e-3)


def test_edf_that_is_cut_off_is_read_as_far_as_it_goes(record: Record, tmp_path: Path) -> None:
    path = write_edf(tmp_path / "r.edf", record.digital[:, 0])
    path.write_bytes(path.read_bytes()[:-10])
    recording = open_recording(path, CsvFormat())
    assert len(recording.notes) == 1 and "cut off" in recording.notes[0]
    assert len(read(path, 1)) == (len(record.digital) // 360 - 1) * 360


@pytest.mark.parametrize("content", [b"", b"no EDF file at all", b"0       " + b" " * 500])
def test_what_is_no_edf_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.edf").write_bytes(content)
    assert "r.edf" in refused(tmp_path / "r.edf")
