"""toolbox.utils.files: files that are never half written, digests."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from toolbox.utils import UserError, atomic_write, read_json, sha256_array, sha256_of, write_json


@pytest.fixture
def umask() -> Iterator[None]:
    """Leaves the process's umask as it was."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_atomic_write_makes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    for content in (b"first", b"second, longer"):
        with atomic_write(path) as handle:
            handle.write(content)
        assert path.read_bytes() == content
    assert names(tmp_path) == ["data.bin"]


def test_atomic_write_takes_text_as_utf8(tmp_path: Path) -> None:
    with atomic_write(str(tmp_path / "text"), "w") as handle:
        handle.write("Größe\n")
    assert (tmp_path / "text").read_bytes() == "Größe\n".encode()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_atomic_write_that_fails_keeps_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_write(path) as handle:
        handle.write(b"x" * 100_000)
        handle.flush()
        raise error("midway")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["data.bin"]


def test_atomic_write_that_fails_leaves_no_new_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic_write(tmp_path / "new") as handle:
        handle.write(b"part")
        raise RuntimeError("midway")
    assert names(tmp_path) == []


def test_atomic_write_shows_nothing_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(b"old")
    with atomic_write(path) as handle:
        handle.write(b"new")
        handle.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_atomic_write_whose_rename_fails_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(OSError), atomic_write(tmp_path / "folder") as handle:
        handle.write(b"a file cannot replace a folder")
    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == ["inside"]


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX file modes")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_atomic_write_gives_the_mode_that_the_umask_asks_for(tmp_path: Path, umask: None, mask: int, mode: int) -> None:
    os.umask(mask)
    with atomic_write(tmp_path / "data.bin") as handle:
        handle.write(b"x")
    assert stat.S_IMODE((tmp_path / "data.bin").stat().st_mode) == mode
    now = os.umask(mask)
    assert now == mask  # left as it was found


def test_json_round_trip(tmp_path: Path) -> None:
    value = {"name": "Größe", "list": [1, 2.5, None, True], "nested": {"a": []}}
    path = tmp_path / "value.json"
    write_json(path, value)
    assert read_json(path) == value
    assert path.read_bytes().endswith(b"}\n")
    write_json(path, value, indent=None)
    assert path.read_text(encoding="utf-8").count("\n") == 1
    assert read_json(path) == value


def test_json_that_cannot_be_written_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, {"old": 1})
    with pytest.raises(TypeError):
        write_json(path, {"new": [1, 2, object()]})
    assert json.loads(path.read_text()) == {"old": 1}
    assert names(tmp_path) == ["value.json"]


@pytest.mark.parametrize("content", [None, b"", b'{"cut": ', b"\xff\xfe\x00", b"no json"])
def test_json_that_cannot_be_read_is_the_users_business(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "value.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"^cannot read .*value\.json: .") as caught:
        read_json(path)
    assert "\n" not in str(caught.value)


def test_digest_of_a_file(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "data").write_bytes(content)
    assert sha256_of(tmp_path / "data") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.arange(5, dtype=np.int64),
        np.array(["100", "a", ""]),
        np.zeros((0, 187), dtype=np.float32),
        np.zeros(0, dtype="U1"),
    ],
    ids=lambda array: f"{array.dtype.str}{array.shape}",
)
def test_digest_of_an_array(array: np.ndarray) -> None:
    assert sha256_array(array) == hashlib.sha256(array.tobytes()).hexdigest()
