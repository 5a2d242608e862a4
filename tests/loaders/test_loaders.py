"""loaders: CSV files, caches, where the rows come from, datasets and batches."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from args import parse_args
from loaders import get_loader
from loaders.beats.table import ROW, Beats
from loaders.datasets.dataset import KAGGLE_WARNING, LEAK_WARNING, Batches, Data, ECGLoader, ECGLoader_bin, make_data
from loaders.datasets.summary import describe, digests
from loaders.sources import cache, physionet
from loaders.sources import finder as sources
from loaders.sources import google_drive as gdd
from loaders.sources.cache import Cache, Source
from loaders.sources.kaggle_csv import FILES, as_beats, read_csv
from tests.conftest import RECORDS, ROOT, needs_records
from toolbox.utils import UserError

FLIP = 1 << 4


def rows(labels: list[int] | np.ndarray, seed: int = 0) -> Beats:
    """Rows of known labels whose first sample tells their number, of unknown origin."""
    y = np.asarray(labels, dtype=np.int64)
    x = np.random.default_rng(seed).random((len(y), ROW)).astype(np.float32)
    x[:, 0] = np.arange(len(y))
    return as_beats(x, y)


# CSV files


@pytest.fixture
def table() -> np.ndarray:
    """Six lines of a file: 187 samples and the label."""
    values = np.random.default_rng(0).random((6, ROW + 1)).astype(np.float32)
    values[3, 100:ROW] = 0  # padding
    values[4, :ROW] = 0
    values[:, ROW] = [0, 1, 2, 3, 4, 0]
    return values


def as_csv(values: np.ndarray) -> str:
    return "".join(",".join(f"{value:.18e}" for value in line) + "\n" for line in values)


def with_cell(text: str, line: int, column: int, cell: str) -> str:
    """The text with another cell, line and column counted from 1."""
    lines = [part.split(",") for part in text.splitlines()]
    lines[line - 1][column - 1] = cell
    return "".join(",".join(part) + "\n" for part in lines)


def test_csv_rows_come_out_bit_for_bit(tmp_path: Path, beats: dict[str, Beats]) -> None:
    path, made = tmp_path / "rows.csv", beats["train"].take(np.arange(0, len(beats["train"]), 2))
    np.savetxt(path, np.concatenate([made.x, made.y[:, None]], axis=1), fmt="%.18e", delimiter=",")
    read = read_csv(path)
    assert read.x.flags.c_contiguous
    for name in ("x", "y"):
        found, expected = getattr(read, name), getattr(made, name)
        assert found.dtype == expected.dtype
        assert hashlib.sha256(found.tobytes()).hexdigest() == hashlib.sha256(expected.tobytes()).hexdigest()


def test_csv_rows_tell_nothing_of_their_origin(tmp_path: Path, table: np.ndarray) -> None:
    (tmp_path / "rows.csv").write_text(as_csv(table))
    read = read_csv(tmp_path / "rows.csv")
    assert read.y.tolist() == [0, 1, 2, 3, 4, 0]
    assert read.length.tolist() == [187, 187, 187, 100, 0, 187]
    assert read.sample.tolist() == [-1] * 6
    for name in ("record", "patient", "symbol"):
        assert getattr(read, name).tolist() == [""] * 6


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\n" + text.replace("\n", "\n\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace(",", ", "),
        lambda text: "".join('"' + line.replace(",", '","') + '"\n' for line in text.splitlines()),
    ],
    ids=["no newline at the end", "windows", "empty lines", "byte order mark", "spaces after commas", "quotes"],
)
def test_harmless_ways_of_writing_csv_are_read(tmp_path: Path, table: np.ndarray, change: Callable[[str], str]) -> None:
    (tmp_path / "rows.csv").write_bytes(change(as_csv(table)).encode())
    read = read_csv(tmp_path / "rows.csv")
    assert np.array_equal(read.x, table[:, :ROW])
    assert read.y.tolist() == [0, 1, 2, 3, 4, 0]


def joined(text: str, separator: str) -> str:
    return text.replace(",", separator)


MALFORMED: dict[str, tuple[Callable[[str], str], str]] = {
    "text": (lambda t: with_cell(t, 3, 7, "abc"), ", line 3, column 7: 'abc', expected a number$"),
    "empty cell": (lambda t: with_cell(t, 3, 7, ""), ", line 3, column 7: '', expected a number$"),
    "NaN": (lambda t: with_cell(t, 4, 187, "NaN"), ", line 4, column 187: 'NaN', expected a finite number$"),
    "inf": (lambda t: with_cell(t, 1, 1, "inf"), ", line 1, column 1: 'inf', expected a finite number$"),
    "minus infinity": (lambda t: with_cell(t, 2, 9, "-Infinity"), ", line 2, column 9: '-Infinity', expected a finite"),
    "too large": (lambda t: with_cell(t, 6, 5, "1e39"), ", line 6, column 5: "),
    "null": (lambda t: with_cell(t, 5, 2, "null"), ", line 5, column 2: 'null', expected a number$"),
    "label 5": (lambda t: with_cell(t, 2, 188, "5.0"), ", line 2, column 188: label 5.0, expected 0 to 4$"),
    "label 0.5": (lambda t: with_cell(t, 6, 188, "0.5"), ", line 6, column 188: label 0.5, expected 0 to 4$"),
    "label -1": (lambda t: with_cell(t, 6, 188, "-1"), ", line 6, column 188: label -1, expected 0 to 4$"),
    "no label": (lambda t: with_cell(t, 2, 188, ""), ", line 2, column 188: '', expected a number$"),
    "header": (
        lambda t: ",".join(f"s{k}" for k in range(188)) + "\n" + t,
        ", line 1, column 1: 's0', expected a number; a header line must be removed$",
    ),
    "column too many": (lambda t: t.replace("\n", ",0\n"), ", line 1: 189 columns, expected 188 .187 samples and the"),
    "one line too long": (lambda t: with_cell(t, 5, 188, "1,0"), ", line 5: 189 columns, expected 188 "),
    "one line too short": (lambda t: t + "1,2,3\n", ", line 7: 3 columns, expected 188 "),
    "truncated in the last line": (lambda t: t[:-500], r", line 6: \d+ columns, expected 188 "),
    "truncated in the last cell": (lambda t: t[:-3], ", line 6, column 188: .*, expected a number$"),
    "semicolons": (lambda t: joined(t, ";"), ", line 1: separated by semicolons, expected commas$"),
    "tabs": (lambda t: joined(t, "\t"), ", line 1: separated by tabs, expected commas$"),
    "spaces": (lambda t: joined(t, " "), ", line 1: separated by spaces, expected commas$"),
    "empty": (lambda t: "", "[Ee]mpty"),
    "nothing but newlines": (lambda t: "\n\n", "empty"),
    "prose": (lambda t: "no numbers here\n", ", line 1: 1 columns, expected 188 "),
    "one long word": (lambda t: "x" * 300_000, ", line 1: 1 columns, expected 188 "),
}


@pytest.mark.parametrize("fault", MALFORMED)
def test_malformed_csv_is_told_with_its_place(tmp_path: Path, table: np.ndarray, fault: str) -> None:
    change, message = MALFORMED[fault]
    path = tmp_path / "mitbih_train.csv"
    path.write_text(change(as_csv(table)))
    with pytest.raises(UserError, match=message) as caught:
        read_csv(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [os.urandom(5000), b"\x00" * 5000, "1,2\n".encode("utf-16")])
def test_files_that_are_no_text_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"rows\.csv"):
        read_csv(tmp_path / "rows.csv")


def test_a_fault_far_into_a_file_is_found(tmp_path: Path, table: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loaders.sources.kaggle_csv.BLOCK", 1 << 16)  # several blocks
    (tmp_path / "rows.csv").write_text(with_cell(as_csv(table) * 40, 221, 33, "?"))
    with pytest.raises(UserError, match=r"rows\.csv, line 221, column 33: '\?', expected a number$"):
        read_csv(tmp_path / "rows.csv")


def test_a_missing_csv_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^cannot read .*rows\.csv: "):
        read_csv(tmp_path / "rows.csv")


# caches


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
    assert made.splits["test"].x.shape == (0, ROW)
    assert len(made.splits["train"]) == 2


# where the rows come from


def flags(root: Path, *more: str) -> Namespace:
    return parse_args(["--prepare", "--root-dir", str(root), *more])


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No download gets through; which were tried."""
    tried: list[str] = []

    def fails(name: str) -> Callable[..., None]:
        def fail(*_: Any, **__: Any) -> None:
            tried.append(name)
            raise UserError(f"{name} cannot be reached")

        return fail

    monkeypatch.setattr(gdd, "download", fails("gdrive"))
    monkeypatch.setattr(physionet, "download", fails("physionet"))
    return tried


def test_auto_takes_the_csv_files_then_their_cache(
    root: Path, beats: dict[str, Beats], offline: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    made = sources.SourceFinder(flags(root)).find()
    assert made.meta["kind"] == "csv"
    assert np.array_equal(made.splits["test"].x, beats["test"].x)
    assert np.array_equal(made.splits["train"].y, beats["train"].y)
    assert f"data: CSV files in {root / 'ecg'}; building the cache" in capsys.readouterr().err
    again = sources.SourceFinder(flags(root)).find()
    assert again.fingerprint == made.fingerprint
    assert "data: built cache of CSV files" in capsys.readouterr().err
    for name in FILES.values():
        (root / "ecg" / name).unlink()
    assert sources.SourceFinder(flags(root)).find().fingerprint == made.fingerprint  # a cache outlives its source
    assert offline == []


def test_auto_offline_says_what_was_tried_and_the_ways_out(tmp_path: Path, offline: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        sources.SourceFinder(flags(tmp_path)).find()
    message = str(caught.value)
    assert offline == ["gdrive", "physionet"]
    for part in (
        "gdrive cannot be reached",
        "physionet cannot be reached",
        str(tmp_path / "ecg"),
        str(tmp_path / "mitdb"),
        "mitbih_train.csv",
        "--records-dir",
        "--dataset synthetic",
    ):
        assert part in message
    assert "\n" not in message


@pytest.mark.parametrize("source", ["gdrive", "physionet"])
def test_a_source_that_is_named_is_the_only_one_tried(tmp_path: Path, offline: list[str], source: str) -> None:
    with pytest.raises(UserError, match=f"^{source} cannot be reached$"):
        sources.SourceFinder(flags(tmp_path, "--source", source)).find()
    assert offline == [source]


def test_a_missing_csv_file_is_named(root: Path, offline: list[str]) -> None:
    (root / "ecg" / FILES["test"]).unlink()
    with pytest.raises(UserError, match=r"lacks mitbih_test\.csv$"):
        sources.SourceFinder(flags(root, "--source", "csv")).find()
    assert (root / "ecg" / FILES["train"]).exists()  # the predecessor moved both onto one


def test_records_that_are_named_are_not_replaced_by_others(root: Path, offline: list[str]) -> None:
    with pytest.raises(UserError, match=r"no folder .*nowhere"):
        sources.SourceFinder(flags(root, "--records-dir", str(root / "nowhere"))).find()
    (root / "some").mkdir()
    (root / "some" / "RECORDS").write_text("100\n101\n")
    with pytest.raises(UserError, match=r"lacks 100\.hea, 100\.dat, 100\.atr, 101\.hea.*--source physionet"):
        sources.SourceFinder(flags(root, "--records-dir", str(root / "some"))).find()
    assert offline == []


def test_synthetic_rows_are_cached_by_what_they_are_made_from(tmp_path: Path) -> None:
    small = ("--dataset", "synthetic", "--synthetic-patients", "2", "--synthetic-minutes", "1")
    first = sources.synthetic_cache(flags(tmp_path, *small))
    assert sources.synthetic_cache(flags(tmp_path, *small)).fingerprint == first.fingerprint
    other = sources.synthetic_cache(flags(tmp_path, *small, "--synthetic-seed", "1"))
    assert other.fingerprint != first.fingerprint
    assert set(other.splits["train"].record) == {"syn00", "syn01"}


# datasets


def test_items_are_rows_of_the_split(beats: dict[str, Beats]) -> None:
    chosen = np.array([3, 1, 50])
    data = ECGLoader(beats["train"], chosen)
    assert len(data) == 3
    batch = data.batch(torch.tensor([2, 0]))
    assert batch.x.shape == (2, 1, 187)
    assert (batch.x.dtype, batch.y.dtype, batch.ids.dtype) == (torch.float32, torch.int64, torch.int64)
    assert batch.ids.tolist() == [50, 3]
    assert np.array_equal(batch.x[:, 0].numpy(), beats["train"].x[[50, 3]])
    assert batch.y.tolist() == beats["train"].y[[50, 3]].tolist()
    one = data[1]
    assert (one.x.shape, one.ids.tolist()) == ((1, 1, 187), [1])
    assert data.labels().tolist() == beats["train"].y[chosen].tolist()


def test_all_rows_unless_some_are_named(beats: dict[str, Beats]) -> None:
    data = ECGLoader(beats["test"])
    assert data.batch(torch.arange(len(data))).ids.tolist() == list(range(len(beats["test"])))
    assert data.class_counts().tolist() == np.bincount(beats["test"].y, minlength=5).tolist()


def test_two_classes_fold_four_into_one() -> None:
    beats = rows([0, 1, 2, 3, 4, 0])
    data = ECGLoader_bin(beats)
    assert data.labels().tolist() == [0, 1, 1, 1, 1, 0]
    assert data.class_names == ("Normal", "Abnormal")
    assert data.num_classes == 2
    assert data.class_counts().tolist() == [2, 4]
    assert data.batch(torch.tensor([4])).y.tolist() == [1]
    assert beats.y.tolist() == [0, 1, 2, 3, 4, 0]  # the cache's labels are left alone
    assert ECGLoader(beats).num_classes == 5


COUNTS = [40, 10, 20, 5, 8]


@pytest.mark.parametrize(
    ("kind", "weighing", "expected"),
    [
        (ECGLoader, "equal", [1 / 40, 1 / 10, 1 / 20, 1 / 5, 1 / 8]),
        (ECGLoader, "effective", [(1 - 0.999) / (1 - 0.999**n) for n in (40, 10, 20, 5, 8)]),
        (ECGLoader, "importance", [1 / 40, 2 / 10, 2 / 20, 2 / 5, 0.5 / 8]),
        (ECGLoader_bin, "equal", [1 / 40, 1 / 43]),
        (ECGLoader_bin, "importance", [1 / 40, 2 / 43]),
    ],
)
def test_class_weights(kind: type[ECGLoader], weighing: str, expected: list[float]) -> None:
    data = kind(rows(np.repeat(range(5), COUNTS)))
    weights = data.class_weights(weighing)
    assert weights.dtype == torch.float32
    assert weights.tolist() == pytest.approx(expected)
    assert torch.equal(data.sample_weights(weighing), weights[data.labels()])


def test_effective_numbers_lie_between_no_balance_and_equal() -> None:
    """Cui et al. 2019: at beta 0 all classes weigh the same, towards 1 as the inverse of their rows."""
    data = ECGLoader(rows(np.repeat(range(5), COUNTS)))
    assert data.class_weights("effective", 0.0).tolist() == [1.0] * 5
    near, equal = data.class_weights("effective", 1 - 1e-9), data.class_weights("equal")
    assert torch.allclose(near / near.sum(), equal / equal.sum(), rtol=1e-5)


@pytest.mark.parametrize("weighing", ["equal", "importance"])
def test_an_absent_class_weighs_nothing(weighing: str) -> None:
    weights = ECGLoader(rows([0, 0, 2, 4])).class_weights(weighing)
    assert weights[[1, 3]].tolist() == [0, 0]
    assert torch.isfinite(weights).all()
    assert ECGLoader_bin(rows([0, 0])).class_weights(weighing).tolist() == pytest.approx([0.5, 0])


def test_class_weights_are_those_of_the_rows_in_use() -> None:
    data = ECGLoader(rows([0, 0, 0, 1, 1]), np.array([0, 3, 4]))
    assert data.class_weights("equal").tolist() == pytest.approx([1, 0.5, 0, 0, 0])


# batches


def ids(batches: Batches) -> list[int]:
    return [number for batch in batches for number in batch.ids.tolist()]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def dataset() -> ECGLoader:
    return ECGLoader(rows(np.repeat(range(5), COUNTS)))


def test_without_a_generator_rows_come_in_order(dataset: ECGLoader) -> None:
    batches = Batches(dataset, 32)
    assert len(batches) == 3
    assert [len(batch.y) for batch in batches] == [32, 32, 19]
    assert ids(batches) == ids(batches) == list(range(83))


def test_with_a_generator_each_pass_is_another_order_of_all_rows(dataset: ECGLoader) -> None:
    batches = Batches(dataset, 32, generator())
    first, second = ids(batches), ids(batches)
    assert sorted(first) == sorted(second) == list(range(83))
    assert first != second
    again = Batches(dataset, 32, generator())
    assert (ids(again), ids(again)) == (first, second)
    assert ids(Batches(dataset, 32, generator(1))) != first


def test_after_the_first_pass_known_rows_are_left_out(dataset: ECGLoader) -> None:
    batches = Batches(dataset, 16, generator(), prune=0.6)
    assert sorted(ids(batches)) == list(range(83))  # nothing is known of any yet
    hard = [3, 40, 82]
    batches.learned(torch.arange(83), torch.tensor([9.0 if number in hard else 0.1 for number in range(83)]))
    first, second = ids(batches), ids(batches)
    for taken in (first, second):
        assert len(taken) == len(set(taken)) == 33  # 40 % of 83
        assert set(hard) <= set(taken)
    assert set(first) != set(second)
    assert len(batches) == 3
    assert [batches.rows(first) for first in (True, False)] == [83, 33]


def test_more_unknown_rows_than_a_pass_has_room_for(dataset: ECGLoader) -> None:
    batches = Batches(dataset, 16, generator(), prune=0.9)
    batches.learned(torch.arange(83), torch.arange(83.0))
    taken = ids(batches)
    assert len(taken) == 8
    assert min(taken) > 41  # all above the mean
    assert taken != sorted(taken)


def test_rows_that_are_not_known_are_spread_over_the_pass() -> None:
    """Batches of one kind alone would pull the weights and the running statistics to and fro."""
    batches = Batches(ECGLoader(rows(np.zeros(4000, dtype=np.int64))), 100, generator(), prune=0.5)
    batches.learned(torch.arange(4000), (torch.arange(4000) % 4 == 0).float())
    shares = [(batch.ids % 4 == 0).float().mean().item() for batch in batches]
    assert len(shares) == 20
    assert sum(shares) == pytest.approx(10)  # 1,000 hard rows among 2,000
    assert 0.3 < min(shares) <= max(shares) < 0.7


def test_losses_are_noted_by_the_rows_numbers(dataset: ECGLoader) -> None:
    part = ECGLoader(dataset.beats, np.array([2, 5, 30, 80]))
    batches = Batches(part, 2, generator(), prune=0.5)
    batches.learned(torch.tensor([80, 2]), torch.tensor([0.5, 0.25]))
    assert batches.losses is not None
    assert batches.losses.tolist() == [0.25, math.inf, math.inf, 0.5]
    unsorted = Batches(ECGLoader(dataset.beats, np.array([30, 2, 80, 5])), 2, generator(), prune=0.5)
    unsorted.learned(torch.tensor([80, 2, 30]), torch.tensor([0.5, 0.25, 0.75]))
    assert unsorted.losses is not None
    assert unsorted.losses.tolist() == [0.75, 0.25, 0.5, math.inf]
    plain = Batches(part, 2, generator())
    plain.learned(torch.tensor([80, 2]), torch.tensor([0.5, 0.25]))
    assert plain.losses is None


def test_rows_stay_with_their_labels_and_numbers(dataset: ECGLoader) -> None:
    for batch in Batches(dataset, 16, generator()):
        assert batch.x[:, 0, 0].long().tolist() == batch.ids.tolist()
        assert batch.y.tolist() == dataset.beats.y[batch.ids].tolist()


@pytest.mark.parametrize("drawn", ["in order", "shuffled", "sampled", "few", "augmented"])
def test_the_order_is_the_same_with_any_number_of_workers(dataset: ECGLoader, drawn: str) -> None:
    def made(workers: int) -> Batches:
        order = None if drawn == "in order" else generator()
        weights = dataset.sample_weights("equal") if drawn == "sampled" else None
        augment = "light" if drawn == "augmented" else "none"
        limit = 2 if drawn == "few" else None
        return Batches(dataset, 16, order, weights, workers=workers, limit=limit, augment=augment)

    alone, helped = made(0), made(2)
    for _ in range(2):  # the second pass too
        one, other = list(alone), list(helped)
        assert len(one) == len(other) == len(alone)
        for mine, theirs in zip(one, other, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(mine[:3], theirs[:3], strict=True))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("drawn", ["shuffled", "sampled", "augmented", "mixed"])
def test_a_pass_that_is_broken_off_anywhere_goes_on_alike(
    dataset: ECGLoader, drawn: str, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loaders.datasets.batches.CHUNK", 32)  # two batches at once
    weights = dataset.sample_weights("equal") if drawn == "sampled" else None
    augment = {"augmented": "light", "mixed": "strong"}.get(drawn, "none")
    mixup = 0.4 if drawn == "mixed" else 0.0

    def made() -> Batches:
        return Batches(dataset, 16, generator(), weights, workers=workers, augment=augment, mixup=mixup)

    undisturbed = made()
    passes = [list(undisturbed), list(undisturbed)]
    for done in (1, 2, 3, 5):
        first, second = made(), made()
        given = iter(first)
        for _ in range(done):
            next(given)
        second.go_on(first.begun, first.generator.get_state(), done)
        for whole, rest in ((passes[0][done:], list(second)), (passes[1], list(second))):
            assert len(whole) == len(rest)
            for one, other in zip(whole, rest, strict=True):
                assert all(torch.equal(a, b) for a, b in zip(one[:3], other[:3], strict=True))
                assert one.share == other.share and (one.other is None or one.other.equal(other.other))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_leave_the_global_generators_alone(dataset: ECGLoader, workers: int) -> None:
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    ids(Batches(dataset, 32, generator(), workers=workers))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.random.get_state()[1].tolist() == numpy_before


@pytest.mark.parametrize(
    ("kind", "weighing", "shares"),
    [
        (ECGLoader, "equal", [0.2] * 5),
        (ECGLoader, "importance", [1 / 7.5, 2 / 7.5, 2 / 7.5, 2 / 7.5, 0.5 / 7.5]),
        (ECGLoader_bin, "equal", [0.5, 0.5]),
        (ECGLoader_bin, "importance", [1 / 3, 2 / 3]),
    ],
)
def test_a_sampler_draws_classes_in_their_shares(kind: type[ECGLoader], weighing: str, shares: list[float]) -> None:
    data = kind(rows(np.repeat(range(5), [4000, 200, 500, 100, 300])))
    batches = Batches(data, 512, generator(), data.sample_weights(weighing))
    drawn = torch.cat([batch.y for batch in batches])
    assert len(drawn) == len(data)  # a pass is as long as without
    found = torch.bincount(drawn, minlength=len(shares)) / len(drawn)
    assert found.tolist() == pytest.approx(shares, abs=0.03)
    numbers = ids(batches)
    assert len(set(numbers)) < len(numbers)  # with replacement
    assert numbers != ids(batches)


def test_a_sampler_never_draws_a_row_of_no_weight() -> None:
    data = ECGLoader(rows([0, 1] * 50))
    weights = torch.tensor([0.0, 1.0])[data.labels()]
    assert set(torch.cat([batch.y for batch in Batches(data, 10, generator(), weights)]).tolist()) == {1}


def test_a_limit_picks_rows_from_all_over_the_file() -> None:
    data = ECGLoader(rows(np.repeat(range(5), [600, 100, 100, 100, 100])))
    batches = Batches(data, 10, limit=4)
    assert len(batches) == 4
    numbers = ids(batches)
    assert numbers == [k * 25 for k in range(40)]
    assert set(data.beats.y[numbers]) == {0, 1, 2, 3, 4}  # files are sorted by label


def test_a_limit_ends_a_shuffled_pass(dataset: ECGLoader) -> None:
    batches = Batches(dataset, 16, generator(), limit=2)
    assert len(batches) == 2
    numbers = ids(batches)
    assert len(set(numbers)) == 32
    assert numbers == ids(Batches(dataset, 16, generator()))[:32]


def test_a_limit_beyond_the_rows_changes_nothing(dataset: ECGLoader) -> None:
    assert ids(Batches(dataset, 16, limit=100)) == list(range(83))
    assert len(Batches(dataset, 16, limit=100)) == 6


# train, validation and test


def data_of(train: Beats, test: Beats, kind: type[ECGLoader] = ECGLoader, **options: Any) -> Data:
    given = {"validate_on": "val", "val_fraction": 0.1, "seed": 42, **options}
    meta = {"source": {"where": "nowhere"}, "kind": "csv", "fingerprint": "0" * 64}
    return make_data(Namespace(**given), Cache(Path("nowhere"), {"train": train, "test": test}, meta), kind, ["so"])


def test_validation_is_a_stratified_part_of_train() -> None:
    train, test = rows(np.repeat(range(5), [400, 100, 50, 10, 2])), rows([0, 1, 2, 3, 4], seed=1)
    data = data_of(train, test)
    assert sorted([*data.train.rows.tolist(), *data.val.rows.tolist()]) == list(range(562))
    assert data.val.class_counts().tolist() == [40, 10, 5, 1, 1]
    assert data.train.class_counts().tolist() == [360, 90, 45, 9, 1]
    assert data.test.beats is test
    assert data.val.beats is train
    assert data.warnings == ["so"]
    assert data.describe()["rows"] == {"train": 505, "val": 57, "test": 5}
    assert data_of(train, test).val.rows.tolist() == data.val.rows.tolist()
    assert data_of(train, test, seed=43).val.rows.tolist() != data.val.rows.tolist()


def test_validation_on_the_test_rows_is_possible_and_said() -> None:
    train, test = rows(np.repeat(range(5), [40, 10, 5, 5, 5])), rows([0, 1, 2, 3, 4], seed=1)
    data = data_of(train, test, validate_on="test")
    assert data.val is data.test
    assert len(data.train) == 65
    assert data.warnings == ["so", LEAK_WARNING]


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(UserError, match=r"^nowhere: 1 train and 2 test rows are too few$"):
        data_of(rows([0]), rows([0, 1]))
    with pytest.raises(UserError, match=r"^nowhere: 2 train and 0 test rows are too few$"):
        data_of(rows([0, 1]), rows([]))


@pytest.mark.parametrize("name", ["ecg", "ecg_bin"])
def test_a_dataset_from_csv_files(root: Path, beats: dict[str, Beats], name: str) -> None:
    data = get_loader(flags(root, "--dataset", name))
    counts = np.bincount(beats["test"].y, minlength=5)
    expected = counts.tolist() if name == "ecg" else [counts[0], counts[1:].sum()]
    assert data.test.class_counts().tolist() == expected
    assert data.warnings == [KAGGLE_WARNING]
    assert len(data.train) + len(data.val) == len(beats["train"])
    found = digests(data)
    assert found["X_train"] == hashlib.sha256(beats["train"].x.tobytes()).hexdigest()
    labels = beats["test"].y if name == "ecg" else (beats["test"].y > 0).astype(np.int64)
    assert found["y_test"] == hashlib.sha256(labels.tobytes()).hexdigest()
    assert "X_all" not in found  # CSV rows do not tell whose they are
    summary, lines = describe(data)
    assert summary["counts"]["test"] == data.test.class_counts().tolist()
    assert all(f"{key:8} {digest}" in lines for key, digest in found.items())


# the real data

CHECK_VALUES = {
    "X_train": "9efde051b70cb8e2f048865d40043b5220da91ed8a2c23fe2f456edd3374cf80",
    "y_train": "1726e57ad2c99bfbec3ae1845ff75a5449df8b4926319c80aa9c8c456a7497dd",
    "X_test": "6f64721ee4fffe369be7e0cd8136ed1a0b9cf7871df1455001ddbfa824b8b6fd",
    "y_test": "90fafb693bf240f953a7c94654cf6ce42bac50964ee527f72c494957dacb8a12",
    "X_all": "91a473f8aa67f8ca0908eb69e72d53afae1e5d21a0c7f32e70015962f2552d97",
}
TEST_IDS = ROOT.parent / "shared" / "kaggle" / "test_ids.csv"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """All 48 records, cut: some ten seconds."""
    return get_loader(flags(tmp_path_factory.mktemp("real"), "--records-dir", str(RECORDS)))


@needs_records
def test_the_check_values_of_mit_bih_come_out(real: Data) -> None:
    assert digests(real) == CHECK_VALUES
    train, test = (np.bincount(real.cache.splits[split].y).tolist() for split in ("train", "test"))
    assert train == [72471, 2223, 5788, 641, 6431]
    assert test == [18118, 556, 1448, 162, 1608]


@needs_records
def test_every_beat_of_mit_bih_keeps_its_record_patient_sample_and_symbol(real: Data) -> None:
    test = real.cache.splits["test"]
    assert len(set(test.record)) == 48
    assert len(set(test.patient)) == 47  # 201 and 202 are one man
    assert set(test.patient[test.record == "202"]) == {"201"}
    assert set(test.symbol) <= set("NLRejAaJSVEF/fQ")
    if TEST_IDS.is_file():
        listed = np.loadtxt(TEST_IDS, delimiter=",", skiprows=1, dtype=np.int64)  # row, record, beat, sample, label
        assert test.record.astype(np.int64).tolist() == listed[:, 1].tolist()
        assert test.sample.tolist() == listed[:, 3].tolist()
        assert test.y.tolist() == listed[:, 4].tolist()


@needs_records
def test_the_cache_of_mit_bih_serves_the_second_time(real: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("the records were read again")

    monkeypatch.setattr(sources, "cut_all", never)
    root = real.cache.folder.parent.parent.parent
    again = get_loader(flags(root, "--records-dir", str(RECORDS)))
    assert again.cache.fingerprint == real.cache.fingerprint
    assert np.array_equal(again.test.labels(), real.test.labels())
