"""How a recipe does on patients that it has not learned from, by leave-patients-out over DS1; DS2 is not looked at.

python -m benchmarks.cross_validate --records-dir DIR --config recipes/interpatient.yaml [--folds 7] [--seeds 3] [FLAGS]

FLAGS are commander's and change the recipe. Each fold's patients are scored by what learned from all others, after the
last epoch; the figures are those of all folds' beats together, mean and standard deviation over the seeds. --log FILE
adds a line of JSON to it, so that what was tried is kept, with its command.
"""

from __future__ import annotations

import json
import shlex
import tempfile
from typing import Any

import numpy as np

from args import parse_args
from benchmarks.common import make_parser, run_program
from commands.build import build
from toolbox.metrics.confusion import confusion_by_group, confusion_scores

SHOWN = ("accuracy", "F1 S", "Se S", "+P S", "F1 V", "Se V", "+P V", "F1 F", "kappa", "j_kappa")


def fold_outcome(flags: list[str]) -> tuple[tuple[str, ...], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The classes; and labels, called classes and records, each (n,), of a fold's validation beats at its end."""
    args = parse_args(flags)
    session = build(args)
    training = session.training()
    while training.epoch < args.epochs:
        outcome = training.run_epoch(args.epochs)
    records = session.data.val.origin(outcome.ids)["record"]
    called = outcome.probabilities.numpy().argmax(axis=1)
    return session.context.class_names, (outcome.labels.numpy(), called, records)


def measure(flags: list[str], folds: int, seeds: int) -> tuple[dict[str, list[float]], dict[str, np.ndarray]]:
    """Every figure by seed, and the confusion counts of each record, summed over the seeds."""
    found: dict[str, list[float]] = {}
    of_record: dict[str, Any] = {}
    for seed in range(seeds):
        parts = []
        for fold in range(1, folds + 1):
            names, part = fold_outcome([*flags, "--fold", f"{fold}/{folds}", "--seed", str(seed)])
            parts.append(part)
        labels, called, records = (np.concatenate(column) for column in zip(*parts, strict=True))
        patients, confusion = confusion_by_group(labels, called, records, len(names))
        for name, one in zip(patients.tolist(), confusion, strict=True):
            of_record[name] = of_record.get(name, 0) + one
        for name, value in confusion_scores(confusion.sum(axis=0), names).items():
            kind, _, group = name.partition(" ")
            found.setdefault(f"{kind} {group[0]}" if group else name, []).append(float(value))
    return found, of_record


def main() -> None:
    """Measure, print, and keep."""
    parser = make_parser(__doc__)
    parser.add_argument("--root-dir", help="where the built data are kept; a scratch folder unless given")
    parser.add_argument("--folds", type=int, default=7)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--log", help="a file of JSON lines that the result is added to")
    parser.add_argument("--name", default="", help="what is tried, for the log")
    parser.add_argument("--by-record", action="store_true", help="print each record's confusion counts, too")
    args, flags = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as scratch:
        places = ["--root-dir", args.root_dir or scratch, "--records-dir", str(args.records_dir)]
        held_out = ["--validate-on", "val", "--monitor", "j_kappa"]
        found, of_record = measure([*flags, *places, *held_out], args.folds, args.seeds)
    told = {name: [round(float(np.mean(found[name])), 4), round(float(np.std(found[name])), 4)] for name in SHOWN}
    print(f"{args.name:50}", *(f"{name} {mean:.3f} ±{spread:.3f}" for name, (mean, spread) in told.items()), sep="  ")
    if args.by_record:
        for name, confusion in of_record.items():
            print(name, np.round(confusion / args.seeds).astype(int).tolist())
    if args.log:
        entry = {"name": args.name, "flags": shlex.join(flags), "folds": args.folds, "seeds": args.seeds, **told}
        with open(args.log, "a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")


if __name__ == "__main__":
    run_program(main)
