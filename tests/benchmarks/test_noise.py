"""Electrode-motion noise, in the amounts of the noise stress test: beats are lost little by little, never a flood."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks.noise import (
    electrode_motion,
    noise_power,
    noisy,
    qrs_power,
    recorded_motion,
    trimmed_mean,
    with_recorded,
)
from inference.files import AnnotateOptions, annotate_file
from loaders.io.annotations import read_pair
from loaders.io.discovery import Item
from loaders.io.wfdb_record import Record, read_wfdb, write_wfdb
from loaders.sources.synthetic import patient_record
from tests.conftest import RECORDS, ROOT, needs_records
from tests.made import Rule
from toolbox.metrics.ec57 import SHUT, compare
from toolbox.metrics.ec57_scores import scores

QUIET, PERIOD, LENGTH = 15.0, 20.0, 90  # s; noise from 15 to 35 and from 55 to 75


def test_amounts_are_those_of_nst() -> None:
    fs, n = 360.0, 36000
    seconds = np.arange(n) / fs
    sine = np.sin(2 * np.pi * 10 * seconds)
    assert noise_power(3 * sine, fs) == pytest.approx(9 / 2, rel=1e-3)
    record = patient_record(0, 1, np.random.SeedSequence(0))
    record = replace(record, sample=np.arange(360, n - 360, 300), symbol=np.full(118, "N"))
    assert qrs_power(sine, record) == pytest.approx(0.5, rel=1e-2)  # of a sine, the same as its power
    assert trimmed_mean(np.append(np.ones(38), [1000.0, -1000.0])) == 1


@pytest.mark.parametrize("snr", [24.0, 0.0])
def test_noise_comes_in_turns_in_the_amount_that_is_asked_for(snr: float) -> None:
    record = patient_record(2, 2, np.random.SeedSequence(1))
    added = noisy(record, snr, np.random.default_rng(0), QUIET, PERIOD).signal - record.signal
    on = np.arange(len(added)) / 360 - QUIET
    on = (on >= 0) & (on % (2 * PERIOD) < PERIOD)
    steps = np.abs(np.diff(added, axis=0))
    assert steps[~on[1:]].max() < 0.011  # a unit of the digitizer at the most, in rounding
    for lead in range(2):
        noise = electrode_motion(len(added), np.random.default_rng(0))[:, lead]
        power = qrs_power(record.signal[:, lead], record)
        gain = np.std(np.diff(added[on, lead])) / np.std(np.diff(noise[on]))
        wanted = np.sqrt(power / noise_power(noise, 360) / 10 ** (snr / 10))
        assert gain == pytest.approx(wanted, rel=0.1)


def test_the_noise_is_like_electrodes_that_move() -> None:
    noise = electrode_motion(360 * 120, np.random.default_rng(3))
    spectrum = np.abs(np.fft.rfft(noise[:, 0] - noise[:, 0].mean())) ** 2
    frequency = np.fft.rfftfreq(len(noise), 1 / 360)
    share = [spectrum[(frequency >= a) & (frequency < b)].sum() / spectrum.sum() for a, b in ((0, 10), (5, 25))]
    assert share[0] > 0.7 and share[1] > 0.03  # most of it is slow, and some is where QRS complexes are
    assert np.corrcoef(noise.T)[0, 1] > -0.9 and not np.allclose(noise[:, 0], noise[:, 1])
    assert np.array_equal(noise, electrode_motion(360 * 120, np.random.default_rng(3)))


def found_in(folder: Path, record: Record) -> dict[str, dict[str, float]]:
    """EC57's figures of the beats that --predict finds, from the start on, where it reads the signal; and the share of
    the reference's beats that lie there."""
    write_wfdb(record, folder)
    made = folder / record.name
    annotate_file(Item(made.with_suffix(".hea")), Rule(), AnnotateOptions())
    pair = read_pair(made, "atr", "ecg", None)
    matrix = compare(pair.reference, pair.test, pair.fs, pair.length, 0, 0.15).matrix
    beats, shut = matrix[:SHUT].sum(), matrix[:, SHUT].sum()
    matrix[:, SHUT] = 0
    figures = {name: {kind: a / max(b, 1) for kind, (a, b) in named.items()} for name, named in scores(matrix).items()}
    return {**figures, "all": {"judged": 1 - shut / beats}}


def degrades(record: Record, folder: Path) -> None:
    """QRS complexes are lost, and others found, little by little; what is too noisy is not judged."""
    found = {
        snr: found_in(folder / f"{snr:g}", noisy(record, snr, np.random.default_rng(1), QUIET, PERIOD))
        for snr in (np.inf, 24.0, 12.0, 0.0)
    }
    by = {snr: figures["QRS"] for snr, figures in found.items()}
    judged = [figures["all"]["judged"] for figures in found.values()]
    assert judged[0] > 0.9 and 0.3 < judged[-1] < judged[0], judged
    for figure in ("Se", "+P"):
        values = [by[snr][figure] for snr in by]
        assert values[0] > 0.98 and values[1] > 0.97, by
        assert all(later <= earlier + 0.03 for earlier, later in pairwise(values)), by
        assert values[-1] > 0.75, by  # with noise as strong as QRS complexes in half of the time


def test_synthetic_beats_are_lost_little_by_little(tmp_path: Path) -> None:
    record = patient_record(1, LENGTH / 60, np.random.SeedSequence(3))
    degrades(record, tmp_path)


@needs_records
@pytest.mark.parametrize("name", ["118", "119"])
def test_beats_of_the_stress_test_s_records_are_lost_little_by_little(name: str, tmp_path: Path) -> None:
    whole = read_wfdb(RECORDS / name)
    inside = whole.sample < LENGTH * 360
    part = replace(
        whole, digital=whole.digital[: LENGTH * 360], sample=whole.sample[inside], symbol=whole.symbol[inside], aux=[]
    )
    degrades(part, tmp_path)


@needs_records
def test_recorded_noise_at_6_db_is_the_stress_test_s_own_record() -> None:
    """Record 118 with what 118e06 holds more than it is 118e06, to a unit of the digitizer."""
    published = ROOT.parent / "shared" / "cases" / "recordings" / "118e06"
    motion, fs = recorded_motion(published, RECORDS / "118")
    assert fs == 360 and motion.shape[1] == 2
    clean, wanted = read_wfdb(RECORDS / "118"), read_wfdb(published)
    added, theirs = (each.signal - clean.signal for each in (with_recorded(clean, motion, 6, clean), wanted))
    theirs += 5.12  # the level that the file adds
    for lead in range(2):
        assert np.std(theirs[:, lead]) > 0.3 and np.abs(added[:, lead] - theirs[:, lead]).max() < 0.011
    quieter = with_recorded(clean, motion, 24, clean).signal - clean.signal
    assert np.std(quieter[:, 0]) == pytest.approx(np.std(added[:, 0]) / 10**0.9, rel=0.01)
