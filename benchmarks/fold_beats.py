"""Keep what networks say of the beats of patients that they have not learned from: probabilities and features.

python -m benchmarks.fold_beats --records-dir MITDB --svdb SVDB --keep FOLDER [--seeds 2] [--sets DS1 ...] [FLAGS]

Decisions that follow a network, as --adapt, are chosen on these files without training again. Sets of
recipes/interpatient.yaml: DS1 (seven folds of its patients), DS1-svdb (all of DS1 teaches, svdb:dev is scored), pooled
(five folds of the patients of DS1 and svdb:dev together, without spliced patients), DS2 (all of DS1 teaches; a look at
test data). two_lead and one_lead are five folds of the patients of DS1 and svdb:dev by these recipes, the latter by the
first leads. FLAGS are commander's and change the recipe.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from args import parse_args
from benchmarks.common import make_parser, run_program
from benchmarks.fine_tune import root_with_records
from commands.build import build
from trainer import run_epoch

DS1, DEV, DS2 = "mitdb:ds1", "svdb:dev", "mitdb:ds2"
HELD_OUT = ["--validate-on", "val", "--monitor", "j_kappa"]
INTERPATIENT = "interpatient"
SETS: dict[str, tuple[str, list[str], int, str]] = {  # recipe, flags beside it, folds, the part that is scored
    "DS1": (INTERPATIENT, ["--split", "interpatient", *HELD_OUT], 7, "val"),
    "DS1-svdb": (INTERPATIENT, ["--train-on", DS1, "--test-on", DEV], 0, "test"),
    "pooled": (INTERPATIENT, ["--train-on", DS1, DEV, "--spliced", "none", *HELD_OUT], 5, "val"),
    "two_lead": ("two_lead", HELD_OUT, 5, "val"),
    "one_lead": ("one_lead", HELD_OUT, 5, "val"),
    "DS2": (INTERPATIENT, ["--split", "interpatient"], 0, "test"),
}


def beats_of(flags: list[str], part: str) -> dict[str, np.ndarray]:
    """The beats of a part, scored by a network of these flags after its last epoch: see `fold_beats`."""
    args = parse_args(flags)
    session = build(args)
    training = session.training()
    while training.epoch < args.epochs:
        training.run_epoch(args.epochs)
    rows = getattr(session.data, part)
    outcome = run_epoch(session.context, session.evaluation_batches(rows), "score")
    model: Any = session.context.model
    features = rows.features.index_select(0, outcome.ids)  # (n, k)
    scaled = np.tanh((features.numpy() - model.center.numpy()) / model.spread.numpy() / 2) * 2
    return {
        "probabilities": outcome.probabilities.numpy(),
        "labels": outcome.labels.numpy(),
        "features": scaled.astype(np.float32),
        "raw": features.numpy(),
        "windows": rows.x.index_select(0, outcome.ids).numpy().astype(np.float16),
        **rows.origin(outcome.ids),
    }


def fold_beats(common: list[str], name: str, seed: int) -> dict[str, np.ndarray]:
    """All beats of a set: probabilities (n, 4), labels (n,), features as the network squashes them (n, k), raw ones,
    windows (n, leads, samples), fold (n,), and record, patient, symbol and time (n,)."""
    recipe, flags, folds, part = SETS[name]
    parts = []
    for fold in range(1, max(folds, 1) + 1):
        of_fold = ["--fold", f"{fold}/{folds}"] if folds else []
        beats = beats_of(["--config", recipe, *flags, *common, *of_fold, "--seed", str(seed)], part)
        parts.append({**beats, "fold": np.full(len(beats["labels"]), fold)})
        print(f"{name}, seed {seed}: fold {fold} of {max(folds, 1)}", flush=True)
    joined = {key: np.concatenate([each[key] for each in parts]) for key in parts[0]}
    order = np.lexsort((joined["time"], joined["record"]))
    return {key: values[order] for key, values in joined.items()}


def read_fold_beats(folder: Path, name: str, seed: int) -> dict[str, np.ndarray]:
    """The arrays of `fold_beats` that were kept."""
    with np.load(folder / f"{name}_{seed}.npz") as stored:
        return {key: stored[key] for key in stored.files}


def main() -> None:
    """Train and keep."""
    parser = make_parser(__doc__)
    parser.add_argument("--svdb", type=Path, default=Path("ecg_data/svdb"), help="the records of svdb:dev")
    parser.add_argument("--keep", type=Path, required=True, help="the folder of the arrays")
    parser.add_argument("--sets", nargs="+", default=["DS1", "DS1-svdb"], choices=SETS)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--root-dir", help="where the built data are kept; a scratch folder unless given")
    args, flags = parser.parse_known_args()
    keep_all(args, flags)


def keep_all(args: argparse.Namespace, flags: list[str]) -> None:
    """Write FOLDER/SET_SEED.npz of each set and seed that is not there yet."""
    args.keep.mkdir(parents=True, exist_ok=True)
    with root_with_records(args.root_dir, args.records_dir, args.svdb) as root:
        common = ["--root-dir", str(root), "--source", "records", *flags]
        for seed in range(args.seeds):
            for name in args.sets:
                path = args.keep / f"{name}_{seed}.npz"
                if not path.exists():
                    arrays: dict[str, Any] = fold_beats(common, name, seed)
                    np.savez_compressed(path, **arrays)


if __name__ == "__main__":
    run_program(main)
