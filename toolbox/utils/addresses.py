"""Addresses of the web as they may be shown and kept: without user, password and query, which may be secrets."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Iterable
from urllib.parse import urlsplit

# Before the host: all up to an "@", also of a password with a slash in it; a port is no password.
USER = r"(?:[^/\s]*|[^/\s@:]*:(?!\d+/)\S*)@"
ADDRESS = re.compile(rf"([a-z][a-z0-9+.-]*://)(?:{USER})?([^\s?#]*)\S*", re.IGNORECASE)
USER_IN_TEXT = re.compile(r"(://)(?:[^/\s\"']*|[^/\s\"'@:]*:(?!\d+/)[^\s\"']*)@")
QUERY_IN_TEXT = re.compile(r"((?:[a-z][a-z0-9+.-]*:/|\burl: )/[^\s?#\"']*)[?#][^\s\"',;)]*", re.IGNORECASE)


def public_address(word: str) -> str:
    """A word of a command line; an address in it is left without user, password and query."""
    return ADDRESS.sub(r"\1\2", word)


def hide_secrets(text: str, addresses: Iterable[str] = ()) -> str:
    """A message, its addresses without user, password and query; those of `addresses` whatever they look like."""
    for address in addresses:
        text = text.replace(address, public_address(address))
    return QUERY_IN_TEXT.sub(r"\1", USER_IN_TEXT.sub(r"\1", text))


def address_problem(text: str) -> str:
    """Why `text` is no address to download from, without its words; "" for one that is."""
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        sound = False
    return "" if sound else "give an address that begins with https:// or http://"


def web_address(text: str) -> str:
    """An argparse type: an address to download from."""
    if problem := address_problem(text):
        raise ArgumentTypeError(problem)
    return text
