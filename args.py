"""The command line: flags, where their values come from, and what a run is called."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path
from typing import Any

from commands.options import CommandOptions, ScoreOptions
from inference.options import CsvOptions, PredictOptions
from loaders import CLASSES_BY_PATIENT, NUM_CLASSES
from loaders.options import (
    BalanceOptions,
    BatchOptions,
    InputOptions,
    SourceOptions,
    SplitOptions,
    SyntheticPatientOptions,
)
from models import MODELS
from models.options import ModelOptions
from toolbox import patient_flags
from toolbox.options import CriterionOptions, DeviceOptions, OptimizerOptions, SchedulerOptions, TrainingOptions
from toolbox.runs.folders import versions
from toolbox.utils import UserError
from toolbox.utils.options import Brief, Refusing, add_options, parse_values, read_config, with_role
from toolbox.utils.program import program_words

DESCRIPTION = """Train, resume and test networks that classify heartbeats of the MIT-BIH Arrhythmia Database.
Each training is a run with a folder of its own, ROOT/DATASET/runs/NAME."""

GROUPS: dict[str, type] = {
    "what to do (default: train)": CommandOptions,
    "annotate recordings": PredictOptions,
    "recordings as CSV files": CsvOptions,
    "score annotations, beat by beat (EC57)": ScoreOptions,
    "data": SourceOptions,
    "who trains and who tests": SplitOptions,
    "model input of a beat (all but the defaults need raw records)": InputOptions,
    "patients made of the training records' own beats": SyntheticPatientOptions,
    "model": ModelOptions,
    "training": TrainingOptions,
    "batches": BatchOptions,
    "rare classes": BalanceOptions,
    "optimizer": OptimizerOptions,
    "learning rate": SchedulerOptions,
    "loss": CriterionOptions,
    "device": DeviceOptions,
}
# The flags of a run's name, in the name's order come first; the others say what to do now, or may change on --resume.
NAME_FLAGS = with_role("name", *GROUPS.values())
ACTION_FLAGS = with_role("action", *GROUPS.values())
FREE_FLAGS = with_role("free", *GROUPS.values())


def get_parser(kind: type[argparse.ArgumentParser] = Brief) -> argparse.ArgumentParser:
    """The parser with all flags, their help and defaults."""
    parser = kind(
        prog=program_words()[-1],
        description=DESCRIPTION,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    for title, options in GROUPS.items():
        add_options(parser, options, title)
    return parser


def parse_args(argv: list[str] | None = None) -> Namespace:
    """The flags: those given, else those of --config, else the defaults. Exits with code 2 on a mistake.

    Returns:
        A Namespace with a value for each flag and `given`, the set of names that were given (by flag or file).
    """
    parser = get_parser()
    unset = object()
    flags = {action.dest: action.default for action in parser._actions if action.dest != "help"}
    parsed = parser.parse_args(argv, Namespace(**dict.fromkeys(flags, unset)))
    given = {key: value for key, value in vars(parsed).items() if value is not unset}
    from_file: dict[str, Any] = {}
    if "config" in given:
        try:
            from_file = parse_values(read_config(given["config"]), get_parser(Refusing), without=("config",))
        except UserError as error:
            parser.error(f"--config {given['config']}: {error}")
        for pair in (("sampler", "class_balance"), ("pretrained", "import_weights")):
            for one, other in (pair, pair[::-1]):
                if one in given and other not in given:
                    from_file.pop(other, None)  # the two exclude each other, and flags win
    args = Namespace(**{**flags, **from_file, **given}, given=frozenset({**from_file, **given}))
    _check(args, parser)
    return args


def stored_options(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """The flags that a run's config.json at `path` holds, checked as if they had been typed.

    Raises:
        UserError: an unknown flag or a bad value: it was edited, damaged, or written by a newer version.
    """
    try:
        parser = get_parser(Refusing)
        options = parse_values(values, parser, without=ACTION_FLAGS)
        if not {"dataset", "model_name"} <= options.keys():
            raise UserError("dataset and model_name are missing")
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return {**{key: parser.get_default(key) for key in values}, **options}


def _check(args: Namespace, parser: argparse.ArgumentParser) -> None:
    if args.export and (args.score or args.predict or args.test or args.prepare or args.seeds > 1):
        parser.error("--export writes a model; leave out --score, --predict, --test, --prepare and --seeds")
    if args.score:
        if args.prepare or args.test or args.resume:
            parser.error("--score compares annotation files; leave out --test, --resume and --prepare")
        if args.predict:
            parser.error("--score and --predict are two commands; annotate first, then score")
        return
    _check_run(args, parser)


def _check_run(args: Namespace, parser: argparse.ArgumentParser) -> None:
    for flag in sorted({"score_dir", "exclude"} & args.given):
        parser.error(f"--{flag.replace('_', '-')} goes with --score")
    if args.out and not (args.predict or args.export):
        parser.error("--out goes with --score, --predict or --export")
    classes = (NUM_CLASSES if args.split == "kaggle" else CLASSES_BY_PATIENT)[args.dataset]
    if args.num_classes not in (None, classes) and ("dataset" in args.given or not _continues(args)):
        parser.error(f"--num-classes {args.num_classes}: {args.dataset} has {classes} classes; leave the flag out")
    _check_predict(args, parser)
    patient_flags.check(args, parser)
    if args.prepare and (args.test or args.resume):
        parser.error("--prepare stops after the data; leave out --test and --resume")
    if args.write_records and not (args.prepare and args.dataset.startswith("synthetic")):
        parser.error("--write-records goes with --prepare --dataset synthetic")
    if args.resume and "start_epoch" in args.given:
        parser.error("--start-epoch conflicts with --resume, which knows its epoch")
    if args.resume and args.pretrained and "pretrained" in args.given:
        parser.error("--pretrained conflicts with --resume, which brings its own weights")
    if args.import_weights and "import_weights" in args.given and (_continues(args) or args.prepare):
        parser.error("--import-weights starts a training; leave out --test, --resume and --prepare, and test that run")
    if _continues(args) and args.version == "bump":
        parser.error("--version bump starts a new run; --resume and --test take latest or a number")
    if not (_continues(args) or args.prepare):
        _check_start(args, parser)


def _check_start(args: Namespace, parser: argparse.ArgumentParser) -> None:
    if args.version == "latest":
        parser.error("--version latest is a run there is: add --resume latest to go on with it, or --test to score it")
    if args.model_name is None:
        parser.error(f"--model-name is missing; one of {', '.join(MODELS)}")
    if args.prune and args.sampler:
        parser.error("--prune leaves rows out by their loss; leave out --sampler, which draws them by their class")
    if args.prune and args.mixup:
        parser.error("--prune judges rows by their loss; leave out --mixup, which mixes them")
    if args.start_epoch > args.epochs:
        parser.error(f"--start-epoch {args.start_epoch} lies behind --epochs {args.epochs}")


def _check_predict(args: Namespace, parser: argparse.ArgumentParser) -> None:
    if "-" in (args.predict or ()):
        _check_stream(args, parser)
    if args.predict and (args.test or args.prepare):
        parser.error("--predict annotates recordings; leave out --test and --prepare")
    if args.model_file and (args.resume or args.version):
        parser.error("--model-file is the model; leave out --resume and --version")
    if args.annotator == args.peaks:
        parser.error(f"--annotator {args.annotator}: --peaks reads those files; write others")
    if args.model_file and args.model_file.endswith(".onnx") and (args.export or args.engine == "torch"):
        parser.error(f"--model-file {args.model_file}: expected a checkpoint; --engine onnx annotates with .onnx files")
    predicting = ("lead", "peaks", "polarity", "live", "annotator", "png", "fs", "columns", "gain", "engine")
    for name in ("model_file", *predicting):
        if name in args.given and getattr(args, name) and not (args.predict or (args.export and name == "model_file")):
            parser.error(f"--{name.replace('_', '-')} goes with --predict")


def _check_stream(args: Namespace, parser: argparse.ArgumentParser) -> None:
    if len(args.predict) > 1:
        parser.error("--predict - reads standard input; annotate other recordings by a command of their own")
    if args.fs is None:
        parser.error("--predict -: lines of numbers do not tell their sampling rate; give it by --fs")
    for name in ("peaks", "annotator", "png", "out", "workers"):
        if name in args.given:
            parser.error(f"--predict - writes lines to standard output; leave out --{name}")


def _continues(args: Namespace) -> bool:
    return bool(args.test or args.resume or args.predict or args.export)


def run_options(args: Namespace) -> dict[str, Any]:
    """The flags that say what a run is, as config.json keeps them."""
    return {key: value for key, value in sorted(vars(args).items()) if key not in (*ACTION_FLAGS, "given")}


def extract_name(args: Namespace) -> str:
    """What the flags call a run, up to its version: "ecg_resnet1d_10_opadam_StepLR_lr0.01_nll_bs128_"."""
    name = f"{args.dataset}_{args.model_name}_op{args.optimizer}_{args.scheduler}_lr{args.lr}_{args.criterion}"
    name += f"_bs{args.batch_size}_"
    if args.class_balance:
        name += f"cb{args.class_balance}_"
    if args.sampler:
        name += f"samp{args.sampler}_"
    if args.split != "kaggle":
        name += f"split{args.split}_"
    if args.fold:
        name += f"fold{args.fold.replace('/', 'of')}_"
    return name


def get_version(args: Namespace) -> int | None:
    """The version that --version means among the runs of these flags: N itself, the newest, or the next free one.

    None when "latest" is asked for and there is none.
    """
    if args.version not in (None, "bump", "latest"):
        return int(args.version)
    taken = versions(Path(args.root_dir) / args.dataset / "runs", extract_name(args))
    if args.version == "latest":
        return taken[-1] if taken else None
    return (taken[-1] if taken else 0) + 1
