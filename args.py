"""The command line: flags, where their values come from, and what a run is called."""

from __future__ import annotations

import argparse
from argparse import ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

from loaders import (
    BASELINES,
    CLASSES_BY_PATIENT,
    CONTEXTS,
    DATASETS,
    FEATURES,
    NUM_CLASSES,
    SAMPLERS,
    SAMPLINGS,
    SOURCES,
    SPLITS,
    augmentation,
    splicing,
)
from models import MODELS
from toolbox import CRITERIA, OPTIMIZERS, SCHEDULERS, patient_flags
from toolbox.flags import Brief, Refusing, named, number, parse_values, read_config
from toolbox.runs import versions
from toolbox.utils import UserError

DESCRIPTION = """Train, resume and test networks that classify heartbeats of the MIT-BIH Arrhythmia Database.
Each training is a run with a folder of its own, ROOT/DATASET/runs/NAME."""

# A run is found again by these flags, which make its name.
NAME_FLAGS = (
    "dataset",
    "model_name",
    "optimizer",
    "scheduler",
    "lr",
    "criterion",
    "batch_size",
    "class_balance",
    "sampler",
    "split",
    "fold",
)
# These say what to do and where, not what is trained; config.json does not hand them on.
ACTION_FLAGS = (
    "test", "prepare", "resume", "version", "config", "root_dir", "write_records", "verbose", "score", "ref_annotator",
    "test_annotator", "score_dir", "exclude", "score_start", "match_window", "out", "predict", "model_file",
    "lead", "peaks", "polarity", "live", "annotator", "png", "fs", "columns", "gain", "seeds", "experiment", "export",
    "engine",
)  # fmt: skip
# These may differ when a run is resumed: where data and progress go, and how far. The rest is what the run is.
FREE_FLAGS = (
    "epochs", "workers", "tensorboard", "disable_cuda", "records_dir", "source", "gdrive_url", "physionet_url",
    "checkpoint_minutes",
)  # fmt: skip


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


def sampling(text: str) -> str | None:
    """An argparse type: "equal", "importance" or "none", which is what a flag that is left out means."""
    return _one_of(text, SAMPLINGS)


def sampler(text: str) -> str | None:
    """An argparse type: the same, or "patients"."""
    return _one_of(text, SAMPLERS)


def _one_of(text: str, names: tuple[str, ...]) -> str | None:
    if text not in ("none", *names):
        raise ArgumentTypeError(f"{text!r}: expected none, {' or '.join(names)}")
    return None if text == "none" else text


def extension(text: str) -> str:
    """An argparse type: what an annotation file's name may end in; nothing that recordings or reports end in."""
    taken = ("hea", "dat", "edf", "csv", "tsv", "txt", "json", "html", "png")
    if not (text.isascii() and text.isalnum() and text[0].isalpha()) or text.lower() in taken:
        raise ArgumentTypeError(f"{text!r}: expected letters and digits, and none of {', '.join(taken)}")
    return text


def _add_action_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to do (default: train)")
    group.add_argument("--test", action="store_true", help="score the test split; with --resume, default best")
    group.add_argument("--prepare", action="store_true", help="build or verify the data, print what they are, stop")
    group.add_argument("--export", choices=("onnx",), help="write a run's model for use without torch, and check it")
    group.add_argument("--resume", type=resume_name, default="", help="latest, best or an epoch: go on from there")
    group.add_argument(
        "--version", type=version_name, default=None,
        help="bump, latest or N: which run of these flags; bump when training starts, else latest",
    )  # fmt: skip
    start = group.add_mutually_exclusive_group()
    start.add_argument("--pretrained", metavar="PATH|RUN", help="start from the best weights of a file or another run")
    start.add_argument(
        "--import-weights",
        metavar="FILE",
        help="start from the weights of a predecessor's .pth.tar; runs no code of it",
    )
    group.add_argument(
        "--short-run", action="store_true", help="10 mini-batches per pass: a trial of the whole pipeline"
    )
    group.add_argument(
        "--seeds", type=number(int, 1, 1000), default=1, help="train, or score, so many seeds as one experiment"
    )
    group.add_argument("--verbose", action="store_true", help="print every validation prediction")
    group.add_argument("--config", metavar="FILE", help="YAML file of flag defaults, or a run's config.json")
    group.add_argument(
        "--write-records", metavar="DIR", help="with --prepare: write synthetic recordings as WFDB records"
    )


def _add_score_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("score annotations, beat by beat (EC57)")
    group.add_argument(
        "--score", nargs="+", metavar="REF", help="folders of WFDB records, or records: compare two annotators of each"
    )
    group.add_argument("--ref-annotator", default="atr", help="who is right")
    group.add_argument("--test-annotator", default="ecg", help="who is scored")
    group.add_argument(
        "--score-dir", metavar="DIR", help="where the annotations to score are, if not beside the records"
    )
    group.add_argument(
        "--exclude", nargs="+", default=[], metavar="NAME", help="records not to score, such as paced ones"
    )
    group.add_argument("--score-start", type=number(float, 0), default=300.0, help="seconds at the start left out")
    group.add_argument(
        "--match-window", type=number(float, 0), default=0.15, help="seconds that two beats of a pair may lie apart"
    )
    group.add_argument(
        "--out", metavar="PATH", help="--score writes PATH.json and PATH.txt; --predict and --export into folder PATH"
    )


def _add_data_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("data")
    group.add_argument("--dataset", type=named(DATASETS), default="ecg", help=f"one of {', '.join(DATASETS)}")
    group.add_argument("--root-dir", default="ecg_data", help="folder of data and runs")
    group.add_argument("--source", choices=SOURCES, default="auto", help="where MIT-BIH rows come from")
    group.add_argument("--records-dir", help="folder of raw WFDB records; ROOT/mitdb unless given")
    group.add_argument("--gdrive-url", help="another address of the archive with the two CSV files")
    group.add_argument("--physionet-url", help="another address of the records and their SHA256SUMS.txt")
    group.add_argument(
        "--val-fraction",
        type=number(float, 0, 0.5, above=True),
        default=0.1,
        help="share of train held out for validation",
    )
    group.add_argument(
        "--validate-on",
        choices=("val", "test", "train"),
        default="val",
        help="test: the predecessor's protocol, which leaks; train: nothing is held out, for recipes that are settled",
    )
    group.add_argument(
        "--num-classes", type=number(int, 2), help="follows from the dataset; another number is an error"
    )
    group.add_argument(
        "--workers", "-j", type=number(int, 0, 1024), default=0, help="processes that gather batches; 0 is fastest"
    )
    group.add_argument(
        "--synthetic-patients", type=number(int, 2, 10000), default=24, help="recordings of --dataset synthetic"
    )
    group.add_argument("--synthetic-minutes", type=number(float, 1, 1440), default=10.0, help="length of each of them")
    group.add_argument("--synthetic-seed", type=number(int, 0), default=0, help="what they are drawn from")


def _add_training_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("model and training")
    group.add_argument("--model-name", type=named(MODELS), help=f"one of {', '.join(MODELS)}")
    group.add_argument(
        "--masking",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="sequence models stop where the padding starts",
    )
    group.add_argument("--epochs", type=number(int, 1), default=20, help="how many epochs in all")
    group.add_argument(
        "--checkpoint-minutes",
        type=number(float, 0),
        default=5.0,
        help="time between checkpoints within an epoch; 0: none",
    )
    group.add_argument("--start-epoch", type=number(int, 1), default=1, help="number of the first epoch")
    group.add_argument("--batch-size", type=number(int, 1, 10**9), default=128, help="rows per step")
    group.add_argument("--optimizer", type=named(OPTIMIZERS), default="adam", help=f"one of {', '.join(OPTIMIZERS)}")
    group.add_argument(
        "--lr", type=number(float, 0, above=True), default=0.01, help="learning rate; the highest of a schedule"
    )
    group.add_argument("--momentum", type=number(float, 0, 1), default=0.9, help="of sgd")
    group.add_argument(
        "--betas", type=number(float, 0, 1, below=True), nargs=2, default=[0.9, 0.999], help="of adam and adamw"
    )
    group.add_argument(
        "--weight-decay",
        "--wd",
        type=number(float, 0),
        default=1e-4,
        help="of the weights; biases and normalisation go without",
    )
    group.add_argument("--scheduler", type=named(SCHEDULERS), default="StepLR", help=f"one of {', '.join(SCHEDULERS)}")
    group.add_argument(
        "--step", type=number(int, 1), default=5, help="epochs: period of StepLR, patience of ReduceLROnPlateau"
    )
    group.add_argument(
        "--lr-decay", type=number(float, 0, 1, above=True), default=0.995, help="factor of these and of ExponentialLR"
    )
    group.add_argument(
        "--warmup", type=number(float, 0, 1), default=0.1, help="share of all steps that cosine and onecycle rise for"
    )
    group.add_argument("--criterion", type=named(CRITERIA), default="nll", help=f"one of {', '.join(CRITERIA)}")
    group.add_argument("--focal-gamma", type=number(float, 0), default=2.0, help="of focal")
    group.add_argument("--label-smoothing", type=number(float, 0, 1), default=0.0, help="of crossentropy")
    balance = group.add_mutually_exclusive_group()
    balance.add_argument(
        "--class-balance",
        type=sampling,
        metavar="{none,equal,importance,effective}",
        help="weigh the errors of each class",
    )
    balance.add_argument(
        "--sampler",
        type=sampler,
        metavar="{none,equal,importance,effective,patients}",
        help="draw rows of each class more or less often; patients: those of each patient alike",
    )
    group.add_argument(
        "--monitor",
        choices=("macro_f1", "acc1", "acc_class", "meanIoU", "mAP", "kappa", "j_kappa", "loss", "last"),
        default="macro_f1",
        help="validation score that the best epoch is chosen by; last: always the last epoch",
    )
    group.add_argument(
        "--seed", type=number(int, 0, 2**32 - 1), default=42, help="of weights, order and validation split"
    )
    group.add_argument(
        "--progressive",
        type=number(int, 16, 187),
        default=187,
        help="samples of a row that the first epoch reads; more in each, all after 3/5 of them",
    )
    group.add_argument(
        "--prune",
        type=number(float, 0, 0.95),
        default=0.0,
        help="share of the rows, among those known best, that each epoch after the first leaves out",
    )
    group.add_argument("--accumulate", type=number(int, 1), default=1, help="batches per optimizer step")
    group.add_argument(
        "--clip-grad", type=number(float, 0, above=True), help="longest gradient, as a norm over all weights"
    )
    group.add_argument(
        "--ema",
        type=number(float, 0, 1),
        default=0.999,
        help="decay of the averaged weights that are scored and kept as the model; 0: no average",
    )
    group.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, default=False, help="torch.compile: pays on GPUs"
    )
    group.add_argument(
        "--precision", choices=("auto", "fp32", "bf16"), default="auto", help="auto: bf16 where the hardware has it"
    )
    group.add_argument(
        "--deterministic", action=argparse.BooleanOptionalAction, default=False, help="the same bits every time on GPUs"
    )
    group.add_argument("--disable-cuda", action="store_true", help="stay on the CPU")
    group.add_argument(
        "--tensorboard", action=argparse.BooleanOptionalAction, default=False, help="write events for TensorBoard"
    )


def _add_predict_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("recordings of one's own")
    group.add_argument(
        "--predict",
        nargs="+",
        metavar="RECORDING",
        help="annotate WFDB records, EDF and CSV files, folders of them; -: CSV lines as they come",
    )
    group.add_argument("--model-file", metavar="FILE", help="checkpoint or .onnx to annotate with, else best of a run")
    group.add_argument(
        "--engine", choices=("auto", "torch", "onnx"), default="auto", help="auto: onnx for a --model-file *.onnx"
    )
    group.add_argument("--lead", metavar="NAME", help="lead to annotate; MLII or II unless given, else the first")
    group.add_argument(
        "--peaks",
        type=extension,
        default="detect",
        metavar="detect|ANNOTATOR",
        help="find R peaks, or take a file's beats",
    )
    group.add_argument(
        "--polarity", choices=("auto", "keep", "invert"), default="auto", help="auto turns a lead that is upside down"
    )
    group.add_argument(
        "--live", action="store_true", help="as if recordings came live: a beat knows the 3 s after its R peak"
    )
    group.add_argument("--annotator", type=extension, default="ecg", help="extension of the annotation files written")
    group.add_argument("--png", action="store_true", help="draw the most telling strips as a picture, too")
    group.add_argument("--fs", type=number(float, 0, above=True), help="of CSV files: samples per second")
    group.add_argument(
        "--columns", nargs="+", metavar="NAME|N", default=[], help="of CSV files: columns that are leads"
    )
    group.add_argument(
        "--gain", type=number(float, 0, above=True), help="of CSV files: what 1 mV is written as, 1000 for microvolts"
    )


def get_parser(kind: type[argparse.ArgumentParser] = Brief) -> argparse.ArgumentParser:
    """The parser with all flags, their help and defaults."""
    parser = kind(
        prog="commander.py",
        description=DESCRIPTION,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    _add_action_flags(parser)
    _add_score_flags(parser)
    _add_data_flags(parser)
    patient_flags.add_split_flags(parser, SPLITS)
    patient_flags.add_context_flags(parser, CONTEXTS, BASELINES, FEATURES)
    _add_training_flags(parser)
    _add_predict_flags(parser)
    patient_flags.add_imbalance_flags(parser, augmentation, splicing)
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
