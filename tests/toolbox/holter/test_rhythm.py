"""toolbox.holter.rhythm: rhythms of a recording, and what they make of its beats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.toolbox.holter.rhythms import (
    breathing_intervals,
    fibrillating_intervals,
    recording,
    signal_of,
    sinus_intervals,
)
from tests.toolbox.holter.signals import packed
from toolbox.holter.beat_context import BeatContext, rolling_median, rolling_sum
from toolbox.holter.episodes import ATRIAL_FIBRILLATION, BRADYCARDIA, FIBRILLATION, PACED, SINUS_TACHYCARDIA
from toolbox.holter.rhythm import BY_PACEMAKER, IN_ARRHYTHMIA, IN_FIBRILLATION, INTERPOLATED, with_rhythms
from toolbox.holter.rhythm_flutter import find_flutter


def paroxysm() -> tuple[np.ndarray, np.ndarray]:
    """Times of 150 sinus beats, 150 fibrillating ones and 150 sinus beats; and which of them have a P wave."""
    times = np.cumsum([*sinus_intervals(150), *fibrillating_intervals(150), *sinus_intervals(150, 1)])
    return times, (np.arange(450) < 150) | (np.arange(450) >= 300)


def test_medians_and_sums_of_what_is_around() -> None:
    values = np.arange(40.0)
    values[[3, 20, 21]] = np.nan
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, (8, 7), constant_values=np.nan), 16)
    few = (~np.isnan(windows)).sum(axis=1) < 8  # the first window has seven values
    expected = np.where(few, np.nan, np.nanmedian(windows, axis=1))
    assert few[0] and np.allclose(rolling_median(values, 16), expected, equal_nan=True)
    assert np.isnan(rolling_median(np.full(30, np.nan), 16)).all()
    assert rolling_sum(np.ones(10), 4).tolist() == [2, 3, 4, 4, 4, 4, 4, 4, 4, 3]


def test_irregularity_repeats_and_p_waves_agree() -> None:
    times, p_waves = paroxysm()
    context = BeatContext(times, np.diff(times, prepend=np.nan), np.full(450, "N"), signal_of(times, p_waves))
    inside, outside = slice(180, 270), slice(20, 120)
    assert context.irregularity[inside].min() > 0.1 and context.irregularity[outside].max() < 0.05
    assert context.coherence[inside].max() < 0.3 and context.coherence[outside].min() > 0.8
    assert np.median(context.match[outside]) > 0.9
    bigeminy = np.cumsum(np.tile([0.5, 1.1], 60))
    context = BeatContext(bigeminy, np.diff(bigeminy, prepend=np.nan), np.full(120, "N"), signal_of(bigeminy))
    assert np.nanmax(context.irregularity) < 1e-6  # it repeats after two


def test_a_paroxysm_of_atrial_fibrillation_has_no_s_beats() -> None:
    times, p_waves = paroxysm()
    letters = np.full(450, "N")
    letters[[50, 160, 200, 201, 202, 250, 350]] = "S"
    beats = with_rhythms(recording(times, letters, signal_of(times, p_waves)))
    (episode,) = [e for e in beats.rhythms if e.kind == ATRIAL_FIBRILLATION]
    assert abs(episode.first - 150) < 10 and abs(episode.last - 299) < 10
    assert np.flatnonzero(beats.letters == "S").tolist() == [50, 350]
    assert beats.reasons == {IN_FIBRILLATION: 5} and beats.summary()["reclassified"] == beats.reasons
    assert (beats.likeliest == "S").sum() == 7  # the probabilities stay
    assert not [e for e in beats.episodes if e.kind == "S run"]
    texts = [text for _, symbol, text in beats.rhythm_marks() if symbol == "+"]
    assert texts == ["(N", "(AFIB", "(N"]


def test_a_run_of_s_beats_beside_a_paroxysm_belongs_to_it() -> None:
    times, p_waves = paroxysm()
    signal, plain = signal_of(times, p_waves), np.full(450, "N")
    (bare,) = [e for e in with_rhythms(recording(times, plain, signal)).rhythms if e.kind == ATRIAL_FIBRILLATION]
    letters = plain.copy()
    letters[[bare.first - 5, bare.first - 4, bare.first - 3, bare.last + 1, bare.last + 2, bare.last + 3]] = "S"
    letters[[bare.first - 30, bare.first - 29, bare.first - 28, bare.last + 7]] = "S"
    beats = with_rhythms(recording(times, letters, signal))
    (episode,) = [e for e in beats.rhythms if e.kind == ATRIAL_FIBRILLATION]
    assert (episode.first, episode.last) == (bare.first - 5, bare.last + 3)
    (run,) = [e for e in beats.episodes if e.kind == "S run"]
    assert run.first == bare.first - 30 and beats.letters[bare.last + 7] == "S"


@pytest.mark.parametrize(("beats", "seen"), [(36, True), (24, False)])
def test_a_paroxysm_of_seconds(beats: int, seen: bool) -> None:
    times = np.cumsum([*sinus_intervals(150), *fibrillating_intervals(beats), *sinus_intervals(150, 1)])
    p_waves = (np.arange(len(times)) < 150) | (np.arange(len(times)) >= 150 + beats)
    rhythms = with_rhythms(recording(times, np.full(len(times), "N"), signal_of(times, p_waves))).rhythms
    recognized = [e for e in rhythms if e.kind == ATRIAL_FIBRILLATION]
    assert len(recognized) == seen and all(15 <= e.seconds < 20 for e in recognized)


def test_no_episode_leads_across_a_minute_that_was_not_read() -> None:
    def recognized(first: int, last: int) -> list[int]:
        """Lengths in beats, of `first` and `last` beats that fibrillate, a minute apart."""
        times = np.cumsum(fibrillating_intervals(first + last))
        times[first:] += 60
        beats = recording(times, np.full(len(times), "N"), signal_of(times, False))
        begins = np.isin(np.arange(len(times)), [0, first])
        return [e.beats for e in with_rhythms(replace(beats, begins=begins)).rhythms if e.kind == ATRIAL_FIBRILLATION]

    assert recognized(60, 80) == [60, 80] and recognized(15, 80) == [80] and recognized(15, 17) == []


def test_irregular_beats_with_p_waves_are_no_fibrillation() -> None:
    times = np.cumsum(fibrillating_intervals(300))
    assert with_rhythms(recording(times, "N" * 300, signal_of(times))).rhythms == ()


def test_sinus_arrhythmia_has_no_s_beats_but_very_early_ones() -> None:
    intervals = breathing_intervals(300)
    intervals[150] = 0.35
    times = np.cumsum(intervals)
    letters = np.where((np.arange(300) % 7 == 3) | (np.arange(300) == 150), "S", "N")
    beats = with_rhythms(recording(times, letters, signal_of(times)))
    assert np.flatnonzero(beats.letters == "S").tolist() == [150]
    assert beats.reasons == {IN_ARRHYTHMIA: int((letters == "S").sum()) - 1}


def test_sinus_arrhythmia_is_known_by_the_nearest_runs_of_s_where_few_are_around() -> None:
    """Votes of a recording's beats name few S beats one by one, and runs of them."""
    times = np.cumsum(breathing_intervals(600))
    for apart, left in ((50, 0), (300, 10)):
        letters = np.where(np.isin(np.arange(600) % apart, np.arange(20, 25)), "S", "N")
        beats = with_rhythms(recording(times, letters, signal_of(times)))
        assert (beats.letters == "S").sum() == left


def test_premature_beats_of_a_regular_rhythm_stay() -> None:
    intervals = sinus_intervals(300)
    early = np.arange(10, 290, 20)
    intervals[early], intervals[early + 1] = 0.55, 1.05
    times = np.cumsum(intervals)
    letters = np.where(np.isin(np.arange(300), early), "S", "N")
    beats = with_rhythms(recording(times, letters, signal_of(times)))
    assert beats.called is None and (beats.letters == "S").sum() == len(early) and beats.reasons == {}


def test_a_beat_on_time_after_an_interpolated_v_is_n() -> None:
    intervals = sinus_intervals(120)
    intervals[60], intervals[61] = 0.42, 0.39  # V between two sinus beats, and the second of these
    times = np.cumsum(intervals)
    letters = np.full(120, "N")
    letters[60], letters[61] = "V", "S"
    beats = with_rhythms(recording(times, letters, signal_of(times)))
    assert beats.reasons == {INTERPOLATED: 1} and beats.letters[59:62].tolist() == ["N", "V", "N"]


@pytest.mark.parametrize(("interval", "kind"), [(1.3, BRADYCARDIA), (0.5, SINUS_TACHYCARDIA), (0.8, None)])
def test_slow_and_fast_hearts(interval: float, kind: str | None) -> None:
    times = np.cumsum(np.full(120, interval))
    beats = with_rhythms(recording(times, "N" * 120, signal_of(times)))
    assert [e.kind for e in beats.rhythms] == ([kind] if kind else [])
    if kind:
        (episode,) = beats.rhythms
        assert (episode.first, episode.last) == (0, 119) and episode.rate == pytest.approx(60 / interval)
    marks = beats.rhythm_marks()
    assert [text for _, _, text in marks] == (["(SBR"] if kind == BRADYCARDIA else [])


def test_paced_beats_are_q_and_no_fibrillation_is_seen_in_them() -> None:
    times = np.cumsum(sinus_intervals(100))
    paced = np.arange(100) % 10 != 9
    paced[80:] = False
    beats = with_rhythms(recording(times, "V" * 100, signal_of(times, False)), paced)
    (episode,) = [e for e in beats.rhythms if e.kind == PACED]
    assert (episode.first, episode.last) == (0, 78)
    assert beats.reasons == {BY_PACEMAKER: 72}
    assert (beats.letters[:80] == np.where(paced[:80], "Q", "V")).all() and (beats.letters[80:] == "V").all()
    assert set(beats.symbols[:79][paced[:79]].tolist()) == {"/"}


def fluttering(start: float, stop: float, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Times of sinus beats around a stretch of flutter at 4 Hz, and the signal (n,) at 360 Hz."""
    times = np.cumsum(np.full(int(seconds / 0.8), 0.8))
    times = times[(times < start) | (times > stop)]
    at = np.arange(round(seconds * 360)) / 360
    _, signal = signal_of(times, True, seconds).read(0, seconds)
    inside = (at >= start) & (at < stop)
    signal[inside] = 0.8 * np.sin(2 * np.pi * 4 * at[inside])
    return times, signal


def test_flutter_is_measured_and_has_no_beats() -> None:
    times, signal = fluttering(60, 90, 150)
    trace = packed(signal)
    ((start, stop),) = find_flutter(trace)
    assert start == pytest.approx(60, abs=1.5) and stop == pytest.approx(90, abs=1.5)
    invented = np.sort([*times, 70.0, 70.9, 80.3])
    beats = with_rhythms(recording(invented, "V" * len(invented), trace))
    assert not ((beats.times > start) & (beats.times < stop)).any()
    assert (beats.times < 58).sum() == (times < 58).sum() and (beats.times > 92).sum() == (times > 92).sum()
    (episode,) = [e for e in beats.episodes if e.kind == FIBRILLATION]
    assert (episode.start, episode.stop, episode.rate) == (start, stop, None)
    assert not [e for e in beats.episodes if e.rate is None and e is not episode]  # said once
    assert beats.summary()["without_beats"]["longest"]["kind"] == FIBRILLATION
    marks = beats.rhythm_marks()
    assert [(symbol, text) for _, symbol, text in marks[-4:]] == [
        ("[", ""),
        ("+", "(VFL"),
        ("]", ""),
        ("+", marks[0][2]),
    ]
    assert len({at for at, _, _ in marks} | set(beats.sample.tolist())) == len(marks) + len(beats.sample)


def test_flutter_is_not_skipped_as_noise() -> None:
    times, signal = fluttering(60, 90, 150)
    plain = recording(times, "N" * len(times), packed(signal))
    skipped = [(100, 900, "gap"), (55 * 360, 95 * 360, "noise"), (100 * 360, 105 * 360, "noise")]
    beats = with_rhythms(replace(plain, skipped=skipped))
    ((start, stop),) = [(e.start, e.stop) for e in beats.rhythms if e.kind == FIBRILLATION]
    assert beats.skipped == [
        (100, 900, "gap"), (55 * 360, round(start * 360), "noise"), (round(stop * 360), 95 * 360, "noise"),
        (100 * 360, 105 * 360, "noise"),
    ]  # fmt: skip


def test_quiet_noisy_and_beating_signals_are_no_flutter() -> None:
    rng = np.random.default_rng(0)
    at = np.arange(60 * 360) / 360
    assert find_flutter(packed(0.02 * np.sin(2 * np.pi * 4 * at))) == []
    assert find_flutter(packed(rng.standard_normal(len(at)))) == []
    assert find_flutter(packed(np.sin(2 * np.pi * 0.3 * at))) == []
    assert find_flutter(signal_of(np.cumsum(np.full(70, 0.8)))) == []
    assert find_flutter(packed(np.full(len(at), np.nan))) == []
    assert find_flutter(packed(np.zeros(100))) == []


def test_what_a_person_named_stays() -> None:
    times, p_waves = paroxysm()
    letters = np.full(450, "N")
    letters[200:203] = "S"
    plain = recording(times, letters, signal_of(times, p_waves))
    named = np.full(450, "")
    named[201] = "S"
    beats = with_rhythms(replace(plain, named=named))
    assert beats.letters[200:203].tolist() == ["N", "S", "N"]


def test_few_beats_have_no_rhythm() -> None:
    for count in (1, 2, 5):
        times = np.cumsum(np.full(count, 0.8))
        assert with_rhythms(recording(times, "S" * count, signal_of(times))).letters.tolist() == ["S"] * count
