"""toolbox.utils.colour: who decides about colour, and in which order."""

from __future__ import annotations

import io

import pytest

from toolbox.utils import warn
from toolbox.utils.colour import coloured, wants_colour

NAMES = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "TERM")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "terminal", "elsewhere"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),  # set, but empty: as if it were not
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "0"}, True, False),
        ({"CLICOLOR_FORCE": "1"}, True, True),
        ({"CLICOLOR": "0"}, False, False),
        ({"CLICOLOR": "1"}, True, False),
        ({"TERM": "dumb"}, False, False),
    ],
)
def test_the_environment_decides(
    variables: dict[str, str], terminal: bool, elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (wants_colour(Terminal()), wants_colour(io.StringIO())) == (terminal, elsewhere)
    assert coloured("a", "bold", Terminal()) == ("\x1b[1ma\x1b[0m" if terminal else "a")


def test_a_warning_is_coloured_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for stream, text in ((Terminal(), "\x1b[33mwarning:\x1b[0m odd\n"), (io.StringIO(), "warning: odd\n")):
        monkeypatch.setattr("sys.stderr", stream)
        warn("odd")
        assert stream.getvalue() == text
