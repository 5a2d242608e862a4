"""Measure what fine-tuning on a few annotated recordings of another database is worth on its other patients.

python -m benchmarks.fine_tune --records-dir SVDB --pretrained RUN [--seeds 3] [--out results/fine_tune.json]

The ten records LEARN of the Supraventricular Arrhythmia Database teach, the other 29 of svdb:dev (REST) are scored, at
the reference's beat times. Three networks: RUN as it is, RUN fine-tuned by recipes/finetune.yaml, and the same network
from scratch. --choose compares flags by five folds of the patients in LEARN alone, by which the recipe's were set.
"""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from args import parse_args
from benchmarks.common import make_parser, run_program
from commands.build import build
from commands.pretrained import with_pretrained_inputs
from loaders.sources.databases.svdb import DEV
from toolbox.metrics.patients import DE_CHAZAL, patient_scores
from toolbox.runs.provenance import git_state
from toolbox.training.outputs import EpochResult
from toolbox.utils import write_json
from toolbox.utils.aami import CLASS_NAMES
from trainer import run_epoch

LEARN, REST = DEV[:10], DEV[10:]
TEMPO = ["--augment", "tempo:0.15"]
CHOICES = {
    **{f"lr {rate}": ["--lr", rate] for rate in ("0.0003", "0.001", "0.003")},
    **{f"lr {rate}, tempo": ["--lr", rate, *TEMPO] for rate in ("0.0003", "0.001", "0.003")},
    "lr 0.001, tempo, 12 epochs": ["--lr", "0.001", *TEMPO, "--epochs", "12"],
}
FOLDS = 5
SHOWN = ("S F1", "V F1", "accuracy", "j_kappa")


def outcome_of(flags: list[str], part: str, trains: bool = True) -> tuple[EpochResult, dict[str, np.ndarray]]:
    """The outcome on the "test" or "val" beats, and whose they are, of a network of these flags, trained or not."""
    args = with_pretrained_inputs(parse_args(flags))
    session = build(args)
    if trains:
        training = session.training()
        while training.epoch < args.epochs:
            training.run_epoch(args.epochs)
    rows = getattr(session.data, part)
    outcome = run_epoch(session.context, session.evaluation_batches(rows), "score")
    return outcome, rows.origin(outcome.ids)


def scores_of(parts: list[tuple[EpochResult, dict[str, np.ndarray]]]) -> dict[str, Any]:
    """The scores over the beats of all parts, by de Chazal's label map; EC57's gross and average."""
    probabilities, labels = (
        np.concatenate([getattr(outcome, name).numpy() for outcome, _ in parts]) for name in ("probabilities", "labels")
    )
    origin = {name: np.concatenate([each[name] for _, each in parts]) for name in parts[0][1]}
    result = patient_scores(probabilities, labels, origin, CLASS_NAMES[:4], True)["maps"][DE_CHAZAL]
    figures: dict[str, Any] = {name: result[name]["value"] for name in ("accuracy", "kappa", "j_kappa")}
    for name, each in result["per_class"].items():
        figures |= {f"{name[0]} {kind}": each[kind]["value"] for kind in ("Se", "+P", "F1")}
    return {**figures, "EC57 gross": result["ec57"]["gross"], "EC57 average": result["ec57"]["average"]}


def shown(name: str, scores: dict[str, Any]) -> str:
    """A line of the figures that matter most."""
    return f"{name:28}" + "  ".join(f"{key} {scores[key]:.3f}" for key in SHOWN)


def measure(common: list[str], pretrained: str, seeds: int) -> dict[str, list[dict[str, Any]]]:
    """The scores of each of the three networks, by seed."""
    sides = ["--train-on", f"svdb:{','.join(LEARN)}", "--test-on", f"svdb:{','.join(REST)}"]
    tuned = [*common, "--config", "finetune", *sides, "--pretrained", pretrained]
    scratch = [*common, "--config", "interpatient", "--spliced", "none", *sides]
    tries = {"as it is": (tuned, False), "fine-tuned": (tuned, True), "from scratch": (scratch, True)}
    results: dict[str, list[dict[str, Any]]] = {}
    for name, (flags, trains) in tries.items():
        for seed in range(seeds if trains else 1):
            scores = scores_of([outcome_of([*flags, "--seed", str(seed)], "test", trains)])
            results.setdefault(name, []).append(scores)
            print(shown(f"{name}, seed {seed}", scores), flush=True)
    return results


def choose(common: list[str], pretrained: str) -> dict[str, dict[str, Any]]:
    """The scores of each choice over the patients of LEARN, each scored by what learned from the others."""
    learn = [*common, "--train-on", f"svdb:{','.join(LEARN)}"]
    held_out = ["--validate-on", "val", "--monitor", "j_kappa"]
    tuned = [*learn, "--config", "finetune", "--pretrained", pretrained, *held_out]
    tries = {"as it is": tuned, **{name: [*tuned, *flags] for name, flags in CHOICES.items()}}
    tries["from scratch"] = [*learn, "--config", "interpatient", "--spliced", "none", *held_out]
    results = {}
    for name, flags in tries.items():
        folds = ([*flags, "--fold", f"{k}/{FOLDS}"] for k in range(1, FOLDS + 1))
        results[name] = scores_of([outcome_of(each, "val", name != "as it is") for each in folds])
        print(shown(name, results[name]), flush=True)
    return results


def main() -> None:
    """Measure, print, and keep."""
    parser = make_parser(__doc__)
    parser.add_argument("--pretrained", required=True, help="the run to start from")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--root-dir", help="where the built data are kept; a scratch folder unless given")
    parser.add_argument("--choose", action="store_true", help="compare flags on LEARN, too")
    parser.add_argument("--out", help="a JSON file to write")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(args.root_dir or scratch)
        root.mkdir(parents=True, exist_ok=True)
        if not (root / "svdb").exists():
            (root / "svdb").symlink_to(args.records_dir.resolve())
        common = ["--root-dir", str(root), "--source", "records"]
        chosen = choose(common, args.pretrained) if args.choose else {}
        results = measure(common, args.pretrained, args.seeds)
    if args.out:
        command = ["python", "-m", "benchmarks.fine_tune", "--records-dir", "SVDB", "--pretrained", "RUN"]
        words = shlex.join([*command, "--seeds", str(args.seeds), *(["--choose"] if chosen else [])])
        network = f"RUN is {Path(args.pretrained).name}: python commander.py --config interpatient --seed 0"
        kept = {"command": words, "network": network, "git": git_state(), "learn": LEARN, "tested": REST}
        write_json(args.out, {**kept, "choices": chosen, "networks": results})


if __name__ == "__main__":
    run_program(main)
