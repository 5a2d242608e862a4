"""Annotate recordings with a trained network: the public Python API.

    from inference import annotate, load_classifier, Stream

Names are imported when they are asked for: the command line reads its flags in inference/options.py without pandas.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inference.beat_table import annotate
    from inference.classifier import Classifier
    from inference.load import load_classifier
    from inference.stream import Beat, Stream

MODULES = {
    "Beat": "stream",
    "Classifier": "classifier",
    "Stream": "stream",
    "annotate": "beat_table",
    "load_classifier": "load",
}
__all__ = ["Beat", "Classifier", "Stream", "annotate", "load_classifier"]


def __getattr__(name: str) -> Any:
    """The public name, from its module."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *MODULES])
