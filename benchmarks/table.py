"""Train the predecessor's table of results anew: every model with every sampling, by its protocol and honestly.

python -m benchmarks.table --recipe recipes/table.yaml --records-dir DIR

Each cell of the table is a run in --root-dir and two lines of --out, which is written after each. The same command goes
on where it was broken off, within a run too; cells that are finished are trained again only when their flags changed.
By the predecessor's protocol (`--validate-on test`) the best epoch is the best of the test file, and its score there is
the figure. The honest figure is the test score of the epoch that is best on validation rows; the test file is looked at
once, after that.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import commander
from args import NAME_FLAGS, parse_args, run_options
from benchmarks.common import ROOT, make_parser, run_program, table
from toolbox.logger import Experiment
from toolbox.runs.folders import Run, flag_words, list_runs
from toolbox.utils import UserError, read_json, schema_error, write_json
from toolbox.utils.options import read_config

SCORES = ("acc1", "acc_class", "macro_f1")
SHAPE = {"flags": dict, "models": dict, "samplings": [str], "protocols": dict, "published": dict}
LOOKS = "test"  # what --validate-on says where the best epoch is chosen on the test file


@dataclass(frozen=True)
class Cell:
    """One training of the table.

    Attributes:
        model, sampling, protocol: where it stands.
        flags: of the command line that trains it, data and place left out.
    """

    model: str
    sampling: str
    protocol: str
    flags: tuple[str, ...]

    def stands(self) -> dict[str, str]:
        """What finds it among the finished ones."""
        flags = shlex.join(self.flags)
        return {"model": self.model, "sampling": self.sampling, "protocol": self.protocol, "flags": flags}


def read_recipe(path: str) -> dict[str, Any]:
    """The recipe: flags of all runs, of each model and each protocol; samplings; the published figures.

    Raises:
        UserError: it is none.
    """
    recipe = read_config(path)
    if problem := schema_error(recipe, SHAPE, "it"):
        raise UserError(f"{path} is no recipe of a table: {problem}")
    for score, rows in recipe["published"].items():
        lengths = [len(rows.get(model) or ()) for model in recipe["models"]]
        if set(lengths) != {len(recipe["samplings"])}:
            raise UserError(f"{path}: published {score} needs a figure of each sampling for each of the models")
    return recipe


def as_flags(values: dict[str, Any]) -> Iterator[str]:
    """{"lr": 0.005} as --lr=0.005."""
    return (f"--{key}={value}" for key, value in values.items())


def cells(recipe: dict[str, Any]) -> list[Cell]:
    """All cells, fast models first as the recipe has them; of each model one sampling after the other."""
    every = []
    for model, own in recipe["models"].items():
        for sampling in recipe["samplings"]:
            for protocol, of_protocol in recipe["protocols"].items():
                values = {**recipe["flags"], **own, "sampler": sampling, **of_protocol}
                every.append(Cell(model, sampling, protocol, (f"--model-name={model}", *as_flags(values))))
    return every


def started(cell: Cell, places: list[str], root: str) -> Run | None:
    """The newest run in `root` with exactly the flags of `cell`, finished or not."""
    wanted = run_options(parse_args([*cell.flags, *places]))
    wanted = {key: value for key, value in wanted.items() if key not in ("num_classes", "records_dir")}
    fitting = [run for run in list_runs(root) if all(run.options.get(key) == wanted[key] for key in wanted)]
    return fitting[-1] if fitting else None


def named(run: Run) -> list[str]:
    """The flags that find `run`."""
    names = [key for key in NAME_FLAGS if key not in ("split", "fold")]
    return [*(word for key in names for word in flag_words(key, run.options[key])), "--version", str(run.version)]


def fill(cell: Cell, places: list[str], root: str) -> dict[str, Any]:
    """Train `cell`, or go on with it, and score it: a line of --out."""
    begin = time.perf_counter()
    run = started(cell, places, root)
    how = [*named(run), "--resume", "latest"] if run is not None else [*cell.flags]
    trained = commander.main([*how, *places])
    run, best = started(cell, places, root), trained["best"]["epoch"]
    assert run is not None
    if run.options["validate_on"] == LOOKS:
        scores = Experiment.from_json(run.path / "logger.json").at("val", best)
        assert scores is not None
    else:
        scores = commander.main([*named(run), "--test", "--resume", "best", *places])["test"]
    figures = {key: scores[key] for key in SCORES}
    seconds = round(time.perf_counter() - begin, 1)
    return {**cell.stands(), **figures, "best_epoch": best, "run": run.name, "seconds": seconds}


def find(lines: list[dict[str, Any]], cell: Cell) -> dict[str, Any] | None:
    """The finished line of `cell`; None where there is none, or one of other flags."""
    stands = cell.stands()
    return next((line for line in lines if all(line.get(key) == stands[key] for key in stands)), None)


def number(line: dict[str, Any] | None, score: str) -> str:
    """A figure, or a dash for a cell that is not finished."""
    return "-" if line is None else f"{line[score]:.3f}"


def markdown(recipe: dict[str, Any], lines: list[dict[str, Any]]) -> str:
    """The table as far as it is filled: of each score the published figure, then those of the protocols."""
    protocols, scores = list(recipe["protocols"]), list(recipe["published"])
    head = [
        "model",
        "sampler",
        "epochs",
        *(f"{score}: {what}" for score in scores for what in ("published", *protocols)),
    ]
    rows = []
    finished = {(cell.model, cell.sampling, cell.protocol): find(lines, cell) for cell in cells(recipe)}
    for model, own in recipe["models"].items():
        epochs = str({**recipe["flags"], **own}.get("epochs", ""))
        for place, sampling in enumerate(recipe["samplings"]):
            row = [model, sampling, epochs]
            for score in scores:
                row.append(f"{recipe['published'][score][model][place]:.3f}")
                row += [number(finished[model, sampling, protocol], score) for protocol in protocols]
            rows.append(row)
    return table(head, rows)


def main(argv: list[str] | None = None) -> dict[str, Any]:
    """Fill the table, write it and print it."""
    parser = make_parser(__doc__, records=False)
    parser.add_argument("--recipe", default=str(ROOT / "recipes" / "table.yaml"))
    parser.add_argument("--root-dir", default="ecg_data", help="where the runs go")
    parser.add_argument("--records-dir", help="the 48 records of MIT-BIH, if they are not in --root-dir")
    parser.add_argument("--out", default="results/table.json", help="what is finished, and goes on from there")
    parser.add_argument("--show", action="store_true", help="print what is finished and stop")
    args = parser.parse_args(argv)
    recipe, out = read_recipe(args.recipe), Path(args.out)
    lines = read_json(out)["cells"] if out.exists() else []
    places = ["--root-dir", args.root_dir, *(["--records-dir", args.records_dir] if args.records_dir else [])]
    every = cells(recipe)
    todo = [] if args.show else [cell for cell in every if find(lines, cell) is None]
    for left, cell in zip(range(len(todo), 0, -1), todo, strict=True):
        print(f"{cell.model}, sampler {cell.sampling}, {cell.protocol}: {left} of {len(every)} left", flush=True)
        lines = [*lines, fill(cell, places, args.root_dir)]
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(out, {"cells": [line for line in (find(lines, each) for each in every) if line]})
    print(markdown(recipe, lines))
    return {"cells": lines}


if __name__ == "__main__":
    run_program(main)
