"""An ONNX file in 8 bit integers: the ways to do it, and which of them loses least.

Static quantization (Jacob et al., CVPR 2018) fixes the range of every value beforehand, by calibration rows, and writes
it into the graph as pairs of QuantizeLinear and DequantizeLinear; dynamic quantization takes ranges as they come.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolbox.export.onnx_file import needed
from toolbox.metrics.confusion import confusion_by_group, confusion_scores
from toolbox.utils import UserError

ENOUGH = 0.9  # of the most weights that any way makes 8 bit: what leaves more as floats is not compared
STATIC, DYNAMIC = "static", "dynamic"


class Rows:
    """Calibration rows, one after the other, as onnxruntime asks for them."""

    def __init__(self, rows: Sequence[dict[str, np.ndarray]]) -> None:
        self.rows = iter(rows)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next inputs, None at the end."""
        return next(self.rows, None)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """onnxruntime's quantizer logs advice to the root logger."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def quantized(content: bytes, rows: Sequence[dict[str, np.ndarray]]) -> dict[str, bytes]:
    """The model of an ONNX file in 8 bits, by the name of each way.

    Args:
        rows: batches of inputs, to calibrate by.
    """
    tools = needed("onnxruntime.quantization", "--export onnx")
    prepare = needed("onnxruntime.quantization.shape_inference", "--export onnx").quant_pre_process
    found = {}
    with tempfile.TemporaryDirectory() as name, quiet():
        folder = Path(name)
        (folder / "float.onnx").write_bytes(content)
        prepare(folder / "float.onnx", folder / "prepared.onnx", skip_symbolic_shape=True)
        written = folder / "prepared.onnx", folder / "int8.onnx"
        tools.quantize_static(*written, Rows(rows), quant_format=tools.QuantFormat.QDQ, per_channel=True)
        found[STATIC] = (folder / "int8.onnx").read_bytes()
        tools.quantize_dynamic(*written, per_channel=True)
        found[DYNAMIC] = (folder / "int8.onnx").read_bytes()
    return found


def share_of_int8(content: bytes) -> float:
    """The share of a model's weights (all constant numbers) that are kept as 8 bit integers."""
    onnx = needed("onnx", "--export onnx")
    kinds = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
    small = other = 0
    for tensor in onnx.load_from_string(content).graph.initializer:
        count = int(np.prod(tensor.dims))
        small, other = (small + count, other) if tensor.data_type in kinds else (small, other + count)
    return small / max(small + other, 1)


def rated(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Accuracy and macro F1."""
    classes = logits.shape[1]
    _, counts = confusion_by_group(labels, logits.argmax(axis=1), np.zeros(len(labels), dtype=int), classes)
    found = confusion_scores(counts[0], [str(k) for k in range(classes)])
    return {name: float(found[name]) for name in ("macro_f1", "accuracy")}


def choose(
    ways: Mapping[str, bytes], whole: np.ndarray, labels: np.ndarray, logits: Callable[[bytes], np.ndarray]
) -> dict[str, Any]:
    """The way that keeps most of macro F1, then of accuracy, among those that make nearly the most weights 8 bit.

    Args:
        ways: ONNX files.
        whole: (n, C) logits of the model in floats.
        labels: (n,) of the rows that it is chosen on.
        logits: (n, C) of these rows, of a file.

    Returns:
        "method", its file as "content", "weights_int8" and, by way, "candidates".
    """
    if not ways:
        raise UserError("there is no way to quantize this network")
    shares = {way: share_of_int8(content) for way, content in ways.items()}
    before = rated(whole, labels)
    tried = {}
    for way, content in ways.items():
        after = rated(logits(content), labels)
        tried[way] = {"weights_int8": shares[way], **{f"{key}_loss": before[key] - after[key] for key in before}}
    fair = [way for way in ways if shares[way] >= ENOUGH * max(shares.values())]
    best = min(fair, key=lambda way: (tried[way]["macro_f1_loss"], tried[way]["accuracy_loss"]))
    return {"method": best, "content": ways[best], "weights_int8": shares[best], "candidates": tried}
