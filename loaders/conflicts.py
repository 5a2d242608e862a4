"""Flags of the data that make no sense together."""

from __future__ import annotations

from argparse import Namespace

from loaders.options import BatchOptions
from toolbox.utils.aami import classes_of
from toolbox.utils.options import Conflict, conflicts_of_each, spelling

FOLDS_VALIDATE = ("interpatient", "interpatient_strict", "databases")  # splits whose --fold says who validates
WINDOW_FLAGS = (
    "window_before", "window_after", "window_rate", "leads", "scale", "highpass", "baseline", "spliced"
)  # fmt: skip


def beyond_csv(args: Namespace) -> list[str]:
    """Flags that ask for more than rows of CSV files tell: patients or signals."""
    others = [flag for flag in ("split", "context") if getattr(args, flag) != "kaggle"]
    return others + [flag for flag in ("features", "neighbours") if getattr(args, flag)]


def window_samples(args: Namespace) -> list[int]:
    """Samples of a window before its R peak and from there on."""
    return [round(part * args.window_rate) for part in (args.window_before, args.window_after)]


def unread_address(flag: str, readers: tuple[str, ...]) -> Conflict:
    """The row that refuses a typed address that --source does not read."""
    return Conflict(
        lambda args: (args.starts or args.prepare) and flag in args.typed and args.source not in readers,
        f"{spelling(flag)} does nothing with --source {{source}}; it goes with --source {' or '.join(readers)}",
    )


CONFLICTS = (
    Conflict(
        lambda args: (
            args.num_classes not in (None, classes_of(args.dataset, args.split))
            and ("dataset" in args.given or not args.continues)
        ),
        lambda args: (
            f"--num-classes {args.num_classes}: {args.dataset} has {classes_of(args.dataset, args.split)} classes; "
            "leave the flag out"
        ),
    ),
    Conflict(
        lambda args: args.split == "kfold" and args.fold is None,
        "--split kfold needs --fold I/K: which of how many groups of patients tests",
    ),
    Conflict(
        lambda args: args.split == "kaggle" and args.fold is not None,
        "--fold goes with --split kfold, or with interpatient; Kaggle's split knows no patients",
    ),
    Conflict(
        lambda args: (args.starts or args.prepare) and args.patients and args.split not in ("kfold", "databases"),
        "--patients goes with --split kfold or --train-on, which keep the records of a person together",
    ),
    Conflict(
        lambda args: args.train_on and args.dataset.startswith("synthetic"),
        "--train-on names databases of people's records; leave it out with --dataset {dataset}",
    ),
    Conflict(
        lambda args: "split" in args.typed and args.train_on and args.split not in ("kfold", "databases"),
        "--split {split} names the records to train on itself; leave out --train-on, or --split",
    ),
    Conflict(
        lambda args: (args.starts or args.prepare) and args.split == "databases" and not args.train_on,
        "--split databases needs --train-on DB[:LIST]...",
    ),
    Conflict(
        lambda args: (args.starts or args.prepare) and args.test_on and not args.train_on,
        "--test-on goes with --train-on, and with --test of a run",
    ),
    Conflict(
        lambda args: args.test_on and args.split == "kfold",
        "--split kfold tests on a group of patients of --train-on; leave out --test-on, or --split",
    ),
    Conflict(
        lambda args: args.starts and args.symbols and not args.train_on,
        "--symbols goes with --train-on",
    ),
    Conflict(
        lambda args: args.split.startswith("interpatient") and args.dataset.startswith("synthetic"),
        "--split {split} is a list of MIT-BIH's records; take --split kfold for {dataset}",
    ),
    Conflict(
        lambda args: args.split != "kaggle" and args.validate_on == "test",
        "--validate-on test is the predecessor's protocol on Kaggle's split; leave it out",
    ),
    Conflict(
        lambda args: args.source in ("csv", "gdrive") and beyond_csv(args),
        lambda args: (
            f"--source {args.source}: CSV rows tell neither patients nor signals; --{beyond_csv(args)[0]} needs raw "
            "records (--source records or physionet, or --records-dir)"
        ),
    ),
    Conflict(
        lambda args: args.validate_on == "test" and beyond_csv(args),
        lambda args: f"--validate-on test is for Kaggle's rows as they are; leave out --{beyond_csv(args)[0]}",
    ),
    Conflict(
        lambda args: args.validate_on == "train" and args.fold and args.split != "kfold",
        "--validate-on train holds nobody out; leave out --fold, which says who validates",
    ),
    Conflict(
        lambda args: args.validate_on == "train" and args.monitor != "last",
        "--validate-on train: rows that were learned from choose no epoch; add --monitor last",
    ),
    Conflict(
        lambda args: args.spliced != "none" and args.split == "kaggle",
        "--spliced makes training patients; Kaggle's split has every patient in test, take another --split",
    ),
    *conflicts_of_each(
        WINDOW_FLAGS,
        lambda args, name: args.context == "kaggle" and name in args.changed,
        "{flag} goes with --context window",
    ),
    Conflict(
        lambda args: args.context == "window" and (window_samples(args)[1] < 1 or sum(window_samples(args)) < 16),
        "--window-before and --window-after: a row of less than 16 samples is no beat",
    ),
    Conflict(
        lambda args: args.context == "window" and args.progressive < BatchOptions.progressive,
        "--progressive reads the start of Kaggle's rows; leave it out with --context window",
    ),
    Conflict(
        lambda args: args.context == "window" and args.highpass >= args.window_rate / 2,
        "--highpass {highpass:g} Hz leaves nothing of {window_rate} samples per s",
    ),
    Conflict(
        lambda args: args.criterion == "logitadjusted" and args.sampler not in (None, "patients"),
        "--criterion logitadjusted goes by the classes' shares, which --sampler changes; take one of them",
    ),
    Conflict(
        lambda args: args.starts and args.criterion == "logitadjusted" and args.class_balance,
        "--criterion logitadjusted makes up for rare classes by itself; leave out --class-balance, which does so again",
    ),
    Conflict(
        lambda args: (
            args.starts and "effective_beta" in args.typed and "effective" not in (args.class_balance, args.sampler)
        ),
        "--effective-beta does nothing here; it goes with --class-balance effective or --sampler effective",
    ),
    Conflict(
        lambda args: args.starts and "val_fraction" in args.typed and args.validate_on != "val",
        "--val-fraction does nothing with --validate-on {validate_on}, which holds no rows out",
    ),
    Conflict(
        lambda args: args.starts and "val_fraction" in args.typed and args.fold and args.split in FOLDS_VALIDATE,
        "--val-fraction does nothing with --split {split} --fold {fold}: the fold says who validates",
    ),
    Conflict(
        lambda args: (
            args.starts and "highpass" in args.typed and args.context == "window" and args.baseline == "median"
        ),
        "--highpass does nothing with --baseline median; leave out one of them",
    ),
    *(
        unread_address(flag, readers)
        for flag, readers in {"gdrive_url": ("auto", "gdrive"), "physionet_url": ("auto", "physionet")}.items()
    ),
    Conflict(
        lambda args: args.starts and args.prune and args.sampler,
        "--prune leaves rows out by their loss; leave out --sampler, which draws them by their class",
    ),
    Conflict(
        lambda args: args.starts and args.prune and args.mixup,
        "--prune judges rows by their loss; leave out --mixup, which mixes them",
    ),
)
