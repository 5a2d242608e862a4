"""Networks by name. Adding one is a file here and a line in MODELS."""

from __future__ import annotations

import inspect
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from toolbox.utils import Registry, UserError

if TYPE_CHECKING:
    from torch import nn

ROW = 187  # samples

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


def get_model(args: Namespace, in_channels: int = 1, length: int = ROW, features: int = 0, beats: int = 1) -> nn.Module:
    """The network `args.model_name` for `args.num_classes` classes, its weights drawn from torch's generator.

    Args:
        in_channels, length: of a row; where neighbours come along, channels are beats * leads.
        features: numbers beside each beat's row.
        beats: rows that come together: a beat's own in the middle of its neighbours'.

    Returns:
        A module that takes (batch, in_channels, length), and (batch, beats * features) where there are features, and
        returns logits (batch, num_classes).

    Raises:
        UserError: the name is unknown, or the network has no use for a flag that was given.
    """
    builder = MODELS[args.model_name]
    options: dict[str, Any] = {}
    if getattr(args, "masking", False):
        if "masking" not in inspect.signature(builder).parameters:
            readers = takes("masking")
            raise UserError(
                f"--masking does nothing for {args.model_name}, which does not read a beat as a sequence; "
                f"models that do: {', '.join(readers)}"
            )
        options["masking"] = True
    options.update(_row_options(args, in_channels, length, features, beats))
    model = builder(num_classes=args.num_classes, **options)
    if getattr(args, "progressive", ROW) < ROW:
        _check_shorter_rows(model, args)
    return model


def takes(parameter: str) -> list[str]:
    """The models whose builders have this parameter."""
    return [name for name in MODELS if parameter in inspect.signature(MODELS[name]).parameters]


def _row_options(args: Namespace, in_channels: int, length: int, features: int, beats: int) -> dict[str, int]:
    """What the builder must be told of rows that are not Kaggle's; UserError when it has no use for features."""
    if features and args.model_name not in takes("features"):
        raise UserError(
            f"--features: {args.model_name} reads the row alone; models that take them: {', '.join(takes('features'))}"
        )
    asked = {"in_channels": (in_channels, 1), "length": (length, ROW), "features": (features, 0), "beats": (beats, 1)}
    known = inspect.signature(MODELS[args.model_name]).parameters
    return {name: value for name, (value, usual) in asked.items() if value != usual and name in known}


def _check_shorter_rows(model: nn.Module, args: Namespace) -> None:
    import torch

    try:
        with torch.inference_mode():
            model.eval()(torch.zeros(2, 1, args.progressive))
    except RuntimeError as error:
        raise UserError(
            f"--progressive {args.progressive}: {args.model_name} reads whole rows of {ROW} samples only; "
            "residual and sequence models read shorter ones"
        ) from error
