"""Caches between processes, users and copies of files: raced, shared, short of memory, never stale."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loaders.beats.table import Beats
from loaders.sources import cache
from loaders.sources.cache import Source
from loaders.sources.finder import open_cache
from tests.conftest import ROOT
from tests.loaders.rows import rows
from toolbox.utils import UserError

PREPARE = "--prepare --dataset synthetic --synthetic-patients 2 --synthetic-minutes 1"
BUILDERS, ROUNDS = 5, 12


def source_of(seed: int, keep: int = 1) -> Source:
    """Rows drawn by `seed`, of a cache kind of which `keep` stay."""

    def build() -> dict[str, Beats]:
        return {"train": rows(np.arange(400) % 5, seed), "test": rows(np.arange(90) % 5, seed + 1)}

    return Source("synthetic", {"seed": seed}, [], build, "a test", keep)


def build_again_and_again(parent: Path, seeds: list[int], start: Any, answers: Any) -> None:
    start.wait()
    for seed in seeds:
        try:
            beats = open_cache(parent, source_of(seed)).splits["train"]
            answers.put("" if np.array_equal(beats.x, rows(np.arange(400) % 5, seed).x) else "other rows")
        except BaseException as error:
            answers.put(repr(error))


@pytest.mark.parametrize("seeds", ["one", "many"])
def test_caches_that_many_processes_build_at_once_are_sound(tmp_path: Path, seeds: str) -> None:
    context = multiprocessing.get_context("fork")
    start, answers = context.Event(), context.Queue()
    builders = []
    for number in range(BUILDERS):
        order = [(number + k) % BUILDERS if seeds == "many" else k for k in range(ROUNDS)]
        builders.append(context.Process(target=build_again_and_again, args=(tmp_path, order, start, answers)))
        builders[-1].start()
    start.set()
    said = [answers.get(timeout=120) for _ in range(BUILDERS * ROUNDS)]
    for builder in builders:
        builder.join(60)
    assert said == [""] * BUILDERS * ROUNDS
    (left,) = tmp_path.iterdir()  # nothing else, of the one that is kept
    assert cache.load(left) is not None


def test_a_sound_cache_that_another_process_has_just_made_is_taken_as_it_is(tmp_path: Path) -> None:
    first = cache.build(tmp_path, source_of(1))
    inode = (first.folder / "train_x.npy").stat().st_ino
    second = cache.build(tmp_path, source_of(1))
    assert (second.folder / "train_x.npy").stat().st_ino == inode


def test_prepare_raced_by_four_others(tmp_path: Path) -> None:
    words = [sys.executable, "commander.py", *PREPARE.split(), "--root-dir", str(tmp_path)]
    racers = [
        subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(5)
    ]
    said = [racer.communicate()[1] for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * 5, said


@pytest.mark.parametrize(("umask", "mode"), [(0o000, 0o777), (0o002, 0o775), (0o022, 0o755), (0o077, 0o700)])
def test_a_shared_root_follows_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        folder = cache.build(tmp_path / "cache", source_of(1)).folder
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == mode
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {mode & 0o666}


def test_a_full_disk_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit on the size of files stands for it: both cut a write short, so that numpy knows no reason."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # python ignores SIGXFSZ
    try:
        with pytest.raises(UserError) as caught:
            cache.build(tmp_path, source_of(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(caught.value) == f"cannot write the cache in {tmp_path}: {os.strerror(errno.EFBIG)}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EMFILE, "x"), "Too many open files"),
        (OSError(errno.ENFILE, "x"), "Too many open files in system"),
        (OSError(errno.ENOMEM, "x"), "Cannot allocate memory"),
        (MemoryError(), "memory is full"),
    ],
    ids=["EMFILE", "ENFILE", "ENOMEM", "MemoryError"],
)
@pytest.mark.parametrize("where", ["load", "json.loads", "memmap"])
def test_a_shortage_is_no_damage(
    tmp_path: Path, error: Exception, said: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = cache.build(tmp_path, source_of(1))
    inode = (made.folder / "meta.json").stat().st_ino

    def short(*_: Any, **__: Any) -> Any:
        raise error

    with monkeypatch.context() as patch, pytest.raises(UserError) as caught:
        patch.setattr(
            *{"load": (np, "load"), "json.loads": (cache, "read_json"), "memmap": (np, "memmap")}[where], short
        )
        open_cache(tmp_path, source_of(1))
    assert str(caught.value) == f"cannot read the cache {made.folder}: {said}; the cache is kept"
    assert (cache.build(tmp_path, source_of(1)).folder / "meta.json").stat().st_ino == inode


def test_few_descriptors_are_named_on_the_command_line(tmp_path: Path) -> None:
    words = [*PREPARE.split(), "--root-dir", str(tmp_path)]
    script = (
        "import resource, sys, commander, loaders.datasets.build, commands.prepare, scipy.signal\n"
        "commander.main(sys.argv[1:])\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (16, hard))\n"
        "sys.exit(commander.cli())\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    (folder,) = (tmp_path / "synthetic" / "cache").iterdir()
    assert done.returncode == 2
    assert (
        done.stderr.splitlines()[-1] == f"error: cannot read the cache {folder}: Too many open files; the cache is kept"
    )
    assert cache.load(folder) is not None


class Files:
    """A source over a file of bytes, of which the first becomes a label."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "mitbih_train.csv"
        self.path.write_bytes(bytes([1, 2, 3]) * 999)

    def source(self) -> Source:
        """As it is now."""

        def build() -> dict[str, Beats]:
            return {"train": rows([self.path.read_bytes()[0] % 5]), "test": rows([0])}

        return Source("csv", {}, [self.path], build, "a test")

    def label(self, parent: Path) -> int:
        """The label that the cache of the file holds."""
        return int(open_cache(parent, self.source()).splits["train"].y[0])


@pytest.mark.parametrize("way", ["written into", "copied over", "renamed over"])
def test_other_bytes_of_the_same_size_and_time_are_noticed(tmp_path: Path, way: str) -> None:
    files, parent = Files(tmp_path), tmp_path / "cache"
    assert files.label(parent) == 1
    before, other = files.path.stat(), tmp_path / "other"
    time.sleep(0.02)  # a tick of the clock of the file system
    other.write_bytes(bytes([4, 2, 3]) * 999)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    if way == "written into":
        with open(files.path, "r+b") as handle:
            handle.write(bytes([4]))
    elif way == "copied over":
        shutil.copy2(other, files.path)
    else:
        other.replace(files.path)
    os.utime(files.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = files.path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert files.label(parent) == 4


def test_a_cache_of_before_that_knows_fewer_times_is_compared_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, parent = Files(tmp_path), tmp_path / "cache"
    made = cache.build(parent, files.source())
    del made.meta["source"]["files"][files.path.name]["ctime_ns"]
    cache.write_json(made.folder / "meta.json", made.meta)
    read: list[Path] = []
    sha256_of = cache.sha256_of
    monkeypatch.setattr(cache, "sha256_of", lambda path: read.append(path) or sha256_of(path))
    for _ in range(3):
        assert open_cache(parent, files.source()).fingerprint == made.fingerprint
    assert read == [files.path]


def test_a_file_that_changes_while_it_is_read_gives_no_cache(tmp_path: Path) -> None:
    files = Files(tmp_path)
    source = files.source()
    build = source.build

    def slow() -> dict[str, Beats]:
        splits = build()
        time.sleep(0.02)
        with open(files.path, "ab") as handle:
            handle.write(b"more")
        return splits

    source.build = slow
    with pytest.raises(UserError, match=r"train.csv changed while it was read; start again when it is complete$"):
        cache.build(tmp_path / "cache", source)
    assert not (tmp_path / "cache").exists()
