"""Flags as dataclass fields."""

from __future__ import annotations

import argparse
from argparse import Namespace
from dataclasses import dataclass

import pytest

from toolbox.utils.options import (
    Conflict,
    add_options,
    conflicts_of_each,
    exclusive_pairs,
    option,
    pick,
    pick_groups,
    with_role,
)


@dataclass(frozen=True)
class Colours:
    """Flags of colours."""

    red: int = option(3, "how red", role="name")
    dark: bool = option(False, "or not", negatable=True)
    green: str | None = option(None, "which", const="lime", exclusive="one", metavar="SHADE")
    blue: list[str] = option([], "which", nargs="+", exclusive="one")


@dataclass(frozen=True)
class Picture:
    """A group, and a flag by itself."""

    colours: Colours
    size: int


def parsed(*argv: str) -> Namespace:
    """The flags of Colours."""
    parser = argparse.ArgumentParser()
    add_options(parser, Colours, "colours")
    return parser.parse_args(argv)


def test_fields_are_flags_with_their_defaults_and_help() -> None:
    assert vars(parsed()) == {"red": 3, "dark": False, "green": None, "blue": []}
    assert vars(parsed("--dark", "--green")) == {"red": 3, "dark": True, "green": "lime", "blue": []}
    parser = argparse.ArgumentParser()
    add_options(parser, Colours, "colours", only={"red"})
    text = parser.format_help()
    assert "--red N" in text and "how red (default: 3)" in text and "--dark" not in text


def test_flags_are_split_by_group() -> None:
    args = Namespace(**vars(parsed("--blue", "a", "b")), size=4, other=1)
    assert pick(Colours, args) == Colours(blue=["a", "b"])
    assert pick_groups(Picture, args) == Picture(Colours(blue=["a", "b"]), 4)


def test_roles_and_pairs_that_exclude_each_other_come_from_the_fields() -> None:
    assert with_role("name", Colours) == ("red",) and with_role("run", Colours) == ("dark", "green", "blue")
    assert exclusive_pairs(Colours) == [("green", "blue"), ("blue", "green")]
    with pytest.raises(SystemExit):
        parsed("--green", "moss", "--blue", "a")


def test_a_conflict_names_values_and_a_row_is_made_for_each_flag() -> None:
    args = Namespace(red=9, light_blue="a")
    assert Conflict(lambda args: args.red > 5, "--red {red} is too much").text(args) == "--red 9 is too much"
    assert Conflict(lambda args: True, lambda args: f"{args.red + 1}").text(args) == "10"
    rows = list(conflicts_of_each(("red", "light_blue"), lambda args, name: getattr(args, name) == "a", "no {flag}"))
    assert [(bool(row.when(args)), row.text(args)) for row in rows] == [(False, "no --red"), (True, "no --light-blue")]
