"""The groups of features by name, and the features of several groups side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loaders.beats.features.base import FeatureGroup, FeatureInput
from loaders.beats.features.causal import PAST, TEMPO_PAST
from loaders.beats.features.memory import MEMORY, TEMPO_MEMORY
from loaders.beats.features.morphology import PWAVE, QRS_GROUP, SHAPE
from loaders.beats.features.rr import PATTERN, RHYTHM, RR, RR_PAST, TEMPO
from loaders.beats.features.waves import FORM
from toolbox.utils.registry import check_name

FEATURES: dict[str, FeatureGroup] = {
    "rr": RR,
    "rr_past": RR_PAST,
    "rhythm": RHYTHM,
    "pattern": PATTERN,
    "shape": SHAPE,
    "tempo": TEMPO,
    "qrs": QRS_GROUP,
    "pwave": PWAVE,
    "form": FORM,
    "past": PAST,
    "tempo_past": TEMPO_PAST,
    "tempo_memory": TEMPO_MEMORY,
    "memory": MEMORY,
}
LIMIT = 3.0  # of any feature's size


def group(name: str) -> FeatureGroup:
    """The group of this name; UserError for an unknown one."""
    return FEATURES[check_name("feature group", name, FEATURES)]


def compute(names: Sequence[str], recording: FeatureInput) -> np.ndarray:
    """(n, k) float32: the features of these groups, one after the other, kept within +-3."""
    parts = [group(name).compute(recording) for name in names]
    return np.clip(np.concatenate(parts, axis=1), -LIMIT, LIMIT).astype(np.float32)


def names_of(names: Sequence[str], leads: int) -> list[str]:
    """The names of all columns, group by group."""
    return [f"{name}: {column}" for name in names for column in group(name).names(leads)]


def tempo_columns(names: Sequence[str], leads: int) -> tuple[int, ...]:
    """The numbers of the columns that are logarithms of intervals."""
    shifted = [column in group(name).tempo for name in names for column in group(name).names(leads)]
    return tuple(number for number, shifts in enumerate(shifted) if shifts)
