"""Changes the name, tags and note of runs; their folders, weights and results stay as they are."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from args import LABELS
from commands.compare import find_named
from commands.guide import guide_to
from commands.index import refresh_index
from toolbox.logger import Experiment
from toolbox.reports.comparison import best_validation
from toolbox.reports.run_page import write_page
from toolbox.runs.folders import Run, check_config, list_runs
from toolbox.utils import UserError, printable, write_json


def run(args: Namespace) -> dict[str, Any]:
    """Change what --name, --tag and --note give of the runs that --edit names.

    Returns:
        {"runs": the names of the folders, "options": what they hold now}.

    Raises:
        UserError: no such run.
    """
    every = list_runs(args.root_dir)
    if not every:
        raise UserError(f"no run below {args.root_dir}; train one first")
    changes = {key: getattr(args, key) for key in LABELS if key in args.given}
    runs = find_named(every, args.edit, "--edit")
    for one in runs:
        check_config(one)
        one.options.update(changes)
        write_json(one.path / "config.json", one.config)
        if one.page.is_file():
            rewrite_page(one)
        print(f"{printable(one.name)}: {described(one)}")
    for folder in dict.fromkeys(one.path.parent for one in runs):
        refresh_index(folder)
    return {"runs": [one.name for one in runs], "options": changes}


def rewrite_page(run: Run) -> None:
    """Write the page of a run anew, from its log and its newest test."""
    log = Experiment.from_json(run.path / "logger.json")
    best = best_validation(log.logged, str(run.options.get("monitor", "macro_f1")))
    write_page(run, log.to_dict(), dict(best), guide_to(run))


def described(run: Run) -> str:
    """The name, tags and note of a run on one line."""
    parts = {"name": run.title if run.title != run.name else "", "tags": " ".join(run.tags), "note": run.remark}
    return printable(", ".join(f"{key} {value}" for key, value in parts.items() if value) or "no name, tag or note")
