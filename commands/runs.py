"""The run that the flags mean. Needs no torch, so that an exported network annotates without it."""

from __future__ import annotations

import sys
from argparse import Namespace

from args import FREE_FLAGS, NAME_FLAGS, stored_options
from toolbox.runs.folders import Run, check_config, list_runs, merge_run_options, runs_without_config, select


def find_run(args: Namespace) -> Run:
    """The run that the given flags and --version mean: the newest unless a number is given."""
    wanted = {key: getattr(args, key) for key in NAME_FLAGS if key in args.given}
    version = int(args.version) if args.version not in (None, "latest") else None
    for folder in runs_without_config(args.root_dir):
        print(f"warning: {folder} is passed over: its config.json is missing or damaged", file=sys.stderr)
    run = select(list_runs(args.root_dir), wanted, version)
    check_config(run)
    return Run(run.path, {**run.config, "options": stored_options(run.options, run.path / "config.json")})


def open_run(args: Namespace) -> tuple[Namespace, Run]:
    """The run that the flags mean, and the flags with its own where none were given.

    Raises:
        UserError: no run fits, or a flag was given that would make it another run.
    """
    run = find_run(args)
    return merge_run_options(args, run, FREE_FLAGS), run
