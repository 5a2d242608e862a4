"""loaders.datasets.checks: rows on two sides, other scales, empty parts; from the command line as people meet them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import commander
from loaders.sources.kaggle_csv import FILES, read_csv
from toolbox.utils import UserError, read_json
from toolbox.utils.aami import KAGGLE_ROW

TRAIN = "--dataset ecg --source csv --model-name cnn1d_3 --epochs 1 --device cpu --precision fp32".split()


def table(rows: int, seed: int) -> np.ndarray:
    """Rows like Kaggle's, (rows, 188), every class alike often."""
    x = np.random.default_rng(seed).random((rows, KAGGLE_ROW))
    x = (x - x.min(axis=1, keepdims=True)) / (x.max(axis=1, keepdims=True) - x.min(axis=1, keepdims=True))
    return np.column_stack([x, np.arange(rows) % 5])


def make_root(root: Path, train: np.ndarray, test: np.ndarray, head: str = "") -> Path:
    (root / "ecg").mkdir(parents=True)
    for part, values in (("train", train), ("test", test)):
        np.savetxt(root / "ecg" / FILES[part], values, fmt="%.8g", delimiter=",", header=head, comments="")
    return root


def prepared(root: Path, *flags: str) -> tuple[dict[str, Any], list[str]]:
    """What --prepare returns and what it warns of."""
    from args import parse_args
    from loaders import get_loader
    from loaders.datasets.summary import describe

    data = get_loader(parse_args(["--prepare", *TRAIN[:4], "--root-dir", str(root), *flags]))
    return describe(data)[0], data.warnings[1:]


def test_rows_of_ones_own_give_no_warning(tmp_path: Path) -> None:
    assert prepared(make_root(tmp_path, table(100, 0), table(40, 1)))[1] == []


def test_the_same_file_twice_is_refused_and_leaves_no_run(tmp_path: Path) -> None:
    make_root(tmp_path, table(60, 0), table(60, 0))
    with pytest.raises(UserError, match=r"all 60 test rows are the same as train rows, and all 60 train rows as test"):
        commander.main([*TRAIN, "--root-dir", str(tmp_path)])
    assert not (tmp_path / "ecg" / "runs").exists()


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (lambda: (table(100, 0), table(100, 0)[20:50]), "30 of 30 test rows are the same as train rows"),
        (lambda: (table(100, 0), np.concatenate([table(30, 1), table(100, 0)[:1]])), "1 of 31 test rows are the same"),
        (lambda: (table(100, 0), table(100, 0)[99:]), "1 of 1 test rows are the same as train rows"),
        (
            lambda: (table(40, 0), table(90, 1)),
            "There are fewer train rows (40) than test rows (90): are the two files",
        ),
        (lambda: (np.repeat(table(50, 0), 5, axis=0), table(30, 1)), " val rows are the same as train rows"),
    ],
    ids=["test within train", "one row", "a test of one row", "swapped", "copies within train"],
)
def test_leaks_are_counted(tmp_path: Path, parts: Callable[[], tuple[np.ndarray, np.ndarray]], said: str) -> None:
    (warning, *_) = prepared(make_root(tmp_path, *parts()))[1]
    assert said in warning


def test_flat_lines_are_no_leak(tmp_path: Path) -> None:
    flat = np.zeros((7, KAGGLE_ROW + 1))
    root = make_root(tmp_path, np.concatenate([table(60, 0), flat]), np.concatenate([table(30, 1), flat]))
    assert prepared(root)[1] == []


def test_a_leak_is_in_the_run_and_said_at_its_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_root(tmp_path, table(100, 0), table(100, 0)[:20])
    result = commander.main([*TRAIN, "--root-dir", str(tmp_path)])
    assert "note: 20 of 20 test rows are the same as train rows" in capsys.readouterr().err
    assert any("20 of 20 test rows" in warning for warning in read_json(f"{result['run']}/config.json")["warnings"])


def scaled(values: np.ndarray, factor: float, shift: float = 0.0) -> np.ndarray:
    return np.column_stack([values[:, :-1] * factor + shift, values[:, -1]])


def z_scored(values: np.ndarray) -> np.ndarray:
    x = values[:, :-1]
    return np.column_stack([(x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True), values[:, -1]])


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (lambda v: scaled(v, 255), lambda v: v),
        (lambda v: v, lambda v: scaled(v, 255)),
        (z_scored, lambda v: v),
        (lambda v: scaled(v, 1 / 255), lambda v: v),
        (lambda v: scaled(v, 2, -1), lambda v: v),
        (lambda v: scaled(v, 2000, 1024), z_scored),
    ],
    ids=["train 0..255", "test 0..255", "train z-scored", "train divided twice", "train -1..1", "units and z-scored"],
)
def test_parts_of_different_scales_are_refused(tmp_path: Path, train: Any, test: Any) -> None:
    make_root(tmp_path, train(table(100, 0)), test(table(40, 1)))
    with pytest.raises(UserError) as caught:
        commander.main([*TRAIN, "--root-dir", str(tmp_path)])
    assert "rows are not between 0 and 1, as Kaggle's and those of --predict are: train from " in str(caught.value)
    assert str(caught.value).endswith(
        "train and test are of different scales: scale each row by (x - min) / (max - min)"
    )
    assert not (tmp_path / "ecg" / "runs").exists()


@pytest.mark.parametrize("scale", [lambda v: scaled(v, 255), z_scored, lambda v: scaled(v, 1.1, -0.05)])
def test_another_scale_of_both_is_said_in_one_line(tmp_path: Path, scale: Any) -> None:
    (warning,) = prepared(make_root(tmp_path, scale(table(100, 0)), scale(table(40, 1))))[1]
    assert warning.startswith("rows are not between 0 and 1, as Kaggle's and those of --predict are: train from ")
    assert "\n" not in warning


@pytest.mark.parametrize("rows", [2, 3, 4, 5])
def test_a_train_file_of_few_rows_leaves_none_for_validation(tmp_path: Path, rows: int) -> None:
    make_root(tmp_path, table(rows, 0), table(20, 1))
    with pytest.raises(UserError) as caught:
        commander.main([*TRAIN, "--root-dir", str(tmp_path)])
    assert f"no rows for val (train {rows}, val 0, test 20); more rows or records are needed" in str(caught.value)
    assert not (tmp_path / "ecg" / "runs").exists()
    whole = commander.main([*TRAIN, "--validate-on", "train", "--monitor", "last", "--root-dir", str(tmp_path)])
    assert whole["epoch"] == 1


HEADS = {
    "0..187": ",".join(map(str, range(188))),
    "1..188": ",".join(map(str, range(1, 189))),
    "quoted": ",".join(f'"{k}"' for k in range(188)),
    "mark": "\ufeff" + ",".join(map(str, range(188))),
    "empty line before": "\n" + ",".join(map(str, range(188))),
}


@pytest.mark.parametrize("head", HEADS)
def test_a_header_of_column_numbers_is_skipped(tmp_path: Path, head: str) -> None:
    plain = make_root(tmp_path / "plain", table(60, 0), table(20, 1))
    numbered = make_root(tmp_path / "numbered", table(60, 0), table(20, 1), HEADS[head])
    expected, found = (read_csv(root / "ecg" / FILES["train"]) for root in (plain, numbered))
    assert np.array_equal(expected.x, found.x) and np.array_equal(expected.y, found.y)


@pytest.mark.parametrize(("line", "label"), [(0, 7), (3, 5), (59, -1)])
def test_lines_are_counted_with_such_a_header(tmp_path: Path, line: int, label: int) -> None:
    values = table(60, 0)
    values[line, -1] = label
    root = make_root(tmp_path, values, table(20, 1), HEADS["0..187"])
    with pytest.raises(UserError, match=rf"line {line + 2}, column 188: label {label}, expected 0 to 4$"):
        read_csv(root / "ecg" / FILES["train"])
    path = root / "ecg" / FILES["train"]
    lines = path.read_text().splitlines()
    lines[line + 1] = "x" + lines[line + 1]
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match=rf"line {line + 2}, column 1: 'x.*expected a number$"):
        read_csv(path)


def test_other_headers_are_refused_as_before(tmp_path: Path) -> None:
    root = make_root(tmp_path, table(60, 0), table(20, 1), ",".join(f"t{k}" for k in range(188)))
    with pytest.raises(UserError, match="line 1, column 1: 't0', expected a number; a header line must be removed"):
        read_csv(root / "ecg" / FILES["train"])


def test_a_folder_whose_name_is_no_utf_8(tmp_path: Path) -> None:
    root = make_root(tmp_path / "caf\udce9", table(60, 0), table(20, 1))
    assert prepared(root)[0]["counts"]["train"] == [11, 11, 11, 11, 11]
