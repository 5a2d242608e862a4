"""Load a trained network as a classifier of beats, from whatever holds it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from inference.classifier import Classifier
from inference.onnx_classifier import OnnxClassifier
from inference.options import ONE_LEAD, TWO_LEAD
from inference.pretrained import CHECKPOINT, ONNX, is_pretrained, named, pretrained_file
from toolbox.export.onnx_file import exported_file
from toolbox.utils import UserError

if TYPE_CHECKING:
    import torch


def load_classifier(
    run_or_file: str | Path, device: str | torch.device = "cpu", which: str = "", engine: str = "auto"
) -> Classifier:
    """Load a network: one that comes with the program, or that of a run's folder, a checkpoint or an ONNX file.

    Args:
        run_or_file: "two-lead", "one-lead" or "live"; or the folder of a run, as ecg_data/synthetic/runs/NAME; or a
            checkpoint (.pth.tar) or an exported file (.onnx).
        device: where torch runs the network: "cpu", "cuda", "mps", or "auto" for the fastest; an ONNX file always runs
            on the CPU.
        which: of a run: "best" (taken unless given), "latest", or the number of an epoch.
        engine: "torch"; "onnx" (of a run: its export/model.onnx), which needs no torch; "auto" takes onnx for an .onnx
            file and torch for all else, but that networks that come with the program take onnx where torch is missing.

    Returns:
        The network for `annotate` and `Stream`. Its `probabilities` takes rows of beats, too.

    Raises:
        UserError: there is no network, it is damaged, or it reads more than a beat's own row or window.

    Example:
        network = load_classifier("two-lead")
        own = load_classifier("ecg_data/synthetic/runs/NAME")
    """
    path = Path(run_or_file)
    if engine not in ("auto", "torch", "onnx"):
        raise UserError(f"engine={engine!r}: expected 'auto', 'torch' or 'onnx'")
    if is_pretrained(run_or_file):
        return _load_pretrained(str(run_or_file), device, engine)
    if engine == "onnx" or (engine == "auto" and path.suffix == ".onnx"):
        return OnnxClassifier(exported_file(path, which) if path.is_dir() and path.suffix != ".onnx" else path)
    load_torch_classifier = _torch_loader()
    if load_torch_classifier is None:
        raise UserError(
            f"{path}: a checkpoint takes the package torch, which is missing; export it where torch is "
            "(--export onnx) and take the .onnx file"
        )
    return load_torch_classifier(path, device, which or "best")


@cache
def default_networks() -> tuple[Classifier, Classifier]:
    """The networks that come with the program for whole recordings: of two leads, and of one; on the CPU."""
    return load_classifier(TWO_LEAD), load_classifier(ONE_LEAD)


def _load_pretrained(name: str, device: str | torch.device, engine: str) -> Classifier:
    """The network `name` that comes with the program: its checkpoint, or its ONNX file where torch is missing."""
    load_torch_classifier = None if engine == "onnx" else _torch_loader()
    if load_torch_classifier is not None:
        return named(load_torch_classifier(pretrained_file(name, CHECKPOINT), device, "best"), name)
    if engine == "torch" or find_spec("onnxruntime") is None:
        if engine == "torch":
            raise UserError(
                f"network {name}: torch, which was asked for, is not installed; engine onnx does without it"
            )
        raise UserError(f"network {name} takes torch or onnxruntime, and neither is installed: pip install onnxruntime")
    return named(OnnxClassifier(pretrained_file(name, ONNX)), name)


def _torch_loader() -> Callable[[Path, str | torch.device, str], Classifier] | None:
    """The function that loads checkpoints; None where torch is not installed."""
    try:
        from inference.torch_classifier import load_torch_classifier
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return None
    return load_torch_classifier
