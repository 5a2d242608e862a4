"""What each speed-up does to the scores: the same training with and without it, over several seeds.

python benchmarks/accuracy.py --records-dir DIR

Scores are those of validation after the last epoch; the test split is not looked at. A speed-up costs nothing that can
be seen when its difference is within the spread of the seeds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from toolbox.utils import tune_process  # noqa: E402

tune_process()  # as commander does, before torch is imported

from args import parse_args  # noqa: E402
from benchmarks.markdown import table  # noqa: E402
from benchmarks.reference import Plain  # noqa: E402
from commander import main as command  # noqa: E402
from commands.build import build  # noqa: E402

RESNET = ["--model-name", "resnet1d_10", "--lr", "0.005", "--epochs", "4", "--scheduler", "onecycle", "--ema", "0"]
FAST = ["--config", str(ROOT / "recipes" / "fast.yaml")]
# What is trained, flags, and whether with torch's own one-dimensional layers.
VARIANTS: tuple[tuple[str, list[str], bool], ...] = (
    ("resnet1d_10, 4 epochs: bfloat16, channels last", [*RESNET, "--precision", "bf16"], False),
    ("the same in float32", [*RESNET, "--precision", "fp32"], False),
    ("the same in float32 with torch's one-dimensional layers", [*RESNET, "--precision", "fp32"], True),
    ("recipes/fast.yaml in bfloat16", [*FAST, "--precision", "bf16"], False),
    ("the same in float32", [*FAST, "--precision", "fp32"], False),
    ("the same, no rows left out", [*FAST, "--prune", "0"], False),
)


def scores(root: str, flags: list[str], plain: bool, seed: int) -> tuple[float, float]:
    """Validation accuracy and macro F1 after the last epoch."""
    args = parse_args([*flags, "--root-dir", root, "--seed", str(seed)])
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records-dir", required=True, help="the 48 records of MIT-BIH")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as root:
        command(["--prepare", "--root-dir", root, "--records-dir", args.records_dir])
        for what, flags, plain in VARIANTS:
            found = [scores(root, flags, plain, seed) for seed in range(args.seeds)]
            figures = [
                f"{statistics.mean(part):.4f} ± {statistics.stdev(part):.4f}" for part in zip(*found, strict=True)
            ]
            rows.append([what, *figures])
            print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    print(table(["training", "validation accuracy", "validation macro F1"], rows))


if __name__ == "__main__":
    main()
