"""Score annotations of raw recordings after ANSI/AAMI EC57: with detected R peaks, beside the reference's.

python -m benchmarks.raw_signal --records-dir DIR [--out results/raw_signal.json] [--records 100 103 ...] [--ways ...]
    and the flags that name a run to --predict: --root-dir R --model-name M --version N, or --model-file FILE

Everything is done by the command line's own --predict and --score. The records are DS2 of de Chazal et al. (2004)
unless others are named: a run that was trained on DS1 has seen none of their patients but 202's (who is 201's).
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import make_parser, run_program, table, write_results
from commander import main as command
from loaders.datasets.splits import DS2
from toolbox.runs.provenance import git_state
from toolbox.utils import UserError

# Way -> its title, and flags of --predict beside those of the model.
WAYS = {
    "detect": ("R peaks detected", ()),
    "atr": ("R peaks of the reference", ("--peaks", "atr")),
    "live": ("R peaks detected, live (3 s)", ("--live",)),
}
FIGURES = [(group, name) for group in ("QRS", "VEB", "SVEB") for name in ("Se", "+P")]
HEADER = ["", *(f"{group} {name}" for group, name in FIGURES)]


def annotate_and_score(
    records: Sequence[Path], model: Sequence[str], flags: Sequence[str], out: Path
) -> dict[str, Any]:
    """Annotate `records` (paths without extension) into `out`, with `flags` of --predict besides the `model`'s, and
    compare with their reference; the result of --score, and the name of the model."""
    paths = [str(path) for path in records]
    with contextlib.redirect_stdout(io.StringIO()):  # a line per recording
        done = command(["--predict", *paths, *model, *flags, "--out", str(out)])
        if done["failed"]:
            raise UserError("; ".join(done["failed"].values()))
        result = command(["--score", *paths, "--score-dir", str(out)])
    return {**result, "model": next(iter(done["recordings"].values()))["model"]["name"]}


def percent(scores: dict[str, dict[str, float | None]]) -> list[str]:
    """Cells of a table."""
    values = [scores[group][name] for group, name in FIGURES]
    return ["-" if value is None else f"{100 * value:.2f}" for value in values]


def main() -> None:
    """Measure, print the table, and write every record's figures."""
    parser = make_parser(__doc__)
    parser.add_argument("--records", nargs="+", default=DS2, help="DS2 unless given")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["detect", "atr"])
    parser.add_argument("--out", type=Path, help="JSON file with all figures")
    args, model = parser.parse_known_args()
    records, git = [args.records_dir / name for name in args.records], git_state()
    results: dict[str, Any] = {}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for way in args.ways:
            label, flags = WAYS[way]
            results[way] = annotate_and_score(records, model, flags, Path(folder) / way)
            rows += [[f"{label}, {kind}", *percent(results[way][kind]["scores"])] for kind in ("gross", "average")]
    print(f"{results[args.ways[0]]['model']}; {len(records)} records, per cent, EC57 (escape beats are S)\n")
    print(table(HEADER, rows))
    words = f"python -m benchmarks.raw_signal --records-dir MITDB --ways {' '.join(args.ways)} --model-file CHECKPOINT"
    write_results(args.out, {"command": words, "git": git, **results})


if __name__ == "__main__":
    run_program(main)
