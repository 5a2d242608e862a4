"""Score the patients of svdb:dev after EC57 at detected R peaks, by networks that have not learned from them.

python -m benchmarks.detected_folds --records-dir MITDB --svdb SVDB [--recipe two_lead] [--folds 5] [--seed 0]
    [--adapt none votes] [--out results/detected_folds.json] [FLAGS]

The patients of DS1 and svdb:dev, from both of which the recipe learns, are parted into folds; each record of svdb:dev
is annotated by --predict with the network that learned from the other folds, and compared by --score. FLAGS are
commander's and change the recipe. DS2 is not looked at. The S of the reference that are on time are counted by record,
too: no interval tells them.
"""

from __future__ import annotations

import contextlib
import io
import shlex
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import make_parser, run_program, table, write_results
from benchmarks.fine_tune import root_with_records
from benchmarks.fold_beats import HELD_OUT
from benchmarks.raw_signal import HEADER, percent
from commander import main as command
from inference.fusion import relative_intervals
from inference.options import ADAPTATIONS
from loaders.beats.table import labels_of
from loaders.io.wfdb_record import read_wfdb
from loaders.sources.databases.svdb import DEV
from toolbox.runs.checkpoint import LATEST, load_checkpoint
from toolbox.runs.provenance import git_state
from toolbox.utils import UserError
from toolbox.utils.aami import CLASS_NAMES, SUPRAVENTRICULAR

ON_TIME = 0.9  # usual intervals: an S that comes later is not early
DATABASE = "svdb/"


def fold_network(flags: list[str], fold: int, folds: int) -> tuple[Path, list[str]]:
    """Train on all folds but one: the checkpoint after the last epoch, and the records of svdb:dev that it left out."""
    run = command([*flags, *HELD_OUT, "--fold", f"{fold}/{folds}"])["run"]
    path = Path(run) / LATEST
    names = load_checkpoint(path)["log"]["info"]["data"]["records"]["val"]
    return path, [name.removeprefix(DATABASE) for name in names if name.startswith(DATABASE)]


def timing_of_s(path: Path) -> dict[str, Any]:
    """The S of a record's reference: how many, how many of them are on time, and their median interval."""
    record = read_wfdb(path)
    labels = labels_of(record.symbol)
    beats = labels >= 0
    before, _ = relative_intervals(record.sample[beats] / record.fs)
    own = before[labels[beats] == CLASS_NAMES.index(SUPRAVENTRICULAR)]
    return {
        "S": len(own),
        "on time": int((own > ON_TIME).sum()),
        "median interval": round(float(np.median(own)), 3) if len(own) else None,
    }


def measure(flags: list[str], svdb: Path, folds: int, methods: list[str], out: Path) -> dict[str, Any]:
    """The result of --score for each of `methods` of --adapt, over all records of svdb:dev."""
    for fold in range(1, folds + 1):
        network, names = fold_network(flags, fold, folds)
        paths = [str(svdb / name) for name in names]
        for method in methods if paths else ():
            with contextlib.redirect_stdout(io.StringIO()):  # a line per recording
                asked = ["--predict", *paths, "--model-file", str(network), "--adapt", method]
                done = command([*asked, "--out", str(out / method)])
            if done["failed"]:
                raise UserError("; ".join(done["failed"].values()))
    results = {}
    for method in methods:
        with contextlib.redirect_stdout(io.StringIO()):
            paths = [str(svdb / name) for name in DEV]
            results[method] = command(["--score", *paths, "--score-dir", str(out / method)])
    return results


def main() -> None:
    """Measure, print, and keep."""
    parser = make_parser(__doc__)
    parser.add_argument("--svdb", type=Path, default=Path("ecg_data/svdb"), help="the records of svdb:dev")
    parser.add_argument("--recipe", default="two_lead", help="one that learns from DS1 and svdb:dev")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--adapt", nargs="+", default=["none", "votes"], choices=ADAPTATIONS)
    parser.add_argument("--root-dir", help="where the built data are kept; a scratch folder unless given")
    parser.add_argument("--out", type=Path, help="a JSON file to write")
    args, flags = parser.parse_known_args()
    git = git_state()
    prepared = root_with_records(args.root_dir, args.records_dir, args.svdb)
    with prepared as root, tempfile.TemporaryDirectory() as scratch:
        common = ["--config", args.recipe, "--root-dir", str(root), "--source", "records", "--seed", str(args.seed)]
        results = measure([*common, *flags], args.svdb, args.folds, args.adapt, Path(scratch) / "annotated")
    kinds = ("gross", "average")
    rows = [[f"{name}, {kind}", *percent(each[kind]["scores"])] for name, each in results.items() for kind in kinds]
    print(table(HEADER, rows))
    words = f"python -m benchmarks.detected_folds --recipe {args.recipe} --folds {args.folds} --seed {args.seed}"
    kept = {
        "command": f"{words} --adapt {' '.join(args.adapt)} {shlex.join(flags)}".strip(),
        "git": git,
        "gross": {name: each["gross"]["scores"] for name, each in results.items()},
        "average": {name: each["average"]["scores"] for name, each in results.items()},
        "records": {
            method: {name: one["scores"] for name, one in each["records"].items()} for method, each in results.items()
        },
        "S of the reference": {name: timing_of_s(args.svdb / name) for name in DEV},
    }
    write_results(args.out, kept)


if __name__ == "__main__":
    run_program(main)
