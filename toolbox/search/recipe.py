"""The winner's recipe: a YAML file for --config, with a head that says what it was chosen from."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from toolbox.utils import atomic_write


def recipe_text(head: Sequence[str], flags: Mapping[str, Any]) -> str:
    """The recipe: each line of `head` as a comment, then the flags, "none" for those that are switched off."""
    comments = [f"# {line}" for text in head for line in textwrap.wrap(text, 110)]
    values = {name.replace("_", "-"): "none" if value is None else value for name, value in flags.items()}
    return "\n".join(comments) + "\n" + yaml.safe_dump(values, sort_keys=False, default_flow_style=False)


def write_recipe(path: Path, head: Sequence[str], flags: Mapping[str, Any]) -> str:
    """Write the recipe to `path`, atomically, and return its text."""
    text = recipe_text(head, flags)
    with atomic_write(path, "w") as handle:
        handle.write(text)
    return text


def counted(number: int, word: str) -> str:
    """A number with its word: "1 trial", "2 trials"."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"
