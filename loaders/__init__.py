"""Recordings -> beats -> batches."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from loaders.options import DataOptions
from toolbox.utils import Registry

if TYPE_CHECKING:
    from loaders.datasets.build import Data

DATASETS = Registry(
    "dataset",
    {
        "ecg": "loaders.datasets.build:ecg",
        "ecg_bin": "loaders.datasets.build:ecg_bin",
        "synthetic": "loaders.datasets.build:synthetic",
        "synthetic_bin": "loaders.datasets.build:synthetic_bin",
    },
)


def get_loader(args: Namespace) -> Data:
    """The data of `args.dataset`: train, validation and test rows, built or taken from the cache.

    Args:
        args: a namespace of flags; those of `DataOptions` are read.

    Raises:
        UserError: there are no data and none can be had, or they are damaged.
    """
    return DATASETS[args.dataset](DataOptions.of(args))
