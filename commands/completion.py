"""Completes flags, names and values for a shell that asks, without torch; docs/training.md says how to set it up."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Callable, Iterable
from typing import Any

from args import RECIPES, get_parser
from commands.help import ROOT_DIR, TOPICS
from loaders.names import DATABASE_FILES
from toolbox.runs.folders import list_runs
from toolbox.utils.options import Argument

ASKED = "_ARGCOMPLETE"  # the environment variable of a shell that asks


def runs(parsed: Namespace) -> list[str]:
    """The names of the runs below --root-dir, as far as it was typed."""
    return [run.name for run in list_runs(_typed(parsed, "root_dir") or ROOT_DIR)]


def versions(parsed: Namespace) -> list[str]:
    """The values of --version: the numbers of the runs of the model and dataset that were typed."""
    typed = {key: _typed(parsed, key) for key in ("dataset", "model_name")}
    wanted = {key: value for key, value in typed.items() if value}
    fitting = [
        run for run in list_runs(_typed(parsed, "root_dir") or ROOT_DIR)
        if all(run.options.get(key) == value for key, value in wanted.items())
    ]  # fmt: skip
    return ["bump", "latest", *sorted({str(run.version) for run in fitting}, key=int)]


def _typed(parsed: Namespace, name: str) -> Any:
    return getattr(parsed, name, None)


# Flag -> its values, of the flags typed so far; and those that may be a file as well.
VALUES: dict[str, Callable[[Namespace], Iterable[str]]] = {
    "help": lambda _: ("all", *TOPICS),
    "config": lambda _: sorted(path.stem for path in RECIPES.glob("*.yaml")),
    "resume": lambda _: ("latest", "best"),
    "version": versions,
    "compare": lambda parsed: ("all", *runs(parsed)),
    "pretrained": runs,
    "train_on": lambda _: DATABASE_FILES,
    "test_on": lambda _: DATABASE_FILES,
}
OR_FILES = ("config", "pretrained", "train_on", "test_on")


def parser_with_values() -> argparse.ArgumentParser:
    """The parser of all flags, each of which knows what completes it: names, files, or nothing for a number."""
    from argcomplete.completers import FilesCompleter, SuppressCompleter

    def among(values: Callable[[Namespace], Iterable[str]], or_files: bool) -> Callable[..., list[str]]:
        def complete(prefix: str, parsed_args: Namespace, **_: Any) -> list[str]:
            files = FilesCompleter()(prefix) if or_files else []
            return [*values(parsed_args), *files]

        return complete

    parser = get_parser()
    for action in parser._actions:
        completer: Any = None
        if action.dest in VALUES:
            completer = among(VALUES[action.dest], action.dest in OR_FILES)
        elif isinstance(action.type, Argument) and action.type.names:
            completer = among(lambda _, names=action.type.names: names, or_files=False)  # type: ignore[misc]
        elif action.type is not None:
            completer = SuppressCompleter()
        if completer is not None:
            action.completer = completer  # type: ignore[attr-defined]
    return parser


def complete() -> None:
    """Answer the shell and end the process; do nothing where argcomplete is not installed."""
    try:
        import argcomplete
    except ModuleNotFoundError:
        return
    argcomplete.autocomplete(parser_with_values(), always_complete_options="long")
