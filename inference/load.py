"""Load a trained network as a classifier of beats, from whatever holds it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inference.classifier import Classifier
from inference.onnx_classifier import OnnxClassifier
from toolbox.export.onnx_file import exported_file
from toolbox.utils import UserError

if TYPE_CHECKING:
    import torch


def load_classifier(
    run_or_file: str | Path, device: str | torch.device = "cpu", which: str = "", engine: str = "auto"
) -> Classifier:
    """Load the network of a run's folder, of a checkpoint (.pth.tar) or of an exported ONNX file (.onnx).

    Args:
        run_or_file: the folder of a run, as ecg_data/synthetic/runs/NAME, or a file.
        device: where torch runs the network: "cpu", "cuda", "mps", or "auto" for the fastest; an ONNX file always runs
            on the CPU.
        which: of a run: "best" (taken unless given), "latest", or the number of an epoch.
        engine: "torch"; "onnx" (of a run: its export/model.onnx), which needs no torch; "auto" takes onnx for an .onnx
            file and torch for all else.

    Returns:
        The network for `annotate` and `Stream`. Its `probabilities` takes rows of beats, too.

    Raises:
        UserError: there is no network, it is damaged, or it reads more than a beat's own row or window.

    Example:
        network = load_classifier("ecg_data/synthetic/runs/NAME")
    """
    path = Path(run_or_file)
    if engine not in ("auto", "torch", "onnx"):
        raise UserError(f"engine={engine!r}: expected 'auto', 'torch' or 'onnx'")
    if engine == "onnx" or (engine == "auto" and path.suffix == ".onnx"):
        return OnnxClassifier(exported_file(path, which) if path.is_dir() and path.suffix != ".onnx" else path)
    try:
        from inference.torch_classifier import load_torch_classifier
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise UserError(
            f"{path}: a checkpoint takes the package torch, which is missing; export it where torch is "
            "(--export onnx) and take the .onnx file"
        ) from error
    return load_torch_classifier(path, device, which or "best")
