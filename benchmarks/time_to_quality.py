"""How long a recipe takes to a test accuracy, over several seeds, beside the predecessor's way to the same.

python benchmarks/time_to_quality.py --records-dir DIR --recipe recipes/fast.yaml --target 0.987

The predecessor's way is resnet1d_18, 20 epochs of recipes/seed.yaml without a sampler, on its own data path
(benchmarks/reference.py). Its steps are timed in turn with the recipe's runs and counted up: 684 training steps and 172
of evaluation per epoch (it evaluated on the test file). The recipe's time is that of the whole training, validation and
checkpoints included, from the first step to the last file.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as commander does

import torch  # noqa: E402

import commander  # noqa: E402
from args import parse_args  # noqa: E402
from benchmarks.reference import BATCH, Plain, frame_loader  # noqa: E402

EPOCHS = 20  # of the predecessor's way
STEPS = 40  # of it that are timed after each run of the recipe


class Predecessor:
    """resnet1d_18 on the predecessor's data path; its steps can be timed a few at a time."""

    def __init__(self, root: str) -> None:
        session = commander.build(
            parse_args(["--root-dir", root, "--model-name", "resnet1d_18", "--precision", "fp32"])
        )
        train, test = session.data.cache.splits["train"], session.data.cache.splits["test"]
        self.model = Plain(session.setting.model)
        self.criterion = session.setting.criterion
        self.optimizer = torch.optim.Adam(self.model.parameters(), 0.001)
        self.steps = {"train": -(-len(train) // BATCH), "test": -(-len(test) // BATCH)}
        self.streams = {"train": iter(frame_loader(train.x, train.y)), "test": iter(frame_loader(test.x, test.y))}
        self.times: dict[str, list[float]] = {"train": [], "test": []}
        for stream in self.streams.values():
            next(stream)  # the worker has started

    def measure(self) -> None:
        """Time some steps of training and evaluation."""
        for split, stream in self.streams.items():
            self.model.train(split == "train")
            start = time.perf_counter()
            count = 0
            for x, y in islice(stream, STEPS if split == "train" else STEPS // 4):
                self.step(x, y, split == "train")
                count += 1
            if count:
                self.times[split].append((time.perf_counter() - start) / count)

    def step(self, x: torch.Tensor, y: torch.Tensor, learn: bool) -> None:
        """One batch."""
        if not learn:
            with torch.no_grad():
                self.criterion(self.model(x), y)
            return
        self.optimizer.zero_grad()
        self.criterion(self.model(x), y).backward()
        self.optimizer.step()

    def whole(self) -> float:
        """Seconds that all its epochs take."""
        return EPOCHS * sum(self.steps[split] * statistics.median(self.times[split]) for split in self.steps)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records-dir", required=True, help="the 48 records of MIT-BIH")
    parser.add_argument("--recipe", nargs="+", default=["recipes/fast.yaml"])
    parser.add_argument("--target", type=float, default=0.987, help="mean test accuracy to reach")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--validation-only", action="store_true", help="do not look at the test split: for choosing")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        base = ["--root-dir", root, "--records-dir", args.records_dir]
        commander.main([*base, "--prepare"])
        predecessor = Predecessor(root)
        for recipe in args.recipe:
            times, scores = [], []
            for seed in range(args.seeds):
                start = time.perf_counter()
                run = commander.main(["--root-dir", root, "--config", recipe, "--seed", str(seed)])
                times.append(time.perf_counter() - start)
                scores.append(run["val"]["acc1"])
                if not args.validation_only:
                    flags = ["--version", run["run"].rpartition("_")[2], "--dataset", "ecg"]
                    scores[-1] = commander.main(
                        ["--root-dir", root, "--config", recipe, "--seed", str(seed), "--test", *flags]
                    )["test"]["acc1"]
                predecessor.measure()
            spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
            mean, seconds = statistics.mean(scores), statistics.mean(times)
            split = "validation" if args.validation_only else "test"
            print(
                f"{recipe}: {split} accuracy {mean:.4f} +- {spread:.4f} over {args.seeds} seeds "
                f"({'reaches' if mean >= args.target else 'misses'} {args.target}), {seconds:.1f} s "
                f"(from {min(times):.1f} to {max(times):.1f}); predecessor's way {predecessor.whole():.0f} s, "
                f"{predecessor.whole() / seconds:.1f} times as long"
            )


if __name__ == "__main__":
    main()
