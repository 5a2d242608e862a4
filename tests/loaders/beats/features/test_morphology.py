"""Features of rhythms, complexes and P waves that are known."""

from __future__ import annotations

import numpy as np
import pytest

from loaders.beats.features.alignment import align, extract_windows, likeness
from loaders.beats.features.base import FeatureInput
from loaders.beats.features.causal import LAST
from loaders.beats.features.rr import lateness, rolling
from loaders.beats.features.table import compute, names_of, tempo_columns

RATE = 360.0
P, QRS = (-0.16, 0.02, 0.15), (0.0, 0.012, 1.0)  # s from the R peak, s of width, height


def recording(rr: np.ndarray, p_of: dict[int, tuple[float, float]] | None = None, noise: float = 0.01) -> FeatureInput:
    """Beats after the intervals rr (n,) s, a P wave and a QRS complex each, in two leads; `p_of` gives single beats'
    P waves another (place in s, height)."""
    times = 1 + rr.cumsum()
    at = np.round(times * RATE).astype(int)
    signal = np.random.default_rng(0).standard_normal((at[-1] + 400, 2)) * noise
    seconds = np.arange(len(signal)) / RATE
    for number, peak in enumerate(at / RATE):
        place, height = (p_of or {}).get(number, (P[0], P[2]))
        near = slice(max(round((peak - 0.5) * RATE), 0), round((peak + 0.5) * RATE))
        for where, width, size in ((place, P[1], height), QRS):
            signal[near, 0] += size * np.exp(-(((seconds[near] - peak - where) / width) ** 2))
        signal[near, 1] += 0.7 * np.exp(-(((seconds[near] - peak) / 0.015) ** 2))
    return FeatureInput(at / RATE, signal, at, RATE)


def widened(seen: FeatureInput, *numbers: int) -> FeatureInput:
    """The same with other, wide complexes in place of these beats."""
    signal, seconds = seen.signal.copy(), np.arange(len(seen.signal)) / RATE
    for k in numbers:
        near = slice(seen.at[k] - 100, seen.at[k] + 130)
        signal[near] = -1.2 * np.exp(-(((seconds[near] - seen.times[k] - 0.02) / 0.06) ** 2))[:, None]
    return FeatureInput(seen.times, signal, seen.at, RATE)


def column(name: str, seen: FeatureInput, group: str) -> np.ndarray:
    return compute([group], seen)[:, names_of([group], seen.signal.shape[1]).index(f"{group}: {name}")]


def test_tempo_of_one_early_beat() -> None:
    rr = np.full(120, 0.8)
    rr[60], rr[61] = 0.5, 1.1
    seen = recording(rr)
    rr = np.diff(seen.times)  # rounded to samples; rr[k - 1] leads to beat k
    near = np.log(rr[59] / rr[34:85].mean())
    assert column("RR", seen, "tempo")[60] == pytest.approx(np.log(0.5), abs=0.01)
    assert column("RR/25 around", seen, "tempo")[60] == pytest.approx(near, abs=1e-5)
    assert column("RR-1/25 around", seen, "tempo")[61] == pytest.approx(near, abs=1e-5)
    assert column("RR+2/25 around", seen, "tempo")[58] == pytest.approx(near, abs=1e-5)
    assert column("RR after/RR", seen, "tempo")[60] == pytest.approx(np.log(1.1 / 0.5), abs=0.02)
    assert column("RR/80 % of 25", seen, "tempo")[60] == pytest.approx(np.log(0.5 / 0.8), abs=0.01)
    assert column("RR/10 past", seen, "tempo")[60] == pytest.approx(np.log(0.5 / 0.8), abs=0.01)
    assert column("change of 10", seen, "tempo")[60] < 0.01 < column("spread of 10", seen, "tempo")[60]
    assert tempo_columns(["qrs", "tempo"], 2) == (14, 15) and tempo_columns(["qrs"], 2) == ()


def test_rolling_is_mirrored_and_lateness_is_against_what_is_around() -> None:
    assert rolling(np.arange(6.0), 2, np.mean).tolist() == pytest.approx([1.2 - 0.0, 1.4, 2, 3, 3.6, 3.8])
    assert rolling(np.array([2.0]), 25, np.mean).tolist() == [2.0]
    late = lateness(np.array([0.5, 1.0] * 60))
    assert (late.local[1::2] > 0.2).all() and (late.local[::2] < -0.3).all()


def test_marks_are_moved_to_where_the_dominant_complex_fits_and_no_further() -> None:
    seen = recording(np.full(60, 0.8))
    moved = seen.at.copy()
    moved[10] += 9
    moved[20] -= 12
    moved[30] += 40  # too far: whoever set it may have meant another beat
    found = align(seen.signal, moved, RATE)
    assert np.abs(np.delete(found - seen.at, 30)).max() <= 1
    assert abs(found[30] - moved[30]) <= 14
    assert align(seen.signal, moved[:0], RATE).tolist() == []
    assert FeatureInput(seen.times, seen.signal, moved, RATE).aligned.tolist() == found.tolist()


def test_stretches_may_end_before_the_peak_and_reach_over_the_ends() -> None:
    signal = np.arange(20.0)[:, None]
    assert extract_windows(signal, np.array([10]), 1.0, 4, -1)[0, 0].tolist() == [6, 7, 8]
    assert extract_windows(signal, np.array([1, 19]), 1.0, 3, 2)[:, 0].tolist() == [
        [0, 0, 0, 1, 2],
        [16, 17, 18, 19, 0],
    ]
    assert likeness(np.array([[1.0, 2, 3]]), np.array([[1.0, 1, 1]])).tolist() == [0]


def test_qrs_tells_a_wide_complex_from_the_patients_own() -> None:
    seen = recording(np.full(80, 0.8))
    other = widened(seen, 40, 41)
    assert column("QRS in lead 1", other, "qrs")[40] < 0.5
    assert column("QRS in lead 1", other, "qrs")[50] > 0.95
    assert column("width in lead 1", other, "qrs")[40] > 0.5 > abs(column("width in lead 1", other, "qrs")[50])
    assert column("QRS after in lead 2", other, "qrs")[40] > 0.9 > column("QRS before in lead 2", other, "qrs")[40]
    assert column("alike of all in lead 1", other, "qrs")[[40, 50]] == pytest.approx([2 / 80, 78 / 80])
    assert column("alike of 10 in lead 1", other, "qrs")[39] == pytest.approx(0.8, abs=1e-6)


def test_a_wide_complex_is_told_from_the_last_beats() -> None:
    rr = np.full(80, 0.8)
    rr[40], rr[41] = 0.5, 1.1
    seen = recording(rr)
    other = widened(seen, 40)
    known = column("known in lead 2", other, "past")
    assert known[:3].tolist() == pytest.approx([0, 1 / LAST, 2 / LAST]) and (known[LAST:] == 1).all()
    for lead in ("lead 1", "lead 2"):
        likeness_, share, best, before, width = (
            column(f"{name} in {lead}", other, "past") for name in ("QRS", "alike", "best", "before", "width")
        )
        assert likeness_[40] < 0.6 and best[40] < 0.8 and share[40] == 0 and width[40] > 0.5
        assert likeness_[41] > 0.95 and best[41] > 0.95 and before[41] < 0.6 and abs(width[41]) < 0.2
        assert share[41] == pytest.approx(1 - 1 / LAST) and share[0] == likeness_[0] == 0
    assert column("P in lead 1", other, "past")[40] < 0.5 < np.median(column("P in lead 1", other, "past"))
    early = column(f"RR/median of {LAST}", other, "tempo_past")
    assert early[40] == pytest.approx(np.log(0.5 / 0.8), abs=0.01) and early[45] == pytest.approx(0, abs=0.01)
    assert column(f"RR after/median of {LAST}", other, "tempo_past")[40] == pytest.approx(np.log(1.1 / 0.8), abs=0.01)
    assert column(f"RR-1/median of {LAST}", other, "tempo_past")[41] == pytest.approx(np.log(0.5 / 0.8), abs=0.01)


def test_p_waves_are_compared_with_those_of_late_beats_though_early_ones_are_the_majority() -> None:
    """Three of four beats are early and have an inverted P wave, as in a patient whose rhythm is mostly atrial."""
    rr = np.array([0.5, 0.5, 0.5, 1.2] * 40)
    ectopic = {k: (-0.12, -0.12) for k in range(160) if k % 4 != 3}
    seen = recording(rr, ectopic)
    late = column("late in lead 1", seen, "pwave")
    sinus = np.arange(160) % 4 == 3
    assert np.median(late[sinus]) > 0.9 and np.median(late[~sinus]) < 0.4
    assert np.median(column("late - early in lead 1", seen, "pwave")[sinus]) > 0.5
    assert np.median(column("late - early in lead 1", seen, "pwave")[~sinus]) < -0.5
    assert np.median(column("distance late - early in lead 1", seen, "pwave")[sinus]) < -0.5


def test_steadiness_tells_p_waves_from_none() -> None:
    rng = np.random.default_rng(3)
    rr = rng.uniform(0.6, 1.0, 120)
    with_p = recording(rr)
    without = recording(rr, dict.fromkeys(range(120), (P[0], 0.0)), noise=0.03)
    assert np.median(column("steady in lead 1", with_p, "pwave")) > 0.9
    assert np.median(column("steady in lead 1", without, "pwave")) < 0.5
