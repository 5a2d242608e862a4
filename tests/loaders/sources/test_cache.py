"""loaders.sources.cache: built once, rebuilt when stale or damaged, never half there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loaders.beats.table import Beats
from loaders.sources import cache
from loaders.sources import finder as sources
from loaders.sources.cache import Cache, Source
from tests.loaders.rows import rows
from toolbox.utils import UserError
from toolbox.utils.aami import KAGGLE_ROW

FLIP = 1 << 4


class Counted:
    """A source over two files that counts how often it is built."""

    def __init__(self, folder: Path, **recipe: Any) -> None:
        self.built = 0
        self.files = [folder / "a.bin", folder / "b.bin"]
        for path in self.files:
            if not path.exists():
                path.write_bytes(bytes(range(100)))
        self.source = Source("csv", {"version": 1, **recipe}, self.files, self.build, f"files in {folder}")

    def build(self) -> dict[str, Beats]:
        self.built += 1
        shift = self.files[0].read_bytes()[0]
        return {"train": rows([0, 1, 2, 3, 4, shift % 5]), "test": rows([4, 0], seed=1)}


@pytest.fixture
def counted(tmp_path: Path) -> Counted:
    return Counted(tmp_path)


def opened(parent: Path, counted: Counted) -> Cache:
    return sources.open_cache(parent, counted.source)


def same(found: Beats, expected: Beats) -> bool:
    return all(np.array_equal(array, getattr(expected, name)) for name, array in vars(found).items())


def touch(path: Path) -> None:
    now = path.stat()
    os.utime(path, ns=(now.st_atime_ns, now.st_mtime_ns + 10**9))


def flip_a_byte(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= FLIP
    path.write_bytes(content)


def test_a_cache_is_built_once(tmp_path: Path, counted: Counted, capsys: pytest.CaptureFixture[str]) -> None:
    parent = tmp_path / "new" / "cache"
    first, second = opened(parent, counted), opened(parent, counted)
    assert counted.built == 1
    expected = counted.build()
    for made in (first, second):
        assert {split: same(made.splits[split], expected[split]) for split in expected} == {"train": True, "test": True}
    assert isinstance(second.splits["train"].x, np.memmap)
    assert first.fingerprint == second.fingerprint
    assert [line.split(":")[1].split(" in ")[0].strip() for line in capsys.readouterr().err.splitlines()] == [
        "files",
        "built cache of files",
    ]
    assert [path.name for path in parent.iterdir()] == [f"csv-{first.fingerprint[:12]}"]  # nothing else is left


def test_what_is_written_into_a_mapped_array_stays_out_of_the_file(tmp_path: Path, counted: Counted) -> None:
    made = opened(tmp_path / "cache", counted)
    made.splits["train"].x[:] = -1
    assert same(opened(tmp_path / "cache", counted).splits["train"], counted.build()["train"])
    assert counted.built == 2  # by the line above alone


def test_another_byte_in_a_source_file_makes_a_cache_stale(tmp_path: Path, counted: Counted) -> None:
    first = opened(tmp_path / "cache", counted)
    content = bytearray(counted.files[0].read_bytes())
    content[0] = 3
    counted.files[0].write_bytes(content)  # of the same size
    touch(counted.files[0])
    second = opened(tmp_path / "cache", counted)
    assert counted.built == 2
    assert second.splits["train"].y[-1] == 3
    assert second.fingerprint != first.fingerprint
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [second.folder.name]  # the old one is gone


def test_another_size_of_a_source_file_makes_a_cache_stale(tmp_path: Path, counted: Counted) -> None:
    opened(tmp_path / "cache", counted)
    before = counted.files[1].stat()
    counted.files[1].write_bytes(bytes(101))
    os.utime(counted.files[1], ns=(before.st_atime_ns, before.st_mtime_ns))
    opened(tmp_path / "cache", counted)
    assert counted.built == 2


def test_a_touched_source_file_of_the_same_bytes_does_not(tmp_path: Path, counted: Counted) -> None:
    first = opened(tmp_path / "cache", counted)
    touch(counted.files[0])
    assert opened(tmp_path / "cache", counted).fingerprint == first.fingerprint
    assert counted.built == 1


def test_another_recipe_makes_a_cache_stale(tmp_path: Path, counted: Counted) -> None:
    opened(tmp_path / "cache", counted)
    other = Counted(tmp_path, rows="others")
    opened(tmp_path / "cache", other)
    assert (counted.built, other.built) == (1, 1)


@pytest.mark.parametrize("array", ["train_x", "train_y", "test_symbol", "test_length"])
@pytest.mark.parametrize("at", [-1, 130, 7, 20], ids=["last byte", "first numbers", "version", "header"])
def test_a_damaged_array_is_rebuilt(tmp_path: Path, counted: Counted, array: str, at: int) -> None:
    made = opened(tmp_path / "cache", counted)
    flip_a_byte(made.folder / f"{array}.npy", at)
    again = opened(tmp_path / "cache", counted)
    assert counted.built == 2
    assert same(again.splits["train"], counted.build()["train"])
    assert opened(tmp_path / "cache", counted).fingerprint == made.fingerprint
    assert counted.built == 3  # the last build was this test's own: the rebuilt cache is sound


def test_no_damage_to_an_array_file_gets_through(tmp_path: Path, counted: Counted) -> None:
    """Wherever in its header a bit flips or the file ends: no cache, or the same rows; never an exception."""
    made = opened(tmp_path / "cache", counted)
    path, expected = made.folder / "train_y.npy", counted.build()["train"]
    whole = path.read_bytes()
    for at in range(len(whole)):
        for bit in (1, FLIP, 128):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
            found = cache.load(made.folder)
            assert found is None or same(found.splits["train"], expected), (at, bit)
        path.write_bytes(whole[:at])
        assert cache.load(made.folder) is None, at


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "meta.json").unlink(),
        lambda folder: (folder / "train_y.npy").unlink(),
        lambda folder: (folder / "meta.json").write_text('{"format": 1, "cut'),
        lambda folder: (folder / "meta.json").write_text("[]"),
        lambda folder: (folder / "train_x.npy").write_bytes(b""),
    ],
    ids=["no meta", "no array", "meta cut off", "meta of another kind", "array empty"],
)
def test_a_half_written_cache_is_ignored(tmp_path: Path, counted: Counted, damage: Callable[[Path], Any]) -> None:
    damage(opened(tmp_path / "cache", counted).folder)
    assert cache.find(tmp_path / "cache", counted.source) is None
    assert same(opened(tmp_path / "cache", counted).splits["test"], counted.build()["test"])
    assert counted.built == 3


def test_what_a_killed_build_left_is_ignored(tmp_path: Path, counted: Counted) -> None:
    made = opened(tmp_path / "cache", counted)
    left = tmp_path / "cache" / ".building-killed"
    shutil.copytree(made.folder, left)
    (left / "meta.json").unlink()
    shutil.rmtree(made.folder)
    assert cache.find(tmp_path / "cache", counted.source) is None
    opened(tmp_path / "cache", counted)
    assert counted.built == 2


def test_a_cache_of_another_format_is_ignored(tmp_path: Path, counted: Counted) -> None:
    made = opened(tmp_path / "cache", counted)
    path = made.folder / "meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": cache.FORMAT + 1}))
    assert cache.load(made.folder) is None
    opened(tmp_path / "cache", counted)
    assert counted.built == 2


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.np, "save", full)
    with pytest.raises(UserError, match=r"^cannot write the cache in .*: No space left on device$"):
        opened(tmp_path / "cache", counted)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_build_that_fails_keeps_the_cache_there_was(
    tmp_path: Path, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = opened(tmp_path / "cache", counted)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.np, "save", full)
    with pytest.raises(UserError):
        opened(tmp_path / "cache", Counted(tmp_path, rows="others"))
    assert cache.load(made.folder) is not None


def test_an_empty_split_can_be_kept(tmp_path: Path) -> None:
    source = Source("synthetic", {}, [], lambda: {"train": rows([0, 1]), "test": rows([])}, "nowhere")
    made = cache.build(tmp_path, source)
    assert made.splits["test"].x.shape == (0, KAGGLE_ROW)
    assert len(made.splits["train"]) == 2
