"""The private functions of wfdb and edfio: which releases have them, and what they give."""

from __future__ import annotations

import ast
from importlib.metadata import version
from pathlib import Path

import edfio
import numpy as np
import wfdb

from loaders.io.wfdb_private import VERSIONS, parse_annotations, read_stored_samples, timekeeping_samples
from tests.conftest import ROOT
from tests.made import annotation_bytes, note_bytes, write_format

LIBRARIES = {"wfdb", "edfio"}


def test_the_installed_releases_are_those_whose_private_functions_are_known() -> None:
    assert {name: version(name) for name in VERSIONS} == VERSIONS
    pinned = (ROOT / "requirements.txt").read_text().splitlines()
    assert {f"{name}=={release}" for name, release in VERSIONS.items()} <= set(pinned)


def test_annotations_are_parsed_without_interpretation(tmp_path: Path) -> None:
    notes = note_bytes("## time resolution: 360") + note_bytes("odd")
    (tmp_path / "my rec.1.atr").write_bytes(notes + annotation_bytes(1, 500) + annotation_bytes(0, 0))
    sample, code, note = parse_annotations(tmp_path / "my rec.1.atr")
    assert (sample, code) == ([0, 0, 500], [22, 22, 1])
    assert note == ["## time resolution: 360", "odd", ""]


def test_samples_are_those_of_the_leads_and_frames_asked_for(tmp_path: Path) -> None:
    digital = np.arange(240).reshape(-1, 2) % 90
    path = write_format(tmp_path, "r", digital, "212").with_suffix("")
    second, first = read_stored_samples(tmp_path, wfdb.rdheader(str(path)), [1, 0], 20, 50, True)
    assert first.tolist() == digital[20:50, 0].tolist() and second.tolist() == digital[20:50, 1].tolist()


def test_the_signal_that_keeps_the_time_of_edf_files(tmp_path: Path) -> None:
    lead = edfio.EdfSignal(np.arange(720) / 10.0, 360, label="ECG", physical_dimension="uV")
    edfio.Edf([lead], annotations=[edfio.EdfAnnotation(0, None, "start")]).write(tmp_path / "r.edf")
    samples = timekeeping_samples(edfio.read_edf(tmp_path / "r.edf"))
    assert [record.tobytes()[:5] for record in samples] == [b"+0\x14\x14\x00", b"+1\x14\x14\x00"]


def test_no_other_file_reaches_for_private_names_of_these_libraries() -> None:
    for path in [*(ROOT / "loaders").rglob("*.py"), *(ROOT / "inference").rglob("*.py")]:
        if path.name == "wfdb_private.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LIBRARIES:
                parts = [*node.module.split("."), *(alias.name for alias in node.names)]  # type: ignore[union-attr]
                assert not any(part.startswith("_") for part in parts), path
                assert node.module in LIBRARIES, path
            elif isinstance(node, ast.Attribute) and node.attr == "_timekeeping_signal":
                raise AssertionError(path)
