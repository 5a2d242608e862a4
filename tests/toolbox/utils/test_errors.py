"""toolbox.utils.errors: messages for people."""

from __future__ import annotations

import errno

import pytest

from toolbox.utils import nearest, note, os_error_text, torch_advice, warn


def test_nearest() -> None:
    assert nearest("resnet1d_1", ["cnn1d_3", "resnet1d_10"]) == ", did you mean 'resnet1d_10'?"
    assert nearest("zzz", ["cnn1d_3", "resnet1d_10"]) == ""


def test_warnings_and_notes_are_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    warn("the disk is nearly full")
    note("12 beats")
    assert capsys.readouterr() == ("", "warning: the disk is nearly full\nnote: 12 beats\n")


def test_an_error_of_the_system_names_the_file_and_the_reason() -> None:
    assert os_error_text(OSError(errno.ENOSPC, "No space left on device", "a.csv")) == "a.csv: No space left on device"
    assert os_error_text(OSError("odd\n  text")) == "odd text"
    assert os_error_text(TimeoutError()) == "TimeoutError"


def test_a_known_error_of_torch_comes_with_a_remedy() -> None:
    assert torch_advice(RuntimeError("CUDA out of memory. Tried ...")) == (
        "the device's memory is full; try a lower --batch-size, and --accumulate to make up for it; "
        "what was saved is kept (CUDA out of memory. Tried ...)"
    )
    assert torch_advice(RuntimeError("shapes differ")) == ""
