"""The benchmark of noise: which beats are errors, and noise that is added where and as strong as it is said."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.noise import noise_power, qrs_power
from benchmarks.quality import errors, measure, read, with_noise
from loaders.sources.synthetic import patient_record


def test_errors_are_beats_and_peaks_without_a_partner() -> None:
    reference, peaks = np.array([100, 500, 900, 1000]), np.array([110, 480, 520, 940, 1700])
    missed, extra = errors(reference, peaks, 54)
    assert missed.tolist() == [1000] and extra.tolist() == [520, 1700]
    assert [part.tolist() for part in errors(reference, peaks[:0], 54)] == [reference.tolist(), []]
    assert [part.tolist() for part in errors(reference, reference, 54)] == [[], []]


def test_noise_is_added_from_minute_5_on_and_shut_down_there() -> None:
    record = patient_record(0, 8, np.random.SeedSequence(5))
    clean = record.signal[:, 0].astype(np.float64)
    noise = np.random.default_rng(0).standard_normal(30_000)
    signal = with_noise(record, noise, 360.0, -6.0)
    added = signal - clean
    assert not added[: 300 * 360].any() and not added[420 * 360 :].any()
    within = noise_power(added[300 * 360 : 420 * 360], 360.0)
    assert 10 * np.log10(qrs_power(clean, record) / within) == pytest.approx(-6, abs=0.3)
    peaks, shut = read(signal, 360.0)
    assert len(shut) == 480 and shut[305:415].mean() > 0.95 and len(peaks) > 400
    counts, are_bad = measure(record, signal)
    bad, bad_shut, _, _, beats, missed, extra, closed, seconds, by_noise, noise_shut = counts.tolist()
    assert bad_shut / bad > 0.9 and closed > 110 and seconds == 180 and missed + extra < 0.02 * beats
    assert are_bad.sum() == bad == by_noise and noise_shut == bad_shut
    first = np.flatnonzero(are_bad)[:3]
    again = measure(record, signal, np.isin(np.arange(len(are_bad)), first))[0].tolist()
    assert again[:9] == counts.tolist()[:9] and again[9] == bad - 3 and again[10] >= bad_shut - 3
