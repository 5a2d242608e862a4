"""loaders.io.wfdb_record and its checks: good records are read, bad ones are refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import wfdb

import commander
from loaders.beats.input_spec import InputSpec
from loaders.beats.segment_record import read_rows
from loaders.beats.table import kaggle_beats
from loaders.datasets.build import kaggle_files
from loaders.io.wfdb_checks import check_gaps
from loaders.io.wfdb_files import BITS
from loaders.io.wfdb_record import Record, list_records, read_wfdb, write_wfdb
from loaders.sources import synthetic
from loaders.sources.records import warn_flat
from toolbox.utils import UserError
from toolbox.utils.aami import KAGGLE_ROW

NAME = "syn00"
N = 21600  # samples: one minute


@pytest.fixture(scope="module")
def recording() -> Record:
    """The first synthetic patient for a minute."""
    return next(iter(synthetic.synthesize(2, 1, 0)))


@pytest.fixture
def folder(tmp_path: Path, recording: Record) -> Path:
    """A folder with that record."""
    write_wfdb(recording, tmp_path / "records")
    return tmp_path / "records"


def refused(folder: Path, because: str) -> str:
    """The one line that says what is wrong with the record, which names it."""
    before = sorted(folder.iterdir())
    with pytest.raises(UserError, match=because) as caught:
        read_rows(folder / NAME, InputSpec())
    assert str(folder / NAME) in str(caught.value) and "\n" not in str(caught.value)
    assert sorted(folder.iterdir()) == before
    return str(caught.value)


def test_a_sound_record_is_read_without_a_word(folder: Path, recording: Record, capsys: pytest.CaptureFixture) -> None:
    read = read_wfdb(folder / NAME)
    assert np.array_equal(read.digital, recording.digital) and read.fs == 360
    assert read.symbol.tolist() == recording.symbol.tolist()
    assert len(read_rows(folder / NAME, InputSpec())) > 50
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("extension", ["hea", "dat", "atr"])
def test_missing_files_are_named(folder: Path, extension: str) -> None:
    (folder / f"{NAME}.{extension}").unlink()
    refused(folder, rf"syn00\.{extension} is missing$")


# lengths


def test_a_signal_file_that_is_too_short(folder: Path) -> None:
    path = folder / f"{NAME}.dat"
    path.write_bytes(path.read_bytes()[:-1])
    refused(folder, "has 86399 bytes, the header says 21600 samples of 2 leads in format 16, which are 86400$")


def test_a_signal_file_that_is_too_long_costs_a_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / f"{NAME}.dat"
    path.write_bytes(path.read_bytes() + bytes(100))
    read_wfdb(folder / NAME)
    assert "has 86500 bytes, 86400 of them are read, as the header says" in capsys.readouterr().err


def test_a_changed_byte_costs_a_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / f"{NAME}.dat"
    content = bytearray(path.read_bytes())
    content[4] ^= 1
    path.write_bytes(content)
    read_wfdb(folder / NAME)
    assert "lead MLII has not the checksum that its header says; is the file damaged?" in capsys.readouterr().err


@pytest.mark.parametrize("declared", [99, 10**11])
def test_a_packed_signal_that_declares_another_length(tmp_path: Path, declared: int) -> None:
    wave = (np.arange(200) % 50).reshape(-1, 2)
    wfdb.wrsamp(
        NAME, fs=360, units=["mV"] * 2, sig_name=["a", "b"], d_signal=wave, fmt=["516"] * 2,
        adc_gain=[200.0] * 2, baseline=[0] * 2, write_dir=str(tmp_path),
    )  # fmt: skip
    wfdb.wrann(NAME, "atr", np.array([3]), symbol=["N"], fs=360, write_dir=str(tmp_path))
    assert np.array_equal(read_wfdb(tmp_path / NAME).digital, wave)
    header = tmp_path / f"{NAME}.hea"
    header.write_text(header.read_text().replace("360 100", f"360 {declared}"))
    refused(tmp_path, f"has 100 samples of each lead, the header says {declared}$")


# headers


@pytest.mark.parametrize(
    ("old", "new", "because"),
    [
        ("syn00 2 360 21600", "", "cannot be read: "),
        ("syn00 2 360 21600", "syn00 2 360", "the header states None samples of 2 leads at 360 Hz"),
        ("syn00 2 360 21600", "syn00 2 360 0", "the header states "),
        ("syn00 2 360 21600", "syn00 0 360 21600", "the header states "),
        ("syn00 2 360 21600", "syn00 3 360 21600", "describes 2 of 3 leads"),
        ("syn00 2 360 21600", "syn00 2 0 21600", "states a sampling rate of '0'"),
        ("syn00 2 360 21600", "syn00 2 1e999 21600", "states a sampling rate of '1e999'"),
        ("syn00 2 360 21600", "syn00 2 360 99999999999", "the header says 99999999999 samples"),
        ("syn00 2 360 21600", "syn00/2 2 360 21600", "several segments|cannot be read"),
        ("syn00.dat 16 ", "syn00.dat 17 ", "signal format 17, which is not known|cannot be read"),
        ("syn00.dat 16 ", "syn00.dat 16x4 ", "several sampling rates"),
        ("syn00.dat 16 ", "../syn00.dat 16 ", "cannot be read|in another folder"),
        ("syn00.dat 16 ", "/etc/passwd 16 ", "cannot be read|in another folder"),
        ("syn00.dat 16 ", "other.dat 16 ", r"other\.dat is missing"),
        ("syn00.dat 16 ", "syn00.dat 516 ", "has 0 samples of each lead"),
        ("200.0(1024)/mV", "1e999(1024)/mV", "gains of"),
    ],
)
def test_bad_headers(folder: Path, old: str, new: str, because: str) -> None:
    path = folder / f"{NAME}.hea"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    refused(folder, because)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe\x00", b"# only a comment\n", b"\x00" * 500, b"0 " * 5000])
def test_headers_that_are_none(folder: Path, content: bytes) -> None:
    (folder / f"{NAME}.hea").write_bytes(content)
    refused(folder, "record .*syn00")


# annotations


def annotate(folder: Path, sample: list[int], symbol: str, notes: list[str] | None = None) -> None:
    """Put these annotations in place of the record's own; without a note of the rate."""
    wfdb.wrann(NAME, "atr", np.array(sample), symbol=list(symbol), aux_note=notes, write_dir=str(folder))


def test_annotations_beyond_the_end(folder: Path) -> None:
    annotate(folder, [100, 500, N], "NNN")
    refused(folder, "annotations from sample 100 to 21600, the signal has 21600$")


@pytest.mark.parametrize(("sample", "symbol"), [([], ""), ([5, 100], "~+")], ids=["none", "others"])
def test_no_beats(folder: Path, sample: list[int], symbol: str) -> None:
    (folder / f"{NAME}.atr").write_bytes(b"\0\0")
    if sample:
        annotate(folder, sample, symbol)
    refused(folder, rf"no beat among its {len(sample)} annotations$")


def test_one_beat_gives_none_of_kaggles_rows(folder: Path) -> None:
    """The last annotation of a record gives no row there."""
    annotate(folder, [50], "N")
    assert len(kaggle_beats(read_wfdb(folder / NAME))) == 0
    whole = read_rows(folder / NAME, InputSpec())
    assert len(whole) == 1
    assert [len(part) for part in kaggle_files(whole, seed=0).values()] == [0, 0]


# rates


def test_other_sampling_rates(folder: Path) -> None:
    path = folder / f"{NAME}.hea"
    path.write_text(path.read_text().replace("2 360 ", "2 250 "))
    refused(folder, r"syn00\.atr counts 360 samples a second, the signal has 250$")
    annotate(folder, [100, 500, 900], "NNN")
    assert read_wfdb(folder / NAME).fs == 250
    with pytest.raises(UserError, match=r"has 250 Hz; rows are cut from 360 Hz, resample it first$"):
        read_rows(folder / NAME, InputSpec())


# gaps and flat lines


@pytest.mark.parametrize("form", ["80", "212", "16", "24", "32", "508", "516", "524"])
def test_a_gap_is_told_with_its_place(tmp_path: Path, form: str) -> None:
    wave = (np.arange(400) % 90).reshape(-1, 2)
    missing = -(2 ** (BITS[form] - 1))
    wave[[70, 71], 1] = missing
    wfdb.wrsamp(
        NAME, fs=360, units=["mV"] * 2, sig_name=["a", "b"], d_signal=wave, fmt=[form] * 2,
        adc_gain=[200.0] * 2, baseline=[0] * 2, write_dir=str(tmp_path),
    )  # fmt: skip
    annotate(tmp_path, [3, 100, 150], "NNN")
    refused(tmp_path, r"lead b lacks 2 samples \(gaps\), the first at sample 70$")


@pytest.mark.parametrize("form", BITS)
def test_each_formats_lowest_value_is_a_gap(form: str) -> None:
    digital = np.zeros((50, 1), dtype=np.int64)
    digital[7] = -(2 ** (BITS[form] - 1)) + 1
    check_gaps(Path("x"), digital, [form], ["a"])
    digital[9] -= 2 ** (BITS[form] - 1)
    with pytest.raises(UserError, match=r"lead a lacks 1 samples \(gaps\), the first at sample 9"):
        check_gaps(Path("x"), digital, [form], ["a"])


def test_a_format_of_differences_has_no_gaps() -> None:
    check_gaps(Path("x"), np.full((5, 1), -(2**31), dtype=np.int64), ["8"], ["a"])


def test_flat_lines_cost_a_warning_and_give_zeros(
    folder: Path, recording: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    flat = Record(**{**vars(recording), "digital": np.full_like(recording.digital, 1024)})
    write_wfdb(flat, folder)
    beats = read_rows(folder / NAME, InputSpec())
    assert not beats.x.any() and beats.x.shape == (len(beats), KAGGLE_ROW)
    warn_flat([beats], "here")
    assert capsys.readouterr().err == f"warning: {len(beats)} of {len(beats)} rows of here are flat lines in syn00\n"


# lists of records, and the command line


@pytest.mark.parametrize("name", ["../other", "/etc/passwd", "a/b", "a\\b"])
def test_names_that_leave_the_folder_are_refused(folder: Path, name: str) -> None:
    (folder / "RECORDS").write_text(f"{NAME}\n{name}\n")
    with pytest.raises(UserError, match=r"RECORDS names '.*', which cannot be a record of this folder$"):
        list_records(folder)


def no_samples(folder: Path) -> None:
    (folder / f"{NAME}.dat").write_bytes(b"")


def no_beats(folder: Path) -> None:
    (folder / f"{NAME}.atr").write_bytes(b"\0\0")


@pytest.mark.parametrize("spoil", [no_samples, no_beats], ids=["no samples", "no beats"])
def test_a_spoilt_record_ends_the_command_with_one_line_and_leaves_nothing(
    folder: Path,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(folder)
    root = tmp_path / "root"
    argv = ["--model-name", "cnn1d_3", "--records-dir", str(folder), "--root-dir", str(root)]
    monkeypatch.setattr("sys.argv", ["commander.py", *argv])
    assert commander.cli() == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("data: ")]
    assert len(errors) == 1 and errors[0].startswith(f"error: record {folder / NAME}: ")
    assert not list(root.rglob("*"))
