"""Provenance of a run: versions, git commit, hardware, command line."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from toolbox.utils import note
from toolbox.utils.addresses import public_address

PACKAGES = ("torch", "numpy", "scikit-learn", "wfdb", "pyarrow", "matplotlib", "tensorboard")


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that figures depend on."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def git_state(folder: Path | None = None) -> dict[str, Any]:
    """The commit the code stands at and whether files differ from it; None for both outside a git checkout."""
    folder = folder or Path(__file__).resolve().parents[2]
    if not (folder / "pyproject.toml").is_file():  # an installed package, maybe within someone else's git repository
        return {"commit": None, "dirty": None}

    def ask(*words: str) -> str | None:
        try:
            answer = subprocess.run(
                ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return answer.stdout.strip()

    commit = ask("rev-parse", "HEAD")
    changed = ask("status", "--porcelain", "--untracked-files=no") if commit else None
    return {"commit": commit, "dirty": None if changed is None else bool(changed)}


def describe(device: torch.device) -> dict[str, Any]:
    """Provenance as config.json keeps it; `device` is the one that trains."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    hardware = {
        "system": platform.platform(),
        "device": str(device),
        "name": name,
        "instructions": torch.backends.cpu.get_cpu_capability(),  # what torch's kernels use: sums differ with it
        "threads": torch.get_num_threads(),
        "cuda": torch.version.cuda,
    }
    command = [public_address(word) for word in sys.argv]
    return {"versions": versions(), "git": git_state(), "hardware": hardware, "command": command}


def resumed(config: dict[str, Any], data: dict[str, Any], device: torch.device, epoch: int) -> dict[str, Any]:
    """The entry of a resume for config.json: when, after which epoch, and all that differs from the run's `config`.

    A line on stderr says when the difference may change sums in their last bits.
    """
    now = {"data": data, **describe(device)}
    changed = {key: now[key] for key in ("data", "versions", "git", "hardware") if now[key] != config.get(key)}
    if changed.keys() & {"versions", "hardware"}:
        note("other versions or another machine than before: sums may differ in their last bits")
    return {"at": datetime.now(UTC).isoformat(timespec="microseconds"), "epoch": epoch, **changed}


def processor() -> str:
    """The processor's name, as far as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
