"""Flags of the network."""

from __future__ import annotations

from dataclasses import dataclass

from models import MODELS
from toolbox.utils.options import Conflict, named, option


@dataclass(frozen=True)
class ModelOptions:
    """The network."""

    model_name: str | None = option(None, f"one of {', '.join(MODELS)}", type=named(MODELS), role="name", common=True)
    masking: bool = option(False, "sequence models stop where the padding starts", negatable=True)


CONFLICTS = (
    Conflict(
        lambda args: args.starts and args.model_name is None and not args.pretrained,  # which has a model
        f"--model-name is missing; one of {', '.join(MODELS)}",
    ),
)
