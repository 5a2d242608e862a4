"""Run folders of this project's predecessor (2020): how they are recognised, and how their weights are used here."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path
from typing import Any

from toolbox.utils import UserError, read_json
from toolbox.utils.program import program_words

CHECKPOINTS = ("model_best.pth.tar", "checkpoint.pth.tar")


def old_run_options(folder: Path) -> dict[str, Any] | None:
    """The flags of the predecessor's run in `folder`; None when it holds no such run.

    Its config.json is the flags themselves; its logger.json has a dictionary of meters for each split, where a log of
    this project has a list of epochs.
    """
    config, log = _dictionary(folder / "config.json"), _dictionary(folder / "logger.json")
    logged, options = log.get("logged"), log.get("options")
    is_old = isinstance(logged, dict) and isinstance(logged.get("train"), dict)
    if not is_old and ("options" in config or "model_name" not in config):
        return None
    if checkpoint_of(folder) is None:
        return None
    return config or (options if isinstance(options, dict) else {})


def checkpoint_of(folder: Path) -> Path | None:
    """The best checkpoint in a folder, else the latest; None when there is none."""
    return next((folder / name for name in CHECKPOINTS if (folder / name).is_file()), None)


def old_runs(root: str | Path) -> list[Path]:
    """The run folders of the predecessor below `root`."""
    return sorted(path for path in Path(root).glob("*/runs/*") if path.is_dir() and old_run_options(path) is not None)


def advice(folder: Path) -> str:
    """One line for the run folder of the predecessor: its name, and the commands that use its weights."""
    options = old_run_options(folder) or {}
    words = ["--import-weights", str(checkpoint_of(folder))]
    for flag in ("dataset", "model_name"):
        words += [f"--{flag.replace('_', '-')}", str(options[flag])] if options.get(flag) else []
    start = program_words()
    return (
        f"{folder} is a run of this project's predecessor, which cannot be resumed; to score its weights: "
        f"{shlex.join([*start, '--test', *words])}; to start a training from them: {shlex.join([*start, *words])}"
    )


def _dictionary(path: Path) -> dict[str, Any]:
    """The content of a JSON file if it is a dictionary, else an empty one."""
    with contextlib.suppress(UserError):
        content = read_json(path)
        return content if isinstance(content, dict) else {}
    return {}
