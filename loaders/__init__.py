"""Recordings -> beats -> batches."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from toolbox.utils import Registry

if TYPE_CHECKING:
    from loaders.ecg_loader import Data

DATASETS = Registry(
    "dataset",
    {
        "ecg": "loaders.ecg_loader:ecg",
        "ecg_bin": "loaders.ecg_loader:ecg_bin",
        "synthetic": "loaders.ecg_loader:synthetic",
        "synthetic_bin": "loaders.ecg_loader:synthetic_bin",
    },
)
NUM_CLASSES = {"ecg": 5, "ecg_bin": 2, "synthetic": 5, "synthetic_bin": 2}
CLASSES_BY_PATIENT = {"ecg": 4, "ecg_bin": 2, "synthetic": 4, "synthetic_bin": 2}  # Q is left out
SOURCES = ("auto", "csv", "records", "gdrive", "physionet")
SAMPLINGS = ("equal", "importance")
AUGMENTATIONS = ("none", "light")
SPLITS = ("kaggle", "interpatient", "interpatient_strict", "kfold")
CONTEXTS = ("kaggle", "window")
FEATURES = Registry(
    "feature group",
    {
        "rr": "loaders.features:RR",
        "rr_past": "loaders.features:RR_PAST",
        "rhythm": "loaders.features:RHYTHM",
        "pattern": "loaders.features:PATTERN",
        "shape": "loaders.features:SHAPE",
    },
)


def get_loader(args: Namespace) -> Data:
    """The data of `args.dataset`: train, validation and test rows, built or taken from the cache.

    Raises:
        UserError: there are no data and none can be had, or they are not what they should be.
    """
    return DATASETS[args.dataset](args)
