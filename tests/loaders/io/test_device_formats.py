"""Files of recorders in every format: the signal of the plain record, what is missing, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import wfdb

from inference.files import AnnotateOptions, annotate_file
from loaders.io import device_recording
from loaders.io.discovery import Item
from loaders.io.leads import choose_lead
from loaders.io.open import OPENERS, is_recording, open_recording
from loaders.io.recording import CsvFormat
from loaders.io.wfdb_record import Record
from tests.loaders.io import writers
from tests.loaders.io.reading import read, refused
from tests.loaders.io.writers import LEADS, STEP, WRITERS, write
from tests.made import GAIN, Rule, write_format

DESCRIBED = CsvFormat(360.0)
DEVICES = (".dcm", ".scp", ".mwf", ".mfer", ".xml", ".json")  # read by ecgdatakit
KINDS = {".edf": "EDF", ".bdf": "BDF", ".ish": "ISHNE", ".ecg": "ISHNE", ".dcm": "DICOM Waveform", ".scp": "SCP-ECG",
         ".mwf": "MFER", ".mfer": "MFER", ".xml": "HL7 aECG", ".json": "AliveCor Kardia JSON", ".mat": "MATLAB",
         ".npy": "NumPy", ".npz": "NumPy"}  # fmt: skip


def test_every_format_has_a_writer() -> None:
    assert WRITERS.keys() == OPENERS.keys() - {".hea"}


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_millivolts_of_the_plain_record(record: Record, tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"r{suffix}", record.digital)
    recording = open_recording(path, DESCRIBED)
    assert (recording.kind, recording.name, recording.stem) == (KINDS.get(suffix, "CSV"), "r", tmp_path / "r")
    assert tuple(lead.name for lead in recording.leads) == (LEADS if suffix != ".npy" else ("column 1", "column 2"))
    assert {lead.fs for lead in recording.leads} == {360.0}
    assert recording.files == [path]
    for lead in (0, 1):
        signal = read(path, lead, 997, DESCRIBED)
        assert len(signal) == len(record.digital)
        assert np.allclose(signal, record.digital[:, lead] / GAIN, atol=2e-5)


def test_muse_files_are_told_from_annotated_ecgs(record: Record, tmp_path: Path) -> None:
    (tmp_path / "r.xml").write_bytes(writers.muse(record.digital))
    recording = open_recording(tmp_path / "r.xml", CsvFormat())
    assert (recording.kind, [lead.name for lead in recording.leads]) == ("GE MUSE XML", list(LEADS))
    assert np.allclose(read(tmp_path / "r.xml", 1), record.digital[:, 1] / GAIN, atol=1e-6)
    wide = writers.muse(record.digital).decode().replace("ISO-8859-1", "UTF-16").encode("utf-16")
    (tmp_path / "r.xml").write_bytes(wide)
    assert is_recording(tmp_path / "r.xml")
    assert np.allclose(read(tmp_path / "r.xml"), record.digital[:, 0] / GAIN, atol=1e-6)


@pytest.mark.parametrize("suffix", [".ish", ".bdf", ".dcm", ".scp", ".xml", ".mwf", ".json", ".mat", ".csv.gz"])
def test_the_beats_are_those_of_the_plain_record(record: Record, tmp_path: Path, suffix: str) -> None:
    plain = write_format(tmp_path, "plain", record.digital, "16")
    path = write(tmp_path / f"r{suffix}", record.digital)
    settings = AnnotateOptions(csv=CsvFormat(360.0) if suffix == ".csv.gz" else CsvFormat())
    first, second = (annotate_file(Item(each), Rule(), settings) for each in (plain, path))
    assert (first["lead"], second["lead"], second["unit"], second["fs"]) == ("MLII", "II", "mV", 360.0)
    assert second["warnings"] == first["warnings"]
    expected, found = (wfdb.rdann(str(tmp_path / name), "ecg") for name in ("plain", "r"))
    assert len(expected.sample) > 20
    assert (found.sample.tolist(), found.symbol) == (expected.sample.tolist(), expected.symbol)


def test_an_ishne_file_is_not_overwritten_by_its_annotations(record: Record, tmp_path: Path) -> None:
    path = write(tmp_path / "r.ecg", record.digital)
    before = path.read_bytes()
    with pytest.raises(Exception, match=r"r.ecg .*--annotator.*--out"):
        annotate_file(Item(path), Rule(), AnnotateOptions())
    assert path.read_bytes() == before and [each.name for each in tmp_path.iterdir()] == ["r.ecg"]
    annotate_file(Item(path), Rule(), AnnotateOptions(annotator="net"))
    assert (tmp_path / "r.net").is_file() and path.read_bytes() == before


# what is missing, and rates that are no whole numbers


def holed(record: Record, value: int) -> np.ndarray:
    """The record with 100 samples of the first lead replaced by what marks missing ones."""
    digital = record.digital.copy()
    digital[500:600, 0] = value
    return digital


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".ish", lambda record: writers.ishne(holed(record, -32768))),
        (".dcm", lambda record: writers.dicom(holed(record, -999), padding=-999)),
        (".mwf", lambda record: writers.mfer(holed(record, -999), missing=-999)),
        (".npy", lambda record: writers.npy(np.where((h := holed(record, 999)) == 999, np.inf, h / GAIN))),
    ],
)
def test_samples_that_are_marked_as_missing_are_missing(
    record: Record, tmp_path: Path, suffix: str, content: Callable[[Record], bytes]
) -> None:
    (tmp_path / f"r{suffix}").write_bytes(content(record))
    signal = read(tmp_path / f"r{suffix}", csv=DESCRIBED)
    assert np.flatnonzero(np.isnan(signal)).tolist() == list(range(500, 600))
    assert not np.isnan(read(tmp_path / f"r{suffix}", 1, csv=DESCRIBED)).any()


def test_a_lead_that_starts_later_has_nothing_before(record: Record, tmp_path: Path) -> None:
    (tmp_path / "r.scp").write_bytes(writers.scp(record.digital, starts=(1, 361)))
    signal = read(tmp_path / "r.scp", 1)
    assert np.isnan(signal[:360]).all() and np.allclose(signal[360:], record.digital[:, 1] / GAIN, atol=1e-6)


@pytest.mark.parametrize(("suffix", "writer"), [(".dcm", writers.dicom), (".scp", writers.scp), (".xml", writers.aecg)])
def test_a_rate_that_is_no_whole_number_is_kept(
    record: Record, tmp_path: Path, suffix: str, writer: Callable[..., bytes]
) -> None:
    (tmp_path / f"r{suffix}").write_bytes(writer(record.digital, fs=204.8))
    recording = open_recording(tmp_path / f"r{suffix}", CsvFormat())
    assert recording.leads[0].fs == pytest.approx(204.8, rel=1e-4)
    assert recording.notes == []


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".dcm", lambda digital: writers.dicom(digital, unit=b"mm[Hg]")),
        (".xml", lambda digital: writers.aecg(digital, unit="mmHg")),
        (".xml", lambda digital: writers.muse(digital, unit="")),
        (".ish", lambda digital: writers.ishne(digital).replace((STEP).to_bytes(2, "little"), b"\0\0")),
    ],
)
def test_a_unit_that_is_no_voltage_is_unknown(
    record: Record, tmp_path: Path, suffix: str, content: Callable[[np.ndarray], bytes]
) -> None:
    (tmp_path / f"r{suffix}").write_bytes(content(record.digital))
    recording = open_recording(tmp_path / f"r{suffix}", CsvFormat())
    assert recording.leads[0].scale is None


def test_the_patient_is_named_nowhere(record: Record, tmp_path: Path) -> None:
    for suffix in WRITERS:
        recording = open_recording(write(tmp_path / f"r{suffix}", record.digital), DESCRIBED)
        assert "Secret" not in repr([recording.notes, recording.leads, recording.name])


# ISHNE


def test_leads_of_an_ishne_file_without_a_name_are_numbered(record: Record, tmp_path: Path) -> None:
    (tmp_path / "r.ish").write_bytes(writers.ishne(record.digital, codes=(0, 0)))
    assert [lead.name for lead in open_recording(tmp_path / "r.ish", CsvFormat()).leads] == ["channel 1", "channel 2"]
    (tmp_path / "r.ish").write_bytes(writers.ishne(record.digital, codes=(6, 6)))
    recording = open_recording(tmp_path / "r.ish", CsvFormat())
    assert [lead.name for lead in recording.leads] == ["II", "II (2)"] and choose_lead(recording, None) == (0, "")


def test_an_ishne_file_that_is_cut_off_is_read_as_far_as_it_goes(record: Record, tmp_path: Path) -> None:
    content = writers.ishne(record.digital)
    (tmp_path / "r.ish").write_bytes(content[:-4001])
    assert open_recording(tmp_path / "r.ish", CsvFormat()).notes == [
        f"it is cut off: its header states {len(record.digital)} samples of each lead, it holds "
        f"{len(record.digital) - 1001}"
    ]
    assert np.allclose(read(tmp_path / "r.ish"), record.digital[:-1001, 0] / GAIN, atol=1e-6)
    for cut, said in ((300, "within its header"), (526, "no samples")):
        (tmp_path / "r.ish").write_bytes(content[:cut])
        assert said in refused(tmp_path / "r.ish")


def test_a_checksum_that_does_not_fit_is_noted(record: Record, tmp_path: Path) -> None:
    content = bytearray(writers.ishne(record.digital))
    for checksum, sound in ((content[8:10], True), (content[8:10][::-1], True), (b"\0\0", True), (b"\1\2", False)):
        content[8:10] = checksum
        (tmp_path / "r.ish").write_bytes(content)
        notes = [] if sound else ["the checksum of its header is wrong: is it damaged?"]
        assert open_recording(tmp_path / "r.ish", CsvFormat()).notes == notes


# what cannot be read


@pytest.mark.parametrize("suffix", DEVICES)
@pytest.mark.parametrize("module", ["ecgdatakit", "pydicom"])
def test_without_the_extra_one_line_names_it(
    record: Record, tmp_path: Path, suffix: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / f"r{suffix}", record.digital)
    monkeypatch.setitem(sys.modules, module, None)
    if module == "pydicom" and suffix != ".dcm":
        assert len(read(path)) == len(record.digital)
        return
    assert refused(path) == (
        f"{path}: this needs {module}, which is not installed; install it by: pip install pytorch-ecg[formats], "
        "or in a checkout: pip install -r requirements-formats.txt"
    )


@pytest.mark.parametrize("suffix", [suffix for suffix in WRITERS if suffix not in (".csv", ".tsv", ".txt")])
@pytest.mark.parametrize(
    "content", [b"", b"<html>404</html>", b"version https://git-lfs.github.com/spec/v1\noid sha256:aa"]
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"r{suffix}"
    path.write_bytes(content)
    assert refused(path, DESCRIBED).startswith(f"{path}")


@pytest.mark.parametrize(
    "before",
    [
        '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_entities_of_xml_are_refused(record: Record, tmp_path: Path, before: str) -> None:
    (tmp_path / "r.xml").write_bytes(writers.aecg(record.digital, before=before))
    assert "entity declarations are not allowed" in refused(tmp_path / "r.xml")


def test_files_that_are_too_large_for_memory_are_refused(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_recording, "LARGEST", dict.fromkeys(DEVICES, 1000))
    for suffix in DEVICES:
        assert "export it as EDF" in refused(write(tmp_path / f"r{suffix}", record.digital))


def test_files_of_another_format_than_their_suffix_says_are_read_or_named(record: Record, tmp_path: Path) -> None:
    (tmp_path / "r.scp").write_bytes(writers.dicom(record.digital))
    assert np.allclose(read(tmp_path / "r.scp"), record.digital[:, 0] / GAIN, atol=1e-6)
    (tmp_path / "r.edf").write_bytes(writers.bdf(record.digital))
    assert np.allclose(read(tmp_path / "r.edf"), record.digital[:, 0] / GAIN, atol=2e-5)
    (tmp_path / "r.scp").write_bytes(writers.edf(record.digital))
    assert "EDF" in refused(tmp_path / "r.scp") and "expected SCP-ECG" in refused(tmp_path / "r.scp")


def test_small_files_that_would_fill_the_memory_are_refused(record: Record, tmp_path: Path) -> None:
    (tmp_path / "r.xml").write_bytes(b"<AnnotatedECG>" + b"<a/>" * 600_000)
    assert refused(tmp_path / "r.xml") == f"{tmp_path / 'r.xml'} has 600001 tags, which no recording has"
    plain, packed = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99"
    content = writers.dicom(record.digital)
    place = content.index(plain)
    (tmp_path / "r.dcm").write_bytes(content[:place] + packed + content[place + len(plain) :])
    assert "is a compressed DICOM file: save it as Explicit VR Little Endian" in refused(tmp_path / "r.dcm")
