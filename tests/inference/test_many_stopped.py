"""Ctrl-C and SIGTERM while recordings are annotated: one line, nothing half written, nobody left, and on it goes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.made import small_record, write_format

PROGRAM = """
import sys, commander, commands.predict
from tests.made import Rule, Slow
commands.predict.load_classifier = lambda args: Slow()
if __name__ == "__main__":
    commander.leave(commander.cli())
"""
ENDINGS = ("", ".csv", ".episodes.csv", ".hours.csv", ".html", ".json")
COUNT = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of 12 s each."""
    folder, record = tmp_path_factory.mktemp("recordings"), small_record(0.2)
    for k in range(COUNT):
        write_format(folder, f"r{k}", record.digital, "16")
    return folder


def start(folder: Path, out: Path, processes: int) -> subprocess.Popen[str]:
    """--predict of all, by a classifier that takes its time; the leader of a group of its own."""
    command = [sys.executable, "-c", PROGRAM, "--predict", str(folder), "--out", str(out)]
    return subprocess.Popen(
        [*command, *(["-j", str(processes)] if processes else [])], cwd=ROOT, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def nobody_left(group: int) -> bool:
    """Whether a group of processes ends within seconds."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and process groups")
@pytest.mark.parametrize(("number", "processes"), [(signal.SIGINT, 2), (signal.SIGTERM, 0)])
def test_a_signal_ends_it_in_one_line_and_the_same_command_goes_on(
    folder: Path, tmp_path: Path, number: signal.Signals, processes: int
) -> None:
    out = tmp_path / "out"
    process = start(folder, out, processes)
    assert process.stdout is not None
    first = process.stdout.readline()
    assert first.startswith("r"), process.stderr and process.stderr.read()
    if number == signal.SIGINT:  # from the keyboard it comes to all
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    rest, messages = process.communicate(timeout=120)
    assert process.returncode == 128 + number, messages
    line = re.fullmatch(
        rf"{number.name}: stopped; (\d) of {COUNT} recordings are finished; the same command skips them and goes on\n",
        messages,
    )
    assert line is not None, messages
    finished = int(line[1])
    assert nobody_left(process.pid)
    whole = {path.name.partition(".")[0] for path in out.glob("*.json") if json.loads(path.read_text())["outputs"]}
    assert 1 + rest.count("\n") <= finished <= len(whole) < COUNT  # some may get done while the signal is under way
    names = {path.name for path in out.iterdir()}
    assert not [name for name in names if name.endswith(".tmp")]
    for name in names:  # an annotation file of one that was being written may be there, with the note whose it is
        assert name.partition(".")[0] in whole or f"{name.partition('.')[0]}.ecg" in names, names

    again = start(folder, out, 0)
    lines, messages = again.communicate(timeout=120)
    assert (again.returncode, messages) == (0, "")
    assert lines.count("done before") == len(whole) and lines.count("\n") == COUNT
    files = {f"r{k}.ecg{end}" for k in range(COUNT) for end in ENDINGS}
    assert {path.name for path in out.iterdir()} == {"summary.csv", "index.html"} | files
