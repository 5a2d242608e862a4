"""--cluster and addresses on the command line: what is refused, in one line each; a folder over two processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import commander
from tests.made import small_record, write_format
from toolbox.utils import UserError

ONNX = ("--model-file", "one-lead", "--engine", "onnx")


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return write_format(tmp_path / "in", "r", small_record().digital[:12000], "16")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--predict", "x", "--cluster", "here"], "'here': expected tcp://HOST:PORT of a Dask scheduler"),
        (["--predict", "x", "--cluster", "local:0"], "'local:0': expected"),
        (["--model-name", "cnn1d_3", "--cluster", "local:2"], "--cluster goes with --predict, --score and --prepare"),
        (["--predict", "-", "--fs", "250", "--cluster", "local:2"], "--predict - reads one stream"),
        (["--predict", "x", "-j", "2", "--cluster", "local:2"], "--cluster has workers of its own"),
    ],
)
def test_flags_that_make_no_sense(flags: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        commander.main(flags)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--cluster", "tcp://127.0.0.1:9"], "--cluster tcp://127.0.0.1:9: no Dask scheduler answers there; start one"),
        (["--cluster", "none.json"], "--cluster none.json: no such file; dask scheduler --scheduler-file none.json"),
        (["--out", "nosuch://place"], "failed.parquet cannot be reached: ValueError: Protocol not known: nosuch"),
        (["--out", "https://127.0.0.1:9/x"], "https://127.0.0.1:9/x cannot be written to; give --out a folder"),
    ],
)
def test_places_that_are_not_there(
    flags: list[str], message: str, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolbox.utils.dask_pool.CONNECTING", 0.5)
    with pytest.raises(UserError) as refused:
        commander.main(["--predict", str(record), *ONNX, "--out", str(record.parent / "out"), *flags])
    assert message in str(refused.value) and "\n" not in str(refused.value) and "word" not in str(refused.value)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("https://127.0.0.1:9/100", "https://127.0.0.1:9/100 cannot be reached: ClientConnector"),
        ("http://user:word@127.0.0.1:9/folder/", "http://127.0.0.1:9/folder/ cannot be reached: "),
    ],
)
def test_recordings_that_cannot_be_reached(argument: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        commander.main(["--predict", argument, *ONNX, "--out", str(tmp_path)])
    assert str(refused.value).startswith(message) and "word" not in str(refused.value)
    with pytest.raises(UserError, match="cannot be written to; say by --out where the files go"):
        commander.main(["--predict", argument, *ONNX])


def test_without_the_extra_a_line_says_what_to_install(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "toolbox.utils.dask_pool", raising=False)
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(UserError, match=r"--cluster: this needs dask, .* pip install pytorch-ecg\[corpora\]"):
        commander.main(["--predict", str(record), *ONNX, "--cluster", "local:2"])
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(UserError, match=r"s3://bucket/in.*: this needs fsspec.* requirements-corpora\.txt"):
        commander.main(["--predict", "s3://bucket/in", *ONNX])


def test_the_command_annotates_a_folder_at_an_address(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    address = f"memory://{record.parent.name}"
    import fsspec

    store = fsspec.filesystem("memory")
    store.put(str(record.parent), "/corpus", recursive=True)
    result = commander.main(["--predict", "memory://corpus", *ONNX])
    assert result == {"recordings": 1, "done_before": 0, "failed": {}, "tables": "memory://corpus/parquet"}, address
    output = capsys.readouterr()
    assert output.out.splitlines()[-1] == (
        "1 recordings, 0 of them done before, 0 failed; tables of all: memory://corpus/parquet"
    )
    assert output.out.startswith("r: lead MLII by one-lead, ")
    again = commander.main(["--predict", "memory://corpus/r.dat", *ONNX, "--out", "memory://corpus"])
    assert again["done_before"] == 1
