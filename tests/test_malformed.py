"""Inputs that are wrong in ways nobody thought of: each reader either reads them or refuses them in one line."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from args import parse_args
from loaders.beats.table import Beats
from loaders.io.annotations import read_beats, read_pair
from loaders.io.leads import choose_lead
from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat
from loaders.io.wfdb_record import list_records
from loaders.sources import cache, google_drive, physionet
from loaders.sources.cache import Source
from tests.made import note_bytes, write_header
from toolbox.logger import Experiment
from toolbox.runs.checkpoint import FORMAT, load_checkpoint
from toolbox.runs.folders import list_runs
from toolbox.runs.pickle_reader import import_weights
from toolbox.utils import UserError, read_json

# 35 for each reader, the same ones every time; tests/test_soak.py asks for more.
TRIES = settings(
    max_examples=35 * int(os.environ.get("SOAK", "1")),
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def damage(whole: bytes, most: int = 4) -> st.SearchStrategy[bytes]:
    """`whole`, cut short, with bytes overwritten, dropped, doubled or put in."""
    places = st.integers(0, max(0, len(whole) - 1))

    def apply(steps: list[tuple[str, int, bytes]]) -> bytes:
        content = bytearray(whole)
        for kind, at, text in steps:
            if kind == "cut":
                del content[at:]
            elif kind == "put":
                content[at:at] = text
            elif kind == "over":
                content[at : at + len(text)] = text
            elif kind == "drop":
                del content[at : at + 1 + len(text)]
            else:
                content[at:at] = content[at : at + 100]
        return bytes(content)

    kinds = st.sampled_from(["cut", "put", "over", "over", "drop", "double"])
    return st.lists(st.tuples(kinds, places, st.binary(min_size=1, max_size=12)), min_size=1, max_size=most).map(apply)


def read_or_refuse(folder: Path, read: Callable[[], Any]) -> Any:
    """What `read` gives, or None when it refuses; any other error fails, and so do files left behind."""
    before = sorted(folder.rglob("*"))
    try:
        result = read()
    except UserError as error:
        assert str(error).strip() and "\n" not in str(error) and "\r" not in str(error)
        result = None
    assert sorted(folder.rglob("*")) == before
    return result


ROW = ",".join(["0.5"] * 187) + ",1.0"


@TRIES
@given(st.lists(st.text(max_size=12), max_size=5).map("\n".join))
def test_lists_of_records(tmp_path: Path, text: str) -> None:
    (tmp_path / "RECORDS").write_text(text, encoding="utf-8", errors="replace")
    result = read_or_refuse(tmp_path, lambda: list_records(tmp_path))
    assert all(path.parent == tmp_path for path in result or [])


# recordings to annotate


def stream_all(path: Path) -> None:
    """Read each lead of a recording to its end."""
    recording = open_recording(path, CsvFormat(360.0))
    for lead in range(len(recording.leads)):
        choose_lead(recording, recording.leads[lead].name)
        for _ in recording.stream(lead, 4000):
            pass


SIGNAL = np.arange(2 * 3600).reshape(-1, 2) % 100
HEADER = b"r 2 360 3600\nr.dat 16 40(0)/mV 16 0 0 0 0 MLII\nr.dat 16 40/uV 16 0 0 0 0 V1\n# a comment\n"
MASTER = b"s/4 2 360 4600\nl 0\nr 3600\n~ 500\nq 500\n"


@TRIES
@given(damage(HEADER), st.sampled_from(["8", "16", "24", "61", "80", "212", "310", "311", "516"]))
@pytest.mark.filterwarnings("ignore")
def test_headers_of_records(tmp_path: Path, content: bytes, form: str) -> None:
    (tmp_path / "r.dat").write_bytes(SIGNAL.astype("<i2").tobytes())
    (tmp_path / "r.hea").write_bytes(content.replace(b" 16 40", f" {form} 40".encode()))
    read_or_refuse(tmp_path, lambda: stream_all(tmp_path / "r.hea"))


@TRIES
@given(damage(MASTER))
@pytest.mark.filterwarnings("ignore")
def test_headers_of_segments(tmp_path: Path, content: bytes) -> None:
    for name, frames in (("r", 3600), ("q", 500)):
        (tmp_path / f"{name}.dat").write_bytes(SIGNAL[:frames].astype("<i2").tobytes())
        (tmp_path / f"{name}.hea").write_bytes(
            HEADER.replace(b"r.dat", f"{name}.dat".encode()).replace(b"3600", b"%d" % frames)
        )
    (tmp_path / "l.hea").write_bytes(b"l 2 360 0\n~ 0 40 0 0 0 0 0 MLII\n~ 0 40 0 0 0 0 0 V1\n")
    (tmp_path / "s.hea").write_bytes(content)
    read_or_refuse(tmp_path, lambda: stream_all(tmp_path / "s.hea"))


def edf() -> bytes:
    lead = edfio.EdfSignal(SIGNAL[:, 0] / 10.0, 360, label="ECG", physical_dimension="uV")
    return edfio.Edf([lead], annotations=[edfio.EdfAnnotation(0, None, "start")]).to_bytes()


@TRIES
@given(damage(edf()[:900]) | damage(edf()[:900].replace(b"EDF+C", b"EDF+D")))
@pytest.mark.filterwarnings("ignore")
def test_edf_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.edf").write_bytes(content + edf()[900:])
    read_or_refuse(tmp_path, lambda: stream_all(tmp_path / "r.edf"))


LINES = b"time,MLII (uV),V1\n" + b"".join(b"%.3f,%d,%d\n" % (k / 360, *SIGNAL[k]) for k in range(300))


@TRIES
@given(damage(LINES) | damage(LINES.replace(b",", b";").replace(b".", b",")) | damage(LINES.replace(b",", b"\t")))
def test_csv_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.csv").write_bytes(content)
    read_or_refuse(tmp_path, lambda: stream_all(tmp_path / "r.csv"))


NOTES = note_bytes("## time resolution: 360") + note_bytes("## annotation type definitions")
NOTES += note_bytes("42 @ a symbol") + note_bytes("## end of definitions")


@pytest.mark.timeout(120)
@TRIES
@given(st.binary(max_size=60) | damage(bytes([10, 4, 20, 4, 200, 20, 0, 0])) | damage(NOTES + bytes([10, 4, 0, 0])))
def test_annotation_files(tmp_path: Path, content: bytes) -> None:
    write_header(tmp_path, "r", 360.0)
    (tmp_path / "r.atr").write_bytes(content)
    beats = read_or_refuse(tmp_path, lambda: read_beats(tmp_path / "r", "atr", 360.0))
    pair = read_or_refuse(tmp_path, lambda: read_pair(tmp_path / "r", "atr", "atr"))
    assert beats is None or (len(beats) and (np.diff(beats) > 0).all() and beats[0] >= 0)
    assert beats is None or pair is not None  # a file without beats can be scored


# what the project itself writes


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, beats: dict[str, Beats]) -> Path:
    parent = tmp_path_factory.mktemp("cache")
    small = {split: part.take(np.arange(3)) for split, part in beats.items()}
    return cache.build(parent, Source("synthetic", {"version": 1}, [], lambda: small, "a test")).folder


@pytest.mark.parametrize("name", ["meta.json", "train_x.npy", "test_record.npy"])
def test_caches(built: Path, tmp_path: Path, name: str) -> None:
    @TRIES
    @given(damage((built / name).read_bytes()))
    def attempt(content: bytes) -> None:
        folder = tmp_path / built.name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(built, folder)
        (folder / name).write_bytes(content)
        read_or_refuse(tmp_path, lambda: (cache.load(folder), cache.find(tmp_path, kind="synthetic")))

    attempt()


CONFIG = {"name": "run", "version": 1, "started": "2026-01-01T00:00:00", "options": {"lr": 0.1, "dataset": "ecg"}}
LOG = {"name": "run", "date_and_time": "", "options": {}, "info": {}, "logged": {"train": [{"epoch": 1}], "val": []}}
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@TRIES
@given(damage(json.dumps(CONFIG).encode()) | PLAIN.map(lambda value: json.dumps(value).encode()))
def test_configs_of_runs(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "ecg" / "runs" / "run_1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_bytes(content)
    read_or_refuse(tmp_path, lambda: list_runs(tmp_path))


@TRIES
@given(damage(json.dumps(LOG).encode()) | PLAIN.map(lambda value: json.dumps(value).encode()))
def test_logs(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "logger.json").write_bytes(content)
    read_or_refuse(tmp_path, lambda: Experiment.from_json(tmp_path / "logger.json"))
    read_or_refuse(tmp_path, lambda: read_json(tmp_path / "logger.json"))


FLAGS = st.sampled_from(["lr", "epochs", "betas", "seed", "dataset", "tensorboard", "sampler", "model-name", "masking"])


@TRIES
@given(
    damage(b"lr: 0.001\nepochs: 3\nbetas: [0.9, 0.99]\ntensorboard: true\n")
    | st.dictionaries(FLAGS | st.text(max_size=6), PLAIN, max_size=3).map(lambda value: json.dumps(value).encode())
)
def test_config_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "flags.yaml"
    path.write_bytes(content)

    def read() -> Any:
        try:
            return parse_args(["--model-name", "cnn1d_3", "--config", str(path)])
        except SystemExit as stop:  # the parser's refusal
            assert stop.code == 2
            raise UserError("refused") from None

    read_or_refuse(tmp_path, read)


def saved(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


WEIGHTS = {"fc.weight": torch.ones(2, 3), "fc.bias": torch.ones(2)}
PARTS = st.sampled_from(["epoch", "live", "optimizer", "best", "log", "class_names", "order", "format", "model"])


@TRIES
@given(
    damage(saved({"format": FORMAT, "model": WEIGHTS}))
    | st.dictionaries(PARTS, PLAIN, max_size=4).map(lambda more: saved({"format": FORMAT, "model": WEIGHTS, **more}))
)
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_checkpoints(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.pth.tar"
    path.write_bytes(content)
    read_or_refuse(tmp_path, lambda: load_checkpoint(path))
    read_or_refuse(tmp_path, lambda: import_weights(path))


# what comes from elsewhere


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in ("mitbih_train.csv", "mitbih_test.csv"):
            packed.writestr(name, ROW + "\n")
    return buffer.getvalue()


@TRIES
@given(damage(archive()))
def test_archives(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "archive.zip").write_bytes(content)
    (tmp_path / "ecg").mkdir(exist_ok=True)

    def read() -> Any:
        for path in google_drive.unpack(tmp_path / "archive.zip", tmp_path / "ecg"):
            path.unlink()

    read_or_refuse(tmp_path, read)


@TRIES
@given(damage(b"".join(b"%064x  %d.dat\n" % (k, k) for k in range(3))))
def test_lists_of_digests(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "SHA256SUMS.txt"
    path.write_bytes(content)
    result = read_or_refuse(tmp_path, lambda: physionet._read_list(path))
    assert all(len(digest) == 64 for digest in (result or {}).values())
    read_or_refuse(tmp_path, lambda: physionet._list_problem(path))
