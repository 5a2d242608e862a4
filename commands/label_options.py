"""Flags that name and describe a run, so that it is recognized among others; they change no result."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from dataclasses import dataclass, fields

from toolbox.utils.options import Conflict, conflicts_of_each, option

LONGEST_TITLE, LONGEST_NOTE, LONGEST_TAG = 80, 1000, 40  # characters


def title_text(text: str) -> str:
    """An argparse type: a short text on one line, "" for none."""
    return _plain(text, LONGEST_TITLE)


def note_text(text: str) -> str:
    """An argparse type: a text on one line, "" for none."""
    return _plain(text, LONGEST_NOTE)


def _plain(text: str, longest: int) -> str:
    text = " ".join(text.split())
    if len(text) > longest or not text.isprintable():
        raise ArgumentTypeError(f"{text[:40]!a}: expected a text of at most {longest} characters")
    return text


def tag_name(text: str) -> str:
    """An argparse type: a word."""
    if len(text) > LONGEST_TAG or not re.fullmatch(r"\w[\w.+-]*", text):
        raise ArgumentTypeError(f"{text[:LONGEST_TAG]!a}: expected a word of letters, digits and . _ + -")
    return text


@dataclass(frozen=True)
class LabelOptions:
    """The name, tags and note of a run."""

    name: str | None = option(
        None,
        "a run's name in tables and pages, its folder keeps its own; of runs there are, it chooses the one",
        type=title_text,
        metavar="TEXT",
        role="free",
        common=True,
    )
    tag: list[str] = option(
        [],
        "words to find a run by; of runs there are, they choose those that have them all",
        type=tag_name,
        nargs="*",
        metavar="TAG",
        role="free",
        common=True,
    )
    note: str | None = option(
        None, "a remark on a run, for its page and tables", type=note_text, metavar="TEXT", role="free"
    )
    edit: list[str] | None = option(
        None,
        "give runs, by name, number or pattern, another --name, --tag or --note; trains nothing",
        nargs="+",
        metavar="RUN",
        role="action",
    )


LABELS = tuple(one.name for one in fields(LabelOptions) if one.metadata["role"] == "free")

CONFLICTS = (
    Conflict(
        lambda args: args.edit and not args.given & set(LABELS),
        "--edit changes --name, --tag and --note of runs; give at least one of them",
    ),
    *conflicts_of_each(
        ("test", "prepare", "export", "predict", "score", "resume", "compare", "list"),
        lambda args, name: args.edit and name in args.given,
        "--edit only names and describes runs; leave out {flag}",
    ),
    Conflict(
        lambda args: "note" in args.given and (args.continues or args.list or args.compare is not None),
        "--note describes a new run; --edit RUN --note TEXT changes that of another",
    ),
    *conflicts_of_each(
        LABELS,
        lambda args, name: name in args.given and (args.prepare or args.score),
        "{flag} belongs to runs; --prepare and --score have none",
    ),
)
