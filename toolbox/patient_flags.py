"""The flags of splits by patient and of what a beat may know, and what about them excludes what."""

from __future__ import annotations

import argparse
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence

from toolbox.flags import named, number
from toolbox.utils import Registry, UserError

WINDOW_FLAGS = (
    "window_before", "window_after", "window_rate", "leads", "scale", "highpass", "baseline", "spliced"
)  # fmt: skip


def fold_name(text: str) -> str | None:
    """An argparse type: "I/K" (1 <= I <= K, 2 <= K), or "none"."""
    if text == "none":
        return None
    number_of, slash, folds = text.partition("/")
    plain = all(part.isascii() and part.isdigit() for part in (number_of, folds))
    if not slash or not plain or not 1 <= int(number_of) <= int(folds) or int(folds) < 2:
        raise ArgumentTypeError(f"{text!r}: expected I/K, as 2/5: the second of five groups of patients")
    return f"{int(number_of)}/{int(folds)}"


def add_split_flags(parser: argparse.ArgumentParser, splits: Sequence[str]) -> None:
    """--split and --fold."""
    group = parser.add_argument_group("who trains and who tests")
    group.add_argument(
        "--split",
        choices=splits,
        default="kaggle",
        help="kaggle mixes patients; interpatient: DS1/DS2 (de Chazal 2004), strict: without 202; kfold: by patient",
    )
    group.add_argument(
        "--fold",
        type=fold_name,
        metavar="I/K",
        help="which of K groups of patients tests (kfold), or validates within DS1 (interpatient)",
    )


def add_context_flags(
    parser: argparse.ArgumentParser, contexts: Sequence[str], baselines: Sequence[str], features: Registry
) -> None:
    """What a row is, and the numbers beside it."""
    group = parser.add_argument_group("what a beat may know (all but the defaults need raw records)")
    group.add_argument(
        "--context", choices=contexts, default="kaggle", help="a row: 187 samples from the R peak, or a window"
    )
    group.add_argument("--window-before", type=number(float, 0, 60), default=0.5, help="s before the R peak")
    group.add_argument(
        "--window-after", type=number(float, 0, 60, above=True), default=0.5, help="s from the R peak on, all future"
    )
    group.add_argument("--window-rate", type=number(int, 20, 2000), default=120, help="samples per s of a window")
    group.add_argument("--leads", type=number(int, 1, 16), default=1, help="leads of a window, MLII first")
    group.add_argument(
        "--scale",
        choices=("record", "window", "none"),
        default="record",
        help="unit of a window: the recording's typical beat, its own standard deviation, mV",
    )
    group.add_argument("--highpass", type=number(float, 0, 20), default=0.5, help="Hz, of a window's signal; 0: none")
    group.add_argument(
        "--baseline",
        choices=baselines,
        default="highpass",
        help="how its wander is taken out: --highpass, or medians of 0.2 and 0.6 s and a low-pass (de Chazal 2004)",
    )
    group.add_argument(
        "--features",
        type=named(features),
        nargs="*",
        default=[],
        metavar="GROUP",
        help=f"numbers beside the row: {', '.join(features)}",
    )
    group.add_argument(
        "--neighbours", type=number(int, 0, 100), default=0, help="rows of that many beats before and after come along"
    )


def add_imbalance_flags(
    parser: argparse.ArgumentParser, augmentation: Callable[[str], object], splicing: Callable[[str], object]
) -> None:
    """What helps where rare classes and few patients are to be learned from."""
    group = parser.add_argument_group("changes of rows, and rare classes")

    def read_by(reader: Callable[[str], object]) -> Callable[[str], str]:
        def check(text: str) -> str:
            try:
                reader(text)
            except UserError as error:
                raise ArgumentTypeError(str(error)) from error
            return text

        return check

    group.add_argument(
        "--spliced",
        type=read_by(splicing),
        default="none",
        help="patients made of each training record's own beats: none, or kinds and how many, as atrial:10+block:2",
    )
    group.add_argument(
        "--augment",
        type=read_by(augmentation),
        default="none",
        help="change rows at random: none, light, strong, or changes with their sizes, as noise:0.05+invert+droprr:0.2",
    )
    group.add_argument("--mixup", type=number(float, 0, 10), default=0.0, help="alpha of mixup (Zhang 2018); 0: none")
    group.add_argument(
        "--effective-beta", type=number(float, 0, 0.9999999), default=0.999, help="of effective (Cui 2019)"
    )
    group.add_argument("--logit-tau", type=number(float, 0, 10), default=1.0, help="of logitadjusted (Menon 2021)")


def check(args: Namespace, parser: argparse.ArgumentParser) -> None:
    """Refuse what makes no sense together; exits with code 2."""
    if args.split == "kfold" and args.fold is None:
        parser.error("--split kfold needs --fold I/K: which of how many groups of patients tests")
    if args.split == "kaggle" and args.fold is not None:
        parser.error("--fold goes with --split kfold, or with interpatient; Kaggle's split knows no patients")
    if args.split.startswith("interpatient") and args.dataset.startswith("synthetic"):
        parser.error(f"--split {args.split} is a list of MIT-BIH's records; take --split kfold for {args.dataset}")
    if args.split != "kaggle" and args.validate_on == "test":
        parser.error("--validate-on test is the predecessor's protocol on Kaggle's split; leave it out")
    asked = [flag for flag in ("split", "context") if getattr(args, flag) != "kaggle"]
    asked += [flag for flag in ("features", "neighbours") if getattr(args, flag)]
    if asked and args.source in ("csv", "gdrive"):
        parser.error(
            f"--source {args.source}: CSV rows tell neither patients nor signals; --{asked[0]} needs raw records "
            "(--source records or physionet, or --records-dir)"
        )
    if args.validate_on == "test" and asked:
        parser.error(f"--validate-on test is for Kaggle's rows as they are; leave out --{asked[0]}")
    _check_training(args, parser)
    if args.seeds > 1:
        if args.prepare or (args.resume and not args.test and args.resume != "latest"):
            parser.error("--seeds goes with training, with --resume latest and with --test")
        if args.version not in (None, "bump", "latest"):
            parser.error(f"--version {args.version} names one run; --seeds takes the newest experiment, or starts one")
    _check_context(args, parser)


def _check_training(args: Namespace, parser: argparse.ArgumentParser) -> None:
    if args.validate_on == "train":
        if args.fold and args.split != "kfold":
            parser.error("--validate-on train holds nobody out; leave out --fold, which says who validates")
        if args.monitor != "last":
            parser.error("--validate-on train: rows that were learned from choose no epoch; add --monitor last")
    if args.spliced != "none" and args.split == "kaggle":
        parser.error(
            "--spliced makes training patients; Kaggle's split has every patient in test, take another --split"
        )
    if args.criterion == "logitadjusted" and args.sampler not in (None, "patients"):
        parser.error("--criterion logitadjusted goes by the classes' shares, which --sampler changes; take one of them")


def _check_context(args: Namespace, parser: argparse.ArgumentParser) -> None:
    if args.context == "kaggle":
        idle = [flag for flag in WINDOW_FLAGS if flag in args.given and getattr(args, flag) != parser.get_default(flag)]
        if idle:
            parser.error(f"--{idle[0].replace('_', '-')} goes with --context window")
        return
    samples = [round(part * args.window_rate) for part in (args.window_before, args.window_after)]
    if samples[1] < 1 or sum(samples) < 16:
        parser.error("--window-before and --window-after: a row of less than 16 samples is no beat")
    if args.progressive < parser.get_default("progressive"):
        parser.error("--progressive reads the start of Kaggle's rows; leave it out with --context window")
    if args.highpass >= args.window_rate / 2:
        parser.error(f"--highpass {args.highpass:g} Hz leaves nothing of {args.window_rate} samples per s")
