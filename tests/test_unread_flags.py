"""Flags that do nothing where they stand are refused when they are typed; recipes, config files and runs stay valid."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from args import parse_args, run_options, stored_options
from tests.conftest import ROOT

START = ["--model-name", "cnn1d_3", "--dataset", "synthetic"]
REFUSED = {
    "--label-smoothing 0.3": "--label-smoothing does nothing with --criterion nll",
    "--criterion focal --label-smoothing 0.3": "--label-smoothing does nothing with --criterion focal",
    "--focal-gamma 1": "--focal-gamma does nothing with --criterion nll; it goes with --criterion focal",
    "--logit-tau 0.5": "--logit-tau does nothing with --criterion nll; it goes with --criterion logitadjusted",
    "--effective-beta 0.9": "--effective-beta does nothing here; it goes with --class-balance effective or --sampler",
    "--sampler equal --effective-beta 0.9": "--effective-beta does nothing here",
    "--momentum 0.5": "--momentum does nothing with --optimizer adam; it goes with --optimizer sgd",
    "--optimizer adamw --momentum 0": "--momentum does nothing with --optimizer adamw",
    "--optimizer sgd --betas 0.8 0.9": "--betas does nothing with --optimizer sgd",
    "--warmup 0.3": "--warmup does nothing with --scheduler StepLR; it goes with --scheduler cosine or onecycle",
    "--scheduler ReduceLROnPlateau --warmup 0": "--warmup does nothing with --scheduler ReduceLROnPlateau",
    "--scheduler cosine --step 3": "--step does nothing with --scheduler cosine",
    "--scheduler ExponentialLR --step 3": "--step does nothing with --scheduler ExponentialLR",
    "--scheduler onecycle --lr-decay 0.5": "--lr-decay does nothing with --scheduler onecycle",
    "--ema 1": "--ema 1 leaves nothing to learn from; expected less than 1",
    "--optimizer sgd --momentum 1": "--momentum 1 leaves nothing to learn from; expected less than 1",
    "--criterion crossentropy --label-smoothing 1": "--label-smoothing 1 leaves nothing to learn from",
    "--scheduler ReduceLROnPlateau --lr-decay 1": "never lowers the rate; expected a factor below 1",
    "--criterion logitadjusted --class-balance equal": "leave out --class-balance, which does so again",
    "--criterion logitadjusted --sampler equal": "which --sampler changes; take one of them",
    "--seeds 2 --seed 4294967295": "--seeds 2 from --seed 4294967295 on end beyond 4294967295, the last seed there is",
    "--validate-on train --monitor last --val-fraction 0.2": "--val-fraction does nothing with --validate-on train",
    "--context window --baseline median --highpass 2": "--highpass does nothing with --baseline median",
    "--source csv --physionet-url https://h/": "--physionet-url does nothing with --source csv",
    "--source records --gdrive-url https://h/": "--gdrive-url does nothing with --source records",
}
ACCEPTED = (
    "--criterion crossentropy --label-smoothing 0.3", "--label-smoothing 0", "--momentum 0.9", "--betas 0.9 0.999",
    "--criterion focal --focal-gamma 1", "--criterion logitadjusted --logit-tau 0.5 --sampler patients",
    "--class-balance effective --effective-beta 0.9", "--sampler effective --effective-beta 0.9", "--ema 0.9999",
    "--optimizer sgd --momentum 0.5", "--optimizer adamw --betas 0.8 0.9", "--scheduler onecycle --warmup 0.3",
    "--scheduler StepLR --step 2 --lr-decay 1", "--scheduler ReduceLROnPlateau --step 2 --lr-decay 0.5",
    "--seeds 2 --seed 4294967294", "--seed 4294967295", "--source physionet --physionet-url https://h/",
)  # fmt: skip


@pytest.mark.parametrize(("line", "said"), REFUSED.items(), ids=REFUSED)
def test_flags_that_do_nothing_are_refused(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_args([*START, *line.split()])
    assert caught.value.code == 2
    (text,) = capsys.readouterr().err.splitlines()
    assert said in text


@pytest.mark.parametrize("line", ACCEPTED)
def test_flags_that_are_read_or_are_the_defaults_are_not(line: str) -> None:
    parse_args([*START, *line.split()])


@pytest.mark.parametrize("line", [line for line in REFUSED if "logitadjusted --sampler" not in line])
def test_a_run_that_was_started_so_before_is_tested_and_resumed(line: str, tmp_path: Path) -> None:
    words = line.replace("--seeds 2 ", "").split()
    options = {**run_options(parse_args(START)), **_values(words)}
    assert stored_options(options, tmp_path)["epochs"] == 20
    for command in (["--test"], ["--resume", "latest"]):
        parse_args([*command, *words])


def _values(words: list[str]) -> dict[str, object]:
    """The flags of a command line as config.json would have them."""
    found: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            found[word[2:].replace("-", "_")] = []
        else:
            found[list(found)[-1]].append(word)
    plain = {name: [yaml.safe_load(part) for part in parts] for name, parts in found.items()}
    return {name: parts if name == "betas" else parts[0] for name, parts in plain.items()}


@pytest.mark.parametrize("path", sorted(ROOT.glob("recipes/*.yaml")), ids=lambda path: path.stem)
def test_recipes_are_valid_and_their_flags_may_be_overridden(path: Path) -> None:
    if path.stem in ("table", "sweep"):  # not a file for --config
        return
    words = ["--pretrained", "RUN"] if path.stem == "finetune" else []  # whose model is that of another run
    recipe = parse_args(["--config", str(path), *words])
    assert recipe.model_name or words
    other = parse_args(
        ["--config", str(path), *words, "--optimizer", "sgd", "--scheduler", "StepLR", "--criterion", "nll"]
    )
    assert (other.optimizer, other.scheduler, other.criterion) == ("sgd", "StepLR", "nll")
