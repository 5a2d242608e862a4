"""What --test says of patients: figures with intervals over them, by record, under both label maps; calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from toolbox.metrics.calibration import expected_error, fit_temperature, tempered
from toolbox.metrics.confusion import DRAWS, LEVEL, confusion_by_group, figures, intervals
from toolbox.metrics.record_scores import ec57, plain
from toolbox.utils.aami import ESCAPE_SYMBOLS, SUPRAVENTRICULAR, VENTRICULAR

# A beat's class under the map that it was trained with, and under EC57's own, which has escape beats among S.
DE_CHAZAL, EC57_MAP = "de Chazal 2004 (S = A a J S)", "EC57 (S = A a J S e j n)"
OVERALL = ("accuracy", "macro_f1", "kappa", "j_kappa")


def relabelled(labels: np.ndarray, symbols: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """`labels` with the escape beats e, j and n among S, as EC57 counts them."""
    return np.where(np.isin(symbols, ESCAPE_SYMBOLS), names.index(SUPRAVENTRICULAR), labels)


def of_map(
    labels: np.ndarray, called: np.ndarray, origin: Mapping[str, np.ndarray], names: Sequence[str], by_record: bool
) -> dict[str, Any]:
    """All figures under one label map, as plain values.

    Args:
        labels, called: (n,) int, classes by `names`.
        origin: record, patient, and (by record) time, each (n,); a patient of "" is not known.
        by_record: EC57's tables, and the figures without each record, too.
    """
    classes = len(names)
    patients, counts = confusion_by_group(labels, called, origin["patient"], classes)
    confusion = counts.sum(axis=0)
    found = figures(confusion, names)
    known = "" not in patients.tolist() and len(patients) > 1
    spread = intervals(counts, names) if known else {}

    def figure(name: str) -> dict[str, float | None]:
        low, high = spread.get(name, (np.nan, np.nan))
        return {"value": plain(found[name]), "low": plain(low), "high": plain(high)}

    result: dict[str, Any] = {
        "confusion": confusion.tolist(),
        **{name: figure(name) for name in OVERALL},
        "per_class": {
            name: {**{kind: figure(f"{kind} {name}") for kind in ("Se", "+P", "F1")}, "beats": int(confusion[k].sum())}
            for k, name in enumerate(names)
        },
    }
    if by_record:
        records, each = confusion_by_group(labels, called, origin["record"], classes)
        rest = figures(confusion - each, names)
        result["without"] = {
            record: {name: plain(values[k]) for name, values in rest.items()}
            for k, record in enumerate(records.tolist())
        }
        result["ec57"] = ec57(labels, called, origin, names)
    return result


def patient_scores(
    probabilities: np.ndarray,
    labels: np.ndarray,
    origin: Mapping[str, np.ndarray],
    names: Sequence[str],
    by_patient: bool,
) -> dict[str, Any]:
    """The figures of the test beats as plain values.

    Args:
        probabilities: (n, C); labels: (n,).
        origin: record, patient, symbol and time, each (n,), see ECGLoader.origin.
        by_patient: whether the split goes by patient: EC57's tables and the other label map have a meaning then.
    """
    called = probabilities.argmax(axis=1)
    whole = by_patient and {SUPRAVENTRICULAR, VENTRICULAR} <= set(names) and "time" in origin
    maps = {DE_CHAZAL: of_map(labels, called, origin, names, whole)}
    if whole:
        other = relabelled(labels, origin["symbol"], names)
        maps[EC57_MAP] = of_map(other, called, origin, names, whole)
    known = set(origin["patient"].tolist()) - {""}
    return {
        "classes": list(names),
        "patients": len(known),
        "intervals": f"{100 * LEVEL:.0f} % by bootstrap over patients, {DRAWS} draws" if len(known) > 1 else None,
        "maps": maps,
    }


def calibration(
    probabilities: np.ndarray, labels: np.ndarray, held_out: tuple[np.ndarray, np.ndarray] | None
) -> dict[str, Any]:
    """The test beats' expected calibration error; the temperature that validation asks for, and what it makes of it.

    Args:
        held_out: probabilities and labels of the validation beats; None where they are the test beats themselves.
    """
    found: dict[str, Any] = {"ece": expected_error(probabilities, labels), "temperature": None, "ece_tempered": None}
    if held_out is not None:
        found["temperature"] = fit_temperature(*held_out)
        found["ece_tempered"] = expected_error(tempered(probabilities, found["temperature"]), labels)
    return found


def decisive(result: Mapping[str, Any]) -> str | None:
    """The record without which j-kappa moves most."""
    whole = result["j_kappa"]["value"]
    rest = {record: each["j_kappa"] for record, each in result.get("without", {}).items()}
    moved = {record: abs(value - whole) for record, value in rest.items() if None not in (value, whole)}
    return max(moved, key=moved.__getitem__) if any(moved.values()) else None
