"""What any argparse parser can use: checked types, and defaults from a YAML file."""

from __future__ import annotations

import argparse
import math
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toolbox.utils import Registry, UserError, nearest


def named(registry: Registry) -> Callable[[str], str]:
    """An argparse type: a name of the registry, aliases resolved."""

    def check(text: str) -> str:
        try:
            return registry.canonical(text)
        except UserError as error:
            raise ArgumentTypeError(str(error)) from error

    return check


def number(kind: Callable[[str], Any], low: float, high: float = math.inf, above: bool = False) -> Callable[[str], Any]:
    """An argparse type: a finite number from `low` (or above it) to `high`."""

    def check(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value < low or value > high or (above and value == low):
            what = "a whole number" if kind is int else "a number"
            bound = f"above {low:g}" if above else f"of at least {low:g}"
            raise ArgumentTypeError(
                f"{text!r}: expected {what} {bound}{f' and at most {high:g}' if high < math.inf else ''}"
            )
        return value

    return check


def read_config(path: str, parser: argparse.ArgumentParser) -> list[str]:
    """The flags in a YAML file (or a run's config.json) as a command line, so that they are checked alike."""
    import yaml

    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        parser.error(f"--config {path}: cannot read it: {getattr(error, 'strerror', None) or error}")
    except yaml.YAMLError as error:
        parser.error(f"--config {path}: not YAML: {' '.join(str(error).split())}")
    if isinstance(values, dict) and isinstance(values.get("options"), dict):
        values = values["options"]  # a run's config.json
    if not isinstance(values, dict):
        parser.error(f"--config {path}: expected lines of the form `flag: value`")
    return _as_flags(values, path, parser)


def _as_flags(values: dict[Any, Any], path: str, parser: argparse.ArgumentParser) -> list[str]:
    known = {flag.dest: flag for flag in parser._actions if flag.dest not in ("help", "config")}
    argv: list[str] = []
    for key, value in values.items():
        dest = str(key).replace("-", "_")
        if dest not in known:
            parser.error(f"--config {path}: unknown flag {key!r}{nearest(dest, list(known))}")
        flag = known[dest].option_strings[0]
        if isinstance(known[dest].default, bool):
            if not isinstance(value, bool):
                parser.error(f"--config {path}: {key}: expected true or false, got {value!r}")
            argv += [flag] if value else []
        elif value not in (None, ""):
            argv += [flag, *map(str, value)] if isinstance(value, list) else [f"{flag}={value}"]
    return argv
