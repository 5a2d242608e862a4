"""Flags of the data: sources, splits, model inputs, synthetic patients and batches; and the names they take.

The tables behind the names are loaders.DATASETS, and SPLICES, FEATURES and AUGMENTATIONS beside the functions that they
list: in loaders/beats/spliced.py, loaders/beats/features/table.py and loaders/datasets/augment.py.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from toolbox.utils import UserError, nearest
from toolbox.utils.aami import KAGGLE_ROW
from toolbox.utils.options import argument, listed, number, one_of, option, pick

DATASET_NAMES = ("ecg", "ecg_bin", "synthetic", "synthetic_bin")
SOURCES = ("auto", "csv", "records", "gdrive", "physionet")
SAMPLINGS = ("equal", "importance", "effective")
SAMPLERS = (*SAMPLINGS, "patients")
SPLITS = ("kaggle", "interpatient", "interpatient_strict", "kfold")
CONTEXTS = ("kaggle", "window")
BASELINES = ("highpass", "median")
FEATURE_NAMES = ("rr", "rr_past", "rhythm", "pattern", "shape", "tempo", "qrs", "pwave", "past", "tempo_past")
SPLICE_NAMES = ("atrial", "block", "fibrillation", "noisy")
# How far each augmentation goes unless its size is given, and the sizes of "strong".
SIZES = {
    "amplitude": 0.2, "stretch": 0.1, "shift": 0.02, "wander": 0.1, "noise": 0.02, "invert": 0.1, "droplead": 0.1,
    "droprr": 0.1, "tempo": 0.15,
}  # fmt: skip
AUGMENTATION_NAMES = tuple(SIZES)
PRESETS: dict[str, dict[str, float]] = {
    "none": {},
    "light": {},  # a function of its own, see loaders/datasets/augment.py
    "strong": {name: size for name, size in SIZES.items() if name not in ("shift", "droplead", "tempo")},
}


def parse_spliced(text: str) -> dict[str, int]:
    """Kinds of patients and how many of each: "atrial:10+block:2" -> {"atrial": 10, "block": 2}; "none" -> {}.

    Raises:
        UserError: an unknown kind, or a number that is not from 1 to 100.
    """
    counts: dict[str, int] = {}
    for part in text.split("+") if text != "none" else ():
        name, _, count = part.partition(":")
        if name not in SPLICE_NAMES or name in counts:
            raise UserError(f"{part!r}: expected kinds, each once, joined by +: {', '.join(SPLICE_NAMES)}; or none")
        if not (count.isascii() and count.isdigit() and 1 <= int(count[:4]) <= 100):
            raise UserError(f"{part!r}: expected how many of them a record gives, from 1 to 100, as {name}:2")
        counts[name] = int(count)
    return counts


def parse_augment(text: str) -> dict[str, float]:
    """Augmentations and their sizes: "noise:0.05+invert" -> {"noise": 0.05, "invert": 0.1}; or those of a preset.

    Raises:
        UserError: an unknown name, or a size that is no number from 0 to 1.
    """
    if text in PRESETS:
        return dict(PRESETS[text])
    sizes = {}
    for part in text.split("+"):
        name, colon, size = part.partition(":")
        if name in PRESETS:
            raise UserError(f"{name!r} stands alone; joined by + are single changes: {', '.join(AUGMENTATION_NAMES)}")
        if name not in AUGMENTATION_NAMES:
            hint = nearest(name, [*PRESETS, *AUGMENTATION_NAMES]) or ";"
            raise UserError(
                f"{part!r}: unknown{hint} known: {', '.join(PRESETS)}, or joined by +: {', '.join(AUGMENTATION_NAMES)}"
            )
        try:
            sizes[name] = float(size) if colon else SIZES[name]
        except ValueError:
            sizes[name] = -1.0
        if not 0 <= sizes[name] <= 1:
            raise UserError(f"{part!r}: expected a size from 0 to 1 behind the colon")
    return sizes


def fold_name(text: str) -> str | None:
    """An argparse type: "I/K" (1 <= I <= K, 2 <= K), or "none"."""
    if text == "none":
        return None
    index, slash, folds = text.partition("/")
    plain = all(part.isascii() and part.isdigit() for part in (index, folds))
    if not slash or not plain or not 1 <= int(index) <= int(folds) or int(folds) < 2:
        raise ArgumentTypeError(f"{text!r}: expected I/K, as 2/5: the second of five groups of patients")
    return f"{int(index)}/{int(folds)}"


def as_typed(parse: Callable[[str], object]) -> Callable[[str], str]:
    """An argparse type: a text that `parse` accepts, kept as it was typed."""
    check = argument(parse)

    def keep(text: str) -> str:
        check(text)
        return text

    return keep


@dataclass(frozen=True)
class SourceOptions:
    """Which data, and where they come from."""

    dataset: str = option(
        "ecg", f"one of {', '.join(DATASET_NAMES)}", type=listed("dataset", DATASET_NAMES), role="name"
    )
    root_dir: str = option("ecg_data", "folder of data and runs", role="action")
    source: str = option("auto", "where MIT-BIH rows come from", choices=SOURCES, role="free")
    records_dir: str | None = option(None, "folder of raw WFDB records; ROOT/mitdb unless given", role="free")
    gdrive_url: str | None = option(None, "another address of the archive with the two CSV files", role="free")
    physionet_url: str | None = option(None, "another address of the records and their SHA256SUMS.txt", role="free")
    num_classes: int | None = option(None, "follows from the dataset; another number is an error", type=number(int, 2))
    synthetic_patients: int = option(24, "recordings of --dataset synthetic", type=number(int, 2, 10000))
    synthetic_minutes: float = option(10.0, "length of each of them", type=number(float, 1, 1440))
    synthetic_seed: int = option(0, "what they are drawn from", type=number(int, 0))

    @property
    def is_synthetic(self) -> bool:
        """Whether the dataset is one of synthetic recordings."""
        return self.dataset.startswith("synthetic")


@dataclass(frozen=True)
class SplitOptions:
    """Which rows train, validate and test."""

    split: str = option(
        "kaggle",
        "kaggle mixes patients; interpatient: DS1/DS2 (de Chazal 2004), strict: without 202; kfold: by patient",
        choices=SPLITS,
        role="name",
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
    window_before: float = option(0.5, "s before the R peak", type=number(float, 0, 60))
    window_after: float = option(0.5, "s from the R peak on, all future", type=number(float, 0, 60, above=True))
    window_rate: int = option(120, "samples per s of a window", type=number(int, 20, 2000))
    leads: int = option(1, "leads of a window, MLII first", type=number(int, 1, 16))
    scale: str = option(
        "record",
        "unit of a window: the recording's typical beat, its own standard deviation, mV",
        choices=("record", "window", "none"),
    )
    highpass: float = option(0.5, "Hz, of a window's signal; 0: none", type=number(float, 0, 20))
    baseline: str = option(
        "highpass",
        "how its wander is taken out: --highpass, or medians of 0.2 and 0.6 s and a low-pass (de Chazal 2004)",
        choices=BASELINES,
    )
    features: list[str] = option(
        [],
        f"numbers beside the row: {', '.join(FEATURE_NAMES)}",
        type=listed("feature group", FEATURE_NAMES),
        nargs="*",
        metavar="GROUP",
    )
    neighbours: int = option(0, "rows of that many beats before and after come along", type=number(int, 0, 100))


@dataclass(frozen=True)
class SyntheticPatientOptions:
    """Patients made of the training records' own beats."""

    spliced: str = option(
        "none",
        "patients made of each training record's own beats: none, or kinds and how many, as atrial:10+block:2",
        type=as_typed(parse_spliced),
    )


@dataclass(frozen=True)
class BatchOptions:
    """How training rows become batches."""

    batch_size: int = option(128, "rows per step", type=number(int, 1, 10**9), role="name")
    workers: int = option(
        0, "processes that gather batches; 0 is fastest", also=("-j",), type=number(int, 0, 1024), role="free"
    )
    augment: str = option(
        "none",
        "change rows at random: none, light, strong, or changes with their sizes, as noise:0.05+invert+droprr:0.2",
        type=as_typed(parse_augment),
    )
    mixup: float = option(0.0, "alpha of mixup (Zhang 2018); 0: none", type=number(float, 0, 10))
    prune: float = option(
        0.0,
        "share of the rows, among those known best, that each epoch after the first leaves out",
        type=number(float, 0, 0.95),
    )
    progressive: int = option(
        KAGGLE_ROW,
        "samples of a row that the first epoch reads; more in each, all after 3/5 of them",
        type=number(int, 16, KAGGLE_ROW),
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
        exclusive="balance",
    )
    sampler: str | None = option(
        None,
        "draw rows of each class more or less often; patients: those of each patient alike",
        type=one_of(SAMPLERS),
        metavar="{none,equal,importance,effective,patients}",
        role="name",
        exclusive="balance",
    )
    effective_beta: float = option(0.999, "of effective (Cui 2019)", type=number(float, 0, 0.9999999))


@dataclass(frozen=True)
class DataOptions:
    """All flags that decide which rows train, validate and test, with the seed that validation is drawn by."""

    source: SourceOptions
    split: SplitOptions
    inputs: InputOptions
    patients: SyntheticPatientOptions
    seed: int

    @classmethod
    def of(cls, args: Any) -> DataOptions:
        """Those in a namespace that holds them among others."""
        return cls(
            pick(SourceOptions, args),
            pick(SplitOptions, args),
            pick(InputOptions, args),
            pick(SyntheticPatientOptions, args),
            args.seed,
        )
