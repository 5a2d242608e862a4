"""A torch network as an ONNX graph, and the logits of both.

The graph is traced (torch's TorchScript exporter): it needs no further package, takes a second where torch.export takes
ten, and every network here is free of branches that depend on values.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from toolbox.export.onnx_file import FORMAT, PROJECT, add_checksum, as_metadata, import_package
from toolbox.export.rows import CPU, Batch
from toolbox.holter.page import NOTE
from toolbox.utils import UserError, progress

OPSET = 17  # the newest with nothing that older onnxruntimes and onnxruntime-web lack
INPUT_NAMES = ("row", "features")
CHECKED_BATCH_SIZES = (1, 7, 512)  # that the logits are compared at
LARGEST_DIFFERENCE = 1e-4  # of a logit from torch's
EXPORT_FLAG, PACKAGES = "--export onnx", ("onnx", "onnxruntime")


def check_installed() -> None:
    """Raise a UserError with the line that installs a missing package."""
    for package in PACKAGES:
        import_package(package, EXPORT_FLAG)


def convert(model: nn.Module, inputs: tuple[Tensor, ...]) -> bytes:
    """Write `model` as ONNX.

    Its inputs are "row" (batch, channels, samples) and, where the model takes them, "features" (batch, k); its output
    is "logits" (batch, classes); all float32, for any batch.

    Args:
        inputs: of any two or more rows; only their shapes count.

    Raises:
        UserError: ONNX has no operator for a step of the model.
    """
    onnx = import_package("onnx", EXPORT_FLAG)
    buffer, names = io.BytesIO(), INPUT_NAMES[: len(inputs)]
    axes = {name: {0: "batch"} for name in (*names, "logits")}
    options = {"input_names": list(names), "output_names": ["logits"], "dynamic_axes": axes, "opset_version": OPSET}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer's, about constants; `verify` finds those that matter
            torch.onnx.export(model.eval(), inputs, buffer, dynamo=False, **options)  # type: ignore[arg-type]
        onnx.checker.check_model(buffer.getvalue(), full_check=True)
    except (RuntimeError, TypeError, ValueError, torch.onnx.OnnxExporterError, onnx.checker.ValidationError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise UserError(f"{type(model).__name__} cannot be exported to ONNX: {reason}") from error
    return buffer.getvalue()


def add_metadata(content: bytes, metadata: Mapping[str, Any]) -> bytes:
    """An ONNX file's bytes with `metadata` and a checksum."""
    onnx = import_package("onnx", EXPORT_FLAG)
    model = onnx.load_from_string(content)
    model.producer_name, model.producer_version = PROJECT, str(FORMAT)
    model.doc_string = NOTE
    onnx.helper.set_model_props(model, as_metadata(metadata))
    return add_checksum(model.SerializeToString())


def session_inputs(batch: Batch, session: Any) -> dict[str, np.ndarray]:
    """The arrays of a batch that the network of an ONNX session reads."""
    names = {one.name for one in session.get_inputs()}
    parts = zip(INPUT_NAMES, batch.inputs(CPU), strict=False)
    return {name: np.ascontiguousarray(part.numpy()) for name, part in parts if name in names}


def onnx_logits(session: Any, batches: Iterable[Batch], title: str = "onnxruntime") -> np.ndarray:
    """(n, C) float32."""
    return np.concatenate([session.run(None, session_inputs(batch, session))[0] for batch in progress(batches, title)])


@torch.inference_mode()
def torch_logits(model: nn.Module, batches: Iterable[Batch]) -> np.ndarray:
    """(n, C) float32."""
    model.eval()
    logits = [model(*batch.inputs(CPU)) for batch in progress(batches, "torch")]
    return torch.cat(logits).float().numpy()


def verify(session: Any, reference: np.ndarray, batches: Callable[[int], Iterable[Batch]]) -> dict[str, float]:
    """{batch size: largest |logit - torch's|} over all rows, at each of CHECKED_BATCH_SIZES.

    Args:
        reference: (n, C) torch's logits.
        batches: batch size -> batches of the same rows.

    Raises:
        UserError: a difference is above LARGEST_DIFFERENCE, or not a number.
    """
    differences = {}
    for size in CHECKED_BATCH_SIZES:
        away = np.abs(onnx_logits(session, batches(size), f"onnxruntime, batch {size}") - reference)
        differences[str(size)] = float(away.max())
        if not away.max() <= LARGEST_DIFFERENCE:
            row, k = np.unravel_index(np.nanargmax(away) if np.isfinite(away).any() else 0, away.shape)
            raise UserError(
                f"at batch {size}, logit {k} of test row {row} is {away.max():.2g} away from torch's, more than "
                f"{LARGEST_DIFFERENCE:g} is not taken; nothing was written"
            )
    return differences


def shapes(session: Any) -> dict[str, list[Any]]:
    """The shapes of a network's inputs and outputs."""
    return {one.name: list(one.shape) for one in (*session.get_inputs(), *session.get_outputs())}
