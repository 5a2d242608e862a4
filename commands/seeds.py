"""Trains or scores several seeds as one experiment: a run for each, and a JSON file with each score's mean and spread.

The file ROOT/DATASET/runs/NAMEseedsN_V.json is claimed before the first run starts, and each run's config.json names
it, so that an interrupted experiment can be resumed at any moment.
"""

from __future__ import annotations

import shlex
from argparse import Namespace
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from args import NAME_FLAGS, extract_name, run_options
from commands import test, train
from commands.pretrained import with_pretrained_inputs
from commands.runs import merge_run_options
from toolbox.logger import Experiment
from toolbox.reports.score_names import name_of
from toolbox.reports.seed_tables import as_latex
from toolbox.runs.claim import claim_file
from toolbox.runs.folders import Run, by_age, labelled, list_runs
from toolbox.runs.provenance import git_state
from toolbox.utils import UserError, atomic_write, outliving_readers, printable, read_json, write_json
from toolbox.utils.program import program_words
from toolbox.utils.signals import Interrupted

SHOWN = ("accuracy", "acc1", "acc_class", "macro_f1", "kappa", "j_kappa", "ece", "temperature")


def run(args: Namespace) -> dict[str, Any]:
    """Train or score an experiment; see `run_seeds`. A lost reader of the output ends nothing."""
    with outliving_readers():
        return run_seeds(args)


def run_seeds(args: Namespace) -> dict[str, Any]:
    """Start an experiment of --seeds N seeds, resume the newest one (--resume latest), or score it (--test).

    Returns:
        What its file holds: name, started, git, seeds, runs, options, and "val" and "test" as `spread` gives them.

    Raises:
        UserError: no experiment fits, or it is to be scored and has not been trained to its end.
        Interrupted: a run was stopped; the experiment can be resumed.
    """
    if not (args.test or args.resume):
        args = with_pretrained_inputs(args)
    path = newest_experiment(args) if args.test or args.resume else new_experiment(args)
    experiment = Run(path, read_json(path))
    state, seeds = experiment.config, experiment.config["seeds"]
    if args.test and len(state["runs"]) < len(seeds):
        raise UserError(
            f"{state['name']} is trained for {len(state['runs'])} of {len(seeds)} seeds; resume it by --resume "
            f"latest --seeds {args.seeds}"
        )
    results = []
    for number, seed in enumerate(seeds, start=1):
        print(f"{printable(state['name'])}: seed {seed}, {number} of {len(seeds)}", flush=True)
        run = runs_of(args, state["name"]).get(seed)
        if args.test and run is not None:
            results.append(test.test_run(merge_run_options(args, run), run))
            continue
        results.append(train_seed(args, experiment, run, seed))
        state["runs"] = [Path(result["run"]).name for result in results]
        state["val"] = spread([result["val"] for result in results])
        write_json(path, state)
    part = "test" if args.test else "val"
    if args.test:
        state["test"] = spread([{**result["test"], "patients": flat_maps(result["patients"])} for result in results])
        write_json(path, state)
    print(f"{printable(state['name'])}, mean +- standard deviation of {len(seeds)} seeds, {part}:")
    print("\n".join(table(state[part])))
    latex = path.with_suffix(".tex")
    with atomic_write(latex, "w") as handle:
        handle.write(as_latex(state, part))
    print(f"written {printable(path)} and {printable(latex.name)}")
    return {"experiment": str(path), **state}


def runs_of(args: Namespace, name: str) -> dict[int, Run]:
    """The runs of an experiment by their seeds."""
    return {run.options["seed"]: run for run in list_runs(args.root_dir) if run.config.get("experiment") == name}


def train_seed(args: Namespace, experiment: Run, run: Run | None, seed: int) -> dict[str, Any]:
    """Train the run of one seed to its end; its result, with the validation scores of its best epoch under "val"."""
    own = Namespace(**{**vars(args), "resume": "latest" if run else ""})
    if args.resume:  # the experiment's flags, for runs that had not been started
        own = merge_run_options(own, run or experiment)
    own.seed = seed
    try:
        result = train.train_run(own, run, experiment.config["name"])
    except Interrupted as stop:
        words = [*program_words(), "--resume", "latest", "--seeds", str(args.seeds)]
        stop.command = shlex.join([*words, *([] if args.root_dir == "ecg_data" else ["--root-dir", args.root_dir])])
        raise
    except BaseException:
        if not runs_of(args, experiment.config["name"]):  # a failed start leaves nothing
            experiment.path.unlink(missing_ok=True)
        raise
    best = (result["best"] or {}).get("epoch", result["epoch"])
    scores = Experiment.from_json(Path(result["run"]) / "logger.json").at("val", best) or {}
    return {**result, "val": {key: value for key, value in scores.items() if key not in ("epoch", "seconds")}}


def new_experiment(args: Namespace) -> Path:
    """Claim and fill the file of a new experiment, its version the next free one."""
    folder = Path(args.root_dir) / args.dataset / "runs"
    path = claim_file(folder, f"{extract_name(args)}seeds{args.seeds}_", ".json")
    state = {
        "name": path.stem,
        "started": datetime.now(UTC).isoformat(timespec="microseconds"),
        "git": git_state(),
        "seeds": list(range(args.seed, args.seed + args.seeds)),
        "runs": [],
        "options": run_options(args),
        "val": None,
        "test": None,
    }
    write_json(path, state)
    return path


def newest_experiment(args: Namespace) -> Path:
    """The file of the newest experiment of --seeds N seeds that the given flags fit."""
    wanted = {key: getattr(args, key) for key in NAME_FLAGS if key in args.given}
    fitting, others = [], []
    for path in Path(args.root_dir).glob("*/runs/*seeds*.json"):
        try:
            state = read_json(path)
            fits = all(state["options"].get(key) == value for key, value in wanted.items())
            fits = fits and bool(labelled([Run(path, state)], args.name, args.tag))
            if fits and len(state["seeds"]) == args.seeds:
                version = int(path.stem.rpartition("_")[2])
                fitting.append(
                    Run(path.with_name(path.stem), {**state, "version": version, "started": state["started"] + ""})
                )
            others.append(f"{state['name']} ({len(state['seeds'])} seeds)")
        except (UserError, KeyError, TypeError, AttributeError, ValueError):
            continue  # another file, or one that was claimed and not yet filled
    if not fitting:
        there = f"; there are: {', '.join(others)}" if others else "; there are none: train one by --seeds N first"
        raise UserError(f"no experiment of {args.seeds} seeds fits these flags{there}")
    newest = by_age(fitting)[-1].path
    return newest.with_name(f"{newest.name}.json")


def flat_maps(patients: Mapping[str, Any]) -> dict[str, Any]:
    """The scores of toolbox.metrics.patients, without intervals and records: nested mappings of numbers."""
    by_map = {}
    for name, result in patients["maps"].items():
        figures = {key: result[key]["value"] for key in ("accuracy", "macro_f1", "kappa", "j_kappa")}
        per_class = result["per_class"].items()
        classes = {of: {kind: each[kind]["value"] for kind in ("Se", "+P", "F1")} for of, each in per_class}
        ec57 = {of: result["ec57"][of] for of in ("gross", "average")} if "ec57" in result else {}
        by_map[name] = {**figures, **classes, "EC57": ec57, "without": result.get("without", {})}
    databases = {name: flat_maps(each) for name, each in patients.get("databases", {}).items()}
    return {**by_map, **databases, **({"calibration": patients["calibration"]} if "calibration" in patients else {})}


def flat(scores: Mapping[str, Any], before: str = "") -> dict[str, float | None]:
    """The numbers in nested mappings, under "outer/inner"; lists are left out."""
    numbers: dict[str, float | None] = {}
    for key, value in scores.items():
        if isinstance(value, Mapping):
            numbers |= flat(value, f"{before}{key}/")
        elif value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            numbers[f"{before}{key}"] = value
    return numbers


def spread(results: list[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Mean, standard deviation (n - 1) and values by seed of each number in `results`; None and NaN do not count."""
    flats = [flat(result) for result in results]
    scores = {}
    for key in dict.fromkeys(key for one in flats for key in one):
        values = [one.get(key) for one in flats]
        defined = np.array([value for value in values if value is not None and np.isfinite(value)])
        mean = float(defined.mean()) if len(defined) else None
        std = float(defined.std(ddof=1)) if len(defined) > 1 else None
        scores[key] = {"mean": mean, "std": std, "values": values}
    return scores


def table(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of the scores that matter most: mean +- standard deviation."""
    lines = []
    for key, each in figures.items():
        outer, _, last = key.rpartition("/")
        classes = last in ("Se", "+P", "F1") and "without" not in outer
        if each["mean"] is None or "without" in outer or not (last in SHOWN or classes or "EC57" in outer):
            continue
        width = "" if each["std"] is None else f" +- {each['std']:.4f}"
        name = f"{outer}/{name_of(last)}" if outer else name_of(last)
        lines.append(f"{name}: {each['mean']:.4f}{width}")
    return lines
