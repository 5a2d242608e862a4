"""Readers of recordings to annotate: every WFDB format, segments, skews, mixed rates; EDF and CSV."""

from __future__ import annotations

from pathlib import Path

import edfio
import numpy as np
import pytest

from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat, Lead, Recording, choose_lead, folded, millivolts
from loaders.io.wfdb_record import Record
from tests.made import FORMATS, GAIN, packed, small_record, write_format
from toolbox.utils import UserError


@pytest.fixture(scope="module")
def record() -> Record:
    return small_record(0.5)


def read(path: Path, lead: int = 0, size: int = 1000, csv: CsvFormat | None = None) -> np.ndarray:
    """All of a lead, read in blocks of `size`."""
    recording = open_recording(path, csv or CsvFormat())
    blocks = list(recording.stream(lead, size))
    assert all(block.dtype == np.float32 and len(block) <= max(size, 1) + 1000 for block in blocks)
    return np.concatenate(blocks)


def refused(path: Path, csv: CsvFormat | None = None, lead: int = 0) -> str:
    """Why a recording cannot be read: one line."""
    with pytest.raises(UserError) as error:
        read(path, lead, csv=csv)
    assert "\n" not in str(error.value)
    return str(error.value)


# WFDB


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


# EDF


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


# CSV


@pytest.mark.parametrize(
    ("head", "line", "names"),
    [
        ("", "{0:.4f},{1:.4f}", ["1", "2"]),
        ("MLII,V1\n", "{0:.4f},{1:.4f}", ["MLII", "V1"]),
        ("time,MLII (uV),V1 [uV]\n", "{2:.4f},{3:.1f},{4:.1f}", ["MLII", "V1"]),
        ("'Elapsed time','MLII','V1'\n'seconds','uV','uV'\n", "{2:.3f},{3:.1f},{4:.1f}", ["MLII", "V1"]),
        ("Zeit;MLII;V1\n", "0:00,001;{0:.4f};{1:.4f}", ["MLII", "V1"]),
        ("", "{5}\t {0:.4f}\t{1:.4f}", ["2", "3"]),
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


def test_bad_csv_is_refused_with_where_it_is_bad(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("1,2\n" * 400 + "1,x\n" + "1,2\n")
    assert "--fs" in refused(path)
    assert "'x'" in refused(path, CsvFormat(360.0), 1)
    path.write_text("1,2\n" * 400 + "1\n")
    assert "2 columns" in refused(path, CsvFormat(360.0)).replace("Expected 2", "2")
    for content in ("", "\n\n", "hello\n"):
        path.write_text(content)
        assert "no numbers" in refused(path, CsvFormat(360.0))
    path.write_text("".join(f"{k},{k / 100}\n" for k in range(100)))
    assert "--columns" in refused(path, CsvFormat(360.0))
    path.write_text("time_s,sample,rr_s,class,p_N\n0.1,36,,N,1\n")
    assert "table of beats" in refused(path, CsvFormat(360.0))
    (tmp_path / "r.xyz").write_text("1\n")
    assert "no recording" in refused(tmp_path / "r.xyz")


# leads


class Leads(Recording):
    """A recording of nothing but leads."""

    def __init__(self, *names: str, unit: str = "mV", fs: float = 360.0) -> None:
        leads = [Lead(name, unit, millivolts(unit), fs) for name in names]
        super().__init__(Path("r.hea"), "r", "WFDB", leads, [])

    def stream(self, lead: int, size: int) -> None:  # type: ignore[override]
        raise NotImplementedError


@pytest.mark.parametrize(
    ("names", "wanted", "chosen"),
    [
        (("V5", "MLII"), None, 1),
        (("EEG", "ECG II", "ECG V5"), None, 1),
        (("Lead I", "Lead II"), None, 1),
        (("MLII", "V1"), "V1", 1),
        (("MLII", "V1"), "v1", 1),
        (("ECG I", "ECG aVR"), "aVR", 1),
    ],
)
def test_a_lead_is_found_by_its_name(names: tuple[str, ...], wanted: str | None, chosen: int) -> None:
    assert choose_lead(Leads(*names), wanted) == (chosen, "")


@pytest.mark.parametrize(
    ("names", "chosen"), [(("V5", "V2"), 0), (("RESP", "ABP", "V"), 2), (("EMG", "EKG1"), 1), (("1", "2"), 0)]
)
def test_without_the_trained_lead_the_first_of_an_ecg_is_taken_with_a_warning(
    names: tuple[str, ...], chosen: int
) -> None:
    position, warning = choose_lead(Leads(*names), None)
    assert position == chosen
    assert "no lead MLII" in warning and names[chosen] in warning and "--lead" in warning


def test_a_lead_that_was_asked_for_and_is_not_there_is_an_error() -> None:
    with pytest.raises(UserError, match=r"has no lead MLI, did you mean 'MLII'\? it has: MLII, V2"):
        choose_lead(Leads("MLII", "V2"), "MLI")
    with pytest.raises(UserError, match="20 samples per second"):
        choose_lead(Leads("MLII", fs=20), None)


def test_names_are_compared_by_what_they_say() -> None:
    assert {folded(name) for name in ("II", "ECG II", "Lead II", "ekg-ii", "II ECG")} == {"ii"}
    assert folded("ECG") == "ecg" and folded("ML-II") == "mlii"
