"""Measure whether patients of another database teach: DS1 of MIT-BIH and svdb:dev, each alone and pooled.

python -m benchmarks.pooled --records-dir MITDB --svdb SVDB [--folds 5] [--seeds 1] [--out results/pooled.json] [FLAGS]

The recipe is recipes/interpatient.yaml without spliced patients; FLAGS are commander's and change it. Each patient is
scored by a network that has not learned from him, at the reference's beat times: by folds of the patients, but for the
patients of svdb:dev under DS1 alone, which all of DS1 teaches. DS2 is not looked at.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import make_parser, run_program
from benchmarks.fine_tune import Outcome, outcome_of_flags, root_with_records, scores_of, shown
from toolbox.runs.provenance import git_state
from toolbox.utils import write_json

DS1, DEV = "mitdb:ds1", "svdb:dev"
LEARNED = {"DS1": (DS1,), "svdb_dev": (DEV,), "DS1 and svdb_dev": (DS1, DEV)}


def part_of(outcome: Outcome, database: str) -> Outcome:
    """The beats of one database in an outcome."""
    result, origin = outcome
    own = np.char.startswith(origin["record"], f"{database}/")
    kept = replace(result, labels=result.labels[own], probabilities=result.probabilities[own], ids=result.ids[own])
    return kept, {name: values[own] for name, values in origin.items()}


def measure(common: list[str], folds: int, seed: int) -> dict[str, dict[str, Any]]:
    """The scores on the patients of each database by what taught; the seed's."""
    scores: dict[str, dict[str, Any]] = {}
    for name, texts in LEARNED.items():
        flags = [*common, "--seed", str(seed), "--train-on", *texts]
        held_out = ["--validate-on", "val", "--monitor", "j_kappa"]
        parts = [outcome_of_flags([*flags, *held_out, "--fold", f"{k}/{folds}"], "val") for k in range(1, folds + 1)]
        by_database = {
            each.partition(":")[0]: [part_of(one, each.partition(":")[0]) for one in parts] for each in texts
        }
        if texts == (DS1,):
            by_database["svdb"] = [outcome_of_flags([*flags, "--test-on", DEV], "test")]
        for database, outcomes in by_database.items():
            title = f"{name} -> {'DS1' if database == 'mitdb' else 'svdb_dev'}"
            scores[title] = scores_of([each for each in outcomes if len(each[0].labels)])
            print(shown(title, scores[title]), flush=True)
    return scores


def main() -> None:
    """Measure, print, and keep."""
    parser = make_parser(__doc__)
    parser.add_argument("--svdb", type=Path, default=Path("ecg_data/svdb"), help="the records of svdb:dev")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--root-dir", help="where the built data are kept; a scratch folder unless given")
    parser.add_argument("--out", help="a JSON file to write")
    args, flags = parser.parse_known_args()
    git = git_state()
    with root_with_records(args.root_dir, args.records_dir, args.svdb) as root:
        recipe = ["--config", "interpatient", "--spliced", "none", *flags]
        common = ["--root-dir", str(root), "--source", "records", *recipe]
        results = [measure(common, args.folds, seed) for seed in range(args.seeds)]
    if args.out:
        words = f"python -m benchmarks.pooled --records-dir MITDB --svdb SVDB --folds {args.folds} --seeds {args.seeds}"
        command = f"{words} {shlex.join(flags)}".strip()
        write_json(args.out, {"command": command, "git": git, "by seed": results})


if __name__ == "__main__":
    run_program(main)
