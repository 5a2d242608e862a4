"""WFDB records to annotate: every format, segments, skews, mixed rates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat, millivolts
from loaders.io.wfdb_record import Record
from tests.loaders.io.reading import read, refused
from tests.made import FORMATS, GAIN, packed, write_format


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same_millivolts(record: Record, tmp_path: Path, form: str) -> None:
    header = write_format(tmp_path, "r", record.digital, form)
    for lead in (0, 1):
        expected = (record.digital[:, lead] / GAIN).astype(np.float32)
        assert np.array_equal(read(header, lead, 997), expected)
    recording = open_recording(header, CsvFormat())
    assert [lead.name for lead in recording.leads] == ["MLII", "V1"]
    assert {file.suffix for file in recording.files} == {".hea", ".dat"}


def test_missing_samples_are_not_numbers(record: Record, tmp_path: Path) -> None:
    digital = record.digital.copy()
    digital[100:200, 0] = -2048
    signal = read(write_format(tmp_path, "r", digital, "212"))
    assert np.flatnonzero(np.isnan(signal)).tolist() == list(range(100, 200))


@pytest.mark.parametrize("form", ["8", "16", "212"])
def test_a_skewed_lead_is_shifted_to_where_it_belongs(record: Record, tmp_path: Path, form: str) -> None:
    header = write_format(tmp_path, "r", record.digital, form)
    header.write_text(
        header.read_text().replace(f"r.dat {form} {GAIN} 0 0 0 0 0 V1", f"r.dat {form}:7 {GAIN} 0 0 0 0 0 V1")
    )
    signal = read(header, 1, 500)
    assert np.array_equal(signal[:-7], (record.digital[7:, 1] / GAIN).astype(np.float32))
    assert np.isnan(signal[-7:]).all() and len(signal) == len(record.digital)


def test_leads_of_several_samples_per_frame_keep_their_rate(record: Record, tmp_path: Path) -> None:
    frames = len(record.digital) // 3
    digital = np.column_stack([record.digital[: 3 * frames, 0].reshape(frames, 3), np.arange(frames) % 100])
    (tmp_path / "r.dat").write_bytes(packed(digital, "16"))
    (tmp_path / "r.hea").write_text(f"r 2 120 {frames}\nr.dat 16x3 40 0 0 0 0 0 MLII\nr.dat 16 40 0 0 0 0 0 RESP\n")
    recording = open_recording(tmp_path / "r.hea", CsvFormat())
    assert [lead.fs for lead in recording.leads] == [360.0, 120.0]
    assert np.array_equal(read(tmp_path / "r.hea", 0, 700), (record.digital[: 3 * frames, 0] / GAIN).astype(np.float32))
    assert np.array_equal(read(tmp_path / "r.hea", 1), (digital[:, 3] / GAIN).astype(np.float32))


def test_the_length_of_a_record_that_does_not_tell_it_is_that_of_its_file(record: Record, tmp_path: Path) -> None:
    header = write_format(tmp_path, "r", record.digital, "212")
    header.write_text(header.read_text().replace(f" {len(record.digital)}", "", 1))
    assert len(read(header)) == len(record.digital)


@pytest.fixture
def segmented(record: Record, tmp_path: Path) -> Path:
    """Four segments: two leads; nothing; the lead V1 alone; both in another gain and format, in the other order."""
    digital = record.digital[:3000]
    write_format(tmp_path, "s_1", digital, "212")
    (tmp_path / "s_3.dat").write_bytes(packed(digital[:, 1:], "16"))
    (tmp_path / "s_3.hea").write_text("s_3 1 360 3000\ns_3.dat 16 40 0 0 0 0 0 V1\n")
    header = write_format(tmp_path, "s_4", digital[:, ::-1] * 2, "16", 2 * GAIN)
    lines = header.read_text().splitlines()
    header.write_text("\n".join([lines[0], lines[1].replace("MLII", "V1"), lines[2].replace("V1", "MLII")]) + "\n")
    (tmp_path / "s_0.hea").write_text("s_0 2 360 0\n~ 0 40 0 0 0 0 0 MLII\n~ 0 40 0 0 0 0 0 V1\n")
    (tmp_path / "s.hea").write_text("s/5 2 360 9500\ns_0 0\ns_1 3000\n~ 500\ns_3 3000\ns_4 3000\n")
    return tmp_path / "s.hea"


def test_segments_follow_each_other_and_gaps_are_missing(record: Record, segmented: Path) -> None:
    first, second = (read(segmented, lead, 701) for lead in (0, 1))
    expected = (record.digital[:3000] / GAIN).astype(np.float32)
    nothing = [np.full(n, np.nan, dtype=np.float32) for n in (500, 3000)]
    assert np.array_equal(first, np.concatenate([expected[:, 0], *nothing, expected[:, 0]]), equal_nan=True)
    parts = [expected[:, 1], nothing[0], expected[:, 1], expected[:, 1]]
    assert np.array_equal(second, np.concatenate(parts), equal_nan=True)


def test_segments_of_one_kind(record: Record, tmp_path: Path) -> None:
    write_format(tmp_path, "a", record.digital[:3000], "8")
    write_format(tmp_path, "b", record.digital[3000:6000], "80")
    (tmp_path / "s.hea").write_text("s/2 2 360 6000\na 3000\nb 3000\n")
    assert np.array_equal(read(tmp_path / "s.hea", 1, 2000), (record.digital[:6000, 1] / GAIN).astype(np.float32))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("s_3 3000\ns_4 3000", "s_3 2000\ns_4 4000", "s_3 has 3000 samples"),
        ("9500", "9600", "its segments have 9500"),
        ("s_3 3000", "s_9 3000", "s_9.hea is missing"),
        ("s_3 3000", "../s_3 3000", "invalid syntax in segment line"),
        ("s_3 3000", "s 3000", "has segments itself"),
        ("s/5 2 360", "s/5 2 250", "250 Hz"),
    ],
)
def test_segments_that_do_not_fit_are_refused(segmented: Path, old: str, new: str, said: str) -> None:
    segmented.write_text(segmented.read_text().replace(old, new, 1))
    assert said in refused(segmented)


def test_records_that_their_files_do_not_bear_out_are_refused(record: Record, tmp_path: Path) -> None:
    header = write_format(tmp_path, "r", record.digital, "16")
    data = tmp_path / "r.dat"
    data.write_bytes(data.read_bytes()[:-10])
    assert "bytes" in refused(header)
    data.unlink()
    assert "r.dat is missing" in refused(header)
    header.write_text("nothing of the kind")
    assert str(tmp_path / "r") in refused(header)
    header.write_text("r 0 360 1000\n")
    assert "0 leads" in refused(header)
    assert "missing" in refused(tmp_path / "none.hea")


def test_units_are_converted(record: Record, tmp_path: Path) -> None:
    header = write_format(tmp_path, "r", record.digital, "16")
    text = header.read_text()
    header.write_text(text.replace("16 40", "16 0.04/uV"))
    assert np.allclose(read(header), record.digital[:, 0] / GAIN, atol=1e-6)
    header.write_text(text.replace("16 40", "16 40/mmHg"))
    assert open_recording(header, CsvFormat()).leads[0].scale is None
    assert [millivolts(unit) for unit in ("mV", "µV", " uV", "V", "nV", "adu")] == [1.0, 1e-3, 1e-3, 1e3, 1e-6, None]


def test_leads_of_one_name_and_without_one_can_be_told_apart(record: Record, tmp_path: Path) -> None:
    header = write_format(tmp_path, "r", record.digital, "16")
    header.write_text(header.read_text().replace("V1", "MLII"))
    assert [lead.name for lead in open_recording(header, CsvFormat()).leads] == ["MLII", "MLII (1)"]
    assert np.array_equal(read(header, 1), (record.digital[:, 1] / GAIN).astype(np.float32))
    header.write_text(header.read_text().replace(" MLII", ""))
    assert [lead.name for lead in open_recording(header, CsvFormat()).leads] == ["signal 0", "signal 1"]


def test_the_digitizer_s_limits_are_known(record: Record, tmp_path: Path) -> None:
    header = write_format(tmp_path, "r", record.digital, "212")
    lead = open_recording(header, CsvFormat()).leads[0]
    assert (lead.low, lead.high) == (-2048 / GAIN, 2047 / GAIN)
    header.write_text(header.read_text().replace("212 40 0 0", "212 200(1024) 11 1024"))  # as MIT-BIH
    lead = open_recording(header, CsvFormat()).leads[0]
    assert (lead.low, lead.high) == (-1024 / 200, 1023 / 200)
