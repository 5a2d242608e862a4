"""Shared parts of the benchmarks: command lines, flags of a training, records, tables and files of results."""

from __future__ import annotations

import argparse
import statistics
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from args import GROUPS, find_recipe, get_parser
from loaders.io.wfdb_record import Record
from toolbox.utils import UserError, write_json
from toolbox.utils.aami import classes_of
from toolbox.utils.options import Refusing, default_of, parse_values, read_config
from toolbox.utils.signals import Interrupted

ROOT = Path(__file__).resolve().parent.parent


def make_parser(description: str | None, records: bool = True) -> argparse.ArgumentParser:
    """A parser with a module's docstring as its help, and with --records-dir unless `records` is False."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{Path(sys.argv[0]).stem}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if records:
        default = Path("ecg_data/mitdb")
        parser.add_argument("--records-dir", type=Path, default=default, help=f"the 48 records of MIT-BIH ({default})")
    return parser


def run_program(main: Callable[[], Any]) -> None:
    """Run a program's `main`; a user's mistake, or a signal, is one line on stderr and an exit code."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except Interrupted as stop:
        print(f"{stop.signal.name}: saved after {stop.place}; the same command goes on", file=sys.stderr)
        sys.exit(stop.code)


def training_flags(**changes: Any) -> Namespace:
    """All flags as commands take them: the defaults, but for `changes`."""
    flags = {one.name: default_of(one) for options in GROUPS.values() for one in fields(options)}
    if unknown := sorted(changes.keys() - flags.keys()):
        raise TypeError(f"no such flags: {', '.join(unknown)}")
    flags.update(changes)
    flags["num_classes"] = classes_of(flags["dataset"], flags["split"])
    return Namespace(**flags, given=frozenset(changes))


def recipe_flags(name: str) -> dict[str, Any]:
    """The flags of a recipe, by its name or path."""
    return parse_values(read_config(str(find_recipe(name))), get_parser(Refusing), without=("config",))


def main_lead(record: Record) -> int:
    """The index of lead MLII, or of the first lead."""
    return record.leads.index("MLII") if "MLII" in record.leads else 0


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; every cell is text."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def mean_and_spread(values: Sequence[float]) -> str:
    """Mean and standard deviation, as "0.9871 ± 0.0018"."""
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values) if len(values) > 1 else 0.0:.4f}"


def write_results(path: Path | None, results: dict[str, Any]) -> None:
    """Write a JSON file, and its folder, where a path was given."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, results)
