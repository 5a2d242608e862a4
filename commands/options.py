"""Flags of the commands: what to do, and what of annotations is scored."""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import dataclass

from toolbox.utils.aami import LEARNING_PERIOD, MATCH_WINDOW
from toolbox.utils.options import number, option


def version_name(text: str) -> str:
    """An argparse type: "bump", "latest" or a number."""
    if text in ("bump", "latest") or (text.isascii() and text.isdigit()):
        return text if text in ("bump", "latest") else str(int(text))
    raise ArgumentTypeError(f"{text!r}: expected bump, latest or a number")


def resume_name(text: str) -> str:
    """An argparse type: "latest", "best", an epoch, or nothing."""
    if text in ("", "latest", "best") or (text.isascii() and text.isdigit()):
        return text
    raise ArgumentTypeError(f"{text!r}: expected latest, best or the number of an epoch")


@dataclass(frozen=True)
class CommandOptions:
    """What to do (default: train)."""

    test: bool = option(False, "score the test split; with --resume, default best", role="action")
    prepare: bool = option(False, "build or verify the data, print what they are, stop", role="action")
    export: str | None = option(
        None, "write a run's model for use without torch, and check it", choices=("onnx",), role="action"
    )
    resume: str = option("", "latest, best or an epoch: go on from there", type=resume_name, role="action")
    version: str | None = option(
        None,
        "bump, latest or N: which run of these flags; bump when training starts, else latest",
        type=version_name,
        role="action",
    )
    pretrained: str | None = option(
        None, "start from the best weights of a file or another run", metavar="PATH|RUN", exclusive="start"
    )
    import_weights: str | None = option(
        None,
        "start from the weights of a predecessor's .pth.tar; runs no code of it",
        metavar="FILE",
        exclusive="start",
    )
    short_run: bool = option(False, "10 mini-batches per pass: a trial of the whole pipeline")
    seeds: int = option(1, "train, or score, so many seeds as one experiment", type=number(int, 1, 1000), role="action")
    verbose: bool = option(False, "print every validation prediction", role="action")
    config: str | None = option(
        None, "YAML file of flag defaults, or a run's config.json", metavar="FILE", role="action"
    )
    write_records: str | None = option(
        None, "with --prepare: write synthetic recordings as WFDB records", metavar="DIR", role="action"
    )


@dataclass(frozen=True)
class ScoreOptions:
    """Compare two annotators beat by beat (EC57)."""

    score: list[str] | None = option(
        None,
        "folders of WFDB records, or records: compare two annotators of each",
        nargs="+",
        metavar="REF",
        role="action",
    )
    ref_annotator: str = option("atr", "who is right", role="action")
    test_annotator: str = option("ecg", "who is scored", role="action")
    score_dir: str | None = option(
        None, "where the annotations to score are, if not beside the records", metavar="DIR", role="action"
    )
    exclude: list[str] = option(
        [], "records not to score, such as paced ones", nargs="+", metavar="NAME", role="action"
    )
    score_start: float = option(LEARNING_PERIOD, "seconds at the start left out", type=number(float, 0), role="action")
    match_window: float = option(
        MATCH_WINDOW, "seconds that two beats of a pair may lie apart", type=number(float, 0), role="action"
    )
    out: str | None = option(
        None,
        "--score writes PATH.json and PATH.txt; --predict and --export into folder PATH",
        metavar="PATH",
        role="action",
    )
