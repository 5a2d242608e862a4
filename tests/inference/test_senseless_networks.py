"""Networks that are no numbers, of other kinds of numbers, or of other classes annotate nothing: one line."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import commander
from inference import Stream, annotate, load_classifier
from inference.onnx_classifier import OnnxClassifier
from tests.made import CLASSES, GAIN, exported, small_record, write_format
from toolbox.export.onnx_file import MODEL, add_checksum
from toolbox.runs.checkpoint import BEST, load_checkpoint
from toolbox.utils import UserError

Change = Callable[[torch.Tensor], torch.Tensor]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (folder,) = exported(tmp_path_factory.mktemp("root")).glob("synthetic/runs/synthetic_*_1")
    return folder


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_format(tmp_path_factory.mktemp("record"), "r", small_record().digital, "16")


def refused(header: Path, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The line of --predict, which ends with code 2 and leaves no file."""
    flags = ["--predict", str(header), "--model-file", str(file), "--out", str(file.parent / "out")]
    monkeypatch.setattr("sys.argv", ["commander.py", *flags])
    assert commander.cli() == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err.startswith("error: ") and output.err.count("\n") == 1
    assert not list((file.parent / "out").rglob("*"))
    return output.err


def changed_weights(state: dict[str, Any], change: Change, only: str = "") -> dict[str, Any]:
    """The checkpoint with its floating weights changed, all or `only` the first whose name holds a text."""
    names = [name for name, value in state["model"].items() if value.is_floating_point() and only in name]
    weights = {**state["model"], **{name: change(state["model"][name]) for name in (names[:1] if only else names)}}
    return {**state, "model": weights}


def one_wrong(value: float) -> Change:
    def change(weights: torch.Tensor) -> torch.Tensor:
        weights = weights.clone()
        weights.view(-1)[0] = value
        return weights

    return change


@pytest.mark.parametrize(
    ("change", "only", "said"),
    [
        (lambda w: w * float("nan"), "", "are NaN or infinite; the training diverged, or the file is damaged"),
        (lambda w: w * float("inf"), "", "are NaN or infinite"),
        (one_wrong(float("nan")), "fc.bias", "1 of 5 weights fc.bias are NaN or infinite"),
        (one_wrong(float("-inf")), "fc.weight", "weights fc.weight are NaN or infinite"),
        (one_wrong(float("nan")), "running_mean", "running_mean are NaN or infinite"),
        (lambda w: w.double() * 1e300, "", "are NaN or infinite"),
        (lambda w: w.sign() * 1e38, "", "gives no numbers for"),
        (lambda w: w.sign() * 3e38, "", "gives no numbers for"),
        (lambda w: w.to(torch.int32), "", "is int32, expected torch.float32"),
        (lambda w: w.to(torch.int8), "fc.bias", "fc.bias is int8, expected torch.float32"),
        (lambda w: w > 0, "", "is bool, expected torch.float32"),
        (lambda w: w.to(torch.complex64), "", "is complex64, expected torch.float32"),
        (lambda w: w.to_sparse(), "fc.weight", "fc.weight is sparse, quantized or empty float32"),
    ],
)
def test_weights_that_are_no_numbers(
    run: Path, header: Path, tmp_path: Path, change: Change, only: str, said: str, capsys: Any, monkeypatch: Any
) -> None:
    file = tmp_path / "changed.pth.tar"
    torch.save(changed_weights(load_checkpoint(run / BEST), change, only), file)
    assert said in refused(header, file, capsys, monkeypatch)


def test_weights_of_other_floating_kinds_are_numbers(run: Path, header: Path, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).random((20, 187), dtype=np.float32)
    expected = load_classifier(run).probabilities(rows)
    for kind in (torch.float64, torch.float16, torch.bfloat16):
        file = tmp_path / "changed.pth.tar"
        torch.save(changed_weights(load_checkpoint(run / BEST), lambda w, kind=kind: w.to(kind)), file)  # type: ignore[misc]
        assert np.allclose(load_classifier(file).probabilities(rows), expected, atol=0.05)


def test_neither_a_stream_nor_python_takes_them(run: Path, header: Path, tmp_path: Path) -> None:
    file = tmp_path / "changed.pth.tar"
    torch.save(changed_weights(load_checkpoint(run / BEST), lambda w: w.sign() * 1e38), file)
    signal = small_record().digital[:, 0] / GAIN
    with pytest.raises(UserError, match="gives no numbers for"):
        Stream(load_classifier(file), 360).push(signal)
    with pytest.raises(UserError, match="gives no numbers for"):
        annotate(signal, 360, load_classifier(file))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["Normal"] * 5, "its classes are Normal, Normal, Normal, Normal, Normal; expected Normal, Supra"),
        ([*CLASSES[1::-1], *CLASSES[2:]], "its classes are Supraventricular ectopic, Normal"),
        (["N", "S", "V", "F", "Q"], "its classes are N, S, V, F, Q"),
        (list(CLASSES[:3]), "its classes are Normal, Supraventricular ectopic, Ventricular ectopic; expected"),
        (["Normal"], "its classes are Normal; expected"),
        ([], "its classes are none; expected"),
        (["\x1b]0;pwned\x07"] * 5, "its classes are"),
        ([3, None], "class_names[0] is a int, expected str"),
        (list(CLASSES[:4]), "does not fit the model: it has shapes fc"),
    ],
)
def test_classes_that_are_others(
    run: Path, header: Path, tmp_path: Path, names: list[str], said: str, capsys: Any, monkeypatch: Any
) -> None:
    state = load_checkpoint(run / BEST)
    state["class_names"] = names
    torch.save(state, tmp_path / "changed.pth.tar")
    assert said in refused(header, tmp_path / "changed.pth.tar", capsys, monkeypatch)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_name", None), ("model_name", []), ("model_name", 3), ("model_name", ""), ("masking", "yes"),
        ("context", "windows"), ("context", ""), ("window_rate", 1e9), ("leads", 0), ("leads", -3), ("scale", "x"),
        ("features", ["rr", "x"]), ("features", "rr"), ("neighbours", -1), ("spliced", "atrial:x"), ("baseline", None),
    ],
)  # fmt: skip
def test_options_that_are_none(
    run: Path, header: Path, tmp_path: Path, key: str, value: object, capsys: Any, monkeypatch: Any
) -> None:
    state = load_checkpoint(run / BEST)
    state["log"]["options"] = {**state["log"]["options"], key: value}
    torch.save(state, tmp_path / "changed.pth.tar")
    line = refused(header, tmp_path / "changed.pth.tar", capsys, monkeypatch)
    assert key in line or "model" in line


@pytest.mark.parametrize("value", ["a", float("nan"), float("inf"), -1.0, 1e300, None, [0.3]])
def test_windows_that_are_none(
    run: Path, header: Path, tmp_path: Path, value: object, capsys: Any, monkeypatch: Any
) -> None:
    state = load_checkpoint(run / BEST)
    state["log"]["options"] = {**state["log"]["options"], "context": "window", "window_before": value}
    torch.save(state, tmp_path / "changed.pth.tar")
    assert "log.options.window_before is" in refused(header, tmp_path / "changed.pth.tar", capsys, monkeypatch)
    state["log"]["options"] = {}
    torch.save(state, tmp_path / "changed.pth.tar")
    assert "model_name" in refused(header, tmp_path / "changed.pth.tar", capsys, monkeypatch)


# ONNX


def sealed_again(
    run: Path, file: Path, metadata: dict[str, Any] | None = None, change: Callable[[np.ndarray], Any] = lambda w: w
) -> Path:
    """The run's ONNX file with other metadata and weights, and a checksum that fits."""
    model = onnx.load(run / "export" / MODEL)
    texts = {entry.key: entry.value for entry in model.metadata_props if entry.key != "sha256"}
    texts |= {key: value if isinstance(value, str) else json.dumps(value) for key, value in (metadata or {}).items()}
    for weights in model.graph.initializer:
        values = onnx.numpy_helper.to_array(weights)
        if values.dtype == np.float32:
            weights.CopyFrom(onnx.numpy_helper.from_array(change(values).astype(np.float32), weights.name))
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, texts)
    file.write_bytes(add_checksum(model.SerializeToString()))
    return file


@pytest.mark.parametrize(
    ("metadata", "change", "said"),
    [
        ({}, lambda w: w * np.nan, "gives no numbers for"),
        ({}, lambda w: w * np.inf, "gives no numbers for"),
        ({}, lambda w: np.sign(w) * 1e38, "gives no numbers for"),
        ({"classes": list(CLASSES[:3])}, lambda w: w, "its classes are Normal, Supra"),
        ({"classes": list(CLASSES[:4])}, lambda w: w, "its logits are [5] of each beat, expected [4]"),
        ({"classes": ["Normal"] * 5}, lambda w: w, "its classes are Normal, Normal"),
        ({"classes": list("abcde")}, lambda w: w, "its classes are a, b, c, d, e"),
        ({"classes": []}, lambda w: w, "its classes are none"),
        ({"row": {"kind": "kaggle", "in_channels": 1, "length": 9, "features": 0}}, lambda w: w, "its row are [1, 1"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:invalid value")
def test_onnx_files_that_were_sealed_again(
    run: Path, header: Path, tmp_path: Path, metadata: Any, change: Any, said: str, capsys: Any, monkeypatch: Any
) -> None:
    assert said in refused(header, sealed_again(run, tmp_path / "m.onnx", metadata, change), capsys, monkeypatch)


def test_an_onnx_file_that_is_sealed_again_as_it_was(run: Path, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).random((20, 187), dtype=np.float32)
    again = OnnxClassifier(sealed_again(run, tmp_path / "m.onnx"))
    assert np.array_equal(again.probabilities(rows), OnnxClassifier(run / "export" / MODEL).probabilities(rows))


def test_a_network_that_takes_all_memory(
    run: Path, header: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    model = onnx.load(run / "export" / MODEL)
    texts = {entry.key: entry.value for entry in model.metadata_props if entry.key != "sha256"}
    helper, numbers = onnx.helper, onnx.numpy_helper
    nodes = [
        helper.make_node("ConstantOfShape", ["huge"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["nothing"], keepdims=0),
        helper.make_node("Add", ["kept", "nothing"], ["logits"]),
    ]
    graph = copy.deepcopy(model.graph)
    for node in graph.node:
        node.output[:] = ["kept" if name == "logits" else name for name in node.output]
    graph.node.extend(nodes)
    graph.initializer.append(numbers.from_array(np.array([10**11]), "huge"))
    changed = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    helper.set_model_props(changed, texts)
    (tmp_path / "m.onnx").write_bytes(add_checksum(changed.SerializeToString()))
    line = refused(header, tmp_path / "m.onnx", capsys, monkeypatch)
    assert "cannot be run" in line or "is damaged or no ONNX file" in line
