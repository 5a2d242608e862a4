"""The trackers that --tracker and --tensorboard name, and a run as they show it."""

from __future__ import annotations

import shlex
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from args import FREE_FLAGS, LABELS, NAME_FLAGS
from commands.runs import DEFAULTS
from toolbox.reports.comparison import KAGGLE, ONLY_BY_PATIENT
from toolbox.reports.null_logger import NullLogger
from toolbox.reports.trackers import check_packages, open_trackers
from toolbox.reports.trackers.facts import RunFacts
from toolbox.runs.folders import Run, flag_words
from toolbox.utils.program import program_words

# Scores in tables of runs, after the main one.
SHOWN = ("macro_f1", "acc1", "acc_class", "kappa", "j_kappa", "AUROC", "mAP", "meanIoU", "fwavacc", "loss")


def tracker_names(args: Namespace) -> list[str]:
    """The trackers that the flags name, each once."""
    names = dict.fromkeys(["tensorboard"] if args.tensorboard else [])
    return [name for name in (names | dict.fromkeys(args.tracker)) if name != "none"]


def check_trackers(args: Namespace) -> None:
    """Raise UserError when the package of a tracker is missing."""
    check_packages(tracker_names(args))


def open_board(args: Namespace, run: Run, first_epoch: int | None, enabled: bool = True) -> NullLogger:
    """A logger of `run` to the trackers; without any, or not `enabled`, one that does nothing.

    Args:
        first_epoch: whose events follow; None after the last.
    """
    names = tracker_names(args) if enabled else []
    if not names:
        return NullLogger()
    options = hyperparameters(run)
    board = open_trackers(names, RunFacts(run.path, run.title, run.tags, texts_about(run), options), first_epoch)
    board.about(texts_about(run))
    board.hparams(options, {}, score_names(run))
    return board


def hyperparameters(run: Run) -> dict[str, Any]:
    """The flags that may change a result: the network first, then those of the run's name, then the others."""
    options = run.options
    free = set(FREE_FLAGS) - {"epochs", "patience"}
    names = dict.fromkeys(["model_name", *NAME_FLAGS, "epochs", "seed", *sorted(options)])
    return {name: options[name] for name in names if name in options and name not in free}


def texts_about(run: Run) -> dict[str, str]:
    """Texts by heading: the note, the command that started the run, the flags that differ from their defaults."""
    flags_of_results = {key: value for key, value in run.options.items() if key in DEFAULTS and key not in LABELS}
    changed = {key: value for key, value in flags_of_results.items() if value != DEFAULTS[key]}
    flags = [shlex.join(flag_words(key, value)) for key, value in changed.items() if flag_words(key, value)]
    command = run.config.get("command")
    words = [*program_words(), *map(str, command[1:])] if isinstance(command, list) else []
    texts = {"note": run.remark, "command": shlex.join(words), "changed flags": "  \n".join(flags)}
    return {heading: text for heading, text in texts.items() if text}


def score_names(run: Run) -> list[str]:
    """Names of final scores in the order of their columns: the main one first, those of the test last."""
    main = (KAGGLE if run.options.get("split", "kaggle") == "kaggle" else ONLY_BY_PATIENT)[-1]
    names = list(dict.fromkeys([main, *SHOWN]))
    return [*names, *(f"test_{name}" for name in names)]


def final_scores(run: Run, scores: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """The scores of `score_names`, each with `before` in its name."""
    names: Sequence[str] = [name for name in score_names(run) if not name.startswith("test_")]
    return {f"{before}{name}": scores[name] for name in names if scores.get(name) is not None}
