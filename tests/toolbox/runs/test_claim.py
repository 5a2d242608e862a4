"""toolbox.runs.claim: claims by several processes at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.toolbox.runs.test_folders import PREFIX, folders
from toolbox.runs.claim import claim_file, claim_run_dir, removed_on_failure
from toolbox.runs.folders import versions
from toolbox.utils import UserError


def test_claims_count_up_from_one(tmp_path: Path) -> None:
    parent = tmp_path / "ecg" / "runs"
    assert [claim_run_dir(parent, PREFIX) for _ in range(3)] == [(parent / f"{PREFIX}{n}", n) for n in (1, 2, 3)]
    assert (parent / f"{PREFIX}3").is_dir()
    assert claim_run_dir(parent, f"{PREFIX}sampequal_") == (parent / f"{PREFIX}sampequal_1", 1)


def test_a_claim_never_reuses_a_number(tmp_path: Path) -> None:
    folders(tmp_path, f"{PREFIX}2", f"{PREFIX}7")
    assert claim_run_dir(tmp_path, PREFIX)[1] == 8
    (tmp_path / f"{PREFIX}9").write_text("a file stands in the way")
    assert claim_run_dir(tmp_path, PREFIX)[1] == 10


def test_a_version_can_be_claimed_by_number_once(tmp_path: Path) -> None:
    assert claim_run_dir(tmp_path, PREFIX, 5) == (tmp_path / f"{PREFIX}5", 5)
    with pytest.raises(UserError, match=rf"^run {PREFIX}5 exists; .*--resume latest.*--version bump"):
        claim_run_dir(tmp_path, PREFIX, 5)
    assert claim_run_dir(tmp_path, PREFIX)[1] == 6
    assert claim_run_dir(tmp_path, PREFIX, 3)[1] == 3  # a gap may be filled on demand


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"^cannot make a run folder in .*file/runs: \w") as caught:
        claim_run_dir(tmp_path / "file" / "runs", PREFIX)
    assert "\n" not in str(caught.value)


CLAIMER = """
import sys
from pathlib import Path
from toolbox.runs.claim import claim_run_dir
print("ready", flush=True)
sys.stdin.readline()
for _ in range(20):
    path, number = claim_run_dir(Path(sys.argv[1]), sys.argv[2])
    (path / "mine").mkdir()  # fails if the folder is another's too
    print(number)
"""


def test_two_processes_claim_twenty_times_at_once_and_never_the_same(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CLAIMER, str(tmp_path / "runs"), PREFIX]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    both = [subprocess.Popen(command, text=True, **pipes) for _ in range(2)]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:  # now, both
        process.stdin.write("\n")
        process.stdin.flush()
    taken = []
    for process in both:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        numbers = [int(line) for line in output.split()]
        assert numbers == sorted(numbers)
        taken += numbers
    assert sorted(taken) == list(range(1, 41))
    assert versions(tmp_path / "runs", PREFIX) == list(range(1, 41))


def test_a_file_is_claimed_under_the_next_free_version(tmp_path: Path) -> None:
    paths = [claim_file(tmp_path / "runs", f"{PREFIX}seeds3_", ".json") for _ in range(2)]
    assert paths == [tmp_path / "runs" / f"{PREFIX}seeds3_{n}.json" for n in (1, 2)]
    assert [path.read_bytes() for path in paths] == [b"", b""]
    folders(tmp_path / "runs", f"{PREFIX}seeds3_7")
    assert claim_file(tmp_path / "runs", f"{PREFIX}seeds3_", ".json").name == f"{PREFIX}seeds3_3.json"
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"^cannot make a file in .*file/runs: \w"):
        claim_file(tmp_path / "file" / "runs", PREFIX, ".json")


def test_a_failed_start_removes_the_claimed_folder_unless_it_has_become_a_run(tmp_path: Path) -> None:
    for name, content in (("claim", "checkpoint.pth.tar"), ("run", "config.json")):
        (tmp_path / name).mkdir()
        with pytest.raises(KeyboardInterrupt), removed_on_failure(tmp_path / name):
            (tmp_path / name / content).write_text("")
            raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
