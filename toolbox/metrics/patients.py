"""Scores of --test over patients: intervals, each record, both label maps; and calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from toolbox.metrics.calibration import expected_error, fit_temperature, tempered
from toolbox.metrics.confusion import (
    BOOTSTRAP_DRAWS,
    INTERVAL_LEVEL,
    bootstrap_intervals,
    confusion_by_group,
    confusion_scores,
    plain,
)
from toolbox.metrics.ec57_scores import record_scores
from toolbox.utils.aami import ESCAPE_SYMBOLS, SUPRAVENTRICULAR, VENTRICULAR

# The label maps: the one that models are trained with, and EC57's own, which has escape beats among S.
DE_CHAZAL, EC57_MAP = "de Chazal 2004 (S = A a J S)", "EC57 (S = A a J S e j n)"
OVERALL = ("accuracy", "macro_f1", "kappa", "j_kappa")


def relabelled(labels: np.ndarray, symbols: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """`labels` with the escape beats e, j and n among S, as EC57 counts them."""
    return np.where(np.isin(symbols, ESCAPE_SYMBOLS), names.index(SUPRAVENTRICULAR), labels)


def map_scores(
    labels: np.ndarray, called: np.ndarray, origin: Mapping[str, np.ndarray], names: Sequence[str], by_record: bool
) -> dict[str, Any]:
    """All scores under one label map, as plain values.

    Args:
        labels, called: (n,) int, classes by `names`.
        origin: record, patient, and (by record) time, each (n,); a patient of "" is not known.
        by_record: add EC57's tables, and the scores without each record.
    """
    classes = len(names)
    patients, counts = confusion_by_group(labels, called, origin["patient"], classes)
    confusion = counts.sum(axis=0)
    scores = confusion_scores(confusion, names)
    have_intervals = "" not in patients.tolist() and len(patients) > 1
    intervals = bootstrap_intervals(counts, names) if have_intervals else {}

    def with_interval(name: str) -> dict[str, float | None]:
        low, high = intervals.get(name, (np.nan, np.nan))
        return {"value": plain(scores[name]), "low": plain(low), "high": plain(high)}

    result: dict[str, Any] = {
        "confusion": confusion.tolist(),
        **{name: with_interval(name) for name in OVERALL},
        "per_class": {
            name: {
                **{kind: with_interval(f"{kind} {name}") for kind in ("Se", "+P", "F1")},
                "beats": int(confusion[k].sum()),
            }
            for k, name in enumerate(names)
        },
    }
    if by_record:
        records, each = confusion_by_group(labels, called, origin["record"], classes)
        others = confusion_scores(confusion - each, names)
        result["without"] = {
            record: {name: plain(values[k]) for name, values in others.items()}
            for k, record in enumerate(records.tolist())
        }
        result["ec57"] = record_scores(labels, called, origin, names)
    return result


def patient_scores(
    probabilities: np.ndarray,
    labels: np.ndarray,
    origin: Mapping[str, np.ndarray],
    names: Sequence[str],
    by_patient: bool,
    unit: str = "patients",
) -> dict[str, Any]:
    """The scores of the test beats as plain values.

    Args:
        probabilities: (n, C); labels: (n,).
        origin: record, patient, symbol and time, each (n,), see ECGLoader.origin.
        by_patient: whether the split goes by patient: EC57's tables and the other label map have a meaning then.
        unit: "records" where it is not known which of them are of one patient.
    """
    called = probabilities.argmax(axis=1)
    by_record = by_patient and {SUPRAVENTRICULAR, VENTRICULAR} <= set(names) and "time" in origin
    maps = {DE_CHAZAL: map_scores(labels, called, origin, names, by_record)}
    if by_record:
        maps[EC57_MAP] = map_scores(relabelled(labels, origin["symbol"], names), called, origin, names, by_record)
    patients = set(origin["patient"].tolist()) - {""}
    intervals = f"{100 * INTERVAL_LEVEL:.0f} % by bootstrap over {unit}, {BOOTSTRAP_DRAWS} draws"
    return {
        "classes": list(names),
        "patients": len(patients),
        "intervals": intervals if len(patients) > 1 else None,
        "maps": maps,
    }


def database_scores(
    probabilities: np.ndarray, labels: np.ndarray, origin: Mapping[str, np.ndarray], names: Sequence[str], unit: str
) -> dict[str, Any]:
    """The `patient_scores` of each database, where the test beats are of several: record names are "svdb/800" then.

    Returns:
        Database -> its scores, in order of name; empty for the beats of one database.
    """
    records, which = np.unique(origin["record"], return_inverse=True)
    database = np.array([name.rpartition("/")[0] for name in records.tolist()], dtype=str)[which]
    scores = {}
    for name in np.unique(database).tolist():
        own = database == name
        scores[name] = patient_scores(
            probabilities[own], labels[own], {key: values[own] for key, values in origin.items()}, names, True, unit
        )
    return scores if len(scores) > 1 else {}


def calibration(
    probabilities: np.ndarray, labels: np.ndarray, held_out: tuple[np.ndarray, np.ndarray] | None
) -> dict[str, Any]:
    """The expected calibration error of the test beats, before and after the temperature fitted on validation.

    Args:
        held_out: probabilities and labels of the validation beats; None where they are the test beats themselves.
    """
    result: dict[str, Any] = {"ece": expected_error(probabilities, labels), "temperature": None, "ece_tempered": None}
    if held_out is not None:
        result["temperature"] = fit_temperature(*held_out)
        result["ece_tempered"] = expected_error(tempered(probabilities, result["temperature"]), labels)
    return result


def most_decisive_record(result: Mapping[str, Any]) -> str | None:
    """The record without which j-kappa moves most."""
    whole = result["j_kappa"]["value"]
    without = {record: each["j_kappa"] for record, each in result.get("without", {}).items()}
    moved = {record: abs(value - whole) for record, value in without.items() if None not in (value, whole)}
    return max(moved, key=moved.__getitem__) if any(moved.values()) else None
