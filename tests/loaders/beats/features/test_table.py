"""The groups of features, on recordings small enough to do by hand; how much of the future each sees."""

from __future__ import annotations

import numpy as np
import pytest

from loaders.beats.features.base import FeatureInput, around, intervals, recent_mean
from loaders.beats.features.causal import LAST
from loaders.beats.features.memory import remembered
from loaders.beats.features.table import FEATURES, LIMIT, compute, group, names_of
from loaders.beats.windows import cut_windows, prepared, scaled
from loaders.dsp.resample import positions
from loaders.io.wfdb_record import Record
from loaders.names import FEATURE_NAMES
from loaders.sources.synthetic import synthesize
from toolbox.utils import UserError


@pytest.fixture(scope="module")
def record() -> Record:
    return list(synthesize(2, 2, 5))[1]  # of the kind with ventricular beats


def seen(record: Record, rate: float = 120.0) -> FeatureInput:
    at_beats = record.sample[1:]  # the first annotation is the rhythm
    signal = prepared(record, 2, rate, 0.5)
    at = positions(at_beats, record.fs, rate, len(signal))
    return FeatureInput(at_beats / record.fs, scaled(signal, at, rate), at, rate)


def test_intervals_by_hand() -> None:
    times = np.array([1.0, 1.8, 2.6, 3.0, 4.0])
    rr = intervals(times)
    assert rr == pytest.approx([0.8, 0.8, 0.8, 0.4, 1.0])
    assert recent_mean(rr, 2) == pytest.approx([0.8, 0.8, 0.8, 0.8, 0.6])
    found = compute(["rr"], FeatureInput(times, np.zeros((600, 1)), np.zeros(5, int), 120.0))
    assert found.dtype == np.float32
    beat = dict(zip(group("rr").names(1), found[3].tolist(), strict=True))
    assert beat["RR"] == pytest.approx(np.log(0.4 / 0.8))
    assert beat["RR/recent"] == pytest.approx(np.log(0.4 / 0.8))
    assert beat["RR after"] == pytest.approx(np.log(1.0 / 0.8))
    assert beat["RR after/recent"] == pytest.approx(np.log(1.0 / 0.8))
    assert beat["RR/RR after"] == pytest.approx(np.log(0.4))
    assert np.allclose(
        found[:, :3], compute(["rr_past"], FeatureInput(times, np.zeros((600, 1)), np.zeros(5, int), 120.0))
    )


def test_rhythm_and_pattern_tell_a_premature_beat_from_its_neighbours() -> None:
    rr = np.full(100, 0.8)
    rr[50], rr[51] = 0.5, 1.1
    times = rr.cumsum()
    found = compute(["rhythm", "pattern"], FeatureInput(times, np.zeros((9, 1)), np.zeros(100, int), 120.0))
    names = names_of(["rhythm", "pattern"], 1)
    beat = dict(zip(names, found[50].tolist(), strict=True))
    assert beat["rhythm: RR/median of 21"] == pytest.approx(np.log(0.5 / 0.8), rel=1e-5)
    assert beat["rhythm: RR after/median of 81"] == pytest.approx(np.log(1.1 / 0.8), rel=1e-5)
    assert beat["rhythm: early of 21"] == pytest.approx(1 / 21, rel=1e-5)
    assert beat["rhythm: RR/record"] == pytest.approx(np.log(0.5 / 0.8), rel=1e-5)
    assert [round(beat[f"pattern: RR{k:+d}"], 4) for k in (-1, 0, 1, 2)] == [0, -0.47, 0.3185, 0]
    assert around(np.arange(30.0), 5)[10].tolist() == [8, 9, 10, 11, 12]


def test_shape_tells_another_beat_from_the_recordings_own(record: Record) -> None:
    recording = seen(record)
    own = cut_windows(recording.signal, recording.at, 30, 48)
    odd = recording.signal.copy()
    odd[recording.at[20] - 15 : recording.at[20] + 16] *= -1  # one QRS complex upside down
    turned = FeatureInput(recording.times, odd, recording.at, recording.rate)
    one, two = compute(["shape"], recording), compute(["shape"], turned)
    names = group("shape").names(2)
    assert one.shape == (len(own), 14) and len(names) == 14
    column = names.index("QRS in lead 1")
    assert np.median(one[:, column]) > 0.7
    assert two[20, column] == pytest.approx(-one[20, column], abs=0.02)
    assert np.allclose(one[25:, column], two[25:, column], atol=0.05)


@pytest.mark.parametrize("name", FEATURES)
def test_every_group_gives_what_it_names_for_any_number_of_beats(name: str) -> None:
    for count in (1, 2, 3, 30):
        at = np.arange(count) * 90 + 40
        rng = np.random.default_rng(count)
        recording = FeatureInput(at / 120.0, rng.standard_normal((count * 90 + 80, 2)), at, 120.0)
        found = compute([name], recording)
        assert found.shape == (count, len(group(name).names(2)))
        assert np.isfinite(found).all() and np.abs(found).max() <= LIMIT
    assert group(name).future


@pytest.mark.parametrize("name", FEATURES)
def test_groups_know_no_more_of_the_future_than_they_say(name: str, record: Record) -> None:
    """Every interval after the next beat is longer: what looks at most one beat ahead stays the same."""
    recording = seen(record)
    k = 60
    times = recording.times.copy()
    times[k + 2 :] += 0.2 * np.arange(1, len(times) - k - 1)
    found, changed = (
        compute([name], FeatureInput(each, recording.signal, recording.at, 120.0)) for each in (recording.times, times)
    )
    same = np.array_equal(found[: k + 1], changed[: k + 1])
    assert same == (name in ("rr", "rr_past", "shape", "qrs", "form", "past", "tempo_past", "memory"))
    times = recording.times.copy()
    times[k + 1 :] += 0.2 * np.arange(1, len(times) - k)
    next_moved = compute([name], FeatureInput(times, recording.signal, recording.at, 120.0))
    blind = ("rr_past", "shape", "qrs", "form", "past", "memory")
    assert np.array_equal(found[: k + 1], next_moved[: k + 1]) == (name in blind)


@pytest.mark.parametrize("name", FEATURES)
def test_groups_for_streams_see_no_more_than_the_beat_and_the_next_ones_time(name: str, record: Record) -> None:
    """What comes 0.5 s after a beat is another signal in another unit, and the beats before 20 s ago are forgotten."""
    whole, k = seen(record), 60
    end, first = whole.at[k] + 60, k - LAST - 2
    other = whole.signal.copy()
    other[end:] = np.random.default_rng(0).standard_normal(other[end:].shape)
    start = whole.at[first] - 60
    near = slice(first, k + 2)
    late = FeatureInput(whole.times[near], 3 * other[start:] + 1, whole.at[near] - start, 120.0)
    found, again = compute([name], whole)[k], compute([name], late)[k - first]
    assert np.allclose(found, again, atol=1e-5) == (group(name).live and not group(name).remembered)


@pytest.mark.parametrize("name", ["tempo_memory", "memory"])
def test_groups_that_remember_beats_need_no_signal_of_them(name: str, record: Record) -> None:
    """The same numbers of a piece that begins a beat before and ends behind the next one, whatever its unit."""
    whole, k = seen(record), 60
    start, end = int(whole.at[k - 1]) - 60, int(whole.at[k + 1]) + 60
    near = slice(k - 1, k + 3)
    piece = 5 * whole.signal[start:end] + 2
    known = remembered(FeatureInput(whole.times[: k + 2], whole.signal, whole.at[: k + 2], 120.0)).part(slice(0, k))
    assert known.shapes.shape[0] == len(known.marks) == len(known.times) == k
    late = FeatureInput(whole.times[near], piece, whole.at[near] - start, 120.0, whole.signal[start:end], known)
    assert late.new == 3 and np.array_equal(late.all_times, whole.times[: k + 3])
    found, again = compute([name], whole), compute([name], late)
    assert len(again) == 4 and not again[0].any()  # the beat before had its numbers before
    assert np.allclose(again[1], found[k], atol=1e-4) and np.abs(found[k]).max() > 0.1
    last = known.followed_by(known, 10)
    assert np.array_equal(last.times, known.times[-10:]) and last.shapes.shape[0] == 10


def test_the_table_has_the_groups_that_the_flag_names() -> None:
    assert tuple(FEATURES) == FEATURE_NAMES
    with pytest.raises(UserError, match=r"^unknown feature group 'rythm', did you mean 'rhythm'\?"):
        group("rythm")
