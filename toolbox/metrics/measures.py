"""Measurement-by-measurement comparison of two annotators, after ANSI/AAMI EC57 and EC38 and as WFDB's mxm does it.

Each measurement of the test is compared with the reference's that is nearest in time; of two as near, with the later.
The error is the root of the mean squared difference (RMS), and the same as a share of the mean of the reference's
measurements that were used (normalized).

mxm itself (app/mxm.c of the WFDB software, revised 24 April 2020) divides by the count of all measurements of the test,
those of the learning period among them, and, where the reference has one after the test's last or at the same time,
pairs both last ones once more. `MeasureErrors.as_mxm` are its figures, to be held against figures that others got.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from toolbox.metrics.epoch import mean_of_defined

MEASUREMENT = "="  # the symbol of an annotation that is a measurement: its number is the subtype, its value the text
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")  # what C's atof reads of a text, but for nan and inf
NOWHERE = 2**62  # the time of a measurement after the last


class Series(NamedTuple):
    """Measurements of one kind: (n,) int64 samples, never falling, and (n,) values."""

    sample: np.ndarray
    value: np.ndarray


@dataclass(frozen=True)
class Sums:
    """Sums over compared pairs: their squared differences, the reference's values, and the number n to divide by."""

    squares: float
    reference: float
    n: int

    def errors(self) -> dict[str, Any]:
        """The RMS error, the same divided by the mean of the reference (normalized), that mean, and n."""
        mean = self.reference / self.n if self.n else None
        rms = (self.squares / self.n) ** 0.5 if self.n else None
        normalized = rms / abs(mean) if rms is not None and mean else None
        return {"normalized_rms": normalized, "rms": rms, "reference_mean": mean, "n": self.n}


@dataclass(frozen=True)
class MeasureErrors:
    """What one record gave for one measurement: the sums by the rule, and as mxm's program forms them."""

    by_rule: Sums
    as_mxm: Sums


def measurements(
    sample: np.ndarray, symbol: Sequence[str], subtype: np.ndarray, texts: Sequence[str]
) -> dict[int, Series]:
    """The measurements that an annotation file holds, by their number.

    A text is read up to the end of the number that it begins with, as C's atof does. One without text repeats the
    measurement before it, as in mxm (the first: 0).
    """
    collected: dict[int, list[tuple[int, float]]] = {}
    for at, mark, number, text in zip(sample.tolist(), symbol, np.asarray(subtype).tolist(), texts, strict=True):
        if mark != MEASUREMENT:
            continue
        series = collected.setdefault(int(number), [])
        series.append((at, _number(text) if text else (series[-1][1] if series else 0.0)))
    return {number: series_of(collected[number]) for number in sorted(collected)}


def series_of(pairs: Sequence[tuple[int, float]]) -> Series:
    """The series of (sample, value)."""
    return Series(np.array([at for at, _ in pairs], dtype=np.int64), np.array([value for _, value in pairs], float))


def _number(text: str) -> float:
    """The decimal number that `text` begins with; 0 where it begins with none."""
    match = NUMBER.match(text)
    return float(match.group()) if match else 0.0


def compare_measures(reference: Series, test: Series, start: int, end: int) -> MeasureErrors:
    """Compare the test's measurements from sample `start` up to and including `end` with the reference's nearest.

    Raises:
        ValueError: the reference has no measurement.
    """
    if not len(reference.sample):
        raise ValueError("the reference has no measurement")
    scored = (test.sample >= start) & (test.sample <= end)
    sample, value = test.sample[scored], test.value[scored]
    after = np.searchsorted(reference.sample, sample, side="left")  # the first at the test's time or later
    earlier, later = np.maximum(after - 1, 0), np.minimum(after, len(reference.sample) - 1)
    to_earlier, to_later = np.abs(sample - reference.sample[earlier]), np.abs(reference.sample[later] - sample)
    paired = reference.value[np.where(to_earlier < to_later, earlier, later)]
    by_rule = Sums(float(((paired - value) ** 2).sum()), float(paired.sum()), len(value))
    return MeasureErrors(by_rule, _as_mxm(reference, test, start, end))


def _as_mxm(reference: Series, test: Series, start: int, end: int) -> Sums:
    """The sums that mxm's program forms: before the reference's first measurement it sees one of 0 at sample -1."""
    times, values = [-1, *reference.sample.tolist(), NOWHERE], [0.0, *reference.value.tolist()]
    tests = list(zip([*test.sample.tolist(), NOWHERE], [*test.value.tolist(), 0.0], strict=True))
    squares = total = latest = 0.0
    upcoming = read = 0
    for at, value in tests:
        if at < start:
            read, latest = read + 1, value
            continue
        read += at != NOWHERE
        if times[upcoming] > end and at > end:
            break
        while times[upcoming] < at:
            upcoming += 1
        latest = value if at != NOWHERE else latest
        is_earlier = at != NOWHERE and (upcoming > 0 and at - times[upcoming - 1] < times[upcoming] - at)
        paired = values[upcoming - 1 if is_earlier else min(upcoming, len(values) - 1)]
        squares += (paired - latest) ** 2
        total += paired
    return Sums(squares, total, read)


def measure_summary(compared: Mapping[str, Mapping[str, MeasureErrors]]) -> dict[str, Any]:
    """Each measurement's errors of each record, of all pairs together (gross), and their mean over the records that
    define them (average). Plain values, None where undefined.

    Args:
        compared: name of the measurement -> record -> errors.
    """
    return {
        name: {
            "records": {
                record: {**one.by_rule.errors(), "as_mxm": one.as_mxm.errors()} for record, one in records.items()
            },
            "gross": _together([one.by_rule for one in records.values()]).errors(),
            "average": _average([one.by_rule for one in records.values()]),
        }
        for name, records in compared.items()
    }


def _together(parts: Sequence[Sums]) -> Sums:
    return Sums(sum(one.squares for one in parts), sum(one.reference for one in parts), sum(one.n for one in parts))


def _average(parts: Sequence[Sums]) -> dict[str, float | None]:
    each = [one.errors() for one in parts]
    return {
        name: mean_of_defined([errors[name] for errors in each]) for name in ("normalized_rms", "rms", "reference_mean")
    }
