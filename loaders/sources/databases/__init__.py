"""The databases that --train-on and --test-on know by name: one file and one line of `loaders.names` for each."""

from __future__ import annotations

from typing import Any

from loaders.names import DATABASE_FILES
from loaders.sources.databases.base import Database
from toolbox.utils import Registry

DATABASES = Registry("database", DATABASE_FILES)


def database_of(name: str) -> Database | None:
    """The database of that name; None where it is not in the table."""
    entry: Any = DATABASES[name] if name in DATABASES.entries else None
    return entry
