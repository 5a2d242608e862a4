"""Recordings -> beats -> batches."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from toolbox.utils import Registry, UserError, nearest

if TYPE_CHECKING:
    from loaders.datasets.dataset import Data

DATASETS = Registry(
    "dataset",
    {
        "ecg": "loaders.datasets.dataset:ecg",
        "ecg_bin": "loaders.datasets.dataset:ecg_bin",
        "synthetic": "loaders.datasets.dataset:synthetic",
        "synthetic_bin": "loaders.datasets.dataset:synthetic_bin",
    },
)
NUM_CLASSES = {"ecg": 5, "ecg_bin": 2, "synthetic": 5, "synthetic_bin": 2}
CLASSES_BY_PATIENT = {"ecg": 4, "ecg_bin": 2, "synthetic": 4, "synthetic_bin": 2}  # Q is left out
SOURCES = ("auto", "csv", "records", "gdrive", "physionet")
SAMPLINGS = ("equal", "importance", "effective")
SAMPLERS = (*SAMPLINGS, "patients")
AUGMENTATIONS = Registry(
    "change of rows",
    {name: f"loaders.datasets.augment:{name}" for name in (
        "amplitude", "stretch", "shift", "wander", "noise", "invert", "droplead", "droprr", "tempo"
    )},
)  # fmt: skip
# How far each goes unless its size is given, and what "strong" is.
SIZES = {
    "amplitude": 0.2, "stretch": 0.1, "shift": 0.02, "wander": 0.1, "noise": 0.02, "invert": 0.1, "droplead": 0.1,
    "droprr": 0.1, "tempo": 0.15,
}  # fmt: skip
PRESETS: dict[str, dict[str, float]] = {
    "none": {},
    "light": {},  # of its own, see loaders/datasets/augment.py
    "strong": {name: size for name, size in SIZES.items() if name not in ("shift", "droplead", "tempo")},
}
SPLITS = ("kaggle", "interpatient", "interpatient_strict", "kfold")
CONTEXTS = ("kaggle", "window")
BASELINES = ("highpass", "median")
FEATURES = Registry(
    "feature group",
    {
        "rr": "loaders.beats.features.rr:RR",
        "rr_past": "loaders.beats.features.rr:RR_PAST",
        "rhythm": "loaders.beats.features.rr:RHYTHM",
        "pattern": "loaders.beats.features.rr:PATTERN",
        "shape": "loaders.beats.features.rr:SHAPE",
        "tempo": "loaders.beats.features.morphology:TEMPO",
        "qrs": "loaders.beats.features.morphology:QRS_GROUP",
        "pwave": "loaders.beats.features.morphology:PWAVE",
        "past": "loaders.beats.features.causal:PAST",
        "tempo_past": "loaders.beats.features.causal:TEMPO_PAST",
    },
)

SPLICES = Registry(
    "kind of spliced patient",
    {name: f"loaders.beats.spliced:{name}" for name in ("atrial", "block", "fibrillation", "noisy")},
)


def splicing(text: str) -> dict[str, int]:
    """What --spliced names: kinds of patients and how many of each, joined by "+", as "atrial:10+block:2", or "none".

    Raises:
        UserError: an unknown kind, or a number that is not from 1 to 100.
    """
    found: dict[str, int] = {}
    for part in text.split("+") if text != "none" else ():
        name, _, count = part.partition(":")
        if name not in SPLICES or name in found:
            raise UserError(f"{part!r}: expected kinds, each once, joined by +: {', '.join(SPLICES)}; or none")
        if not (count.isascii() and count.isdigit() and 1 <= int(count[:4]) <= 100):
            raise UserError(f"{part!r}: expected how many of them a record gives, from 1 to 100, as {name}:2")
        found[name] = int(count)
    return found


def augmentation(text: str) -> dict[str, float]:
    """What --augment names, change by change with its size: a preset, or changes joined by "+", as "noise:0.05+invert".

    Raises:
        UserError: an unknown name, or a size that is no number from 0 to 1.
    """
    if text in PRESETS:
        return dict(PRESETS[text])
    found = {}
    for part in text.split("+"):
        name, colon, size = part.partition(":")
        if name in PRESETS:
            raise UserError(f"{name!r} stands alone; joined by + are single changes: {', '.join(AUGMENTATIONS)}")
        if name not in AUGMENTATIONS:
            hint = nearest(name, [*PRESETS, *AUGMENTATIONS]) or ";"
            raise UserError(
                f"{part!r}: unknown{hint} known: {', '.join(PRESETS)}, or joined by +: {', '.join(AUGMENTATIONS)}"
            )
        try:
            found[name] = float(size) if colon else SIZES[name]
        except ValueError:
            found[name] = -1.0
        if not 0 <= found[name] <= 1:
            raise UserError(f"{part!r}: expected a size from 0 to 1 behind the colon")
    return found


def get_loader(args: Namespace) -> Data:
    """The data of `args.dataset`: train, validation and test rows, built or taken from the cache.

    Raises:
        UserError: there are no data and none can be had, or they are not what they should be.
    """
    return DATASETS[args.dataset](args)
