"""Arrays of samples: MATLAB's .mat, NumPy's .npy and .npz."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loaders.io import array_recording, packed_recording
from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat
from loaders.io.wfdb_record import Record
from tests.loaders.io import writers
from tests.loaders.io.reading import read, refused
from tests.made import GAIN

FS = np.array([[360.0]])
TAKEN_FOR_MV = "no unit is stated: its numbers are taken for mV (--gain gives the number that 1 mV is)"


def matlab(folder: Path, variables: dict[str, Any], compressed: bool = False) -> Path:
    (folder / "r.mat").write_bytes(writers.mat5(variables, compressed))
    return folder / "r.mat"


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_one_array_of_matlab_holds_a_lead_per_column_or_row(
    record: Record, tmp_path: Path, compressed: bool, turned: bool
) -> None:
    values = record.digital.astype(np.int16)
    path = matlab(tmp_path, {"val": values.T if turned else values, "fs": FS, "unit": "uV"}, compressed)
    recording = open_recording(path, CsvFormat())
    assert [(lead.name, lead.unit, lead.fs) for lead in recording.leads] == [("val 1", "uV", 360), ("val 2", "uV", 360)]
    assert recording.notes == []
    assert np.allclose(read(path, 1), record.digital[:, 1] / 1000, atol=1e-6)


def test_matlab_version_4(record: Record, tmp_path: Path) -> None:
    content = writers.mat4("II", record.digital[:, :1].astype(np.int16)) + writers.mat4("Fs", FS)
    (tmp_path / "r.mat").write_bytes(content)
    recording = open_recording(tmp_path / "r.mat", CsvFormat(gain=float(GAIN)))
    assert [(lead.name, lead.fs) for lead in recording.leads] == [("II", 360.0)] and recording.notes == []
    assert np.allclose(
        read(tmp_path / "r.mat", csv=CsvFormat(gain=float(GAIN))), record.digital[:, 0] / GAIN, atol=1e-6
    )


def test_the_rate_is_the_file_s_then_that_of_its_times_then_as_given(record: Record, tmp_path: Path) -> None:
    ecg = record.digital[:, :1] / GAIN
    times = np.arange(len(ecg))[:, None] / 360
    path = matlab(tmp_path, {"ecg": ecg})
    assert refused(path) == f"{path} does not state its sampling rate: give it by --fs, or as a variable fs"
    assert open_recording(path, CsvFormat(250.0)).leads[0].fs == 250
    path = matlab(tmp_path, {"ecg": ecg, "Time": times})
    recording = open_recording(path, CsvFormat())
    assert [lead.name for lead in recording.leads] == ["ecg"] and recording.leads[0].fs == pytest.approx(360)
    path = matlab(tmp_path, {"ecg": ecg, "Sampling_Rate": FS})
    recording = open_recording(path, CsvFormat(250.0))
    assert recording.leads[0].fs == 360
    assert recording.notes[0] == "Sampling_Rate says 360 samples per second, --fs says 250; took 360"
    path = matlab(tmp_path, {"ecg": ecg, "fs": np.array([[0.0]])})
    assert "fs is 0; expected samples per second" in refused(path)


def test_names_and_units_of_leads_come_from_variables(record: Record, tmp_path: Path) -> None:
    values = record.digital * 25.0
    described = {"data": values, "labels": ["ECG II", "Pulse"], "units": ["uV", "mmHg"]}  # as AcqKnowledge
    described |= {"isi": np.array([[2.0]]), "isi_units": "ms", "start_sample": np.array([[0.0]])}
    recording = open_recording(matlab(tmp_path, described), CsvFormat())
    assert {lead.fs for lead in recording.leads} == {500.0} and recording.notes == []
    assert "isi is nan" in refused(matlab(tmp_path, {**described, "isi_units": "weeks"}))
    matlab(tmp_path, described)
    assert [(lead.name, lead.unit, lead.scale) for lead in recording.leads] == [
        ("ECG II", "uV", 1e-3),
        ("Pulse", "mmHg", None),
    ]
    assert np.allclose(read(tmp_path / "r.mat"), record.digital[:, 0] / GAIN, atol=1e-6)
    recording = open_recording(matlab(tmp_path, {**described, "labels": ["a", "a"]}), CsvFormat())
    assert [lead.name for lead in recording.leads] == ["data 1", "data 2"]


def test_channels_that_labchart_joins_in_one_row_are_not_taken_for_one_lead(tmp_path: Path) -> None:
    joined = {
        "data": np.zeros((1, 9999)),
        "datastart": np.array([[1.0], [5001.0]]),
        "dataend": np.array([[5000.0], [9999.0]]),
    }
    assert "joins all channels in one row" in refused(matlab(tmp_path, {**joined, "samplerate": FS}))


def test_variables_of_another_length_are_no_leads_and_are_named(record: Record, tmp_path: Path) -> None:
    path = matlab(tmp_path, {"ecg": record.digital[:, :1] / GAIN, "rpeaks": np.arange(30.0)[:, None], "fs": FS})
    recording = open_recording(path, CsvFormat())
    assert [lead.name for lead in recording.leads] == ["ecg"]
    assert recording.notes == ["variables of another length are no leads: rpeaks", TAKEN_FOR_MV]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"MATLAB 7.3 MAT-file, Platform".ljust(512) + array_recording.HDF5 + bytes(400), "save it with '-v7'"),
        (array_recording.HDF5 + bytes(400), "save it with '-v7'"),
        (writers.mat5({"name": "text"}), "has no array of numbers"),
        (writers.mat5({"fs": FS}), "has no array of numbers"),
        (
            writers.mat5({"rows": np.zeros((300, 188)), "fs": FS}),
            "rows is an array of 300 x 188; expected samples x leads",
        ),
        (writers.mat5({f"v{k}": np.zeros((99, 1)) for k in range(65)}), "has 65 arrays of 99 samples"),
        (writers.mat5({"ecg": np.zeros((99, 1))})[:-300], "cannot be read"),
    ],
)
def test_files_of_matlab_without_a_recording(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "r.mat").write_bytes(content)
    assert said in refused(tmp_path / "r.mat", CsvFormat(360.0))


def test_a_matlab_file_that_unpacks_to_too_much_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array_recording, "LARGEST", 1000)
    path = matlab(tmp_path, {"ecg": np.zeros((1001, 1))}, compressed=True)
    assert "has more than 1000 numbers" in refused(path, CsvFormat(360.0))
    (tmp_path / "r.npz").write_bytes(writers.npz({"ecg": np.zeros(8001)}))
    assert "has more than 1000 numbers" in refused(tmp_path / "r.npz", CsvFormat(360.0))


def test_a_numpy_array_of_one_lead(record: Record, tmp_path: Path) -> None:
    for values in (record.digital[:, 0], record.digital[:, :1], record.digital[:, 0].astype(np.float32)):
        (tmp_path / "r.npy").write_bytes(writers.npy(values))
        recording = open_recording(tmp_path / "r.npy", CsvFormat(360.0, gain=float(GAIN)))
        assert [(lead.name, lead.fs) for lead in recording.leads] == [("column", 360.0)]
        signal = read(tmp_path / "r.npy", csv=CsvFormat(360.0, gain=float(GAIN)))
        assert np.allclose(signal, record.digital[:, 0] / GAIN, atol=1e-6)


class Runs:
    """Would make a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_no_code_in_a_file_is_run(tmp_path: Path) -> None:
    evil = np.array([Runs(tmp_path / "ran")] * 9, dtype=object)
    np.save(tmp_path / "r.npy", evil, allow_pickle=True)
    np.savez(tmp_path / "z.npz", ecg=evil, allow_pickle=True)
    (tmp_path / "p.npy").write_bytes(pickle.dumps(evil))
    for name, said in (("r.npy", "Python objects"), ("z.npz", "allow_pickle=False"), ("p.npy", "is no NumPy file")):
        assert said in refused(tmp_path / name, CsvFormat(360.0))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "values",
    [np.zeros(99, dtype=complex), np.zeros((9, 9, 9)), np.array(["a"] * 9), np.zeros(99, dtype=bool), np.zeros(())],
)
def test_arrays_that_are_no_samples(tmp_path: Path, values: np.ndarray) -> None:
    (tmp_path / "r.npy").write_bytes(writers.npy(values))
    assert ("no array of numbers" in refused(tmp_path / "r.npy", CsvFormat(360.0))) == (values.ndim != 3)


def test_an_array_that_its_file_does_not_hold(tmp_path: Path) -> None:
    content = writers.npy(np.zeros(99)).replace(b"(99,)", b"(9999999999999,)")
    (tmp_path / "r.npy").write_bytes(content)
    assert "cannot be read" in refused(tmp_path / "r.npy", CsvFormat(360.0))


# compressed CSV files


def test_a_damaged_or_huge_packed_file_is_refused_and_leaves_nothing(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(packed_recording.tempfile, "tempdir", str(tmp_path / "temporary"))
    content = writers.WRITERS[".csv.gz"](record.digital)
    path = tmp_path / "r.csv.gz"
    for damaged, said in (
        (content[:-9], "damaged"),
        (b"MLII\n1\n", "no gzip file"),
        (content[:40] + bytes(40) + content[80:], "damaged"),
    ):
        path.write_bytes(damaged)
        assert said in refused(path, CsvFormat(360.0))
    path.write_bytes(content)
    assert refused(path, CsvFormat(360.0, ("V9",))).startswith(f"{path} has no column V9")
    assert np.allclose(read(path, csv=CsvFormat(360.0)), record.digital[:, 0] / GAIN, atol=1e-6)
    monkeypatch.setattr(packed_recording, "LARGEST", 1000)
    assert "unpacks to more than 1000 bytes" in refused(path, CsvFormat(360.0))
    assert list((tmp_path / "temporary").iterdir()) == []
