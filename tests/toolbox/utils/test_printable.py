"""Names of others on terminals and pages: control characters stand as their escapes."""

from __future__ import annotations

from pathlib import Path

import pytest

import commander
from toolbox.utils import UserError, note, printable, warn


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("MLII", "MLII"),
        ("Ableitung Ⅱ, größer als 5 µV", "Ableitung Ⅱ, größer als 5 µV"),
        ("\x1b]0;pwned\x07\x1b[31m", "\\x1b]0;pwned\\x07\\x1b[31m"),
        ("two\nlines\r\tand a tab", "two\\nlines\\r\\tand a tab"),
        ("\x9b31m, a CSI of one byte", "\\x9b31m, a CSI of one byte"),
        ("gnp\u202e.exe", "gnp\\u202e.exe"),
        ("a\u2028b\u200bc\x00d\x7f", "a\\u2028b\\u200bc\\x00d\\x7f"),
        (b"a\xff\xe4.csv".decode("utf-8", "surrogateescape"), "a\\xff\\xe4.csv"),
        ("\ud800", "\\ud800"),
        ("a back\\slash", "a back\\slash"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown and printable(text).encode()
    assert printable(Path(text.replace("\x00", ""))) == shown.replace("\\x00", "")
    assert printable(UserError(text)) == shown


def test_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    warn("a\x1b[31m\nb")
    note("a\x1b[31m\nb")
    assert capsys.readouterr().err == "warning: a\\x1b[31m\\nb\nnote: a\\x1b[31m\\nb\n"


EVIL = "\x1b]0;pwned\x07\x1b[31m\u202e"


@pytest.mark.parametrize(
    "flags", [["--score", EVIL], ["--predict", "x", "--model-file", EVIL], [EVIL], ["--device", EVIL], ["--help", EVIL]]
)
def test_arguments_in_errors(
    flags: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["commander.py", *flags])
    try:
        code: object = commander.cli()
    except SystemExit as stop:
        code = stop.code
    output = capsys.readouterr()
    assert code == 2 and output.err.count("\n") == 1
    assert all(one.isprintable() for one in (output.out + output.err).replace("\n", ""))
    assert "\\x1b]0;pwned\\x07" in output.err
