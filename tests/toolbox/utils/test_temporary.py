"""toolbox.utils.temporary: files and folders of living processes stay, those of killed ones go."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from toolbox.utils import atomic_write, remove_abandoned, scratch_folder

WRITER = """
import sys, time
from pathlib import Path
from toolbox.utils import atomic_write, scratch_folder
with {block} as made:
    print("there", flush=True)
    time.sleep(60)
"""
BLOCKS = {"file": 'atomic_write(sys.argv[1] + "/file.json")', "folder": 'scratch_folder(Path(sys.argv[1]), ".gdd-")'}


@pytest.mark.parametrize("kind", BLOCKS)
def test_what_a_killed_process_left_goes_and_that_of_a_living_one_stays(tmp_path: Path, kind: str) -> None:
    script = WRITER.format(block=BLOCKS[kind])
    writer = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None and writer.stdout.readline() == "there\n"
    (left,) = tmp_path.iterdir()
    remove_abandoned(tmp_path, ".*.tmp", ".gdd-*")
    assert list(tmp_path.iterdir()) == [left]
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert list(tmp_path.iterdir()) == [left]
    remove_abandoned(tmp_path, ".*.tmp", ".gdd-*")
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_in_this_process_stays(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "file", "w") as handle, scratch_folder(tmp_path, ".gdd-") as scratch:
        (scratch / "inside").write_text("bytes")
        handle.write("words")
        remove_abandoned(tmp_path, ".*")
        assert (scratch / "inside").read_text() == "bytes"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "words"


def test_a_full_folder_goes_and_links_and_pipes_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "kept").write_text("kept")
    (tmp_path / ".gdd-old").mkdir()
    (tmp_path / ".gdd-old" / "archive.zip.part").write_bytes(b"half")
    (tmp_path / ".gdd-link").symlink_to(tmp_path / "theirs")
    (tmp_path / ".x.tmp").symlink_to(tmp_path / "theirs" / "kept")
    os.mkfifo(tmp_path / ".pipe.tmp")
    remove_abandoned(tmp_path, ".gdd-*", ".*.tmp")
    assert not (tmp_path / ".gdd-old").exists()
    assert (tmp_path / ".gdd-link").is_symlink()
    assert (tmp_path / "theirs" / "kept").read_text() == "kept"


def test_a_scratch_folder_follows_the_umask_and_removes_those_before(tmp_path: Path) -> None:
    (tmp_path / ".gdd-before").mkdir()
    before = os.umask(0o007)
    try:
        with scratch_folder(tmp_path, ".gdd-") as scratch:
            assert list(tmp_path.iterdir()) == [scratch]
            assert stat.S_IMODE(scratch.stat().st_mode) == 0o770
    finally:
        os.umask(before)
    assert list(tmp_path.iterdir()) == []
