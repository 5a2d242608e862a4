"""Heartbeat classification as a library: `from pytorch_ecg import load_classifier, annotate, Stream`.

Names are imported when they are used: annotating with an ONNX file needs no torch. `main(argv)` runs a command line and
returns its result. All other modules have their place here, too: `pytorch_ecg.models`, `pytorch_ecg.toolbox.losses`.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

EXPORTS = {
    "load_classifier": "inference",
    "annotate": "inference",
    "Stream": "inference",
    "main": "commander",
}

if not Path(__file__).with_name("commander.py").is_file():  # a checkout; in an installed package it stands here
    from pytorch_ecg import checkout

    checkout.install_finder()


def __getattr__(name: str) -> Any:
    if name in EXPORTS:
        return getattr(importlib.import_module(f"{__name__}.{EXPORTS[name]}"), name)
    if name == "__version__":
        return importlib.import_module(f"{__name__}.toolbox.utils.program").project_version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *EXPORTS, "__version__"])
