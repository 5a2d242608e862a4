"""Flags of the data: sources, splits, model inputs, synthetic patients and batches."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
from dataclasses import dataclass

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
)  # fmt: skip
from toolbox.utils import UserError
from toolbox.utils.options import Conflict, conflicts_of_each, named, number, one_of, option


def fold_name(text: str) -> str | None:
    """An argparse type: "I/K" (1 <= I <= K, 2 <= K), or "none"."""
    if text == "none":
        return None
    index, slash, folds = text.partition("/")
    plain = all(part.isascii() and part.isdigit() for part in (index, folds))
    if not slash or not plain or not 1 <= int(index) <= int(folds) or int(folds) < 2:
        raise ArgumentTypeError(f"{text!r}: expected I/K, as 2/5: the second of five groups of patients")
    return f"{int(index)}/{int(folds)}"


def read_by(reader: Callable[[str], object]) -> Callable[[str], str]:
    """An argparse type: a text that `reader` accepts, kept as it was typed."""

    def check(text: str) -> str:
        try:
            reader(text)
        except UserError as error:
            raise ArgumentTypeError(str(error)) from error
        return text

    return check


@dataclass(frozen=True)
class SourceOptions:
    """Which data, and where they come from."""

    dataset: str = option("ecg", f"one of {', '.join(DATASETS)}", type=named(DATASETS), role="name", common=True)
    root_dir: str = option("ecg_data", "folder of data and runs", metavar="DIR", role="action", common=True)
    source: str = option("auto", "where MIT-BIH rows come from", choices=SOURCES, role="free")
    records_dir: str | None = option(
        None, "folder of raw WFDB records; ROOT/mitdb unless given", metavar="DIR", role="free", common=True
    )
    gdrive_url: str | None = option(
        None, "another address of the archive with the two CSV files", metavar="URL", role="free"
    )
    physionet_url: str | None = option(
        None, "another address of the records and their SHA256SUMS.txt", metavar="URL", role="free"
    )
    num_classes: int | None = option(
        None, "follows from the dataset; another number is an error", type=number(int, 2), metavar="N"
    )
    synthetic_patients: int = option(24, "recordings of --dataset synthetic", type=number(int, 2, 10000))
    synthetic_minutes: float = option(10.0, "length of each of them", type=number(float, 1, 1440), metavar="MINUTES")
    synthetic_seed: int = option(0, "what they are drawn from", type=number(int, 0))


@dataclass(frozen=True)
class SplitOptions:
    """Which rows train, validate and test."""

    split: str = option(
        "kaggle",
        "kaggle mixes patients; interpatient: DS1/DS2 (de Chazal 2004), strict: without 202; kfold: by patient",
        choices=SPLITS,
        role="name",
        common=True,
    )
    fold: str | None = option(
        None,
        "which of K groups of patients tests (kfold), or validates within DS1 (interpatient)",
        type=fold_name,
        metavar="I/K",
        role="name",
    )
    val_fraction: float = option(0.1, "share of train held out for validation", type=number(float, 0, 0.5, above=True))
    validate_on: str = option(
        "val",
        "test: the predecessor's protocol, which leaks; train: nothing is held out, for recipes that are settled",
        choices=("val", "test", "train"),
    )


@dataclass(frozen=True)
class InputOptions:
    """Model input of a beat (all but the defaults need raw records)."""

    context: str = option("kaggle", "a row: 187 samples from the R peak, or a window", choices=CONTEXTS)
    window_before: float = option(0.5, "seconds before the R peak", type=number(float, 0, 60), metavar="S")
    window_after: float = option(
        0.5, "seconds from the R peak on, all future", type=number(float, 0, 60, above=True), metavar="S"
    )
    window_rate: int = option(120, "samples per second of a window", type=number(int, 20, 2000), metavar="HZ")
    leads: int = option(1, "leads of a window, MLII first", type=number(int, 1, 16))
    scale: str = option(
        "record",
        "unit of a window: the recording's typical beat, its own standard deviation, mV",
        choices=("record", "window", "none"),
    )
    highpass: float = option(
        0.5, "cut-off of the high-pass filter of a window's signal; 0: none", type=number(float, 0, 20), metavar="HZ"
    )
    baseline: str = option(
        "highpass",
        "how its wander is taken out: --highpass, or medians of 0.2 and 0.6 s and a low-pass (de Chazal 2004)",
        choices=BASELINES,
    )
    features: list[str] = option(
        [], f"numbers beside the row: {', '.join(FEATURES)}", type=named(FEATURES), nargs="*", metavar="GROUP"
    )
    neighbours: int = option(0, "rows of that many beats before and after come along", type=number(int, 0, 100))


@dataclass(frozen=True)
class SyntheticPatientOptions:
    """Patients made of the training records' own beats."""

    spliced: str = option(
        "none",
        "patients made of each training record's own beats: none, or kinds and how many, as atrial:10+block:2",
        type=read_by(splicing),
        metavar="KIND:N+...",
    )


@dataclass(frozen=True)
class BatchOptions:
    """How training rows become batches."""

    batch_size: int = option(128, "rows per step", type=number(int, 1, 10**9), role="name", common=True)
    workers: int = option(
        0,
        "processes that gather batches (0 is fastest), or that annotate",
        also=("-j",),
        type=number(int, 0, 1024),
        role="free",
    )
    augment: str = option(
        "none",
        "change rows at random: none, light, strong, or changes with their sizes, as noise:0.05+invert+droprr:0.2",
        type=read_by(augmentation),
        metavar="NAME+...",
    )
    mixup: float = option(0.0, "alpha of mixup (Zhang 2018); 0: none", type=number(float, 0, 10))
    prune: float = option(
        0.0,
        "share of the rows, among those known best, that each epoch after the first leaves out",
        type=number(float, 0, 0.95),
    )
    progressive: int = option(
        187,
        "samples of a row that the first epoch reads; more in each, all after 3/5 of them",
        type=number(int, 16, 187),
    )


@dataclass(frozen=True)
class BalanceOptions:
    """How rare classes are made up for."""

    class_balance: str | None = option(
        None,
        "weigh the errors of each class",
        type=one_of(SAMPLINGS),
        metavar="{none,equal,importance,effective}",
        role="name",
        common=True,
        exclusive="balance",
    )
    sampler: str | None = option(
        None,
        "draw rows of each class more or less often; patients: those of each patient alike",
        type=one_of(SAMPLERS),
        metavar="{none,equal,importance,effective,patients}",
        role="name",
        common=True,
        exclusive="balance",
    )
    effective_beta: float = option(0.999, "of effective (Cui 2019)", type=number(float, 0, 0.9999999))


WINDOW_FLAGS = (
    "window_before", "window_after", "window_rate", "leads", "scale", "highpass", "baseline", "spliced"
)  # fmt: skip


def expected_classes(args: Namespace) -> int:
    """The number of classes that the data of these flags have."""
    return (NUM_CLASSES if args.split == "kaggle" else CLASSES_BY_PATIENT)[args.dataset]


def beyond_csv(args: Namespace) -> list[str]:
    """Flags that ask for more than rows of CSV files tell: patients or signals."""
    others = [flag for flag in ("split", "context") if getattr(args, flag) != "kaggle"]
    return others + [flag for flag in ("features", "neighbours") if getattr(args, flag)]


def window_samples(args: Namespace) -> list[int]:
    """Samples of a window before its R peak and from there on."""
    return [round(part * args.window_rate) for part in (args.window_before, args.window_after)]


CONFLICTS = (
    Conflict(
        lambda args: (
            args.num_classes not in (None, expected_classes(args)) and ("dataset" in args.given or not args.continues)
        ),
        lambda args: (
            f"--num-classes {args.num_classes}: {args.dataset} has {expected_classes(args)} classes; leave the flag out"
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
        lambda args: args.starts and args.prune and args.sampler,
        "--prune leaves rows out by their loss; leave out --sampler, which draws them by their class",
    ),
    Conflict(
        lambda args: args.starts and args.prune and args.mixup,
        "--prune judges rows by their loss; leave out --mixup, which mixes them",
    ),
)
