"""What a beat may know: its row, the numbers beside it, and the rows of its neighbours; and the data made of that.

Beats come by whole recordings, in order of record and time, every annotated beat of the five classes (the counts of de
Chazal et al. 2004; Kaggle's rows lack the last of each record). One cache holds them all, whatever the split: a split
is row numbers.
"""

from __future__ import annotations

from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from loaders.beats.features.rr import names_of
from loaders.beats.input_spec import InputSpec
from loaders.beats.spliced import EVERY, is_spliced, spliced_from, splices
from loaders.beats.table import CLASS_LETTERS, Beats, cut, labels_of
from loaders.beats.windows import positions, prepared, scaled
from loaders.datasets import kaggle_split as splits
from loaders.datasets import splits as patients
from loaders.datasets.dataset import KAGGLE_WARNING, LEARNED_WARNING, SYNTHETIC_WARNING, Data, ECGLoader
from loaders.io.wfdb_record import Record, list_records, read_wfdb
from loaders.sources import cache, synthetic
from loaders.sources.cache import Cache, Source
from loaders.sources.finder import RECORD_FILES, SourceFinder, cut_all, open_cache, say, warn_flat
from toolbox.utils import UserError, progress

VERSION = 2  # to be raised when the same recipe gives other rows: caches made before are then rebuilt
KEPT = 4  # caches of different recipes
Q_WARNING = "Four classes, N S V F: Q and the paced records are left out, as the papers do."
SHARED_WARNING = (
    "The published inter-patient list has one man on both sides (201 in DS1, 202 in DS2); "
    "--split interpatient_strict leaves 202 out."
)


def rows_of(record: Record, recipe: InputSpec) -> Beats:
    """All beats of `record` as `recipe` says, and those of the patients that are spliced from it.

    Raises:
        UserError: it has too few leads, or (Kaggle's rows) another rate than 360 Hz.
    """
    labels = labels_of(record.symbol)
    chosen = np.flatnonzero(labels >= 0)
    if not len(chosen):
        raise UserError(f"record {record.name}: no beat among its {len(record.sample)} annotations")
    sample, labels = record.sample[chosen], labels[chosen]
    if recipe.context == "kaggle" and not recipe.features:
        beats = cut(record, whole=True)
        beats.time = sample / record.fs
        return beats
    signal = prepared(record, recipe.leads, recipe.rate, recipe.highpass, recipe.baseline)
    at, times = positions(sample, record.fs, recipe.rate, len(signal)), sample / record.fs
    if recipe.context == "kaggle":
        beats = cut(record, whole=True)
        beats.time, beats.features = times, recipe.numbers(scaled(signal, at, recipe.rate), at, times)
        return beats
    x, features = recipe.values(signal, at, times)
    parts = [_beats(x, features, labels, record.symbol[chosen], record.name, record.patient, sample, times)]
    for made in splices(record, signal, at, labels, recipe.rate, dict(recipe.spliced)):
        times = made.at / recipe.rate
        x, features = recipe.values(made.signal, made.at, times)
        symbols = np.array(list("NAVFQ"))[made.labels]
        whole = _beats(x, features, made.labels, symbols, made.name, record.patient, made.at, times)
        parts.append(whole.take(np.arange(0, len(made.labels), EVERY)))
    return Beats.join(parts)


def _beats(
    x: np.ndarray,
    features: np.ndarray | None,
    labels: np.ndarray,
    symbols: np.ndarray,
    name: str,
    patient: str,
    sample: np.ndarray,
    times: np.ndarray,
) -> Beats:
    n = len(labels)
    length, names = np.full(n, x.shape[2], dtype=np.int16), (np.full(n, name), np.full(n, patient))
    return Beats(x, labels, length, *names, sample.astype(np.int32), symbols, features, times)


def read_rows(path: Path, recipe: InputSpec) -> Beats:
    """The beats of the WFDB record `path`."""
    return rows_of(read_wfdb(path), recipe)


def records_source(folder: Path, recipe: InputSpec) -> Source:
    """All beats of the raw records in `folder`."""
    paths = list_records(folder)
    files = [path.with_name(f"{path.name}.{extension}") for path in paths for extension in RECORD_FILES]
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise UserError(f"{folder} lacks {', '.join(missing[:6])}{' ...' if len(missing) > 6 else ''}")

    def build() -> dict[str, Beats]:
        beats = cut_all(paths, partial(read_rows, recipe=recipe))
        warn_flat(beats, str(folder))
        return {"all": beats}

    return Source("context", keyed(recipe), files, build, f"raw records in {folder}", KEPT)


def synthetic_source(args: Namespace, recipe: InputSpec) -> Source:
    """All beats of synthetic recordings."""
    asked = (args.synthetic_patients, args.synthetic_minutes, args.synthetic_seed)
    made = {"generator": synthetic.VERSION, **dict(zip(("patients", "minutes", "seed"), asked, strict=True))}

    def build() -> dict[str, Beats]:
        recordings = progress(synthetic.synthesize(*asked), "synthesizing", total=asked[0])
        return {"all": Beats.join(rows_of(record, recipe) for record in recordings)}

    where = f"{asked[0]} synthetic recordings of {asked[1]:g} minutes, seed {asked[2]}"
    return Source("context", {**keyed(recipe), **made}, [], build, where, KEPT)


def keyed(recipe: InputSpec) -> dict[str, Any]:
    """What a cache is known by; plain values."""
    return {"version": VERSION, **recipe.known_by()}


def open_records(args: Namespace, recipe: InputSpec) -> Cache:
    """The cache of the raw records that the flags name, or of those that it was built from before they went away."""
    finder = SourceFinder(args)
    if not finder.has_raw() and not args.records_dir:
        found = cache.find(finder.parent, kind="context", recipe=keyed(recipe))
        if found is not None:
            say(f"data: built cache of {found.meta['source']['where']}")
            return found
    return open_cache(finder.parent, records_source(finder.raw_folder(), recipe))


def without_signal(beats: Beats, rows: np.ndarray) -> Beats:
    """What is known of these `rows` of the beats but their signal and features."""
    light = {name: array[rows] for name, array in beats.arrays().items() if name not in ("x", "features")}
    return Beats(x=np.empty((len(rows), 0)), **light)


def mixed(beats: Beats, args: Namespace) -> tuple[np.ndarray, np.ndarray]:
    """The train and test rows of Kaggle's split (for synthetic recordings, of one like it)."""
    last = np.append(beats.record[1:] != beats.record[:-1], True)  # has no row there
    kept = np.flatnonzero(~last)
    known = without_signal(beats, kept)
    if args.dataset.startswith("synthetic"):
        train, test = splits.fifth_rows(known, args.synthetic_seed)
    else:
        train, test = splits.kaggle_rows(known)
    return kept[train], kept[test]


def spliced_lines(beats: Beats, made: np.ndarray) -> list[str]:
    """What --prepare says of the spliced rows `made` (k,) of the training part."""
    names = np.unique(beats.record[made])
    counts = np.bincount(beats.y[made], minlength=patients.SCORED)
    told = ", ".join(f"{letter} {count}" for letter, count in zip(CLASS_LETTERS, counts.tolist(), strict=False))
    sources = len(np.unique(spliced_from(names)))
    return ["", f"spliced patients, in train only: {len(names)}, out of {sources} of its records; rows {told}"]


def load(args: Namespace, kind: type[ECGLoader]) -> Data:
    """Train, validation and test rows with the context and the split that the flags ask for.

    Args:
        kind: the dataset of all classes; `kind.without_q` where Q is left out.
    """
    recipe, made_up = InputSpec.of(args), args.dataset.startswith("synthetic")
    if made_up:
        opened = open_cache(Path(args.root_dir) / "synthetic" / "cache", synthetic_source(args, recipe))
    else:
        opened = open_records(args, recipe)
    beats = opened.splits["all"]
    warnings: list[str] = []
    lines = recipe.future()
    if args.split == "kaggle":
        train, test = mixed(beats, args)
        labels = kind(beats, train).labels().numpy()
        if args.validate_on == "train":
            rest = held = np.arange(len(train))
        else:
            rest, held = splits.stratified(labels, args.val_fraction, np.random.default_rng(args.seed))
        division = patients.Division({"train": train[rest], "val": train[held], "test": test})
        warnings.append(SYNTHETIC_WARNING if made_up else KAGGLE_WARNING)
    else:
        number, _, folds = (args.fold or "").partition("/")
        fold = (int(number), int(folds)) if folds else None
        # Of rows that were spliced from a record, none is anybody's to validate or test on.
        made = is_spliced(beats.record) if recipe.spliced else np.zeros(len(beats), dtype=bool)
        real = np.flatnonzero(~made)
        division = patients.divide(
            without_signal(beats, real), args.split, fold, args.val_fraction, args.seed, args.validate_on == "train"
        )
        division.rows = {part: real[rows] for part, rows in division.rows.items()}
        kind = kind.without_q()
        warnings += ["Synthetic recordings: scores on them say nothing about people."] if made_up else []
        lines += patients.describe(division)
        warnings += [Q_WARNING, *([SHARED_WARNING] if division.shared else [])]
        if made.any():  # they teach, where their record does
            rows = np.flatnonzero(made & (beats.y < patients.SCORED))
            rows = rows[np.isin(spliced_from(beats.record[rows]), division.records["train"])]
            division.rows["train"] = np.sort(np.concatenate([division.rows["train"], rows]))
            lines += spliced_lines(beats, rows)
    if args.validate_on == "train":
        warnings.append(LEARNED_WARNING)
    parts = {part: kind(beats, rows, args.neighbours, recipe.frame()) for part, rows in division.rows.items()}
    facts = {"recipe": keyed(recipe), "split": args.split, "patients": division.patients, "records": division.records}
    columns = names_of(recipe.features, recipe.leads)
    return Data(parts["train"], parts["val"], parts["test"], opened, warnings, {**facts, "features": columns}, lines)
