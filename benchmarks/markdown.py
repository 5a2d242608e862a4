"""Tables as Markdown, which the benchmarks print."""

from __future__ import annotations


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table; every cell is text."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))
