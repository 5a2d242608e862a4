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
from tests.loaders.io import writers
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


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>404</html>", "is no EDF file: it begins with b'<html>404</h'"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is no EDF file: it begins with b'version http'"),
        (b"", "is no EDF file: it is empty"),
    ],
)
def test_pages_and_pointers_instead_of_edf_are_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "r.edf").write_bytes(content)
    assert refused(tmp_path / "r.edf") == f"{tmp_path / 'r.edf'} {said}"


@pytest.mark.parametrize(
    ("stated", "cut", "notes"),
    [
        (30, 0, []),
        (-1, 0, []),
        (20, 0, ["its header states 20 data records, it holds 30; all are read"]),
        (40, 0, ["it is cut off: its header states 40 data records, it holds 30 whole data records"]),
        (-1, 7, ["it is cut off: its header states unfinished, it holds 29 whole data records"]),
        (29, 7, ["1433 bytes after its last data record are left out"]),
    ],
)
@pytest.mark.parametrize("suffix", [".edf", ".bdf"])
def test_only_what_lacks_data_records_is_cut_off(
    record: Record, tmp_path: Path, suffix: str, stated: int, cut: int, notes: list[str]
) -> None:
    magic = b"0       " if suffix == ".edf" else b"\xffBIOSEMI"
    content = writers.edf(record.digital, magic=magic, records=stated)
    (tmp_path / f"r{suffix}").write_bytes(content[: len(content) - cut])
    width = 2 if suffix == ".edf" else 3
    notes = [note.replace("1433", str(2 * width * 360 - cut)) for note in notes]
    assert open_recording(tmp_path / f"r{suffix}", CsvFormat()).notes == notes
    signal = read(tmp_path / f"r{suffix}")
    assert len(signal) == (30 - (cut > 0)) * 360
    assert np.allclose(signal, record.digital[: len(signal), 0] / GAIN, atol=1e-6)


@pytest.mark.parametrize(
    "unit", ["µV".encode(), "μV".encode(), "µV".encode("latin-1"), b"uV", b"UV", b"[uV]", b"microV"]
)
def test_microvolts_are_known_in_any_spelling(record: Record, tmp_path: Path, unit: bytes) -> None:
    (tmp_path / "r.edf").write_bytes(writers.edf(record.digital, unit=unit))
    assert open_recording(tmp_path / "r.edf", CsvFormat()).leads[0].scale == 1e-3
    assert np.allclose(read(tmp_path / "r.edf"), record.digital[:, 0] / GAIN, atol=1e-6)


@pytest.mark.parametrize("ranges", [("-1", "1", "0", "0"), ("0", "0", "-32768", "32767"), ("nan", "1", "-9", "9")])
def test_a_range_that_gives_no_gain_leaves_the_unit_unknown(
    record: Record, tmp_path: Path, ranges: tuple[str, ...]
) -> None:
    (tmp_path / "r.edf").write_bytes(writers.edf(record.digital, ranges=ranges))
    recording = open_recording(tmp_path / "r.edf", CsvFormat())
    assert recording.leads[0].scale is None and recording.leads[0].unit == ""
    assert len(recording.notes) == 2 and "the range of lead II gives no gain" in recording.notes[0]


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        ("0", "its data records last 0 s; a signal takes more than 0"),
        ("inf", "its data records last inf s; a signal takes more than 0"),
        ("-1", "its header states data records of -1 s"),
        ("1e-300", "lead II has 3.6e+302 samples per second; at most 20000 make sense"),
        ("1e-3", "lead II has 360000 samples per second; at most 20000 make sense"),
        ("one", "its header is damaged: 'one' is no number"),
    ],
)
@pytest.mark.parametrize("magic", [b"0       ", b"\xffBIOSEMI"])
def test_durations_that_make_no_sense_are_refused(
    record: Record, tmp_path: Path, duration: str, said: str, magic: bytes
) -> None:
    (tmp_path / "r.edf").write_bytes(writers.edf(record.digital, duration=duration, magic=magic))
    assert said in refused(tmp_path / "r.edf")


@pytest.mark.parametrize("signals", [b"0   ", b"-1  ", b"9999", b"two "])
def test_a_number_of_signals_that_cannot_be_is_refused(record: Record, tmp_path: Path, signals: bytes) -> None:
    content = writers.edf(record.digital)
    (tmp_path / "r.edf").write_bytes(content[:252] + signals + content[256:])
    assert ("signals, which its" in refused(tmp_path / "r.edf")) == (signals != b"two ")


def test_discontinuous_bdf_has_gaps_where_nothing_was_recorded(record: Record, tmp_path: Path) -> None:
    signal = edfio.BdfSignal.from_digital(
        record.digital[: 30 * 360, 0].astype(np.int32), 360, physical_range=(-209.715, 209.7149), label="II",
        physical_dimension="mV", digital_range=(-8388600, 8388596),
    )  # fmt: skip
    edfio.Bdf([signal], annotations=[edfio.EdfAnnotation(0, None, "start")]).write(tmp_path / "r.bdf")
    content = (tmp_path / "r.bdf").read_bytes().replace(b"BDF+C", b"BDF+D", 1)
    for second in range(29, 10, -1):
        content = content.replace(b"+%d\x14\x14" % second, b"+%d\x14\x14" % (second + 5), 1)
    (tmp_path / "r.bdf").write_bytes(content)
    values = read(tmp_path / "r.bdf", 0, 4000)
    assert np.flatnonzero(np.isnan(values)).tolist() == list(range(11 * 360, 16 * 360))
    assert np.allclose(values[16 * 360 :], record.digital[11 * 360 : 30 * 360, 0] / GAIN / 1000, atol=1e-6)
