"""What each speed-up does to the scores: the same training with and without it, over several seeds.

python -m benchmarks.accuracy --records-dir DIR

Scores are those of validation after the last epoch; the test split is not looked at. A speed-up costs nothing that can
be seen when its difference is within the spread of the seeds.
"""

from __future__ import annotations

import sys
import tempfile
from typing import Any

from benchmarks.common import make_parser, mean_and_spread, recipe_flags, run_program, table, training_flags
from benchmarks.reference import Plain
from commands import prepare
from commands.build import build

RESNET = {"model_name": "resnet1d_10", "lr": 0.005, "epochs": 4, "scheduler": "onecycle", "ema": 0.0}
FAST = recipe_flags("fast")
# What is trained, flags, and whether with torch's own one-dimensional layers.
VARIANTS: tuple[tuple[str, dict[str, Any], bool], ...] = (
    ("resnet1d_10, 4 epochs: bfloat16, channels last", {**RESNET, "precision": "bf16"}, False),
    ("the same in float32", {**RESNET, "precision": "fp32"}, False),
    ("the same in float32 with torch's one-dimensional layers", {**RESNET, "precision": "fp32"}, True),
    ("recipes/fast.yaml in bfloat16", {**FAST, "precision": "bf16"}, False),
    ("the same in float32", {**FAST, "precision": "fp32"}, False),
    ("the same, no rows left out", {**FAST, "prune": 0.0}, False),
)


def scores(root: str, flags: dict[str, Any], plain: bool, seed: int) -> tuple[float, float]:
    """Validation accuracy and macro F1 after the last epoch."""
    args = training_flags(**{**flags, "root_dir": root, "seed": seed})
    session = build(args)
    if plain:
        session.context.model = Plain(session.context.model)
    training = session.training()
    while training.epoch < args.epochs:
        training.run_epoch(args.epochs)
    found = training.log.logged["val"][-1]
    return found["acc1"], found["macro_f1"]


def main() -> None:
    """Measure and print."""
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as root:
        prepare.run(training_flags(prepare=True, root_dir=root, records_dir=str(args.records_dir)))
        for what, flags, plain in VARIANTS:
            found = [scores(root, flags, plain, seed) for seed in range(args.seeds)]
            rows.append([what, *(mean_and_spread(part) for part in zip(*found, strict=True))])
            print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    print(table(["training", "validation accuracy", "validation macro F1"], rows))


if __name__ == "__main__":
    run_program(main)
