"""Choose the run that the flags mean. Needs no torch, so that an exported network annotates without it."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import fields

from args import ACTION_FLAGS, FREE_FLAGS, GROUPS, LABELS, NAME_FLAGS, stored_options
from toolbox.export.onnx_file import FOLDER, MODEL
from toolbox.runs.folders import (
    Run,
    check_config,
    checkpoint_name,
    fits,
    labelled,
    list_runs,
    runs_without_config,
    select,
)
from toolbox.runs.predecessor import advice, old_runs
from toolbox.utils import UserError, note, warn
from toolbox.utils.options import default_of

CHOOSING = ("root_dir", "resume", "version")  # flags that say which run is meant, though none of them belongs to one
DEFAULTS = {one.name: default_of(one) for options in GROUPS.values() for one in fields(options)}


def names_run(args: Namespace) -> bool:
    """Check whether a flag was given that tells runs apart or says where they are, by the command line or --config."""
    of_runs = args.given - {*ACTION_FLAGS, *FREE_FLAGS}
    return bool(of_runs or args.given & {*CHOOSING})


def open_run(args: Namespace) -> tuple[Namespace, Run]:
    """The run that the flags mean, and the flags with its own where none were given.

    Raises:
        UserError: no run fits, or a flag was given that would make it another run.
    """
    run = find_run(args)
    return merge_run_options(args, run), run


def merge_run_options(args: Namespace, run: Run) -> Namespace:
    """`args` with the run's own flags where none were given; only FREE_FLAGS may differ from them.

    Raises:
        UserError: a flag was given that would make it another run.
    """
    merged = Namespace(**vars(args))
    for key, value in run.options.items():
        if key not in args.given or key in LABELS:  # those have chosen the run
            setattr(merged, key, value)
        elif key not in FREE_FLAGS and getattr(args, key) != value:
            raise UserError(
                f"--{key.replace('_', '-')} {getattr(args, key)}: {run.name} was started with {value}; "
                f"leave the flag out, or start a new run (from these weights by --pretrained {run.path})"
            )
    return merged


def find_run(args: Namespace, quiet: bool = False) -> Run:
    """The run that the flags mean; unless `quiet`, a line on stderr says which of how many.

    Without --version, it is the newest that fits the given flags and has the file that is asked for. With --version,
    flags that were left out stand for their defaults, where runs differ by them and one has the defaults.
    """
    wanted = {key: getattr(args, key) for key in NAME_FLAGS if key in args.given}
    version = int(args.version) if args.version not in (None, "latest") else None
    old = old_runs(args.root_dir)
    for folder in runs_without_config(args.root_dir):
        if folder not in old and not quiet:
            warn(f"{folder} is passed over: its config.json is missing or damaged")
    runs = list_runs(args.root_dir)
    if args.given & {"name", "tag"}:
        runs = find_labelled(runs, args)
    fitting = [run for run in runs if fits(run, wanted) and (version is None or run.version == version)]
    meant = of_default_flags(fitting, wanted) if args.version is not None else fitting
    ready = [run for run in meant if not run.trial and (run.path / needed_file(args)).is_file()]
    try:
        run = select((ready if version is None else meant) or fitting or runs, wanted, version)
    except UserError as error:
        if not old:
            raise
        raise UserError(f"{error}. {advice(old[-1])}") from error
    if not quiet:
        note(f"run {run.name}{_of_how_many(run, fitting, meant, args)}")
    check_config(run)
    return Run(run.path, {**run.config, "options": stored_options(run.options, run.path / "config.json")})


def find_labelled(runs: list[Run], args: Namespace) -> list[Run]:
    """Those of the runs that have the --name and the tags of --tag.

    Raises:
        UserError: none has; the message names those that there are.
    """
    chosen = labelled(runs, args.name, args.tag)
    if not chosen:
        words = [f"--name {args.name!r}"] * bool(args.name) + [f"--tag {' '.join(args.tag)}"] * bool(args.tag)
        names = sorted({run.title for run in runs if run.title != run.name})
        tags = sorted({tag for run in runs for tag in run.tags})
        have = f"names: {', '.join(names) or 'none'}; tags: {' '.join(tags) or 'none'}"
        raise UserError(f"no run below {args.root_dir} has {' and '.join(words)}; there are {have}")
    return chosen


def single_lead_run(args: Namespace, dataset: str) -> Run | None:
    """The newest run of a dataset whose network reads windows of one lead, with a best epoch (or an export, where
    --engine asks for it). Kaggle's rows are of one lead, too, but show too little to stand in for windows."""
    file = f"{FOLDER}/{MODEL}" if args.engine == "onnx" else checkpoint_name("best")
    runs = [run for run in list_runs(args.root_dir, dataset) if fits(run, {"context": "window", "leads": 1})]
    return next((run for run in reversed(runs) if not run.trial and (run.path / file).is_file()), None)


def of_default_flags(runs: list[Run], wanted: dict[str, object]) -> list[Run]:
    """Those of several runs that have the defaults of all flags by which the runs differ; all, where none has."""
    open_flags = [key for key in NAME_FLAGS if key not in wanted]
    differing = [key for key in open_flags if len({str(run.options.get(key, DEFAULTS[key])) for run in runs}) > 1]
    return [run for run in runs if fits(run, {key: DEFAULTS[key] for key in differing})] or runs


def needed_file(args: Namespace) -> str:
    """The file, below a run's folder, that the flags ask for."""
    if args.predict and args.engine == "onnx":
        return f"{FOLDER}/{MODEL}"
    return checkpoint_name(args.resume or "best")


def _of_how_many(run: Run, fitting: list[Run], meant: list[Run], args: Namespace) -> str:
    if len(fitting) == 1:
        return ", the only one that fits"
    text = f", the newest of {len(fitting)} that fit"
    if len(meant) < len(fitting):
        text = f", of {len(fitting)} that fit: flags that were left out stand for their defaults"
    paths = [other.path for other in meant]
    newer = meant[paths.index(run.path) + 1 :] if run.path in paths else []
    later = [other.name for other in newer if not other.trial]
    return text + (f"; passed over, without {needed_file(args)} yet: {', '.join(later)}" if later else "")
