"""Headers of WFDB records as they are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb

from inference.files import AnnotateOptions, annotate_file
from loaders.io.discovery import Item
from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat
from loaders.io.wfdb_header import read_header
from loaders.io.wfdb_record import Record, list_records, read_wfdb
from tests.loaders.io import writers
from tests.loaders.io.reading import read, refused
from tests.made import GAIN, Rule, annotation_bytes, packed, write_annotations, write_format


def header_of(folder: Path, record: Record, old: str, new: str) -> Path:
    """A record of format 16 with `old` replaced by `new` in its header."""
    header = write_format(folder, "r", record.digital, "16")
    text = header.read_text()
    assert old in text
    header.write_text(text.replace(old, new))
    return header


def said_of(record: Record) -> str:
    return f"r 2 360 {len(record.digital)}"


@pytest.mark.parametrize(
    "when",
    [
        "12:00:00", "12:00:00 08/05/2014", "1:2:3.25 8/5/2014",  # as the format has it
        "2014-05-08 05:05:15", "05-Feb-2020 11:39:16", "08/05/2014 05:05:15", "5:05:15 2014-05-08",
        "25:61:00 31/02/2014", "05.02.2020", "[12:00:00 01/01/2000]", "20:00:00.0000000000 01/01/2000 extra",
    ],
)  # fmt: skip
def test_dates_in_any_order_are_passed_over(record: Record, tmp_path: Path, when: str) -> None:
    header = header_of(tmp_path, record, said_of(record), f"{said_of(record)} {when}")
    assert np.allclose(read(header, 1), record.digital[:, 1] / GAIN, atol=1e-6)
    assert open_recording(header, CsvFormat()).notes == []


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        *(("Ableitung für II", "utf-8"), ("導聯", "utf-8"), ("Отведение II", "utf-8"), ("Dérivation 2", "utf-8")),
        *(("Ableitung für II", "latin-1"), ("Dérivation 2", "latin-1"), ("ÄÖÜ", "latin-1")),
    ],
)
def test_names_of_leads_may_have_any_letters(record: Record, tmp_path: Path, name: str, encoding: str) -> None:
    header = header_of(tmp_path, record, " V1", f" {name}")
    header.write_bytes(header.read_text().encode(encoding))
    assert open_recording(header, CsvFormat()).leads[1].name == name
    assert np.allclose(read(header, 1), record.digital[:, 1] / GAIN, atol=1e-6)


def test_a_record_of_the_challenge_of_2017_trains_as_well(record: Record, tmp_path: Path) -> None:
    header_of(tmp_path, record, said_of(record), f"{said_of(record)} 2014-05-08 05:05:15")
    write_annotations(tmp_path, "r", "atr", [100, 400, 900], "NVN")
    assert np.array_equal(read_wfdb(tmp_path / "r").digital, record.digital)


@pytest.mark.parametrize("fs", ["-360", "+360", "inf", "nan", "0", "0.0", "3.6e2", "360Hz", "50000000", "-", "1e-300"])
def test_rates_that_wfdb_would_replace_by_250_are_refused(record: Record, tmp_path: Path, fs: str) -> None:
    header = header_of(tmp_path, record, "r 2 360 ", f"r 2 {fs} ")
    assert refused(header) == (
        f"record {tmp_path / 'r'}: r.hea states a sampling rate of '{fs}'; expected samples per second, above 0 and at "
        "most 20000"
    )


@pytest.mark.parametrize("fs", ["360", "360.0", "360/360", "360/1(0)", "360.", "0360"])
def test_rates_as_the_format_has_them_are_read(record: Record, tmp_path: Path, fs: str) -> None:
    assert open_recording(header_of(tmp_path, record, "r 2 360 ", f"r 2 {fs} "), CsvFormat()).leads[0].fs == 360


def test_a_rate_that_is_left_out_is_noted(record: Record, tmp_path: Path) -> None:
    recording = open_recording(header_of(tmp_path, record, said_of(record), "r 2"), CsvFormat())
    assert recording.leads[0].fs == 250
    assert recording.notes == ["its header states no sampling rate; 250 samples per second are the format's default"]


@pytest.mark.parametrize("length", ["1e5", "-1", "12:00:00", "10800.0"])
def test_lengths_that_are_no_numbers_are_refused(record: Record, tmp_path: Path, length: str) -> None:
    header = header_of(tmp_path, record, said_of(record), f"r 2 360 {length}")
    assert f"r.hea states a length of '{length}'; expected a number of samples" in refused(header)


@pytest.mark.parametrize("unit", ["uV", "µV", "μV", "microV", "microvolt", "mcV", "UV"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_microvolts_are_known_in_any_spelling(record: Record, tmp_path: Path, unit: str, encoding: str) -> None:
    header = write_format(tmp_path, "r", record.digital, "16")
    text = header.read_text().replace(f" {GAIN} ", f" 0.04/{unit} ")
    header.write_bytes(text.encode(encoding, errors="replace") if unit != "μV" else text.encode())
    recording = open_recording(header, CsvFormat())
    assert (recording.leads[0].scale, recording.notes) == (1e-3, [])
    assert np.allclose(read(header), record.digital[:, 0] / GAIN, atol=1e-6)


@pytest.mark.parametrize("gain", ["0", "0/mV", "0(0)/mV", "0.0", "", "/mV"])
def test_a_gain_of_0_is_noted(record: Record, tmp_path: Path, gain: str) -> None:
    header = write_format(tmp_path, "r", record.digital, "16")
    lines = header.read_text().splitlines()
    lines[1] = f"r.dat 16 {gain}".rstrip() + (" 0 0 0 0 0 MLII" if gain.startswith("0") else "")
    header.write_text("\n".join(lines) + "\n")
    recording = open_recording(header, CsvFormat())
    name = "MLII" if gain.startswith("0") else "signal 0"
    assert recording.notes == [f"uncalibrated: its header states no gain of {name}; taken for 200 units per mV"]
    assert np.allclose(read(header), record.digital[:, 0] / 200, atol=1e-6)


def test_a_gain_without_end_is_refused(record: Record, tmp_path: Path) -> None:
    header = header_of(tmp_path, record, f" {GAIN} 0 0 0 0 0 MLII", " 1e999 0 0 0 0 0 MLII")
    assert "states a gain of inf units per mV" in refused(header)


@pytest.mark.parametrize("field", ["999999999", "33", "99999999999999999999"])
def test_a_resolution_of_too_many_bits_is_that_of_the_format(record: Record, tmp_path: Path, field: str) -> None:
    header = header_of(tmp_path, record, f"16 {GAIN} 0 0 0 0 0 MLII", f"16 {GAIN} {field} 0 0 0 0 MLII")
    lead = open_recording(header, CsvFormat()).leads[0]
    assert (lead.low, lead.high) == (-32768 / GAIN, 32767 / GAIN)
    assert np.allclose(read(header), record.digital[:, 0] / GAIN, atol=1e-6)


def test_a_zero_of_too_many_digits_is_refused(record: Record, tmp_path: Path) -> None:
    header = header_of(tmp_path, record, f"16 {GAIN} 0 0 0 0 0 MLII", f"16 {GAIN} 0 {'9' * 400} 0 0 0 MLII")
    assert refused(header).startswith(f"record {tmp_path / 'r'}")


def test_a_header_that_is_too_large_for_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.hea").write_bytes(b"")
    with open(tmp_path / "r.hea", "r+b") as handle:
        handle.truncate((1 << 24) + 1)
    assert "which no header has" in refused(tmp_path / "r.hea")


def test_a_gap_of_years_is_refused(record: Record, tmp_path: Path) -> None:
    write_format(tmp_path, "a", record.digital, "16")
    n = len(record.digital)
    (tmp_path / "s.hea").write_text(f"s/2 2 360 {n + 10**15}\na {n}\n~ {10**15}\n")
    assert "states a length of 32150206 days" in refused(tmp_path / "s.hea")


# signal files of PhysioNet's challenges: MATLAB files of version 4, whose samples begin at byte 24


def test_matlab_4_files_of_the_challenges_are_read(record: Record, tmp_path: Path) -> None:
    content = writers.mat4("val", record.digital.T.astype(np.int16))
    (tmp_path / "A0001.mat").write_bytes(content)
    assert content[24:] == packed(record.digital, "16")
    lines = [f"A0001 2 360 {len(record.digital)} 05-Feb-2020 11:39:16"]
    lines += [f"A0001.mat 16+24 {GAIN}/mV 16 0 0 0 0 {lead}" for lead in ("I", "II")]
    (tmp_path / "A0001.hea").write_text("\n".join([*lines, "#Age: 74", "#Dx: 426783006"]) + "\n")
    for lead in (0, 1):
        assert np.allclose(read(tmp_path / "A0001.hea", lead), record.digital[:, lead] / GAIN, atol=1e-6)


@pytest.mark.parametrize(
    "content",
    [writers.mat5({"val": np.zeros((2, 99999))}), b"MATLAB 7.3 MAT-file".ljust(99999), b"\x89HDF".ljust(99999)],
)
def test_later_matlab_files_are_refused_as_such(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.mat").write_bytes(content)
    (tmp_path / "r.hea").write_text("r 1 360 9999\nr.mat 16+24 1000/mV 16 0 0 0 0 II\n")
    assert refused(tmp_path / "r.hea") == (
        f"record {tmp_path / 'r'}: r.mat is a MATLAB file of version 5 or later, the header says 16+24; save it with "
        "'-v4', or annotate it in a folder without r.hea"
    )


# what other machines leave, and annotations that lie elsewhere


def test_files_that_macs_add_are_no_records(record: Record, tmp_path: Path) -> None:
    write_format(tmp_path, "r", record.digital, "16")
    write_annotations(tmp_path, "r", "atr", [100, 400], "NN")
    for name in ("._r.hea", "._r.atr", "._r.dat"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7Mac OS X")
    assert list_records(tmp_path) == [tmp_path / "r"]


def test_beats_beyond_the_end_are_counted(record: Record, tmp_path: Path) -> None:
    header = write_format(tmp_path, "r", record.digital, "16")
    write_annotations(tmp_path, "r", "atr", record.sample.tolist(), ["N"] * len(record.sample))
    content = (tmp_path / "r.atr").read_bytes()
    far = 2**31 - 1 - int(record.sample[-1])  # by a SKIP: the interval's two halves, the higher first
    skip = annotation_bytes(59, 0) + (far >> 16).to_bytes(2, "little") + (far & 0xFFFF).to_bytes(2, "little")
    (tmp_path / "r.atr").write_bytes(content[:-2] + skip + annotation_bytes(1, 0) + b"\0\0")
    assert wfdb.rdann(str(tmp_path / "r"), "atr").sample[-1] == 2**31 - 1
    summary = annotate_file(Item(header), Rule(), AnnotateOptions(peaks="atr"))
    assert (
        f"1 beat(s) of --peaks lie beyond its {len(record.digital)} samples, the last at 2147483647; they are left out"
        in summary["warnings"]
    )


def test_a_header_as_the_format_has_it_is_read_as_it_is(record: Record, tmp_path: Path) -> None:
    header = write_format(tmp_path, "r", record.digital, "16")
    plain, own = wfdb.rdheader(str(tmp_path / "r")), read_header(tmp_path / "r")
    assert own.notes == [] and own.start is None
    assert own.__dict__ == {**plain.__dict__, "notes": [], "start": None}
    header.write_text(header.read_text().replace("r 2", "\ufeffr 2"))
    assert read_header(tmp_path / "r").sig_len == len(record.digital)
