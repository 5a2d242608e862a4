"""Quantize an ONNX file to 8 bit integers in several ways, and choose the one that loses least.

Static quantization (Jacob et al., CVPR 2018) fixes the range of every value beforehand, by calibration rows, and writes
it into the graph as pairs of QuantizeLinear and DequantizeLinear; dynamic quantization takes ranges from each batch.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolbox.export.onnx_file import import_package
from toolbox.metrics.confusion import confusion_by_group, confusion_scores
from toolbox.utils import UserError

LEAST_SHARE = 0.9  # of the most weights that any way makes 8 bit; a way that makes fewer is not compared
STATIC, DYNAMIC = "static", "dynamic"


class Rows:
    """Calibration rows, one batch after the other, as onnxruntime reads them."""

    def __init__(self, rows: Sequence[dict[str, np.ndarray]]) -> None:
        self.rows = iter(rows)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next inputs, None at the end."""
        return next(self.rows, None)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the advice that onnxruntime's quantizer logs to the root logger."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def quantized(content: bytes, rows: Sequence[dict[str, np.ndarray]]) -> dict[str, bytes]:
    """Quantize an ONNX file in each way: {way: file}.

    Args:
        rows: batches of inputs, to calibrate by.
    """
    tools = import_package("onnxruntime.quantization", "--export onnx")
    prepare = import_package("onnxruntime.quantization.shape_inference", "--export onnx").quant_pre_process
    files = {}
    with tempfile.TemporaryDirectory() as name, quiet():
        folder = Path(name)
        (folder / "float.onnx").write_bytes(content)
        prepare(folder / "float.onnx", folder / "prepared.onnx", skip_symbolic_shape=True)
        paths = folder / "prepared.onnx", folder / "int8.onnx"
        tools.quantize_static(*paths, Rows(rows), quant_format=tools.QuantFormat.QDQ, per_channel=True)
        files[STATIC] = (folder / "int8.onnx").read_bytes()
        tools.quantize_dynamic(*paths, per_channel=True)
        files[DYNAMIC] = (folder / "int8.onnx").read_bytes()
    return files


def share_of_int8(content: bytes) -> float:
    """The share of a model's weights (all constant numbers) in 8 bit integers."""
    onnx = import_package("onnx", "--export onnx")
    kinds = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
    small = other = 0
    for tensor in onnx.load_from_string(content).graph.initializer:
        count = int(np.prod(tensor.dims))
        small, other = (small + count, other) if tensor.data_type in kinds else (small, other + count)
    return small / max(small + other, 1)


def accuracy_and_f1(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Accuracy and macro F1 of logits (n, C)."""
    classes = logits.shape[1]
    _, counts = confusion_by_group(labels, logits.argmax(axis=1), np.zeros(len(labels), dtype=int), classes)
    scores = confusion_scores(counts[0], [str(k) for k in range(classes)])
    return {name: float(scores[name]) for name in ("macro_f1", "accuracy")}


def choose(
    ways: Mapping[str, bytes], whole: np.ndarray, labels: np.ndarray, logits: Callable[[bytes], np.ndarray]
) -> dict[str, Any]:
    """Choose the way that loses least macro F1, then accuracy, among those that make nearly the most weights 8 bit.

    Args:
        ways: {way: ONNX file}.
        whole: (n, C) logits of the model in floats.
        labels: (n,) of the rows that they are compared on.
        logits: file -> (n, C) logits of these rows.

    Returns:
        "method", its file as "content", "weights_int8" and, by way, "candidates".
    """
    if not ways:
        raise UserError("there is no way to quantize this network")
    shares = {way: share_of_int8(content) for way, content in ways.items()}
    before = accuracy_and_f1(whole, labels)
    tried = {}
    for way, content in ways.items():
        after = accuracy_and_f1(logits(content), labels)
        tried[way] = {"weights_int8": shares[way], **{f"{key}_loss": before[key] - after[key] for key in before}}
    fair = [way for way in ways if shares[way] >= LEAST_SHARE * max(shares.values())]
    best = min(fair, key=lambda way: (tried[way]["macro_f1_loss"], tried[way]["accuracy_loss"]))
    return {"method": best, "content": ways[best], "weights_int8": shares[best], "candidates": tried}
