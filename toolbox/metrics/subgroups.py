"""Scores of the test beats by the age and sex of the patients, as far as these are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from toolbox.metrics.patients import OVERALL, map_scores

OLD = 65  # years: the usual boundary of geriatric medicine, and near the median of MIT-BIH's patients
FEWEST = 5  # patients of a group, below which draws of them say nothing of others
WOMEN, MEN, YOUNGER, OLDER, NOT_KNOWN = "women", "men", f"below {OLD}", f"{OLD} or above", "age unknown"


def groups_of(age: int | None, sex: str) -> tuple[str, ...]:
    """The groups that a patient is in, by sex ("F", "M" or "") and by age in years."""
    by_sex = {"F": (WOMEN,), "M": (MEN,)}.get(sex, ())
    return (*by_sex, NOT_KNOWN if age is None else OLDER if age >= OLD else YOUNGER)


def subgroup_scores(
    labels: np.ndarray,
    called: np.ndarray,
    origin: Mapping[str, np.ndarray],
    names: Sequence[str],
    subjects: Mapping[str, tuple[int | None, str]],
) -> dict[str, dict[str, Any]]:
    """Scores of each group of patients, with intervals over the patients of the group.

    Args:
        labels, called: (n,) int, classes by `names`, labels by de Chazal's map.
        origin: record and patient of each beat, (n,).
        subjects: record -> age in years (None where it is not known) and sex ("F", "M", "" likewise).

    Returns:
        Group -> its "records", "patients", "confusion", accuracy, macro F1, kappa, j-kappa and "per_class" as
        `map_scores` returns them; {} where no header says anything.
    """
    if not any(age is not None or sex for age, sex in subjects.values()):
        return {}
    members: dict[str, list[str]] = {group: [] for group in (WOMEN, MEN, YOUNGER, OLDER, NOT_KNOWN)}
    for record, (age, sex) in sorted(subjects.items()):
        for group in groups_of(age, sex):
            members[group].append(record)
    scores = {}
    for group, records in members.items():
        own = np.isin(origin["record"], records)
        if own.any():
            of_group = {key: values[own] for key, values in origin.items()}
            patients = sorted(set(of_group["patient"].tolist()) - {""})
            result = map_scores(labels[own], called[own], of_group, names, by_record=False)
            kept = {key: result[key] for key in ("confusion", *OVERALL, "per_class")}
            if len(patients) < FEWEST:
                kept = _without_intervals(kept)
            scores[group] = {"records": records, "patients": len(patients), **kept}
    return scores


def _without_intervals(figures: Any) -> Any:
    """The same nested mappings with the ends of all intervals None."""
    if not isinstance(figures, dict):
        return figures
    return {key: None if key in ("low", "high") else _without_intervals(value) for key, value in figures.items()}
