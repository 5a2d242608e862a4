"""Classes of the test beats after --adapt: by the other beats of their recordings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from commands.build import BuiltRun
from inference.adapt import adapted, squashed
from inference.classifier import NO_SCALING
from inference.fusion import Shapes
from inference.torch_classifier import scaling_of_model
from loaders.datasets.dataset import ECGLoader
from toolbox.metrics.epoch import evaluate, make_meters, ranking_scores
from toolbox.training.outputs import EpochResult
from toolbox.utils import UserError


def adapted_outcome(outcome: EpochResult, part: ECGLoader, built: BuiltRun, method: str) -> EpochResult:
    """The result of a part's beats after `method`, record by record; its loss stays that of the network.

    Raises:
        UserError: the rows have no features that the network scales, or do not say which record they are of.
    """
    if method == "none":
        return outcome
    scaling, name = scaling_of_model(built.context.model), built.options.model.model_name
    if scaling is None or part.features is None or part.neighbours:
        raise UserError(NO_SCALING.format(method=method, name=name))
    origin = part.origin(outcome.ids)
    if "time" not in origin or not origin["record"].astype(bool).all():
        raise UserError(f"--adapt {method}: these rows do not say which recordings they are of; it needs raw records")
    features = squashed(part.features.cpu().index_select(0, outcome.ids).numpy(), *scaling)
    probabilities, names = outcome.probabilities.numpy().copy(), built.context.class_names
    windows = part.x.cpu().index_select(0, outcome.ids).to(torch.float16).numpy()
    shapes = None
    if windows.ndim == 3:  # not Kaggle's rows
        shapes = Shapes(windows, origin["time"], built.args.window_rate)
    for record in np.unique(origin["record"]):
        own = np.flatnonzero(origin["record"] == record)
        own = own[np.argsort(origin["time"][own], kind="stable")]
        of_record = None if shapes is None else shapes.take(own)
        probabilities[own] = adapted(probabilities[own], features[own], names, method, of_record)
    return _rescored(outcome, torch.from_numpy(probabilities), names)


def _rescored(outcome: EpochResult, probabilities: torch.Tensor, names: tuple[str, ...]) -> EpochResult:
    """The outcome with other probabilities (n, C), and their scores."""
    meters = make_meters(len(names), "cpu")
    meters["confusion"].update(probabilities.argmax(dim=1), outcome.labels)
    scores = {**outcome.scores, **evaluate(meters["confusion"].value(), names)}
    scores |= ranking_scores(probabilities.numpy(), outcome.labels.numpy())
    return replace(outcome, scores=scores, probabilities=probabilities)
