"""Reads the age and sex of the test records' patients from their headers, where the records are at hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from commands.build import BuiltRun
from commands.wrong_beats import record_places
from loaders.io.subject import Subject, read_subject


def subjects_of(built: BuiltRun, origin: Mapping[str, np.ndarray]) -> dict[str, Subject]:
    """Record -> age and sex of its patient; of synthetic recordings and of rows without a record, nothing.

    Args:
        built: the run.
        origin: record of each beat, (n,).
    """
    places = record_places(built)
    if places.source.is_synthetic:
        return {}
    return {record: read_subject(places.path(record)) for record in np.unique(origin["record"]).tolist() if record}
