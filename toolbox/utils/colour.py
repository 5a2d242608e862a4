"""Colour on the terminal: a little, only where one reads along, and never against the user's wish."""

from __future__ import annotations

import os
from typing import TextIO

CODES = {"bold": "1", "red": "31", "yellow": "33"}  # of ECMA-48, select graphic rendition


def wants_colour(stream: TextIO) -> bool:
    """Check whether text on `stream` may be coloured.

    NO_COLOR (https://no-color.org) forbids it, FORCE_COLOR and CLICOLOR_FORCE ask for it, CLICOLOR=0 forbids it
    (https://bixense.com/clicolors); otherwise, where the stream is a terminal that is not a "dumb" one.
    """
    said = os.environ.get
    if said("NO_COLOR"):
        return False
    if said("FORCE_COLOR", "0") not in ("", "0") or said("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return said("CLICOLOR") != "0" and said("TERM") != "dumb" and stream.isatty()


def coloured(text: str, colour: str, stream: TextIO) -> str:
    """`text` in one of CODES, where `stream` may have colour."""
    return f"\x1b[{CODES[colour]}m{text}\x1b[0m" if wants_colour(stream) else text
