"""Tables of names: builders that are imported only when they are asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from toolbox.utils.errors import UnknownNameError, nearest


def check_name(kind: str, name: str, names: Collection[str], aliases: Collection[str] = ()) -> str:
    """`name` itself, which is one of `names`; UserError names the known ones and the nearest."""
    if name not in names:
        hint = nearest(name, [*names, *aliases]) or ";"
        raise UnknownNameError(f"unknown {kind} {name!r}{hint} known: {', '.join(names)}")
    return name


class Registry(Mapping[str, Callable[..., Any]]):
    """A table name -> builder that imports a builder's module only when that builder is asked for.

    Args:
        kind: what the names stand for ("model"), for error messages.
        entries: name -> "package.module:function".
        aliases: other spelling -> name.
    """

    def __init__(self, kind: str, entries: dict[str, str], aliases: dict[str, str] | None = None) -> None:
        self.kind = kind
        self.entries = entries
        self.aliases = aliases or {}

    def canonical(self, name: str) -> str:
        """The table's own spelling of `name`; UserError names the known ones and the nearest."""
        return check_name(self.kind, self.aliases.get(name, name), self.entries, self.aliases)

    def __getitem__(self, name: str) -> Callable[..., Any]:
        module, _, attribute = self.entries[self.canonical(name)].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def __contains__(self, name: object) -> bool:
        return name in self.entries or name in self.aliases

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)
