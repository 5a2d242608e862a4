"""Shares of samples and numbers in a mistake, summed up by wave: P, QRS, T, RR intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

P_WAVE, QRS, T_WAVE, RR, WHOLE, REST = (
    "P wave",
    "QRS complex",
    "T wave",
    "RR intervals",
    "whole beat",
    "rest of the row",
)
OTHERS = "other beats"
END = "where the row ends"  # Kaggle's rows end with the next beat: the zeros behind them tell the RR interval
# s from the R peak that a wave spans, as the features have it (features/morphology.py): from, to.
PLACES = {P_WAVE: (-0.24, -0.06), QRS: (-0.06, 0.10), T_WAVE: (0.10, 0.45)}
COLUMNS_SHOWN = 4
# Groups of features by wave; in the others, by the word that a column begins with.
RHYTHMS = ("rr", "rr_past", "rhythm", "pattern", "tempo", "tempo_past", "tempo_memory")
GROUPS = {**dict.fromkeys(RHYTHMS, RR), "pwave": P_WAVE}
WORDS = {"P": P_WAVE, "beat": WHOLE}


def wave_of(column: str) -> str:
    """The wave that a column of features is about: "qrs: width in lead 1" -> "QRS complex"."""
    group, _, name = column.partition(": ")
    return GROUPS.get(group) or WORDS.get(name.split(" ")[0], QRS)


def waves_of_samples(samples: int, origin: int, rate: float, length: int) -> np.ndarray:
    """(samples,) the wave that each sample of a row lies in.

    Args:
        origin: the sample of the R peak.
        rate: samples per s.
        length: samples of signal, behind which are zeros.
    """
    times = (np.arange(samples) - origin) / rate
    waves = np.full(samples, REST, dtype=object)
    for name, (start, stop) in PLACES.items():
        waves[(times >= start) & (times < stop)] = name
    waves[length:] = END
    return waves


def reasons(
    samples: np.ndarray | None,
    waves: np.ndarray,
    numbers: np.ndarray | None,
    values: np.ndarray | None,
    columns: Sequence[str],
    beats: int,
) -> dict[str, Any]:
    """The parts of a mistake, those that counted most first, for the page.

    Args:
        samples: (channels, samples) shares of the row, or None; with neighbours `beats` times the leads.
        waves: (samples,) of `waves_of_samples`.
        numbers: (beats * k,) shares of the features, or None.
        values: (beats * k,) the features.
        columns: k names.
        beats: rows that come together, the beat itself in the middle.

    Returns:
        {"parts": [{"name", "value", "from", "to"}], "columns": [(name, value, share)]}; from and to in s from the R
        peak, None where a part has no place.
    """
    total: dict[str, float] = {}
    if samples is not None:
        by_beat = samples.reshape(beats, -1, samples.shape[-1]).sum(axis=1)  # (beats, samples)
        for name in dict.fromkeys(waves.tolist()):
            total[name] = total.get(name, 0.0) + float(by_beat[beats // 2, waves == name].sum())
        if beats > 1:
            total[OTHERS] = float(by_beat.sum() - by_beat[beats // 2].sum())
    shown: list[tuple[str, float, float]] = []
    if numbers is not None and values is not None:
        for beat, (shares, its) in enumerate(zip(numbers.reshape(beats, -1), values.reshape(beats, -1), strict=True)):
            for column, share, value in zip(columns, shares.tolist(), its.tolist(), strict=True):
                name = wave_of(column) if beat == beats // 2 else OTHERS
                total[name] = total.get(name, 0.0) + share
                where = "" if beat == beats // 2 else f" ({beat - beats // 2:+d} beats)"
                shown.append((column + where, round(value, 3), round(share, 3)))
    parts = [
        {
            "name": name,
            "value": round(value, 3),
            **dict(zip(("from", "to"), PLACES.get(name, (None, None)), strict=True)),
        }
        for name, value in sorted(total.items(), key=lambda item: -abs(item[1]))
    ]
    return {"parts": parts, "columns": sorted(shown, key=lambda one: -abs(one[2]))[:COLUMNS_SHOWN]}
