"""How to go on with a run, for its page: commands to copy, and which flags it was started with are the defaults."""

from __future__ import annotations

import shlex
from dataclasses import fields
from typing import Any

from args import GROUPS, NAME_FLAGS
from loaders.sources.excerpts import folders_of
from toolbox.reports.run_facts import Guide
from toolbox.reports.runs_index import INDEX
from toolbox.runs.folders import Run, naming_words
from toolbox.utils.aami import classes_of
from toolbox.utils.options import default_of
from toolbox.utils.program import program_words

PAGES = "annotated"  # the folder of a run that the records of its wrong beats are annotated to


def guide_to(run: Run) -> Guide:
    """The commands and defaults for the page of `run`."""
    words, naming = program_words(), naming_words(run, NAME_FLAGS)
    root, pages = run.path.parents[2], run.path / PAGES

    def line(*more: str) -> str:
        return shlex.join([*words, *more])

    threads = run.config.get("threads")  # an edited file may hold anything
    same = ["--threads", str(threads["number"])] if isinstance(threads, dict) and "number" in threads else []
    commands = {
        "Train the same again": line("--config", str(run.path / "config.json"), "--root-dir", str(root), *same),
        "Resume it, for more epochs": line("--resume", "latest", *naming, "--epochs", str(longer(run))),
        "Test it": line("--test", *naming),
        "Annotate a recording": line("--predict", "RECORDING", *naming),
    }
    folders = [folder for folder in folders_of(run.options, root).values() if folder.is_dir()]
    source = str(folders[0] / "RECORD") if folders else ""
    records = line("--predict", source, *naming, "--out", str(pages)) if source else ""
    return Guide(commands, defaults_of(run.options), records, (pages, *folders), f"../{INDEX}")


def longer(run: Run) -> int:
    """Twice the epochs of a run."""
    epochs: Any = run.options.get("epochs")
    return 2 * epochs if isinstance(epochs, int) else 40


def defaults_of(options: dict[str, Any]) -> dict[str, Any]:
    """The value of each flag of a run when it is left out."""
    defaults = {one.name: default_of(one) for group in GROUPS.values() for one in fields(group)}
    if {"dataset", "split"} <= options.keys():
        defaults["num_classes"] = classes_of(options["dataset"], options["split"])
    return {name: defaults[name] for name in options if name in defaults}
