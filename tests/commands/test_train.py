"""Training from the command line: its text on the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

import commander
from toolbox.utils import read_json

FLAGS = "--dataset synthetic --synthetic-patients 4 --synthetic-minutes 2 --model-name cnn1d_3 --device cpu".split()


def test_it_says_at_its_start_what_it_works_on_and_has_a_line_for_each_epoch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--root-dir", str(tmp_path)]
    result = commander.main([*FLAGS, *where, "--epochs", "2", "--precision", "fp32"])
    lines = capsys.readouterr().out.splitlines()
    facts = dict(line.split(maxsplit=1) for line in lines[:4])
    assert facts["run"] == result["run"] and facts["page"] == f"{result['run']}/report.html, after each epoch"
    assert facts["model"] == "cnn1d_3, 4,773 weights"
    assert facts["device"].startswith("cpu, ") and facts["device"].endswith(", fp32")
    config = read_json(f"{result['run']}/config.json")
    for line, part in zip(lines[4:6], ("train", "val"), strict=True):
        name, rows, *cells = line.split()
        assert (name, rows) == (part, "rows") and cells[::2] == ["N", "S", "V", "F", "Q"]
        assert sum(int(count.replace(",", "")) for count in cells[1::2]) == config["data"]["rows"][part]
    header, *epochs = lines[6:9]
    assert header.split()[0] == "epoch" and [line.split()[0] for line in epochs] == ["1/2", "2/2"]
    assert max(map(len, (header, *epochs))) <= 80
    best = result["best"]["epoch"]
    assert epochs[best - 1].endswith(" *") and epochs[0].endswith(" *")  # the first is the best so far
    assert lines[-1] == f"report: {result['run']}/report.html"


def test_a_resumed_run_says_where_it_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--root-dir", str(tmp_path)]
    result = commander.main([*FLAGS, *where, "--epochs", "1"])
    capsys.readouterr()
    commander.main(["--resume", "latest", "--epochs", "2", *where])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"resuming {result['run']} after epoch 1"
    assert [line.split()[0] for line in lines if "2/2" in line] == ["2/2"]
    config = read_json(f"{result['run']}/config.json")
    assert config["options"]["device"] == "cpu"


def test_a_device_that_is_not_there_is_refused_before_there_is_a_run(tmp_path: Path) -> None:
    with pytest.raises(commander.UserError, match=r"device cuda:99: torch cannot use it here; there are: .*cpu"):
        commander.main([*FLAGS[:-1], "cuda:99", "--root-dir", str(tmp_path)])
    assert not (tmp_path / "synthetic" / "runs").exists()
