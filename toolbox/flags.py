"""What any argparse parser can use: checked types, and flags from a file."""

from __future__ import annotations

import argparse
import math
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

from toolbox.utils import Registry, UserError, nearest


def named(registry: Registry) -> Callable[[str], str]:
    """An argparse type: a name of the registry, aliases resolved."""

    def check(text: str) -> str:
        try:
            return registry.canonical(text)
        except UserError as error:
            raise ArgumentTypeError(str(error)) from error

    return check


def number(
    kind: Callable[[str], Any], low: float, high: float = math.inf, above: bool = False, below: bool = False
) -> Callable[[str], Any]:
    """An argparse type: a finite number from `low` (or `above` it) to `high` (or `below` it)."""

    def check(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high or math.isinf(value) or (above and value == low) or (below and value == high):
            what = "a whole number" if kind is int else "a number"
            least = f"above {low:g}" if above else f"of at least {low:g}"
            most = f" and {'below' if below else 'at most'} {high:g}" if high < math.inf else ""
            raise ArgumentTypeError(f"{text[:40]!r}: expected {what} {least}{most}")
        return value

    return check


class Brief(argparse.ArgumentParser):
    """A parser that says what is wrong in one line, without all its flags before it."""

    def error(self, message: str) -> NoReturn:
        """End the program with code 2."""
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())}\n")


class Refusing(argparse.ArgumentParser):
    """A parser that raises UserError where another would end the program."""

    def error(self, message: str) -> NoReturn:
        """Raise it."""
        raise UserError(message)


def read_config(path: str) -> dict[Any, Any]:
    """The flags in a YAML file, or in a run's config.json.

    Raises:
        UserError: it cannot be read, or holds no flags.
    """
    import yaml

    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read it: {getattr(error, 'strerror', None) or error}") from error
    try:
        values = yaml.safe_load(text)
    except Exception as error:  # ValueError, KeyError, RecursionError and others for values that are none
        raise UserError(f"not YAML: {' '.join(str(error).split())[:200] or type(error).__name__}") from error
    if isinstance(values, dict) and isinstance(values.get("options"), dict):
        values = values["options"]  # a run's config.json
    if not isinstance(values, dict):
        raise UserError("expected lines of the form `flag: value`")
    return values


def parse_values(
    values: dict[Any, Any], parser: argparse.ArgumentParser, without: Iterable[str] = ()
) -> dict[str, Any]:
    """The flags {name: value} as `parser`, a Refusing one, understands them when typed, so that they are checked alike.

    Args:
        without: names of flags that do not belong there.

    Raises:
        UserError: an unknown flag, or a value that it cannot have.
    """
    known = {flag.dest: flag for flag in parser._actions if flag.dest not in ("help", *without)}
    argv: list[str] = []
    for key, value in values.items():
        dest = str(key).replace("-", "_")
        if dest not in known:
            raise UserError(f"unknown flag {str(key)[:40]!r}{nearest(dest, list(known))}")
        argv += _as_words(str(key), value, known[dest])
    unset = object()
    parsed = parser.parse_args(argv, argparse.Namespace(**{flag.dest: unset for flag in parser._actions}))
    return {key: value for key, value in vars(parsed).items() if value is not unset}


def _as_words(key: str, value: Any, flag: argparse.Action) -> list[str]:
    """What would be typed to give `flag` this value; nothing where it has none."""
    if value in (None, ""):
        return []
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(part, str | int | float) for part in parts) or (value is parts) != bool(flag.nargs):
        raise UserError(f"{key}: expected {'a list of values' if flag.nargs else 'one value'}")
    if any(isinstance(part, str) and "\0" in part for part in parts):
        raise UserError(f"{key}: a character that no name can have")
    if isinstance(flag.default, bool):
        if not isinstance(value, bool):
            raise UserError(f"{key}: expected true or false, got {value!r}")
        names = [name for name in flag.option_strings if name.startswith("--no-") != value]
        return names[:1]  # none for false where there is no such flag
    if value is parts:
        return [flag.option_strings[0], *map(str, parts)]
    return [f"{flag.option_strings[0]}={value}"]
