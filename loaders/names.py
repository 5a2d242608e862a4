"""Names that the flags of the data take, and the texts of --spliced, --augment and --fold.

The tables behind the names are loaders.DATASETS, and SPLICES, FEATURES and AUGMENTATIONS beside the functions that they
list: in loaders/beats/spliced.py, loaders/beats/features/table.py and loaders/datasets/augment.py.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable

from toolbox.utils import UserError, nearest
from toolbox.utils.aami import CLASS_LETTERS
from toolbox.utils.options import Argument

DATASET_NAMES = ("ecg", "ecg_bin", "synthetic", "synthetic_bin")
# Databases by PhysioNet's names -> their facts, which loaders/sources/databases reads.
DATABASE_FILES = {
    "mitdb": "loaders.sources.databases.mitdb:DATABASE",
    "svdb": "loaders.sources.databases.svdb:DATABASE",
    "incartdb": "loaders.sources.databases.incartdb:DATABASE",
    "edb": "loaders.sources.databases.edb:DATABASE",
    "ltdb": "loaders.sources.databases.ltdb:DATABASE",
    "nsrdb": "loaders.sources.databases.nsrdb:DATABASE",
    "nstdb": "loaders.sources.databases.nstdb:DATABASE",
    "qtdb": "loaders.sources.databases.qtdb:DATABASE",
    "stdb": "loaders.sources.databases.stdb:DATABASE",
}
SOURCES = ("auto", "csv", "records", "gdrive", "physionet")
SAMPLINGS = ("equal", "importance", "effective")
SAMPLERS = (*SAMPLINGS, "patients")
SPLITS = ("kaggle", "interpatient", "interpatient_strict", "kfold", "databases")
CONTEXTS = ("kaggle", "window")
BASELINES = ("highpass", "median")
FEATURE_NAMES = (
    "rr", "rr_past", "rhythm", "pattern", "shape", "tempo", "qrs", "pwave", "form", "past", "tempo_past",
    "tempo_memory", "memory",
)  # fmt: skip
SPLICE_NAMES = ("atrial", "symmetric", "block", "fibrillation", "noisy", "lead")
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


def parse_database(text: str) -> tuple[str, tuple[str, ...] | None]:
    """A database or a folder, and the names of its records or of one list of them: "svdb:dev" -> ("svdb", ("dev",)),
    "my/records:p1,p2" -> ("my/records", ("p1", "p2")), "mitdb" -> ("mitdb", None).

    Raises:
        UserError: a name is empty.
    """
    place, colon, names = text.rpartition(":")
    if not colon or "/" in names or "\\" in names:  # a colon of the folder itself
        place, colon, names = text, "", ""
    listed = tuple(name.strip() for name in names.split(","))
    if not place or (colon and not all(listed)):
        raise UserError(f"{text!r}: expected DB, DB:LIST or DB:RECORD,RECORD; DB is one of {', '.join(DATABASE_FILES)}")
    return place, listed if colon else None


def parse_symbols(text: str) -> tuple[int, str]:
    """A class and the WFDB symbols that stand for it: "S=AaJSn" -> (1, "AaJSn").

    Raises:
        UserError: no such class, or no symbols.
    """
    letter, _, symbols = text.partition("=")
    if letter not in CLASS_LETTERS or not symbols:
        raise UserError(
            f"{text!r}: expected a class and its symbols, as S=AaJSn; classes are {', '.join(CLASS_LETTERS)}"
        )
    return CLASS_LETTERS.index(letter), symbols


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
    check = Argument(parse)

    def keep(text: str) -> str:
        check(text)
        return text

    return keep
