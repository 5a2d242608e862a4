"""Build the datasets: rows of whole records by an input specification, and the split; or Kaggle's CSV rows.

The beats of all records stand in one cache, in order of record and time, every annotated beat of the five classes (the
counts of de Chazal et al. 2004); a split is row numbers. Kaggle's rows in Kaggle's split are stored as its two files
have them, which lack the last beat of each record, so that a beat's id is its row in its file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from loaders.beats.features.table import names_of
from loaders.beats.input_spec import InputSpec
from loaders.beats.table import Beats
from loaders.datasets import checks, databases, splits
from loaders.datasets.by_patient import Parts, by_patient
from loaders.datasets.dataset import ECGLoader, ECGLoader_bin
from loaders.datasets.patients import with_patients
from loaders.options import DataOptions, SourceOptions, SplitOptions
from loaders.sources.cache import Cache
from loaders.sources.finder import SourceFinder, open_cache
from loaders.sources.records import Layout, synthetic_source
from toolbox.utils import UserError

KAGGLE_VERSION = 1  # to be raised when Kaggle's rows or split come out otherwise: caches made before are then rebuilt
VERSION = 2  # the same of all other rows
KEPT = 4  # caches of different input specifications
KAGGLE_WARNING = (
    "Kaggle's split mixes patients: every patient is in both train and test, so its scores show how well a model fits, "
    "not how it does on new patients."
)
SYNTHETIC_WARNING = (
    "Synthetic recordings, patients mixed as in Kaggle's split: scores on them say nothing about people."
)
LEARNED_WARNING = (
    "--validate-on train: nothing is held out; validation scores are of rows that the network learns from, and the "
    "last epoch is the run's. Choose nothing by them."
)
LEAK_WARNING = (
    "--validate-on test: the epoch is chosen on the test rows themselves, so test scores are too good "
    "(the predecessor's protocol, for comparison only)."
)


@dataclass
class Data:
    """The train, validation and test rows of a dataset.

    Attributes:
        train, val, test: its parts; val is test itself under --validate-on test, and of train's rows under
            --validate-on train.
        cache: the arrays behind them.
        warnings: to be read with the scores.
        facts: more for config.json: the recipe of a row, the patients of each part.
        lines: more for --prepare to print.
    """

    train: ECGLoader
    val: ECGLoader
    test: ECGLoader
    cache: Cache
    warnings: list[str]
    facts: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        """Plain values that identify these data."""
        return {
            "source": self.cache.meta["source"]["where"],
            "kind": self.cache.meta["kind"],
            "fingerprint": self.cache.fingerprint,
            "rows": {"train": len(self.train), "val": len(self.val), "test": len(self.test)},
            **self.facts,
        }


def ecg(options: DataOptions) -> Data:
    """MIT-BIH, five classes (four where --split goes by patient)."""
    return load(options, ECGLoader)


def ecg_bin(options: DataOptions) -> Data:
    """MIT-BIH, normal and abnormal."""
    return load(options, ECGLoader_bin)


def synthetic(options: DataOptions) -> Data:
    """Synthetic recordings, five classes (four where --split goes by patient)."""
    return load(options, ECGLoader)


def synthetic_bin(options: DataOptions) -> Data:
    """Synthetic recordings, normal and abnormal."""
    return load(options, ECGLoader_bin)


def load(options: DataOptions, kind: type[ECGLoader]) -> Data:
    """Train, validation and test rows with the input and the split that the flags ask for.

    Args:
        kind: the dataset of all classes; `kind.without_q` where Q is left out.
    """
    if is_plain(options):
        layout = kaggle_layout(options.source)
        cache = synthetic_cache(options.source, layout) or SourceFinder(options.source, layout).find()
        warning = SYNTHETIC_WARNING if options.source.is_synthetic else KAGGLE_WARNING
        data = make_data(options.split, options.seed, cache, kind, [warning])
        if cache.meta["kind"] == "csv":
            data.warnings += csv_warnings(cache, data)
        return data
    spec = InputSpec.of(options.inputs, options.patients.spliced)
    layout = whole_layout(spec)
    if options.split.train_on or options.split.test_on:
        cache, parts = databases.load(options, layout, whole_layout(replace(spec, spliced=())), kind)
        beats = cache.splits["all"]
    else:
        cache = synthetic_cache(options.source, layout) or SourceFinder(options.source, layout).find_records()
        beats = cache.splits["all"]
        if options.split.patients:
            beats = with_patients(beats, options.split.patients, bool(spec.spliced))
        parts = (mixed if options.split.split == "kaggle" else by_patient)(beats, options, kind)
    where, rows = cache.meta["source"]["where"], parts.division.rows
    checks.check_filled({part: len(rows[part]) for part in rows if part not in parts.empty}, where)
    if not parts.known:
        parts.warnings += checks.shared_rows(dict.fromkeys(rows, beats), rows, where)
    if options.split.validate_on == "train":
        parts.warnings.append(LEARNED_WARNING)
    neighbours, geometry, division = options.inputs.neighbours, spec.geometry(), parts.division
    train, val, test = (
        parts.kind(beats, division.rows[part], neighbours, geometry) for part in ("train", "val", "test")
    )
    facts = {
        "recipe": layout.recipe,
        "split": options.split.split,
        **({"patients": division.patients} if parts.known else {}),
        "records": division.records,
        "features": names_of(spec.features, spec.leads),
        **parts.facts,
    }
    return Data(train, val, test, cache, parts.warnings, facts, spec.future() + parts.lines)


def is_plain(options: DataOptions) -> bool:
    """Whether Kaggle's rows and split are asked for, which CSV files have as well."""
    inputs = options.inputs
    only_rows = inputs.context == "kaggle" and not inputs.features and not inputs.neighbours
    return options.split.split == "kaggle" and only_rows


def kaggle_layout(source: SourceOptions) -> Layout:
    """Kaggle's rows, kept as Kaggle's two files have them."""
    if source.is_synthetic:
        seed = source.synthetic_seed
        return Layout("synthetic", {"version": KAGGLE_VERSION}, InputSpec(), partial(kaggle_files, seed=seed))
    recipe = {"version": KAGGLE_VERSION, "rows": "kaggle", "split": "kaggle"}
    return Layout("records", recipe, InputSpec(), kaggle_files)


def kaggle_files(beats: Beats, seed: int | None = None) -> dict[str, Beats]:
    """The train and test rows of Kaggle's split, in their files' order and without times; see `splits.mixed_rows`."""
    rows = dict(zip(("train", "test"), splits.mixed_rows(beats, seed), strict=True))
    return {part: replace(beats.take(chosen), time=None) for part, chosen in rows.items()}


def whole_layout(spec: InputSpec) -> Layout:
    """All beats by `spec`, in order of record and time."""
    return Layout("context", {"version": VERSION, **spec.to_plain()}, spec, lambda beats: {"all": beats}, KEPT)


def synthetic_cache(source: SourceOptions, layout: Layout) -> Cache | None:
    """The cache of the synthetic recordings that the flags describe; None where they ask for MIT-BIH's."""
    if not source.is_synthetic:
        return None
    return open_cache(Path(source.root_dir) / "synthetic" / "cache", synthetic_source(source, layout))


def make_data(split: SplitOptions, seed: int, cache: Cache, kind: type[ECGLoader], warnings: list[str]) -> Data:
    """Train, validation and test rows of a cache of Kaggle's two files; validation is a stratified part of train."""
    train, test = cache.splits["train"], cache.splits["test"]
    if len(train) < 2 or not len(test):
        raise UserError(f"{cache.meta['source']['where']}: {len(train)} train and {len(test)} test rows are too few")
    if split.validate_on == "test":
        whole = kind(test)
        return Data(kind(train), whole, whole, cache, [*warnings, LEAK_WARNING])
    rest, held = held_out(kind(train).labels().numpy(), split, seed)
    checks.check_filled({"train": len(rest), "val": len(held), "test": len(test)}, cache.meta["source"]["where"])
    if split.validate_on == "train":
        warnings = [*warnings, LEARNED_WARNING]
    return Data(kind(train, rest), kind(train, held), kind(test), cache, warnings)


def csv_warnings(cache: Cache, data: Data) -> list[str]:
    """Text about CSV files of another scale, with rows in common, or swapped.

    Raises:
        UserError: their rows are of different scales, or all the same.
    """
    where = cache.meta["source"]["where"]
    warnings = checks.swapped_files(len(cache.splits["train"]), len(cache.splits["test"]))
    warnings += checks.scale_problems(cache.splits, where)
    files = cache.splits
    warnings += checks.shared_rows(files, {part: np.arange(len(beats)) for part, beats in files.items()}, where)
    held = {"train": data.train.rows.cpu().numpy(), "val": data.val.rows.cpu().numpy()}
    if data.val is not data.test and set(held["val"].tolist()).isdisjoint(held["train"].tolist()):
        warnings += checks.shared_rows(dict.fromkeys(held, files["train"]), held, where)
    return warnings


def held_out(labels: np.ndarray, split: SplitOptions, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the rows that train and that validate, of rows with these labels (n,), when patients are mixed."""
    if split.validate_on == "train":
        return np.arange(len(labels)), np.arange(len(labels))
    return splits.stratified(labels, split.val_fraction, np.random.default_rng(seed))


def mixed(beats: Beats, options: DataOptions, kind: type[ECGLoader]) -> Parts:
    """Kaggle's split, or for synthetic recordings one like it; validation is a stratified part of train."""
    source = options.source
    train, test = splits.mixed_rows(beats, source.synthetic_seed if source.is_synthetic else None)
    rest, held = held_out(kind(beats, train).labels().numpy(), options.split, options.seed)
    division = splits.Division({"train": train[rest], "val": train[held], "test": test})
    return Parts(division, kind, [SYNTHETIC_WARNING if source.is_synthetic else KAGGLE_WARNING], [])
