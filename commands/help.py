"""Prints help: a welcome, the common flags, the flags of a topic; and docs/flags.md.

python -m commands.help > docs/flags.md
"""

from __future__ import annotations

import argparse
from argparse import Namespace
from dataclasses import fields
from functools import partial
from typing import Any, NamedTuple

from args import DESCRIPTION, GROUPS, get_parser
from toolbox.runs.folders import Run, list_runs
from toolbox.utils import UserError, nearest, printable
from toolbox.utils.program import program_words, project_version

ROOT_DIR = "ecg_data"  # the default of --root-dir


class Topic(NamedTuple):
    """A topic of --help.

    Attributes:
        summary: one line.
        examples: flags, and a remark on each.
        groups: titles in args.GROUPS whose flags belong to it.
        flags: names of other flags that belong to it.
    """

    summary: str
    examples: tuple[tuple[str, str], ...]
    groups: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


CHOICE_OF_RUN = ("resume", "version", "dataset", "root_dir", "model_name")
TOPICS = {
    "train": Topic(
        "Train a network, or resume a training.",
        (
            ("--config first", "recipes/first.yaml: synthetic recordings, needs no data"),
            ("--config fast", "flags of recipes/fast.yaml"),
            ("--config fast --seeds 5", "five seeds, with mean and spread of each score"),
            ("--resume latest --epochs 40", "resume the newest run"),
        ),
        ("name and describe runs", "model", "training", "batches", "rare classes", "optimizer", "learning rate",
         "loss", "device", "pictures"),
        ("dataset", "root_dir", "split", "resume", "version", "pretrained", "import_weights", "short_run", "seeds",
         "verbose", "config"),
    ),
    "data": Topic(
        "Get the data, choose the rows and how a beat is shown to a network.",
        (
            ("--prepare --dataset ecg", "downloads MIT-BIH once; prints what the data are"),
            ("--prepare --records-dir my_records --split kfold --fold 1/3", "annotated records of your own"),
            ("--prepare --dataset synthetic --write-records my_records", "WFDB files to try things on"),
        ),
        (
            "data",
            "which rows train, validate and test",
            "model input of a beat (all but the defaults need raw records)",
            "patients made of the training records' own beats",
        ),
        ("prepare", "write_records", "cluster"),
    ),
    "test": Topic(
        "Score the test rows with a run.",
        (
            ("--test", "the newest run, its best epoch"),
            ("--test --resume 10 --model-name cnn1d_3 --version 2", "epoch 10 of another run"),
            ("--test --seeds 5", "the newest experiment of five seeds"),
            ("--test --figures pdf svg --no-titles", "its pictures for a paper, too"),
        ),
        ("pictures",),
        ("test", "adapt", "seeds", "tensorboard", "device", *CHOICE_OF_RUN),
    ),
    "predict": Topic(
        "Annotate recordings: WFDB, EDF and CSV files, folders of them, or lines as they come.",
        (
            ("--predict my_recordings/100 night.edf", "with the network that fits the leads; needs no training"),
            ("--predict belt.csv --fs 250 --gain 1000", "a CSV file in microvolts"),
            ("--predict - --fs 250", "lines from standard input, beat by beat"),
            ("--predict my_recordings/100 --resume best", "with the best epoch of the newest run"),
            ("--predict s3://bucket/holter --out s3://bucket/annotated --cluster local:4", "a corpus; docs/corpora.md"),
        ),
        (
            "annotate recordings", "recordings as CSV files", "classes by a recording's other beats",
            "machines that share the work",
        ),
        ("out", "workers", "device", *CHOICE_OF_RUN),
    ),
    "score": Topic(
        "Compare two annotators of records beat by beat, as EC57 asks for.",
        (("--score ecg_data/mitdb --test-annotator ecg --exclude 102 104 107 217", "reference .atr, scored .ecg"),),
        ("score annotations, beat by beat (EC57)", "machines that share the work"),
    ),
    "compare": Topic(
        "Compare runs: scores, flags that differ, and which differences are more than chance.",
        (
            ("--compare", "all runs with the best"),
            ("--compare 3 5 --out compared", "run 5 with run 3"),
            ("--list --sort macro_f1", "a table of all runs"),
            ('--edit 3 --name baseline --tag paper', "name a run, and give it a tag to find it by"),
        ),
        ("compare runs", "name and describe runs"),
        ("out", *CHOICE_OF_RUN),
    ),
    "sweep": Topic(
        "Search for the best flags, chosen on validation; needs the extra `sweep`.",
        (
            ("--sweep recipes/sweep.yaml", "20 trials on synthetic recordings; the same command goes on"),
            ("--sweep mine.yaml --storage postgresql://me@host/searches", "on each of any number of machines"),
        ),
        ("search for flags",),
        ("dataset", "root_dir", "records_dir", "device"),
    ),
    "export": Topic(
        "Write a network as ONNX, checked, with a model card; it annotates without torch.",
        (
            ("--export", "the newest run's best epoch, into its folder export"),
            ("--predict my_recordings/100 --resume best --engine onnx", "annotates with it"),
        ),
        (),
        ("export", "model_file", "out", "engine", *CHOICE_OF_RUN),
    ),
}  # fmt: skip


def run(args: Namespace) -> dict[str, Any]:
    """Print the help that --help TOPIC asks for."""
    print(help_text(args.help or "common"))
    return {"help": args.help}


def help_text(topic: str) -> str:
    """The help on a topic: "common", "all" or a key of TOPICS.

    Raises:
        UserError: there is no such topic.
    """
    program = " ".join(program_words())
    if topic in TOPICS:
        summary, examples, groups, others = TOPICS[topic]
        shown = {one.name for group in groups for one in fields(GROUPS[group])} | {*others}
        return _formatted(summary, shown, examples)
    if topic not in ("common", "all"):
        raise UserError(
            f"--help {topic}: no such topic{nearest(topic, ['all', *TOPICS]) or ';'} topics: all, {', '.join(TOPICS)}"
        )
    examples = tuple(topic.examples[0] for topic in TOPICS.values())
    every = [one for options in GROUPS.values() for one in fields(options)]
    shown = {one.name for one in every if topic == "all" or one.metadata["common"]}
    if topic == "all":
        return _formatted(DESCRIPTION, shown, examples)
    rest = f"The other {len(every) - len(shown)} flags by topic: {program} --help {'|'.join(('all', *TOPICS))}"
    return f"{_formatted(DESCRIPTION, shown, examples)}\n\n{rest}"


def _formatted(summary: str, shown: set[str], examples: tuple[tuple[str, str], ...]) -> str:
    program = " ".join(program_words())
    parser = get_parser(only=shown)
    parser.usage = f"{program} FLAG ..."
    parser.description = "\n".join([summary, "", "examples:", *_lines(examples, program)])
    parser.formatter_class = partial(argparse.RawDescriptionHelpFormatter, max_help_position=28)
    return parser.format_help().rstrip()


def _lines(examples: tuple[tuple[str, str], ...], program: str) -> list[str]:
    return [line for flags, remark in examples for line in (f"  {program} {flags}", f"      {remark}")]


def welcome() -> dict[str, Any]:
    """Print what the program does, seven examples, and what to do next."""
    program = " ".join(program_words())
    examples = {
        "annotate": f"{program} --predict my_recording.csv --fs 250",
        "train": f"{program} --config first",
        "real data": f"{program} --prepare --dataset ecg",
        "test": f"{program} --test",
        "score": f"{program} --score {ROOT_DIR}/mitdb --test-annotator ecg",
        "compare": f"{program} --compare",
        "tensorboard": f"tensorboard --logdir {ROOT_DIR}",
    }
    lines = [
        f"pytorch-ecg {project_version()}: trains networks that classify heartbeats (N S V F Q), scores them,",
        "and annotates ECG recordings with them. For research and teaching; no medical device.",
        "",
        *(f"  {name:12} {command}" for name, command in examples.items()),
        "",
        *_next_steps(program),
        "",
        f"  {program} --help       the common flags",
        f"  {program} --help all   all flags",
        f"  {program} --help NAME  of {', '.join(TOPICS)}",
        f"  {program} --about      versions, device, where runs are",
    ]
    print("\n".join(lines))
    return {"help": "welcome"}


def _next_steps(program: str) -> list[str]:
    runs = list_runs(ROOT_DIR)
    if not runs:
        return [f"No runs in {ROOT_DIR} yet. Next: the first example needs no training, the second no data."]
    newest = runs[-1]
    lines = [f"{len(runs)} run{'s' if len(runs) > 1 else ''} in {ROOT_DIR}; newest: {printable(newest.name)}"]
    lines += [f"  its page     {newest.page}"] if newest.page.is_file() else []
    return [*lines, f"  next         {program} {_next_flags(newest)}"]


def _next_flags(newest: Run) -> str:
    if not newest.page.is_file():
        return "--resume latest   (its training was interrupted, or is under way)"
    if not any((newest.path / "pred").glob("test_results_ep*.json")):
        return "--test"
    return "--predict my_recording.csv --fs 250 --resume best"


def flags_page() -> str:
    """docs/flags.md: every flag by group, from the dataclasses of options."""
    parser = get_parser()
    lines = [
        "# All flags",
        "",
        "Generated from the dataclasses of options by `python -m commands.help > docs/flags.md`; do not edit.",
        "",
        "The last column says how a flag belongs to a run. *name*: part of its name; *run*: kept in its config.json,",
        "the same on every `--resume`; *free*: kept, and may change; *action*: what to do now, not kept.",
    ]
    for title, options in GROUPS.items():
        names = {one.name: one.metadata["role"] for one in fields(options)}
        lines += ["", f"## {title[0].upper()}{title[1:]}", "", "| flag | | role |", "|---|---|---|"]
        for action in parser._actions:
            if action.dest in names:
                text = (action.help or "").replace("|", "\\|")
                lines.append(f"| {_spellings(action)} | {text} | {names[action.dest]} |")
    return "\n".join(lines) + "\n"


def _spellings(action: argparse.Action) -> str:
    values = action.metavar or (f"{{{','.join(action.choices)}}}" if action.choices else "")
    values = "" if action.nargs == 0 else str(values).replace("|", "\\|")
    if action.nargs in ("?", "*"):
        values = f"[{values}{' ...' if action.nargs == '*' else ''}]"
    elif action.nargs == "+":
        values += " ..."
    elif isinstance(action.nargs, int) and action.nargs:
        values = " ".join([values] * action.nargs)
    words = ", ".join(action.option_strings)
    return f"`{words} {values}`" if values else f"`{words}`"


if __name__ == "__main__":
    print(flags_page(), end="")
