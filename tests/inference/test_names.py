"""Names of others, of leads, records and files, in all that is written and printed: escaped, and no reason to fail."""

from __future__ import annotations

import json
import os
from pathlib import Path

import edfio
import numpy as np
import pytest

import commander
from commands import predict
from loaders.io.annotations import is_table_of_beats
from tests.made import GAIN, Rule, small_record, write_format

pytestmark = pytest.mark.draws
EVIL = "\x1b]0;pwned\x07\x1b[31m\u202e"
LEADS = [
    EVIL, "$\\bad{$", "$$", "a$\\frac{1$b", "_^{}", "<script>alert(1)</script>", "</script><b>", "{{ 7 * 7 }}", "%s%d",
    "=1+1", "Ⅱ\u200b", "心电图", "\x00\x01", "&amp;\"'", "x" * 300,
]  # fmt: skip


@pytest.fixture(scope="module")
def digital() -> np.ndarray:
    """(samples, 2) of 18 s."""
    return small_record(0.3).digital


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "load_classifier", lambda args: Rule())


def check(
    folder: Path,
    recording: str | Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *flags: str,
) -> dict[str, bytes]:
    """Annotate a recording with a picture; the files by their extension. Everything is plain text, lines are whole."""
    arguments = ["--predict", os.fspath(recording), "--out", str(folder / "out"), "--png", *flags]
    monkeypatch.setattr("sys.argv", ["commander.py", *arguments])
    assert commander.cli() == 0
    output = capsys.readouterr()
    assert output.out.count("\n") == 1
    assert all(line.startswith("warning: ") for line in output.err.splitlines())
    assert all(one.isprintable() for one in (output.out + output.err).replace("\n", ""))
    files = {path.name.rpartition(".")[2]: path.read_bytes() for path in (folder / "out").iterdir()}
    assert set(files) == {"ecg", "csv", "json", "html", "png"}
    page, table = files["html"].decode("utf-8"), files["csv"].decode("utf-8")
    assert "\x1b" not in page and "\u202e" not in page and "<script>alert" not in page and "</script><b>" not in page
    assert all(one.isprintable() for one in table.replace("\n", "")) and is_table_of_beats(table.splitlines())
    assert files["png"].startswith(b"\x89PNG") and json.loads(files["json"])["outputs"]
    return files


@pytest.mark.parametrize("lead", LEADS)
def test_leads_of_csv_files(
    digital: np.ndarray, tmp_path: Path, lead: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "".join(f"{value / GAIN:.3f}\n" for value in digital[:, 0])
    quoted = '"' + lead.replace('"', '""') + '"'
    (tmp_path / "r.csv").write_text(f"{quoted}\n{lines}", encoding="utf-8")
    check(tmp_path, tmp_path / "r.csv", capsys, monkeypatch, "--fs", "360")


@pytest.mark.parametrize("lead", [lead for lead in LEADS if "\x00" not in lead])
def test_leads_of_wfdb_records(
    digital: np.ndarray, tmp_path: Path, lead: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    header = write_format(tmp_path, "r", digital, "16")
    header.write_text(header.read_text().replace(" MLII", f" {lead}").replace(" V1", " RESP"), encoding="utf-8")
    # of letters outside ASCII wfdb keeps nothing
    check(tmp_path, header, capsys, monkeypatch, *(["--lead", lead.strip()] if lead.isascii() else []))


def test_labels_of_edf_files(
    digital: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    signal = edfio.EdfSignal(digital[: 360 * 18, 0] / GAIN, 360, label="ECG 0123456789", physical_dimension="mV")
    edfio.Edf([signal]).write(tmp_path / "r.edf")
    content = (tmp_path / "r.edf").read_bytes()
    (tmp_path / "r.edf").write_bytes(content.replace(b"ECG 0123456789", b"ECG \x1b]0;p\x07$\\b$"[:14]))
    check(tmp_path, tmp_path / "r.edf", capsys, monkeypatch)


NAMES = [
    b"a$\\frac$", b"$\\bad{$", b"two\nlines", b"\x1b[31mred",
    b"\xff\xfe\xe9", b"caf\xe9 \xc3\xa9", "gnp\u202e".encode(),
    "心电图".encode(), b"<script>alert(1)</script>".replace(b"/", b"_"), b"a b  c", b"[1]*?", b"-x", b"%s", b"a" * 200,
]  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="needs names of any bytes")
@pytest.mark.parametrize("name", NAMES)
def test_names_of_files(
    digital: np.ndarray,
    tmp_path: Path,
    name: bytes,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name + b".csv"))
    path.write_text("MLII\n" + "".join(f"{value / GAIN:.3f}\n" for value in digital[:, 0]))
    check(tmp_path, path, capsys, monkeypatch, "--fs", "360")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["commander.py", "--predict", ".", "--out", "out", "--fs", "360", "--png"])
    assert commander.cli() == 0 and "done before" in capsys.readouterr().out
    path.write_text("MLII\nnothing\n")
    assert commander.cli() == 2
    output = capsys.readouterr().err
    assert output.count("\n") == 1 and all(one.isprintable() for one in output.replace("\n", ""))
