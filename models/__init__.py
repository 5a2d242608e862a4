"""Networks by name. Adding one is a file here and a line in MODELS."""

from __future__ import annotations

import inspect
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from toolbox.utils import Registry, UserError
from toolbox.utils.aami import KAGGLE_ROW, classes_of

if TYPE_CHECKING:
    from torch import nn

MODELS = Registry(
    "model",
    {
        "cnn1d_3": "models.cnn1d:cnn1d_3",
        "lstm_1": "models.lstm:lstm_1",
        "lstm_2": "models.lstm:lstm_2",
        "lstm_3": "models.lstm:lstm_3",
        "lstm_seq": "models.rnn:lstm_seq",
        "gru_seq": "models.rnn:gru_seq",
        "mlp": "models.mlp:mlp",
        "resnet1d_10": "models.resnet1d:resnet1d_10",
        "resnet1d_18": "models.resnet1d:resnet1d_18",
        "resnet1d_fusion": "models.resnet1d_fusion:resnet1d_fusion",
        "resnet1d_gru": "models.resnet1d_gru:resnet1d_gru",
        "resnet1d_lean": "models.resnet1d_lean:resnet1d_lean",
        "resnet1d_v2_10": "models.resnet1d_v2:resnet1d_v2_10",
        "resnet1d_v2_18": "models.resnet1d_v2:resnet1d_v2_18",
        "resnet1d_wide": "models.resnet1d_wide:resnet1d_wide",
    },
    aliases={"cnn1d": "cnn1d_3", "lstm": "lstm_1", "resnet1d": "resnet1d_10", "resnet1d_v2": "resnet1d_v2_10"},
)


def list_models() -> list[str]:
    """The names that --model-name takes, aliases left out."""
    return list(MODELS)


def get_model(
    args: Namespace, in_channels: int = 1, length: int = KAGGLE_ROW, features: int = 0, beats: int = 1
) -> nn.Module:
    """The network `args.model_name` for `args.num_classes` classes, its weights drawn from torch's generator.

    Args:
        args: a namespace of flags: model_name, num_classes (None for the classes of dataset and split), and, where
            they are given, masking and progressive.
        in_channels, length: of a row; where neighbours come along, channels are beats * leads.
        features: numbers beside each beat's row.
        beats: rows that come together: a beat's own in the middle of its neighbours'.

    Returns:
        A module that takes (batch, in_channels, length), and (batch, beats * features) where there are features, and
        returns logits (batch, num_classes).

    Raises:
        UserError: the name is unknown, or the network has no use for a flag that was given.
    """
    name = args.model_name
    options: dict[str, Any] = {}
    if getattr(args, "masking", False):
        if name not in takes("masking"):
            raise UserError(
                f"--masking does nothing for {name}, which does not read a beat as a sequence; "
                f"models that do: {', '.join(takes('masking'))}"
            )
        options["masking"] = True
    options.update(_row_options(name, in_channels, length, features, beats))
    classes = args.num_classes or classes_of(args.dataset, args.split)
    model = MODELS[name](num_classes=classes, **options)
    shortest = getattr(args, "progressive", KAGGLE_ROW)
    if shortest < KAGGLE_ROW:
        _check_shorter_rows(name, model, shortest)
    return model


def takes(parameter: str) -> list[str]:
    """The models whose builders have this parameter."""
    return [name for name in MODELS if parameter in inspect.signature(MODELS[name]).parameters]


def _row_options(name: str, in_channels: int, length: int, features: int, beats: int) -> dict[str, int]:
    """The builder's arguments for rows other than Kaggle's; UserError when it has no use for features."""
    if features and name not in takes("features"):
        raise UserError(
            f"--features: {name} reads the row alone; models that take them: {', '.join(takes('features'))}"
        )
    asked = {
        "in_channels": (in_channels, 1), "length": (length, KAGGLE_ROW), "features": (features, 0), "beats": (beats, 1),
    }  # fmt: skip
    taken = inspect.signature(MODELS[name]).parameters
    return {key: value for key, (value, usual) in asked.items() if value != usual and key in taken}


def _check_shorter_rows(name: str, model: nn.Module, samples: int) -> None:
    """Raise UserError unless the network reads rows of this many samples."""
    import torch

    try:
        with torch.inference_mode():
            model.eval()(torch.zeros(2, 1, samples))
    except RuntimeError as error:
        raise UserError(
            f"--progressive {samples}: {name} reads whole rows of {KAGGLE_ROW} samples only; "
            "residual and sequence models read shorter ones"
        ) from error
