"""A classifier of beats that runs a trained network with torch."""

from __future__ import annotations

import hashlib
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from inference.classifier import Scaling, check_class_names, check_logits
from inference.options import AdaptOptions
from loaders.beats.input_spec import InputSpec
from loaders.options import InputOptions, SyntheticPatientOptions
from models import get_model
from models.options import ModelOptions
from toolbox.runs.checkpoint import load_checkpoint, load_weights
from toolbox.runs.checkpoint_checks import check_whole
from toolbox.runs.resume import load_resume_checkpoint
from toolbox.utils import UserError, schema_error
from toolbox.utils.device import pick_device
from toolbox.utils.options import check_values

BATCH_SIZE = 1024  # rows at once
STORED_OPTIONS = {  # of a checkpoint: those that a network and its input are built from
    "model_name": str,
    "masking?": bool,
    "context?": str,
    "window_before?": (int, float),
    "window_after?": (int, float),
    "window_rate?": (int, float),
    "leads?": int,
    "scale?": str,
    "highpass?": (int, float),
    "baseline?": str,
    "features?": [str],
    "neighbours?": int,
    "spliced?": str,
    "adapt?": str,
}


class TorchClassifier:
    """Classify beats with a torch network; see `Classifier`.

    Args:
        model: (batch, leads, samples), and features (batch, k) if its input has any, -> logits (batch, classes), with
            trained weights.
        class_names: one for each logit.
        name: of the network, for people.
        device: where it runs; another process runs it on the same.
        input_spec: the windows and features that it reads; None for Kaggle's rows.
        dataset: the name of what it was trained on; "" where that is not known.
        adapt: how its answers are adapted to a recording, see inference.options.
    """

    def __init__(
        self,
        model: nn.Module,
        class_names: Sequence[str],
        name: str,
        device: torch.device,
        input_spec: InputSpec | None = None,
        dataset: str = "",
        adapt: str = "none",
    ) -> None:
        self.model = model.eval().to(device)
        self.class_names = tuple(class_names)
        self.name = name
        self.device = device
        self.input_spec = input_spec
        self.dataset = dataset
        self.adapt = adapt

    @property
    def scaling(self) -> Scaling | None:
        """The scaling of the features that the network reads; None where it reads none."""
        return scaling_of_model(self.model)

    @torch.inference_mode()
    def probabilities(self, rows: np.ndarray, features: np.ndarray | None = None) -> np.ndarray:
        """See `Classifier`."""
        parts = [np.zeros((0, len(self.class_names)), dtype=np.float32)]
        for start in range(0, len(rows), BATCH_SIZE):
            x = torch.from_numpy(rows[start : start + BATCH_SIZE])
            inputs = [x[:, None] if x.dim() == 2 else x]  # (B, 1, 187)
            if features is not None:
                inputs.append(torch.from_numpy(features[start : start + BATCH_SIZE]))
            logits = self.model(*(part.to(self.device) for part in inputs)).float().cpu()  # (B, classes)
            check_logits(logits.numpy(), self.name)
            parts.append(logits.softmax(dim=1).numpy())
        return np.concatenate(parts)

    def fingerprint(self) -> str:
        """SHA-256 of the weights, their names, the classes and the input: of all that the answers depend on."""
        facts = (self.class_names, type(self.model).__name__, *([self.input_spec] if self.input_spec else []))
        text = repr(facts).replace(
            "InputSpec(", "Recipe("
        )  # its name when the first files with a fingerprint were made
        digest = hashlib.sha256(text.encode())
        for name, value in self.model.state_dict().items():
            digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def load_torch_classifier(path: Path, device: str | torch.device, which: str) -> TorchClassifier:
    """The network of a checkpoint file, or of the checkpoint `which` ("best", "latest" or an epoch) of a run's folder.

    Raises:
        UserError: there is none, it is damaged, or its network reads more than a beat's own row or window.
    """
    if path.is_dir():
        state, name = load_resume_checkpoint(path, which), path.resolve().name
    else:
        state, name = load_checkpoint(path), str(path)
        check_whole(state, path)
    options = _stored_options(state, path)
    windows = options.context != "kaggle"
    if options.neighbours or (options.features and not windows):
        raise UserError(
            f"{name} reads neighbours' rows, or features beside Kaggle's rows; --predict takes networks of Kaggle's "
            "rows alone, and of windows (--context window) with features or without"
        )
    spec = InputSpec.of(options, options.spliced) if windows else None
    check_class_names(state["class_names"], path)
    model = get_model(options, **(spec.shape() if spec else {}))
    load_weights(model, state["model"], path)
    title = f"{options.model_name}, epoch {state['epoch']} of {name}"
    dataset = str(state["log"]["options"].get("dataset", ""))
    return TorchClassifier(model, state["class_names"], title, pick_device(device), spec, dataset, options.adapt)


def scaling_of_model(model: nn.Module) -> Scaling | None:
    """The scaling by which a network scales the features beside a row; None where it scales none."""
    center, spread = (getattr(model, name, None) for name in ("center", "spread"))
    if center is None or spread is None or getattr(model, "reads_rows", True):
        return None
    return Scaling(center.cpu().numpy(), spread.cpu().numpy())


def adaptation_metadata(model: nn.Module, adapt: str) -> dict[str, Any]:
    """The metadata of an exported network by which its answers are adapted to a recording; none where it scales none.

    Args:
        model: the network.
        adapt: how they are, see inference.options.
    """
    scaling = scaling_of_model(model)
    if scaling is None:
        return {}
    return {"scaling": {key: part.tolist() for key, part in scaling._asdict().items()}, "adapt": adapt}


def _stored_options(state: Mapping[str, Any], path: Path) -> Namespace:
    """The flags that a network was trained with; of those that are younger than its checkpoint, the defaults."""
    stored = state["log"]["options"]
    if problem := schema_error(stored, STORED_OPTIONS, "log.options"):
        raise UserError(f"{path} is damaged: {problem}")
    defaults: dict[str, Any] = {}
    for options in (ModelOptions(), InputOptions(), SyntheticPatientOptions(), AdaptOptions()):
        try:
            check_values(type(options), stored)
        except UserError as error:
            raise UserError(f"{path} is damaged: log.options.{error}") from error
        defaults.update(asdict(options))
    used = {key: value for key, value in stored.items() if key in defaults}
    return Namespace(**{**defaults, **used, "num_classes": len(state["class_names"])})
