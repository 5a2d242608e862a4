"""What a beat may know: its row, the numbers beside it, and the rows of its neighbours; and the data made of that.

Beats come by whole recordings, in order of record and time, every annotated beat of the five classes (the counts of de
Chazal et al. 2004; Kaggle's rows lack the last of each record). One cache holds them all, whatever the split: a split
is row numbers.
"""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from loaders import cache, patients, splits, synthetic
from loaders.augment import KAGGLE_FRAME, Frame
from loaders.beats import Beats, cut
from loaders.cache import Cache, Source
from loaders.ecg_loader import KAGGLE_WARNING, SYNTHETIC_WARNING, Data, ECGLoader
from loaders.features import Recording, compute, group, names_of
from loaders.records import Record, list_records, read_wfdb
from loaders.sources import RECORD_FILES, Finder, cut_all, open_cache, say, warn_flat
from loaders.windows import positions, prepared, scaled, window_rows
from toolbox.utils import UserError, progress

VERSION = 1  # to be raised when the same recipe gives other rows: caches made before are then rebuilt
KEPT = 4  # caches of different recipes
RATE, HIGHPASS = 120.0, 0.5  # Hz, of the signal that features are taken from beside Kaggle's rows
Q_WARNING = "Four classes, N S V F: Q and the paced records are left out, as the papers do."
SHARED_WARNING = (
    "The published inter-patient list has one man on both sides (201 in DS1, 202 in DS2); "
    "--split interpatient_strict leaves 202 out."
)


@dataclass(frozen=True)
class Recipe:
    """What a row and the numbers beside it are; see the flags of the same names.

    Attributes:
        context: "kaggle", 187 samples of the first lead from the R peak on, or "window".
        before, after: s, of a window.
        rate, highpass: Hz.
        leads: of a window; features of shape look at as many.
        scale: "record", "window" or "none".
        features: groups, in order.
    """

    context: str = "kaggle"
    before: float = 0.0
    after: float = 0.0
    rate: float = RATE
    leads: int = 1
    scale: str = "record"
    highpass: float = HIGHPASS
    features: tuple[str, ...] = ()

    @classmethod
    def of(cls, args: Namespace) -> Recipe:
        """The recipe that the flags tell; what has no meaning beside Kaggle's rows is left at its default."""
        if args.context == "kaggle":
            return cls(features=tuple(args.features))
        window = {"before": args.window_before, "after": args.window_after, "rate": args.window_rate}
        rest = {"leads": args.leads, "scale": args.scale, "highpass": args.highpass}
        return cls("window", **window, **rest, features=tuple(args.features))

    def frame(self) -> Frame:
        """How the rows lie."""
        return KAGGLE_FRAME if self.context == "kaggle" else Frame(round(self.before * self.rate), self.rate, 0.0)

    def future(self) -> list[str]:
        """Lines that say how far ahead of the R peak each part of a row looks."""
        lines = ["", "what a row knows of the time after its R peak"]
        if self.context == "kaggle":
            lines.append("row: 1.56 s at most; its end and its scale reach 0.2 RR intervals behind the next annotation")
        else:
            scale = {"record": "; its scale is the whole recording's", "window": "", "none": ""}[self.scale]
            smooth = f"; the high-pass filter feels about {0.5 / self.highpass:.2g} s more" if self.highpass else ""
            lines.append(f"row: {self.after:g} s{smooth}; resampling, {10 / self.rate:.2g} s more{scale}")
        return lines + [f"{name}: {group(name).future}" for name in self.features]


def rows_of(record: Record, recipe: Recipe) -> Beats:
    """All beats of `record` as `recipe` says.

    Raises:
        UserError: it has too few leads, or (Kaggle's rows) another rate than 360 Hz.
    """
    if recipe.context == "kaggle":
        beats = cut(record, whole=True)
    else:
        window = (recipe.before, recipe.after, recipe.rate, recipe.leads, recipe.scale, recipe.highpass)
        beats = window_rows(record, *window)
    if not len(beats):
        raise UserError(f"record {record.name}: no beat among its {len(record.sample)} annotations")
    beats.time = beats.sample / record.fs
    if recipe.features:
        signal = prepared(record, recipe.leads, recipe.rate, recipe.highpass)
        at = positions(beats.sample, record.fs, recipe.rate, len(signal))
        seen = Recording(beats.time, scaled(signal, at, recipe.rate), at, recipe.rate)
        beats.features = compute(recipe.features, seen)
    return beats


def read_rows(path: Path, recipe: Recipe) -> Beats:
    """The beats of the WFDB record `path`."""
    record = read_wfdb(path)
    record.patient = patients.SAME_PATIENT.get(record.name, record.name)
    return rows_of(record, recipe)


def records_source(folder: Path, recipe: Recipe) -> Source:
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


def synthetic_source(args: Namespace, recipe: Recipe) -> Source:
    """All beats of synthetic recordings."""
    asked = (args.synthetic_patients, args.synthetic_minutes, args.synthetic_seed)
    made = {"generator": synthetic.VERSION, **dict(zip(("patients", "minutes", "seed"), asked, strict=True))}

    def build() -> dict[str, Beats]:
        recordings = progress(synthetic.synthesize(*asked), "synthesizing", total=asked[0])
        return {"all": Beats.join(rows_of(record, recipe) for record in recordings)}

    where = f"{asked[0]} synthetic recordings of {asked[1]:g} minutes, seed {asked[2]}"
    return Source("context", {**keyed(recipe), **made}, [], build, where, KEPT)


def keyed(recipe: Recipe) -> dict[str, Any]:
    """What a cache is known by; plain values."""
    return {"version": VERSION, **{**asdict(recipe), "features": list(recipe.features)}}


def open_records(args: Namespace, recipe: Recipe) -> Cache:
    """The cache of the raw records that the flags name, or of those that it was built from before they went away."""
    finder = Finder(args)
    if not finder.has_raw() and not args.records_dir:
        found = cache.find(finder.parent, kind="context", recipe=keyed(recipe))
        if found is not None:
            say(f"data: built cache of {found.meta['source']['where']}")
            return found
    return open_cache(finder.parent, records_source(finder.raw_folder(), recipe))


def mixed(beats: Beats, args: Namespace) -> tuple[np.ndarray, np.ndarray]:
    """The train and test rows of Kaggle's split (for synthetic recordings, of one like it)."""
    last = np.append(beats.record[1:] != beats.record[:-1], True)  # has no row there
    kept = np.flatnonzero(~last)
    light = {name: array[kept] for name, array in beats.arrays().items() if name not in ("x", "features")}
    known = Beats(x=np.empty((len(kept), 0)), **light)
    if args.dataset.startswith("synthetic"):
        train, test = splits.fifth_rows(known, args.synthetic_seed)
    else:
        train, test = splits.kaggle_rows(known)
    return kept[train], kept[test]


def load(args: Namespace, kind: type[ECGLoader]) -> Data:
    """Train, validation and test rows with the context and the split that the flags ask for.

    Args:
        kind: the dataset of all classes; `kind.without_q` where Q is left out.
    """
    recipe, made_up = Recipe.of(args), args.dataset.startswith("synthetic")
    if made_up:
        opened = open_cache(Path(args.root_dir) / "synthetic" / "cache", synthetic_source(args, recipe))
    else:
        opened = open_records(args, recipe)
    beats = opened.splits["all"]
    warnings: list[str] = []
    if args.split == "kaggle":
        train, test = mixed(beats, args)
        labels = kind(beats, train).labels().numpy()
        rest, held = splits.stratified(labels, args.val_fraction, np.random.default_rng(args.seed))
        division = patients.Division({"train": train[rest], "val": train[held], "test": test})
        warnings.append(SYNTHETIC_WARNING if made_up else KAGGLE_WARNING)
    else:
        number, _, folds = (args.fold or "").partition("/")
        fold = (int(number), int(folds)) if folds else None
        division = patients.divide(beats, args.split, fold, args.val_fraction, args.seed)
        kind = kind.without_q()
        warnings += ["Synthetic recordings: scores on them say nothing about people."] if made_up else []
        warnings += [Q_WARNING, *([SHARED_WARNING] if division.shared else [])]
    parts = {part: kind(beats, rows, args.neighbours, recipe.frame()) for part, rows in division.rows.items()}
    facts = {"recipe": keyed(recipe), "split": args.split, "patients": division.patients, "records": division.records}
    lines = [*recipe.future(), *(patients.describe(division) if division.patients else [])]
    columns = names_of(recipe.features, recipe.leads)
    return Data(parts["train"], parts["val"], parts["test"], opened, warnings, {**facts, "features": columns}, lines)
