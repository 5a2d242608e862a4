"""Flags as dataclass fields, declared beside what they configure; their conflicts, types, and values from files."""

from __future__ import annotations

import argparse
import math
import re
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, field, fields, is_dataclass
from functools import partial
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar, get_type_hints

import yaml

from toolbox.utils import Registry, UserError, nearest, printable
from toolbox.utils.files import read_text
from toolbox.utils.registry import check_name

T = TypeVar("T")


def option(
    default: Any, help: str, *, type: Callable[[str], Any] | None = None, choices: Sequence[str] | None = None,
    nargs: Any = None, metavar: str | None = None, also: Sequence[str] = (), negatable: bool = False,
    role: str = "run", exclusive: str = "", common: bool = False, const: str | None = None,
) -> Any:  # fmt: skip
    """A dataclass field that is a flag.

    Args:
        default: its value when the flag is left out; a list is copied for each instance.
        help: one line of --help.
        type, choices, nargs, metavar: as argparse takes them.
        also: other spellings, as "-j".
        negatable: a switch that has a --no- form, too.
        role: "run" (config.json keeps it), "name" (part of the run's name), "free" (may change on --resume) or
            "action" (what to do now; never kept).
        exclusive: flags of the same group with the same text here exclude each other.
        common: a flag that most users need: --help alone shows it.
        const: the value of the flag alone, without one.
    """
    nargs = "?" if const is not None else nargs
    words = {"type": type, "choices": choices, "nargs": nargs, "metavar": metavar, "const": const}
    metadata = {
        "help": help, "also": also, "negatable": negatable, "role": role, "exclusive": exclusive, "common": common,
        "argparse": {key: value for key, value in words.items() if value is not None},
    }  # fmt: skip
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def default_of(one: Any) -> Any:
    """The default of a dataclass field."""
    return one.default if one.default_factory is MISSING else one.default_factory()


def spelling(name: str) -> str:
    """The flag of a field: "--batch-size" of "batch_size"."""
    return f"--{name.replace('_', '-')}"


def add_options(parser: argparse.ArgumentParser, options: type, title: str, only: Container[str] | None = None) -> None:
    """Add the fields of a dataclass of options to `parser`, as an argument group.

    Args:
        only: the names of those to add; all unless given.
    """
    group = parser.add_argument_group(title)
    exclusive: dict[str, argparse._MutuallyExclusiveGroup] = {}
    for one in fields(options):
        if only is not None and one.name not in only:
            continue
        about, default = one.metadata, default_of(one)
        words = {"default": default, "help": about["help"], **about["argparse"]}
        if default not in (None, False, "", []):
            shown = " ".join(map(str, default)) if isinstance(default, list) else str(default)
            words["help"] += f" (default: {'on' if default is True else shown})"
        if isinstance(default, bool):
            words["action"] = argparse.BooleanOptionalAction if about["negatable"] else "store_true"
        elif not words.keys() & {"metavar", "choices"}:
            words["metavar"] = {int: "N", float: "X"}.get(type(default), "NAME")
        target: argparse._ArgumentGroup = group
        if about["exclusive"]:
            if about["exclusive"] not in exclusive:
                exclusive[about["exclusive"]] = group.add_mutually_exclusive_group()
            target = exclusive[about["exclusive"]]
        target.add_argument(spelling(one.name), *about["also"], **words)


class Conflict(NamedTuple):
    """Flags that make no sense together.

    Attributes:
        when: says so of all flags. Beside them the namespace has `given` (names of those that were given), `changed`
            (those given with another value than the default), `typed` (those of them on the command line, not in the
            file of --config), `continues` (a run that there is, is resumed or used)
            and `starts` (a run is to be started).
        message: with {name} for the value of a flag; or a function that gives it.
    """

    when: Callable[[Namespace], Any]
    message: str | Callable[[Namespace], str]

    def text(self, args: Namespace) -> str:
        """The message about these flags."""
        return self.message.format_map(vars(args)) if isinstance(self.message, str) else self.message(args)


def conflicts_of_each(names: Iterable[str], when: Callable[..., Any], message: str) -> Iterator[Conflict]:
    """A row for each of several flags: `when` takes the flags and the `name`; "{flag}" in `message` is its spelling."""
    for name in names:
        yield Conflict(partial(when, name=name), message.replace("{flag}", spelling(name)))


def exclusive_pairs(*groups: type) -> list[tuple[str, str]]:
    """The pairs (one, other), in both orders, of flags that exclude each other in these dataclasses of options."""
    texts = [(one.name, (group, one.metadata["exclusive"])) for group in groups for one in fields(group)]
    return [(a, b) for a, of_a in texts for b, of_b in texts if a != b and of_a == of_b and of_a[1]]


def pick(options: type[T], args: Any) -> T:
    """The values of a dataclass of options in `args`, a namespace that holds them among others."""
    return options(**{one.name: getattr(args, one.name) for one in fields(options)})  # type: ignore[arg-type]


def pick_groups(groups: type[T], args: Any) -> T:
    """A dataclass whose fields are dataclasses of options, or single flags, with their values in `args`."""
    values: dict[str, Any] = {}
    for name, kind in get_type_hints(groups).items():
        is_group = isinstance(kind, type) and is_dataclass(kind)
        values[name] = pick(kind, args) if is_group else getattr(args, name)
    return groups(**values)


def with_role(role: str, *groups: type) -> tuple[str, ...]:
    """The names of all flags of a role in these dataclasses of options."""
    return tuple(one.name for group in groups for one in fields(group) if one.metadata["role"] == role)


class Argument(Generic[T]):
    """An argparse type: the value that `read` returns; the message of a UserError becomes argparse's own.

    Attributes:
        names: texts that a shell can complete.
    """

    def __init__(self, read: Callable[[str], T], names: Iterable[str] = ()) -> None:
        self.read, self.names = read, tuple(names)

    def __call__(self, text: str) -> T:
        try:
            return self.read(text)
        except UserError as error:
            raise ArgumentTypeError(str(error)) from error


def one_of(names: Sequence[str]) -> Argument[str | None]:
    """An argparse type: one of `names`, or "none" for None."""

    def check(text: str) -> str | None:
        if text not in ("none", *names):
            raise ArgumentTypeError(f"{text!r}: expected none, {' or '.join(names)}")
        return None if text == "none" else text

    return Argument(check, ("none", *names))


def named(registry: Registry) -> Argument[str]:
    """An argparse type: a name of the registry, aliases resolved."""
    return Argument(registry.canonical, registry)


def listed(kind: str, names: Collection[str]) -> Argument[str]:
    """An argparse type: one of `names`, each the name of a `kind`."""
    return Argument(lambda text: check_name(kind, text, names), names)


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
        """End the program with code 2; where a flag lacks its value, say which it takes."""
        lacking = re.match(r"argument ([^ :]+).*: expected (one|at least one) argument$", message)
        flag = self._option_string_actions.get(lacking[1].partition("/")[0]) if lacking else None
        if flag is not None:
            message += f", {flag.metavar or ' or '.join(flag.choices or ())}"
        self.exit(2, f"{self.prog}: error: {printable(message)}\n")


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
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
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
    flags = {flag.dest: flag for flag in parser._actions if flag.dest not in ("help", *without)}
    argv: list[str] = []
    for key, value in values.items():
        dest = str(key).replace("-", "_")
        if dest not in flags:
            raise UserError(f"unknown flag {str(key)[:40]!r}{nearest(dest, list(flags))}")
        argv += _as_words(str(key), value, flags[dest])
    unset = object()
    parsed = parser.parse_args(argv, argparse.Namespace(**{flag.dest: unset for flag in parser._actions}))
    return {key: value for key, value in vars(parsed).items() if value is not unset}


def check_values(options: type, values: Mapping[str, Any]) -> None:
    """Check values from a file against the fields of a dataclass of options, as if they had been typed.

    Raises:
        UserError: the first that its flag does not take, as "NAME is VALUE: why".
    """
    for one in fields(options):
        if one.name not in values or values[one.name] == default_of(one):
            continue
        value, about = values[one.name], one.metadata["argparse"]
        try:
            for part in value if isinstance(value, list) else [value]:
                about.get("type", str)(str(part))
            if value not in about.get("choices", [value]):
                raise ArgumentTypeError(f"expected {' or '.join(about['choices'])}")
        except ArgumentTypeError as error:
            raise UserError(f"{one.name} is {str(value)[:60]!r}: {error}") from error


def _as_words(key: str, value: Any, flag: argparse.Action) -> list[str]:
    """What would be typed to give `flag` this value; nothing where it has none."""
    if value in (None, ""):
        return []
    parts = value if isinstance(value, list) else [value]
    several = flag.nargs not in (None, 0, "?")
    if not all(isinstance(part, str | int | float) for part in parts) or (value is parts) != several:
        raise UserError(f"{key}: expected {'a list of values' if several else 'one value'}")
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
