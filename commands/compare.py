"""Compares runs: a table in the terminal, and compare.html, compare.csv and compare.tex."""

from __future__ import annotations

import fnmatch
import os
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from args import ACTION_FLAGS, FREE_FLAGS
from commands.index import refresh_index
from commands.options import CompareOptions
from commands.runs import find_labelled
from toolbox.reports.comparison import KAGGLE, ONLY_BY_PATIENT, Comparison, compare_runs, read_tested
from toolbox.reports.comparison_page import MARK, TEMPLATE, write_comparison_page
from toolbox.reports.comparison_tables import as_csv, as_latex, as_text
from toolbox.reports.runs_index import INDEX
from toolbox.runs.folders import Run, check_config, fits, list_runs
from toolbox.utils import UserError, atomic_write, nearest, printable, warn
from toolbox.utils.options import pick

ALL = "all"
# Flags that say where data and machines are, and what is written beside the scores: they change no result.
PLACES = (
    "root_dir",
    "records_dir",
    "source",
    "physionet_url",
    "gdrive_url",
    "tensorboard",
    "start_epoch",
    "num_classes",
)
FILES = ("compare.html", "compare.csv", "compare.tex")
CSV_START, TEX_START = "entry,run,model,seed,", "% needs \\usepackage{booktabs}"  # of our own files


def run(args: Namespace) -> dict[str, Any]:
    """Print the comparison that the flags ask for, and with --compare write its files.

    Returns:
        {"runs": names of the compared runs in order, "refused": {name: why}, "files": paths}.

    Raises:
        UserError: no such run, none has a score, or the files of another would be overwritten.
    """
    options = pick(CompareOptions, args)
    wanted = {key: getattr(args, key) for key in args.given - set(ACTION_FLAGS) - set(FREE_FLAGS) - {"root_dir"}}
    every = [one for one in list_runs(args.root_dir) if not one.trial and fits(one, wanted) and _is_whole(one)]
    if not every:
        raise UserError(f"no run below {args.root_dir} fits these flags; train one first")
    if args.given & {"name", "tag"}:
        every = find_labelled(every, args)
    named = options.compare or [ALL]
    runs = every if ALL in named else find_named(every, named)
    in_order = options.sort is None and len(named) > 1 and ALL not in named
    comparison = compare_runs(
        [read_tested(one) for one in runs],
        ignored={*PLACES, *FREE_FLAGS},
        sort=None if in_order else options.sort or _main_score(runs),
        with_beats=not options.list,
    )
    print("\n".join(map(printable, as_text(comparison))))
    runs_folder = comparison.entries[0].first.run.path.parent
    if not options.list and not (runs_folder / INDEX).exists():
        refresh_index(runs_folder)  # the page links it
    files = [] if options.list else write_files(_folder(args.out, comparison), comparison)
    if files:
        refresh_index(runs_folder)  # it links the page
        print(f"written {', '.join(printable(path) for path in files)}")
    names = [one.run.name for entry in comparison.entries for one in entry.tested]
    return {"runs": names, "refused": dict(comparison.refused), "files": [str(path) for path in files]}


def _is_whole(run: Run) -> bool:
    """Check whether the config.json of a run is as it was written; one that is damaged is warned of and left out."""
    try:
        check_config(run)
    except UserError as error:
        warn(f"{error}; the run is left out")
        return False
    return True


def find_named(runs: Sequence[Run], named: Sequence[str], flag: str = "--compare") -> list[Run]:
    """The runs of names (of --name, too), folders, version numbers and patterns, in this order, each once.

    Raises:
        UserError: one of them names no run.
    """
    chosen: dict[Path, Run] = {}
    for text in named:
        name = Path(text).name or text
        matching = [
            one
            for one in runs
            if text == one.title or fnmatch.fnmatchcase(one.name, name) or fnmatch.fnmatchcase(one.title, name)
        ]
        matching = matching or [one for one in runs if name.isdigit() and one.version == int(name)]
        if not matching:
            near = nearest(name, [title for one in runs for title in (one.name, one.title)])
            raise UserError(f"{flag} {text}: no run of this name, number or pattern{near}; --list shows the runs")
        chosen |= {one.path: one for one in matching if one.path not in chosen}
    return list(chosen.values())


def _main_score(runs: Sequence[Run]) -> str:
    """The score that runs are sorted by: that of the newest one's split."""
    return (KAGGLE if runs[-1].options.get("split", "kaggle") == "kaggle" else ONLY_BY_PATIENT)[-1]


def _folder(out: str | None, comparison: Comparison) -> Path:
    """The folder of the files: --out, else that of the first run's dataset."""
    return Path(out) if out else comparison.entries[0].first.run.path.parents[1]


def _begins(path: Path, start: str) -> bool:
    """A plain file holds this text, as ours do."""
    plain = path.is_file() and not path.is_symlink()
    return plain and start in path.read_text(encoding="utf-8", errors="replace")


def write_files(
    folder: Path, comparison: Comparison, title: str = "", template: Path = TEMPLATE, **more: Any
) -> list[Path]:
    """Write the page and the tables into `folder`; return their paths.

    Args:
        title, template, more: of the page, see `write_comparison_page`.

    Raises:
        UserError: a file of these names is there and is no comparison.
    """
    page, table, latex = (folder / name for name in FILES)
    for path, start in ((page, MARK), (table, CSV_START), (latex, TEX_START)):
        if os.path.lexists(path) and not _begins(path, start):
            raise UserError(f"{path} was not written by --compare, and is kept; take another --out, or delete it")
    folder.mkdir(parents=True, exist_ok=True)
    title = title or f"{len(comparison.entries)} recipes on the same test beats"
    write_comparison_page(page, title, comparison, template, **more)
    for path, text in ((table, as_csv(comparison)), (latex, as_latex(comparison))):
        with atomic_write(path, "w") as handle:
            handle.write(text)
    return [page, table, latex]
