"""--engine onnx: the same beats as torch's engine, without torch; and files that are not what they should be."""

from __future__ import annotations

import csv
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import commander
from inference.onnx_classifier import OnnxClassifier
from tests.conftest import RECORDS, ROOT, SMALL, needs_records
from tests.made import FORBID_TORCH, exported, small_record, write_format
from toolbox.export.onnx_file import FACTS, INT8, MODEL, add_checksum
from toolbox.utils import UserError, read_json, write_json

# The command line, in a process that cannot import torch, nor can those that it spawns.
WITHOUT_TORCH = f"""{FORBID_TORCH}
if __name__ == "__main__":
    sys.argv[0] = "commander.py"
    import commander
    code = commander.cli()
    print("torch" in sys.modules)
    raise SystemExit(code)
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("root"))


@pytest.fixture(scope="module")
def model(root: Path) -> Path:
    (file,) = root.glob(f"*/runs/*/export/{MODEL}")
    return file


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_format(tmp_path_factory.mktemp("record"), "r", small_record().digital, "16")


def table(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as handle:
        return list(csv.DictReader(line for line in handle if not line.startswith("# ")))


def same(one: Path, other: Path, name: str) -> None:
    """Assert that two folders hold the same annotations of a recording, and nearly the same probabilities."""
    assert (one / f"{name}.ecg").read_bytes() == (other / f"{name}.ecg").read_bytes()
    rows = [table(folder / f"{name}.ecg.csv") for folder in (one, other)]
    assert len(rows[0]) == len(rows[1]) > 50
    for key in rows[0][0]:
        if key.startswith("p_"):
            values = [np.array([float(row[key]) for row in part]) for part in rows]
            assert np.abs(values[0] - values[1]).max() <= 1.5e-4  # written with four decimals
        else:
            assert [row[key] for row in rows[0]] == [row[key] for row in rows[1]]
    summaries = [read_json(folder / f"{name}.ecg.json") for folder in (one, other)]
    for summary in summaries:
        del summary["fingerprint"], summary["sha256"], summary["model"]["name"]
        summary["signal_quality"].pop("uncertain_beats")
    assert summaries[0] == summaries[1]


def test_both_engines_annotate_alike(root: Path, header: Path, tmp_path: Path) -> None:
    for engine in ("torch", "onnx"):
        flags = ["--predict", str(header), "--root-dir", str(root), "--engine", engine, "--out", str(tmp_path / engine)]
        assert commander.main(flags)["failed"] == {}
    same(tmp_path / "torch", tmp_path / "onnx", "r")
    assert read_json(tmp_path / "onnx" / "r.ecg.json")["model"]["name"].endswith("(ONNX)")


@needs_records
def test_both_engines_annotate_a_real_recording_alike(root: Path, tmp_path: Path) -> None:
    for engine in ("torch", "onnx"):
        flags = ["--predict", str(RECORDS / "208"), "--root-dir", str(root), "--engine", engine]
        commander.main([*flags, "--out", str(tmp_path / engine)])
    same(tmp_path / "torch", tmp_path / "onnx", "208")


def test_it_needs_no_torch_nor_do_its_processes(model: Path, header: Path, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(WITHOUT_TORCH)
    other = write_format(tmp_path / "too", "s", small_record(patient=2).digital, "16")
    flags = ["--predict", str(header), str(other), "-j", "2", "--model-file", str(model), "--out", str(tmp_path / "o")]
    answer = subprocess.run(
        [sys.executable, str(tmp_path / "main.py"), *flags], cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "False"
    assert {path.name for path in (tmp_path / "o").glob("*.ecg")} == {"r.ecg", "s.ecg"}
    flags[flags.index(str(model))] = str(tmp_path / "checkpoint.pth.tar")  # torch's engine does need it
    answer = subprocess.run(
        [sys.executable, str(tmp_path / "main.py"), *flags], cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "a checkpoint takes the package torch, which is missing" in answer.stderr


def test_a_classifier_gives_probabilities_of_any_number_of_rows_and_can_be_pickled(model: Path) -> None:
    classifier = OnnxClassifier(model)
    rows = np.random.default_rng(0).random((2100, 187), dtype=np.float32)
    expected = classifier.probabilities(rows)
    assert (
        expected.shape == (2100, 5) and expected.dtype == np.float32 and np.allclose(expected.sum(axis=1), 1, atol=1e-5)
    )
    assert classifier.probabilities(rows[:0]).shape == (0, 5)
    again = pickle.loads(pickle.dumps(classifier))
    assert np.array_equal(again.probabilities(rows), expected) and again.fingerprint() == classifier.fingerprint()
    small = OnnxClassifier(model.with_name(INT8))
    assert small.fingerprint() != classifier.fingerprint()
    assert np.abs(small.probabilities(rows) - expected).mean() < 0.1


# what a run's export is of


def refusal(root: Path, *flags: str) -> str:
    with pytest.raises(UserError) as caught:
        commander.main(["--predict", "x.hea", "--engine", "onnx", "--root-dir", str(root), *flags])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_export_must_be_of_the_checkpoint_that_is_asked_for(root: Path, model: Path) -> None:
    assert "was made of --resume best; export again with --resume latest" in refusal(root, "--resume", "latest")


def test_an_export_that_is_older_than_its_checkpoint_warns(
    root: Path, model: Path, header: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = model.with_name(FACTS)
    facts = read_json(path)
    flags = ["--predict", str(header), "--engine", "onnx", "--root-dir", str(root), "--out", str(tmp_path)]
    commander.main([*flags, "--resume", "best"])
    assert "older" not in capsys.readouterr().err
    changed = json.loads(json.dumps(facts))
    changed["model"]["checkpoint"]["sha256"] = "0" * 64
    write_json(path, changed)
    commander.main(flags)
    assert "is older than model_best.pth.tar" in capsys.readouterr().err
    write_json(path, {"model": {}})
    assert "export.json is damaged: it.model.checkpoint is missing" in refusal(root)
    write_json(path, facts)


def test_a_run_without_an_export(tmp_path: Path) -> None:
    flags = ["--dataset", "synthetic", "--model-name", "cnn1d_3", "--epochs", "1", "--short-run"]
    commander.main([*flags, "--root-dir", str(tmp_path), *SMALL])
    assert "has no export/model.onnx yet; --export onnx writes it" in refusal(tmp_path, "--version", "1")


# files that are not what they should be


def spoil(model: Path, kind: str) -> bytes:
    content = model.read_bytes()
    plain = onnx.load_from_string(content)
    metadata = {entry.key: entry.value for entry in plain.metadata_props if entry.key != "sha256"}
    match kind:
        case "empty":
            return b""
        case "text":
            return b"no model\n" * 100
        case "cut":
            return content[: len(content) // 2]
        case "cut at the checksum":
            return content[:-76]
        case "flipped":
            return content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]
        case "of somebody else":
            metadata = {"author": "somebody"}
        case "newer":
            metadata["format"] = "pytorch-ecg 99"
        case "no JSON":
            metadata["classes"] = "[Normal"
        case "no classes":
            del metadata["classes"]
        case "other kinds":
            metadata["row"] = json.dumps({"kind": 3})
        case "rewritten":
            metadata["lead"] = "V1"
    del plain.metadata_props[:]
    onnx.helper.set_model_props(plain, metadata)
    changed = plain.SerializeToString()
    return changed if kind == "rewritten" else add_checksum(changed)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("empty", "is damaged or no ONNX file"),
        ("text", "is damaged or no ONNX file"),
        ("cut", "is damaged or no ONNX file"),
        ("cut at the checksum", "was cut off or changed since it was exported"),
        ("flipped", "is damaged: its bytes do not have the SHA-256"),
        ("of somebody else", "was not exported by this project"),
        ("newer", "has format 99, this version reads up to 1"),
        ("no JSON", "is damaged: its classes is no JSON"),
        ("no classes", "is damaged: its metadata.classes is missing"),
        ("other kinds", "is damaged: its metadata.row.kind is a int, expected str"),
        ("rewritten", "was cut off or changed since it was exported"),
    ],
)
def test_damaged_and_strange_files_are_refused_in_one_line(
    model: Path, header: Path, tmp_path: Path, kind: str, said: str, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(spoil(model, kind))
    flags = ["--predict", str(header), "--model-file", str(file), "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", ["commander.py", *flags])
    assert commander.cli() == 2
    err = capfd.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and said in err
    assert not (tmp_path / "out").exists()


def test_files_that_are_not_there(root: Path, tmp_path: Path) -> None:
    assert "No such file" in refusal(root, "--model-file", str(tmp_path / "none.onnx"))
    (tmp_path / "folder.onnx").mkdir()
    assert "is no file" in refusal(root, "--model-file", str(tmp_path / "folder.onnx"))


def test_a_checkpoint_is_no_onnx_file(root: Path, model: Path) -> None:
    best = model.parent.parent / "model_best.pth.tar"
    assert "no ONNX file" in refusal(root, "--model-file", str(best))


def test_the_flags_that_name_another_engine(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        commander.main(["--predict", "x", "--engine", "torch", "--model-file", str(model)])
    assert stop.value.code == 2 and "expected a checkpoint" in capsys.readouterr().err


def test_a_missing_onnxruntime_is_told_with_the_line_that_installs_it(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match="--engine onnx needs the package onnxruntime, which is missing: pip install"):
        OnnxClassifier(model)
