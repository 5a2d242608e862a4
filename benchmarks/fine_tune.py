"""Measure what fine-tuning on a few annotated recordings of another database is worth on its other patients.

python -m benchmarks.fine_tune --records-dir MITDB --svdb SVDB --pretrained RUN [--choose] [--out FILE]

The ten records LEARN of the Supraventricular Arrhythmia Database teach, the other 29 of svdb:dev (REST) are scored, at
the reference's beat times. RUN as it is stands beside RUN fine-tuned by recipes/finetune.yaml, alone and together with
the records that it learned from, and the same network from scratch. --choose compares learning rates by
leave-patients-out over LEARN alone, by which the recipe's was set.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

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
FOLDS = 5
RATES = ("0.0003", "0.001")
OWN, DS1 = "svdb", "mitdb:ds1"
AS_IT_IS = "as it is"
Outcome = tuple[EpochResult, dict[str, np.ndarray]]
SHOWN = ("S F1", "V F1", "accuracy", "j_kappa")


class Network(NamedTuple):
    """Flags of a network, and databases that it learns from beside own records."""

    flags: list[str]
    beside: tuple[str, ...] = ()


def outcome_of(network: Network, learn: Iterable[str], tested: Iterable[str], trains: bool = True) -> Outcome:
    """The outcome on the records `tested` of a network that learned from the records `learn`."""
    sides = ["--train-on", *network.beside, f"{OWN}:{','.join(learn)}", "--test-on", f"{OWN}:{','.join(tested)}"]
    return outcome_of_flags([*network.flags, *sides], "test", trains)


def outcome_of_flags(flags: list[str], part: str, trains: bool = True) -> Outcome:
    """The outcome of a network of these flags, after its last epoch, on the "test" or "val" beats; and whose they are.

    Args:
        trains: whether it learns at all, or is scored as it starts.
    """
    args = with_pretrained_inputs(parse_args(flags))
    session = build(args)
    if trains:
        training = session.training()
        while training.epoch < args.epochs:
            training.run_epoch(args.epochs)
    rows = getattr(session.data, part)
    outcome = run_epoch(session.context, session.evaluation_batches(rows), "score")
    return outcome, rows.origin(outcome.ids)


def scores_of(parts: list[Outcome]) -> dict[str, Any]:
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
    return f"{name:32}" + "  ".join(f"{key} {scores[key]:.3f}" for key in SHOWN)


def networks_of(common: list[str], pretrained: str) -> dict[str, Network]:
    """The networks by name."""
    tuned = [*common, "--config", "finetune", "--pretrained", pretrained]
    return {
        AS_IT_IS: Network(tuned),
        "fine-tuned": Network(tuned),
        "fine-tuned with DS1": Network(tuned, (DS1,)),
        "from scratch": Network([*common, "--config", "interpatient", "--spliced", "none"]),
    }


def measure(common: list[str], pretrained: str, seeds: int) -> dict[str, list[dict[str, Any]]]:
    """The scores of each of the networks on REST, by seed."""
    results: dict[str, list[dict[str, Any]]] = {}
    for name, network in networks_of(common, pretrained).items():
        for seed in range(seeds if name != AS_IT_IS else 1):
            seeded = network._replace(flags=[*network.flags, "--seed", str(seed)])
            scores = scores_of([outcome_of(seeded, LEARN, REST, name != AS_IT_IS)])
            results.setdefault(name, []).append(scores)
            print(shown(f"{name}, seed {seed}", scores), flush=True)
    return results


def choose(common: list[str], pretrained: str) -> dict[str, dict[str, Any]]:
    """The scores of each choice over the patients of LEARN, each scored by what learned from the others."""
    networks = networks_of(common, pretrained)
    tries = {name: networks[name] for name in (AS_IT_IS, "from scratch")}
    for name in ("fine-tuned", "fine-tuned with DS1"):
        flags, beside = networks[name]
        tries |= {f"{name}, lr {rate}": Network([*flags, "--lr", rate], beside) for rate in RATES}
    results = {}
    for name, network in tries.items():
        parts = []
        for k in range(FOLDS):
            tested = LEARN[k::FOLDS]
            learn = [record for record in LEARN if record not in tested]
            parts.append(outcome_of(network, learn, tested, name != AS_IT_IS))
        results[name] = scores_of(parts)
        print(shown(name, results[name]), flush=True)
    return results


@contextmanager
def root_with_records(root_dir: str | None, mitdb: Path, svdb: Path) -> Iterator[Path]:
    """A ROOT, `root_dir` or one for this block, in which --train-on finds the folders of records by links."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(root_dir or scratch)
        root.mkdir(parents=True, exist_ok=True)
        for name, folder in (("mitdb", mitdb), (OWN, svdb)):
            if not (root / name).exists():
                (root / name).symlink_to(folder.resolve())
        yield root


def main() -> None:
    """Measure, print, and keep."""
    parser = make_parser(__doc__)
    parser.add_argument("--svdb", type=Path, default=Path("ecg_data/svdb"), help="the records of svdb:dev")
    parser.add_argument("--pretrained", required=True, help="the run to start from")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--root-dir", help="where the built data are kept; a scratch folder unless given")
    parser.add_argument("--choose", action="store_true", help="compare flags on LEARN, too")
    parser.add_argument("--out", help="a JSON file to write")
    args = parser.parse_args()
    git = git_state()
    with root_with_records(args.root_dir, args.records_dir, args.svdb) as root:
        common = ["--root-dir", str(root), "--source", "records"]
        chosen = choose(common, args.pretrained) if args.choose else {}
        results = measure(common, args.pretrained, args.seeds)
    if args.out:
        words = "python -m benchmarks.fine_tune --records-dir MITDB --svdb SVDB --pretrained RUN"
        words += f" --seeds {args.seeds}{' --choose' if chosen else ''}"
        network = f"RUN is {Path(args.pretrained).name}: python commander.py --config interpatient --seed 0"
        kept = {"command": words, "network": network, "git": git, "learn": LEARN, "tested": REST}
        write_json(args.out, {**kept, "choices": chosen, "networks": results})


if __name__ == "__main__":
    run_program(main)
