"""Help: a welcome, the common flags, topics, all flags."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

import commander
from args import GROUPS, get_parser
from commands.help import TOPICS, flags_page
from toolbox.utils import UserError
from toolbox.utils.device import describe_device
from toolbox.utils.options import spelling

EVERY = {one.name: one for options in GROUPS.values() for one in fields(options)}


def shown(topic: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """The flags that the help on a topic lists."""
    assert commander.main(["--help", topic] if topic else ["--help"]) == {"help": topic or "common"}
    return set(re.findall(r"^  (--[\w-]+)", capsys.readouterr().out, re.M))


def test_no_flags_at_all_say_what_the_program_does_and_what_is_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["commander.py"])
    assert commander.cli() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 20 and max(map(len, lines)) <= 100
    assert lines[0].startswith("pytorch-ecg 1.")
    for name in ("train", "real data", "test", "annotate", "score", "tensorboard"):
        assert any(line.startswith(f"  {name} ") for line in lines)
    assert "No runs in ecg_data yet. Next: the first example" in "\n".join(lines)
    assert list(tmp_path.iterdir()) == []


def test_the_welcome_names_the_newest_run_its_page_and_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = "--dataset synthetic --synthetic-patients 4 --synthetic-minutes 2 --model-name cnn1d_3 --epochs 1".split()
    run = commander.main([*flags, "--short-run"])["run"]
    capsys.readouterr()
    commander.main([])
    printed = capsys.readouterr().out
    assert "1 run in ecg_data; newest: synthetic_cnn1d_3_opadam_StepLR_lr0.01_nll_bs128_1" in printed
    assert f"its page     {run}/report.html" in printed and "next         python commander.py --test\n" in printed
    commander.main(["--test", "--version", "1"])
    capsys.readouterr()
    commander.main([])
    assert "next         python commander.py --predict" in capsys.readouterr().out


def test_help_alone_shows_the_common_flags(capsys: pytest.CaptureFixture[str]) -> None:
    common = {spelling(name) for name, one in EVERY.items() if one.metadata["common"]}
    assert shown("", capsys) == common
    assert {"--model-name", "--predict", "--config", "--device", "--fs"} <= common
    assert not {"--spliced", "--window-before", "--ema"} & common


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_shows_its_groups(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = {spelling(one.name) for group in TOPICS[topic].groups for one in fields(GROUPS[group])}
    assert shown(topic, capsys) == flags | {spelling(name) for name in TOPICS[topic].flags}


def test_every_flag_is_listed_by_all_and_by_a_topic_or_the_common_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown("all", capsys) == {spelling(name) for name in EVERY}
    by_topic = set.union(*(shown(topic, capsys) for topic in ("", *TOPICS)))
    assert by_topic == {spelling(name) for name in EVERY}


def test_the_examples_are_flags_that_parse() -> None:
    for topic in TOPICS.values():
        for flags, _ in topic.examples:
            assert get_parser().parse_known_args(flags.split())[1] == []


def test_an_unknown_topic_lists_the_topics(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"no such topic, did you mean 'predict'\? topics: all, train, data, test"):
        commander.main(["--help", "predct"])


def test_the_page_of_flags_holds_each_flag_once_with_its_default() -> None:
    page = flags_page()
    assert re.findall(r"^\| `(--[\w-]+)", page, re.M) == [spelling(name) for name in EVERY]
    assert "| `--batch-size N` | rows per step (default: 128) | name |" in page
    assert "| `--betas X X` | of adam and adamw (default: 0.9 0.999) | run |" in page


def test_about_says_versions_device_and_where_runs_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    facts = commander.main(["--about", "--root-dir", str(tmp_path), "--device", "cpu"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", facts["pytorch-ecg"]) and facts["torch"] == torch.__version__
    assert facts["device"] == describe_device(torch.device("cpu")) and facts["runs"] == f"0 in {tmp_path}"
    printed = capsys.readouterr().out
    assert all(value in printed for value in facts.values())
