"""What happens when the disk is full, broken or read-only: a fault at every single write of a run, one after the other.

Each event that touches the disk (a folder made, a file opened, written, flushed, synced, renamed, its folder synced) is
counted once without faults; then the same is done again for each of them, and that one fails.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import commander
import toolbox.reports.run_files
from commands import build as session
from loaders.beats.table import Beats
from loaders.sources import cache
from loaders.sources.cache import Source
from toolbox.logger import Experiment
from toolbox.runs.checkpoint import BEST, LATEST, load_checkpoint, save_checkpoint
from toolbox.runs.folders import list_runs
from toolbox.runs.pickle_reader import import_weights
from toolbox.utils import UserError, atomic_write, read_json, write_json

ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES)
FLAGS = ["--dataset", "synthetic", "--synthetic-patients", "4", "--synthetic-minutes", "1"]
TRAIN = [*FLAGS, "--model-name", "cnn1d_3", "--short-run", "--batch-size", "32", "--ema", "0"]


class File:
    """A file being written, whose writing, flushing and closing are events."""

    def __init__(self, handle: Any, disk: Disk) -> None:
        self.handle, self.disk, self.written = handle, disk, False

    def write(self, text: Any) -> Any:
        if not self.written:
            self.written = True
            self.handle.write(text[: len(text) // 2])  # what fits still
            self.disk.event("write")
            return self.handle.write(text[len(text) // 2 :])
        return self.handle.write(text)

    def flush(self) -> None:
        self.disk.event("flush")
        self.handle.flush()

    def __enter__(self) -> File:
        return self

    def __exit__(self, *_: Any) -> None:
        self.handle.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.handle, name)


class Disk:
    """Counts the events of a program, and fails the one numbered `at`, and no other."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.at = -1
        self.number = 0

    def event(self, what: str, path: Any = None) -> None:
        self.seen.append(what)
        if len(self.seen) - 1 == self.at:
            raise OSError(self.number, os.strerror(self.number), *([] if path is None else [str(path)]))

    @contextlib.contextmanager
    def watch(self, at: int = -1, number: int = 0) -> Iterator[Disk]:
        """Count inside, and fail event `at` with error `number`."""
        self.seen, self.at, self.number = [], at, number
        real_fdopen = os.fdopen
        with pytest.MonkeyPatch.context() as patch:
            for name in ("fsync", "replace", "rename", "mkdir"):
                patch.setattr(os, name, self._wrapped(name, getattr(os, name)))
            real_open = os.open

            def opened(path: Any, flags: int, *rest: Any, **options: Any) -> int:
                if flags & os.O_CREAT:
                    self.event("open", path)
                return real_open(path, flags, *rest, **options)

            patch.setattr(os, "open", opened)
            patch.setattr(os, "fdopen", lambda *a, **k: File(real_fdopen(*a, **k), self))
            yield self

    def _wrapped(self, name: str, real: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            self.event(name, args[0] if name in ("mkdir", "rename") else None)
            return real(*args, **options)

        return call


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here cuts the power: fsync is counted, and may fail, but waits for no disk."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(autouse=True)
def without_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault while the page over all runs is written is a warning: tests/toolbox/reports/test_runs_index.py."""
    monkeypatch.setattr("commands.train.refresh_index", lambda folder: None)


def one_line(error: UserError, number: int, place: Path) -> None:
    """The message names the reason and a path in `place`, in one line."""
    text = str(error)
    assert os.strerror(number) in text
    assert str(place) in text
    assert "\n" not in text and ".tmp" not in text


def struck(disk: Disk, at: int, number: int, root: Path, act: Any, harmless: int = -1) -> None:
    """Do `act` while event `at` fails: a UserError says so, unless the folder to be made is there all the same.

    After the event `harmless` nothing is left to be done.
    """
    with disk.watch(at, number):
        try:
            act()
        except UserError as error:
            one_line(error, number, root)
        else:
            assert len(disk.seen) <= at or disk.seen[at] == "mkdir" or at == harmless, disk.seen[at]


def leftovers(root: Path) -> list[str]:
    return [str(path) for path in root.rglob("*") if ".tmp" in path.name or path.name.startswith(".building")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A ROOT with a run of one epoch; plots are a few bytes, as drawing them takes longer than all the rest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(toolbox.reports.run_files, "plot_history", lambda _: {"loss": None})
        patch.setattr(toolbox.reports.run_files, "save_figures", _tiny_plot)
        patch.setattr(session, "TRIAL_BATCHES", 1)
        root = tmp_path_factory.mktemp("finished")
        commander.main([*TRAIN, "--epochs", "1", "--root-dir", str(root)])
        yield root


def _tiny_plot(_: Any, stem: Path, style: Any) -> Path:
    path = stem.with_name(f"{stem.name}.png")
    with atomic_write(path) as handle:
        handle.write(b"\x89PNG\r\n\x1a\n")
    return path


def resume(root: Path) -> dict[str, Any]:
    return commander.main(["--resume", "latest", "--version", "1", "--epochs", "2", "--root-dir", str(root)])


def readable(run: Path) -> None:
    """Every checkpoint and JSON file of the run is whole."""
    for name in (LATEST, BEST):
        assert load_checkpoint(run / name)["epoch"] in (1, 2)
    for path in run.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))


def test_a_fault_at_each_write_of_a_resumed_run(finished: Path, tmp_path: Path) -> None:
    disk = Disk()
    shutil.copytree(finished, tmp_path / "count")
    with disk.watch():
        resume(tmp_path / "count")
    events = list(disk.seen)
    assert events.count("write") >= 6 and len(events) > 30, events
    for at in range(len(events)):
        root = tmp_path / "root"
        shutil.copytree(finished, root)
        run = next(root.glob("synthetic/runs/*/"))
        for number in ERRORS[at % 3 :] + ERRORS[: at % 3]:
            struck(disk, at, number, root, lambda root=root: resume(root))
            assert leftovers(root) == [], events[at]
            readable(run)
            if load_checkpoint(run / LATEST)["epoch"] == 2:
                break  # the fault came after the last checkpoint: there is nothing left to do
        assert resume(root)["epoch"] == 2
        readable(run)
        shutil.rmtree(root)


def test_a_fault_at_each_write_of_a_start(finished: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(finished, root)
    disk = Disk()
    with disk.watch():
        commander.main([*TRAIN, "--epochs", "1", "--root-dir", str(root), "--version", "7"])
    events = list(disk.seen)
    before = {path.name for path in root.glob("synthetic/runs/*/")}
    for at, what in enumerate(events):
        argv = [*TRAIN, "--epochs", "1", "--root-dir", str(root)]
        struck(disk, at, ERRORS[at % 3], root, lambda argv=argv: commander.main(argv))
        assert leftovers(root) == []
        there = {path.name for path in root.glob("synthetic/runs/*/")}
        assert len(list_runs(root)) == len(there), what  # no folder without a config
        readable(root / "synthetic" / "runs" / sorted(before)[0])
        for name in there - before:
            shutil.rmtree(root / "synthetic" / "runs" / name)
    assert commander.main([*TRAIN, "--epochs", "1", "--root-dir", str(root)])["epoch"] == 1


def test_a_fault_at_each_write_of_a_cache(beats: dict[str, Beats], tmp_path: Path) -> None:
    def source(version: int) -> Source:
        small = {split: part.take(np.arange(3)) for split, part in beats.items()}
        return Source("synthetic", {"version": version}, [], lambda: small, "a test")

    disk, parent = Disk(), tmp_path / "cache"
    with disk.watch():
        cache.build(parent, source(1))
    events = list(disk.seen)
    assert events.count("write") == 15  # 14 arrays and meta.json
    for at, what in enumerate(events):
        shutil.rmtree(parent)
        if what != "mkdir":
            cache.build(parent, source(1))
        place = at if what != "mkdir" else 0
        struck(disk, place, ERRORS[at % 3], tmp_path, lambda: cache.build(parent, source(2)), len(events) - 1)
        assert leftovers(tmp_path) == []
        for folder in parent.glob("synthetic-*"):
            assert cache.load(folder) is not None
        assert len(cache.build(parent, source(2)).splits["test"]) == 3


@pytest.mark.parametrize("number", ERRORS, ids=lambda number: errno.errorcode[number])
@pytest.mark.parametrize("late", [0, 1, 4, 30])
def test_tensorboard_on_a_full_disk(
    finished: Path,
    tmp_path: Path,
    number: int,
    late: int,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its thread writes, and meets the fault after `late` events: one line, no traceback; the training goes on."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    left = [late]

    def full(self: Any, data: bytes) -> None:
        left[0] -= 1
        if left[0] >= 0:
            return written(self, data)
        raise OSError(number, os.strerror(number))

    root, written = tmp_path / "root", RecordWriter.write
    shutil.copytree(finished, root)
    with monkeypatch.context() as patch:
        patch.setattr(RecordWriter, "write", full)
        done: list[Any] = []

        def attempt() -> None:
            done.append(commander.main([*TRAIN, "--epochs", "1", "--root-dir", str(root), "--tensorboard"]))

        worker = threading.Thread(target=attempt, daemon=True)
        worker.start()
        worker.join(120)
        assert done, "the run hangs"
    said = capfd.readouterr().err
    (warning,) = (line for line in said.splitlines() if line.startswith("warning: --tracker tensorboard is left out"))
    assert os.strerror(number) in warning and f"TensorBoard's events in {root}" in warning
    assert "Traceback" not in said
    assert done[0]["epoch"] == 1 and (Path(done[0]["run"]) / "report.html").is_file()
    assert resume(root)["epoch"] == 2


@pytest.mark.parametrize("number", ERRORS, ids=lambda number: errno.errorcode[number])
def test_reading_that_fails(tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    save_checkpoint(path, {"model": {}})
    write_json(tmp_path / "log.json", {})

    def broken(*args: Any, **_: Any) -> Any:
        raise OSError(number, os.strerror(number), str(args[0]))

    readers = [lambda: load_checkpoint(path), lambda: import_weights(path), lambda: read_json(tmp_path / "log.json")]
    readers.append(lambda: Experiment.from_json(tmp_path / "log.json"))
    for read in readers:
        with monkeypatch.context() as patch, pytest.raises(UserError) as caught:
            patch.setattr(builtins, "open", broken)
            patch.setattr(io, "open", broken)
            read()
        one_line(caught.value, number, tmp_path)


def test_files_that_vanish(finished: Path, tmp_path: Path) -> None:
    for name in (LATEST, "logger.json", "config.json"):
        root = tmp_path / name
        shutil.copytree(finished, root)
        next(root.glob(f"synthetic/runs/*/{name}")).unlink()
        if name != "config.json":  # the checkpoint holds the log too, and the one before it stands in for the latest
            assert resume(root)["epoch"] == 2
            continue
        with pytest.raises(UserError) as caught:
            resume(root)
        assert "\n" not in str(caught.value)


def test_the_command_line_gives_one_line_and_code_2(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    shutil.copytree(finished, root)
    argv = ["commander.py", "--resume", "latest", "--version", "1", "--epochs", "2", "--root-dir", str(root)]
    monkeypatch.setattr("sys.argv", argv)
    with Disk().watch(8, errno.ENOSPC):
        assert commander.cli() == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(errors) == 1 and "No space left on device" in errors[0]
