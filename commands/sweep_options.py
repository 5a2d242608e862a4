"""Flags of a search for the best flags."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass

from toolbox.utils.options import Conflict, conflicts_of_each, option

# Not taken by a trial from the command line: other commands, and flags that the search gives each of its runs.
NOT_BESIDE = (
    "test", "prepare", "export", "predict", "score", "edit", "compare", "list", "resume", "version", "seeds", "config",
    "monitor", "validate_on", "fold", "name", "import_weights", "short_run", "write_records", "out",
)  # fmt: skip


@dataclass(frozen=True)
class SweepOptions:
    """A search and where it is kept."""

    sweep: str | None = option(
        None,
        "search for the best flags, chosen on validation: a YAML file with the base recipe, the flags to search and "
        "how many trials; the same command goes on",
        metavar="FILE",
        role="action",
        common=True,
    )
    storage: str | None = option(
        None,
        "database of the search, which any number of machines share: postgresql://USER@HOST/DATABASE; a file of SQLite "
        "among the runs unless given",
        metavar="ADDRESS",
        role="action",
    )


def _beside(args: Namespace, name: str) -> bool:
    return bool(args.sweep) and name in args.given


CONFLICTS = (
    *conflicts_of_each(
        NOT_BESIDE, _beside, "--sweep starts runs of its own, by its file and by flags of training; leave out {flag}"
    ),
    Conflict(lambda args: args.storage and not args.sweep, "--storage goes with --sweep"),
    Conflict(
        lambda args: args.storage and not args.storage.startswith("postgresql://"),
        "--storage: expected an address that begins with postgresql://; without it, a file among the runs is used",
    ),
)
