"""Errors that a user sees, and lines on stderr."""

from __future__ import annotations

import difflib
import sys

from toolbox.utils.colour import coloured


class UserError(Exception):
    """A mistake of the user or in the user's data: shown as one line on stderr, exit code 2, no traceback."""


class UnknownNameError(UserError, KeyError):
    """A name that a table lacks; a KeyError, too, so that tables are proper mappings."""

    __str__ = Exception.__str__  # KeyError would show the message in quotes


def nearest(name: str, names: list[str]) -> str:
    """``", did you mean 'x'?"`` for the one of `names` closest to `name` in any case, else an empty string."""
    by_lower_case = {each.lower(): each for each in names}
    close = difflib.get_close_matches(name.lower(), list(by_lower_case), n=1)
    return f", did you mean {by_lower_case[close[0]]!r}?" if close else ""


def os_error_text(error: OSError) -> str:
    """An OSError in one line: "PATH: No space left on device"."""
    reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason


# A part of torch's message (each a RuntimeError) -> a remedy.
TORCH_REMEDIES = {
    "deterministic": "--deterministic asks for an algorithm that torch does not have on this device; leave it out",
    "out of memory": "the device's memory is full; try a lower --batch-size, and --accumulate to make up for it",
    "can't allocate memory": "memory is full; try a lower --batch-size, and --accumulate to make up for it",
    "DataLoader worker": "a process that gathers batches died; --workers 0 needs none",
}


def torch_advice(error: Exception) -> str:
    """A one-line remedy for a known error of torch, else ""."""
    text = " ".join(str(error).split())
    advice = next((advice for part, advice in TORCH_REMEDIES.items() if part in text), "")
    return f"{advice}; what was saved is kept ({text[:150]})" if advice else ""


def printable(text: object) -> str:
    """Text in which each character that a terminal or a page would act on, or cannot show, stands as its escape.

    Names come from files of others: a control character in one moves the cursor, renames the window or hides text. A
    newline is "\\n" then, and a byte of a file name that is no UTF-8 is "\\xff".
    """
    return "".join(one if one.isprintable() else _escape(one) for one in str(text))


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps such a byte
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def warn(text: str) -> None:
    """Print a warning on stderr, in one line."""
    print(f"{coloured('warning:', 'yellow', sys.stderr)} {printable(text)}", file=sys.stderr, flush=True)


def note(text: str) -> None:
    """Print a remark on stderr, in one line."""
    print(f"note: {printable(text)}", file=sys.stderr, flush=True)
