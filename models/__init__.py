"""Networks by name. Adding one is a file here and a line in MODELS."""

from __future__ import annotations

import inspect
from argparse import Namespace
from typing import TYPE_CHECKING

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
        "resnet1d_10": "models.resnet1d:resnet1d_10",
        "resnet1d_18": "models.resnet1d:resnet1d_18",
        "resnet1d_lean": "models.resnet1d_lean:resnet1d_lean",
        "resnet1d_v2_10": "models.resnet1d_v2:resnet1d_v2_10",
        "resnet1d_v2_18": "models.resnet1d_v2:resnet1d_v2_18",
    },
    aliases={"cnn1d": "cnn1d_3", "lstm": "lstm_1", "resnet1d": "resnet1d_10", "resnet1d_v2": "resnet1d_v2_10"},
)


def list_models() -> list[str]:
    """The names that --model-name takes, aliases left out."""
    return list(MODELS)


def get_model(args: Namespace) -> nn.Module:
    """The network `args.model_name` for `args.num_classes` classes, its weights drawn from torch's generator.

    Returns:
        A module that takes (batch, 1, 187) and returns logits (batch, num_classes).

    Raises:
        UserError: the name is unknown, or the network has no use for a flag that was given.
    """
    builder = MODELS[args.model_name]
    options = {}
    if getattr(args, "masking", False):
        if "masking" not in inspect.signature(builder).parameters:
            readers = [name for name in MODELS if "masking" in inspect.signature(MODELS[name]).parameters]
            raise UserError(
                f"--masking does nothing for {args.model_name}, which does not read a beat as a sequence; "
                f"models that do: {', '.join(readers)}"
            )
        options["masking"] = True
    model = builder(num_classes=args.num_classes, **options)
    if getattr(args, "progressive", ROW) < ROW:
        _check_shorter_rows(model, args)
    return model


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
