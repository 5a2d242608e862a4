"""Flags of the data: sources, splits, model inputs, synthetic patients and batches."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass

from loaders.names import (
    BASELINES,
    CONTEXTS,
    DATABASE_FILES,
    DATASET_NAMES,
    FEATURE_NAMES,
    SAMPLERS,
    SAMPLINGS,
    SOURCES,
    SPLITS,
    as_typed,
    fold_name,
    parse_augment,
    parse_database,
    parse_spliced,
    parse_symbols,
)  # fmt: skip
from toolbox.utils.aami import KAGGLE_ROW
from toolbox.utils.addresses import web_address
from toolbox.utils.options import listed, number, one_of, option, pick_groups


@dataclass(frozen=True)
class SourceOptions:
    """The dataset, and the source of its data."""

    dataset: str = option(
        "ecg", f"one of {', '.join(DATASET_NAMES)}", type=listed("dataset", DATASET_NAMES), role="name", common=True
    )
    root_dir: str = option("ecg_data", "folder of data and runs", metavar="DIR", role="action", common=True)
    source: str = option("auto", "where MIT-BIH rows come from", choices=SOURCES, role="free")
    records_dir: str | None = option(
        None, "folder of raw WFDB records; ROOT/mitdb unless given", metavar="DIR", role="free", common=True
    )
    gdrive_url: str | None = option(
        None, "another address of the archive with the two CSV files", type=web_address, metavar="URL", role="free"
    )
    physionet_url: str | None = option(
        None, "another address of the records and their SHA256SUMS.txt", type=web_address, metavar="URL", role="free"
    )
    num_classes: int | None = option(
        None, "follows from the dataset; another number is an error", type=number(int, 2), metavar="N"
    )
    synthetic_patients: int = option(24, "recordings of --dataset synthetic", type=number(int, 2, 10000))
    synthetic_minutes: float = option(10.0, "length of each of them", type=number(float, 1, 1440), metavar="MINUTES")
    synthetic_seed: int = option(0, "what they are drawn from", type=number(int, 0))

    @property
    def is_synthetic(self) -> bool:
        """Whether the dataset is one of synthetic recordings."""
        return self.dataset.startswith("synthetic")


@dataclass(frozen=True)
class SplitOptions:
    """The rows that train, validate and test."""

    split: str = option(
        "kaggle",
        "kaggle mixes patients; interpatient: DS1/DS2 (de Chazal 2004), strict: without 202; kfold: by patient; "
        "databases: --train-on and --test-on",
        choices=SPLITS,
        role="name",
        common=True,
    )
    train_on: list[str] = option(
        [],
        f"databases ({', '.join(DATABASE_FILES)}) or folders of annotated WFDB records to train on; DB:LIST, as "
        "mitdb:ds1 or svdb:dev, or DB:RECORD,RECORD takes some of the records",
        type=as_typed(parse_database),
        nargs="*",
        metavar="DB[:LIST]",
        role="name",
        common=True,
    )
    test_on: list[str] = option(
        [],
        "the same, to test on; with --test, others than the run's own may be named",
        type=as_typed(parse_database),
        nargs="*",
        metavar="DB[:LIST]",
        role="free",
        common=True,
    )
    symbols: list[str] = option(
        [],
        "WFDB symbols of a class in folders of own records, where they differ from the usual ones: S=AaJSn",
        type=as_typed(parse_symbols),
        nargs="*",
        metavar="CLASS=SYMBOLS",
    )
    fold: str | None = option(
        None,
        "which of K groups of patients tests (kfold), or validates (interpatient: within DS1; databases)",
        type=fold_name,
        metavar="I/K",
        role="name",
    )
    patients: str | None = option(
        None,
        "with --split kfold or --train-on, for own records: CSV file of lines record,patient, so that no person is on "
        "two sides",
        metavar="FILE",
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

    context: str = option("kaggle", "a row: 187 samples from the R peak, or a window", choices=CONTEXTS, role="name")
    window_before: float = option(0.5, "seconds before the R peak", type=number(float, 0, 60), metavar="S")
    window_after: float = option(
        0.5, "seconds from the R peak on, all future", type=number(float, 0, 60, above=True), metavar="S"
    )
    window_rate: int = option(120, "samples per second of a window", type=number(int, 20, 2000), metavar="HZ")
    leads: int = option(1, "leads of a window, MLII first", type=number(int, 1, 16), role="name")
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
        [],
        f"numbers beside the row: {', '.join(FEATURE_NAMES)}",
        type=listed("feature group", FEATURE_NAMES),
        nargs="*",
        metavar="GROUP",
        role="name",
    )
    neighbours: int = option(
        0, "rows of that many beats before and after come along", type=number(int, 0, 100), role="name"
    )


@dataclass(frozen=True)
class SyntheticPatientOptions:
    """Patients made of the training records' own beats."""

    spliced: str = option(
        "none",
        "patients made of each training record's own beats: none, or kinds and how many, as atrial:10+block:2",
        type=as_typed(parse_spliced),
        metavar="KIND:N+...",
    )


@dataclass(frozen=True)
class BatchOptions:
    """Batches of training rows, and random changes of them."""

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
        type=as_typed(parse_augment),
        metavar="NAME+...",
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
    """Weights that make up for rare classes."""

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


@dataclass(frozen=True)
class DataOptions:
    """All flags of the train, validation and test rows, with the seed that validation is drawn by."""

    source: SourceOptions
    split: SplitOptions
    inputs: InputOptions
    patients: SyntheticPatientOptions
    seed: int

    @classmethod
    def of(cls, args: Namespace) -> DataOptions:
        """Those in a namespace that holds them among others."""
        return pick_groups(cls, args)
