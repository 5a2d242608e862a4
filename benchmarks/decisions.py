"""Choose the decisions that follow a network, --adapt and the bar of F, on patients that it has not learned from.

python -m benchmarks.decisions --kept FOLDER [--seeds 2] [--sets DS1 DS1-svdb] [--out results/decisions.json]

FOLDER holds what `benchmarks.fold_beats` kept; nothing is trained. "strips" cuts recordings into pieces of that many
seconds, as short recordings are. The temperature is that of the patients left out of each fold, on which it is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import make_parser, run_program, table, write_results
from benchmarks.fold_beats import read_fold_beats
from inference.adapt import adapted
from inference.fusion import Shapes
from toolbox.metrics.calibration import fit_temperature
from toolbox.metrics.confusion import confusion_by_group, confusion_scores, plain
from toolbox.metrics.ec57_scores import record_scores
from toolbox.runs.provenance import git_state
from toolbox.utils.aami import CLASS_NAMES, LETTERS

NAMES = CLASS_NAMES[:4]
METHODS = ("none", "smooth", "votes", "fusion")
RATE = 360.0  # Hz, of the windows of every recipe that is measured here
STRIPS = (10, 60, 300)  # s
SETS = ("DS1", "DS1-svdb")
OF_SEVERAL = ("pooled", "two_lead", "one_lead")  # sets that hold patients of several databases
DECISIVE = ("232", "213")  # the records of DS2 that have three quarters of its S, and most of its F
HEAD = (
    "patients of", "`--adapt`", "accuracy", "S F1", "V F1", "j-kappa", "EC57 gross VEB Se / +P", "SVEB", "average VEB",
    "SVEB",
)  # fmt: skip


def adapted_by_group(beats: dict[str, np.ndarray], groups: np.ndarray, method: str) -> np.ndarray:
    """Probabilities (n, 4) after `method`, within each of `groups` (n,)."""
    result: np.ndarray = beats["probabilities"].copy()
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        shapes = Shapes(beats["windows"][own], beats["time"][own], RATE) if "windows" in beats else None
        result[own] = adapted(result[own], beats["features"][own], NAMES, method, shapes)
    return result


def class_figures(confusion: np.ndarray) -> dict[str, Any]:
    """Accuracy, kappas, and Se, +P and F1 by class of confusion counts (4, 4)."""
    scores = confusion_scores(confusion, NAMES)
    shown: dict[str, Any] = {name: plain(scores[name]) for name in ("accuracy", "kappa", "j_kappa")}
    for name in NAMES:
        shown |= {f"{LETTERS[name]} {kind}": plain(scores[f"{kind} {name}"]) for kind in ("Se", "+P", "F1")}
    return shown


def figures(beats: dict[str, np.ndarray], probabilities: np.ndarray) -> dict[str, Any]:
    """Scores by class, EC57's gross and average, and the confusion counts of each record."""
    labels, called = beats["labels"], probabilities.argmax(axis=1)
    records, counts = confusion_by_group(labels, called, beats["record"], len(NAMES))
    shown = class_figures(counts.sum(axis=0))
    for name in sorted(set(DECISIVE) & set(records.tolist())):
        shown |= {f"without {name}": class_figures(counts[records != name].sum(axis=0))}
    ec57 = record_scores(labels, called, beats, NAMES)
    by_record = dict(zip(records.tolist(), counts.tolist(), strict=True))
    return {**shown, "EC57 gross": ec57["gross"], "EC57 average": ec57["average"], "records": by_record}


def measure(beats: dict[str, np.ndarray], lengths: Sequence[int]) -> dict[str, Any]:
    """The figures of each method, over whole recordings and over strips of them, of these `lengths` in s."""
    results = {method: figures(beats, adapted_by_group(beats, beats["record"], method)) for method in METHODS}
    for seconds in lengths:
        numbers = np.floor(beats["time"] / seconds).astype(int).astype(str)
        strips = np.char.add(np.char.add(beats["record"], " "), numbers)
        of_strips = figures(beats, adapted_by_group(beats, strips, "votes"))
        results[f"votes, strips of {seconds} s"] = {key: each for key, each in of_strips.items() if key != "records"}
    return results


def by_database(name: str, seeds: list[dict[str, np.ndarray]]) -> dict[str, list[dict[str, np.ndarray]]]:
    """The beats of each seed under the name of their set; where that is of several databases, those of each apart."""
    if name not in OF_SEVERAL:
        return {name: seeds}
    databases = [np.char.partition(beats["record"], "/")[:, 0] for beats in seeds]
    return {
        f"{name}: {each}": [
            {key: values[own == each] for key, values in beats.items()}
            for beats, own in zip(seeds, databases, strict=True)
        ]
        for each in sorted(set(databases[0].tolist()))
    }


def mean(by_seed: list[dict[str, Any]], *path: str) -> float:
    """The mean over seeds of the figure at `path`."""
    values = []
    for result in by_seed:
        value: Any = result
        for name in path:
            value = value[name]
        values.append(value)
    return float(np.mean(values))


def shown_table(results: dict[str, list[dict[str, Any]]]) -> str:
    """The table of docs/new-patients.md."""
    rows = []
    for name, by_seed in results.items():
        for method in by_seed[0]:
            cells = [f"{mean(by_seed, method, key):.3f}" for key in ("accuracy", "S F1", "V F1", "j_kappa")]
            for of in ("EC57 gross", "EC57 average"):
                for group in ("VEB", "SVEB"):
                    pair = [f"{100 * mean(by_seed, method, of, f'{group} {kind}'):.1f}" for kind in ("Se", "+P")]
                    cells.append(" / ".join(pair))
            rows.append([name, method, *cells])
    return table(HEAD, rows)


def main() -> None:
    """Measure, print, and keep."""
    parser = make_parser(__doc__, records=False)
    parser.add_argument("--kept", type=Path, required=True, help="the folder of benchmarks.fold_beats")
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--strips", type=int, nargs="*", default=list(STRIPS), help="s of the pieces to try it on, too")
    parser.add_argument("--out", type=Path, help="a JSON file to write")
    args = parser.parse_args()
    git, results, temperatures = git_state(), {}, {}
    sets: dict[str, list[dict[str, np.ndarray]]] = {}
    for name in args.sets:
        sets |= by_database(name, [read_fold_beats(args.kept, name, seed) for seed in range(args.seeds)])
    for name, seeds in sets.items():
        results[name] = [measure(beats, args.strips) for beats in seeds]
        if name == "DS2":
            continue  # nothing is fitted on test data
        temperatures[name] = {
            method: [fit_temperature(adapted_by_group(each, each["record"], method), each["labels"]) for each in seeds]
            for method in METHODS
        }
    print(shown_table(results))
    command = f"python -m benchmarks.decisions --kept FOLDER --sets {' '.join(args.sets)} --seeds {args.seeds}"
    if args.strips != list(STRIPS):
        command += f" --strips {' '.join(map(str, args.strips))}".rstrip()
    kept = {"command": command, "git": git, "temperatures": temperatures, "by seed": results}
    write_results(args.out, kept)


if __name__ == "__main__":
    run_program(main)
