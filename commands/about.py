"""Prints versions, the device and where runs are."""

from __future__ import annotations

import platform
from argparse import Namespace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from toolbox.reports.console import aligned
from toolbox.runs.folders import list_runs
from toolbox.utils.program import project_version


def run(args: Namespace) -> dict[str, Any]:
    """Print the versions of the program, Python and torch, the device that training takes, and the folder of runs."""
    root = Path(args.root_dir).resolve()
    facts = {
        "pytorch-ecg": project_version(),
        "Python": f"{platform.python_version()} on {platform.platform()}",
        **_of_torch(args),
        "runs": f"{len(list_runs(args.root_dir))} in {root}",
    }
    print(aligned(facts))
    return facts


def _of_torch(args: Namespace) -> dict[str, str]:
    """Its version and the device; that it is missing, where only annotating is installed."""
    try:
        installed = version("torch")
    except PackageNotFoundError:
        return {"torch": "not installed; annotating with .onnx files needs none"}
    from toolbox.utils.device import describe_device, pick_device  # brings torch

    return {"torch": installed, "device": describe_device(pick_device(args.device, args.disable_cuda))}
