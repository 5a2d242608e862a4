"""How long a recipe takes to a test accuracy, over several seeds, beside the predecessor's way to the same.

python -m benchmarks.time_to_quality --records-dir DIR --recipe recipes/fast.yaml --target 0.987

The predecessor's way is resnet1d_18, 20 epochs of recipes/seed.yaml without a sampler, on its own data path
(benchmarks/reference.py). Its steps are timed in turn with the recipe's runs and counted up: 684 training steps and 172
of evaluation per epoch (it evaluated on the test file). The recipe's time is that of the whole training, validation and
checkpoints included, from the first step to the last file.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.common import make_parser, mean_and_spread, recipe_flags, run_program, training_flags
from benchmarks.reference import Predecessor, write_csv
from commands import prepare, test, train

EPOCHS = 20  # of the predecessor's way
STEPS = 40  # of it that are timed after each run of the recipe


class Way:
    """The predecessor's way to the same accuracy; a few of its steps are timed at a time. A context."""

    def __init__(self, files: dict[str, Path]) -> None:
        self.parts = {split: Predecessor("resnet1d_18", path, learn=split == "train") for split, path in files.items()}
        self.steps: dict[str, list[float]] = {split: [] for split in files}  # seconds of each

    def __enter__(self) -> Way:
        for part in self.parts.values():
            part.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for part in self.parts.values():
            part.__exit__()

    def measure(self) -> None:
        """Time some steps of training and of evaluation."""
        for split, part in self.parts.items():
            self.steps[split].append(part.seconds(STEPS if split == "train" else STEPS // 2))

    def seconds(self) -> float:
        """Seconds that all its epochs take."""
        return EPOCHS * sum(part.count * statistics.median(self.steps[split]) for split, part in self.parts.items())


def run_recipe(root: str, recipe: str, seed: int, look: bool) -> tuple[float, float]:
    """Seconds of a training, and its accuracy on validation, or, with `look`, on the test split."""
    flags = {**recipe_flags(recipe), "root_dir": root, "seed": seed}
    begun = time.perf_counter()
    run = train.run(training_flags(**flags))
    taken = time.perf_counter() - begun
    if not look:
        return taken, run["val"]["acc1"]
    version = run["run"].rpartition("_")[2]
    return taken, test.run(training_flags(**flags, test=True, version=version))["test"]["acc1"]


def main() -> None:
    """Measure and print."""
    parser = make_parser(__doc__)
    parser.add_argument("--recipe", nargs="+", default=["fast"])
    parser.add_argument("--target", type=float, default=0.987, help="mean test accuracy to reach")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--validation-only", action="store_true", help="do not look at the test split: for choosing")
    args = parser.parse_args()
    split = "validation" if args.validation_only else "test"
    with tempfile.TemporaryDirectory() as root:
        prepare.run(training_flags(prepare=True, root_dir=root, records_dir=str(args.records_dir)))
        with Way(write_csv(root, Path(root) / "csv")) as way:
            for recipe in args.recipe:
                times, scores = [], []
                for seed in range(args.seeds):
                    taken, score = run_recipe(root, recipe, seed, look=not args.validation_only)
                    times.append(taken)
                    scores.append(score)
                    way.measure()
                reached = "reaches" if statistics.mean(scores) >= args.target else "misses"
                seconds = statistics.mean(times)
                print(
                    f"{recipe}: {split} accuracy {mean_and_spread(scores)} over {args.seeds} seeds "
                    f"({reached} {args.target}), {seconds:.1f} s "
                    f"(from {min(times):.1f} to {max(times):.1f}); the predecessor's way {way.seconds():.0f} s, "
                    f"{way.seconds() / seconds:.1f} times as long",
                    flush=True,
                )


if __name__ == "__main__":
    run_program(main)
