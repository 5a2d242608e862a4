"""lead_fusion: which lead is read when, and which beats several leads agree on."""

from __future__ import annotations

import numpy as np
import pytest

from loaders.beats.lead_fusion import STEP, common, fuse, fused_likelihood, fused_peaks, good_steps, leading
from loaders.dsp.chunks import Chunk
from loaders.dsp.noise import LeadReading
from loaders.dsp.quality import BadInterval
from loaders.dsp.rpeaks import STEPS

SECONDS = 60
SIZE = SECONDS * 360


def bad(start: float, stop: float, kind: str = "flat") -> BadInterval:
    """From and to s."""
    return BadInterval(round(start * 360), round(stop * 360), kind)


def chunk(level: float, *intervals: BadInterval) -> Chunk:
    signal = np.full(SIZE, level, dtype=np.float32)
    return Chunk(signal, 0, SIZE, list(intervals), 0, 1.0, SIZE)


def reading(times: list[float], certain: float = 0.99) -> LeadReading:
    """R peaks at these times in s, each a maximum of the likelihood of that height."""
    likely = np.full(SECONDS * STEPS, 0.01, dtype=np.float32)
    likely[np.rint(np.array(times) * STEPS).astype(int)] = certain
    peaks = np.rint(np.array(times) * 360).astype(np.int64)
    return LeadReading(peaks, likely, np.zeros(SECONDS, np.float32), [])


def seconds_of(lead: np.ndarray) -> list[int]:
    """The lead that is read in the middle of each second."""
    return lead[STEPS // 2 :: STEPS].tolist()


def test_what_no_lead_shows_is_common_as_noise_where_one_is_else_with_the_reason_of_the_first() -> None:
    first = [bad(5, 10), bad(20, 30, "gap"), bad(40, 45, "noise")]
    second = [bad(8, 12, "noise"), bad(22, 24, "flat"), bad(26, 50, "saturated")]
    assert common([first, second], SIZE) == [
        bad(8, 10, "noise"), bad(22, 24, "gap"), bad(26, 30, "gap"), bad(40, 45, "noise"),
    ]  # fmt: skip
    assert common([first], SIZE) == first and common([first, []], SIZE) == [] == common([[], second], SIZE)


def test_the_first_lead_is_read_until_it_is_bad_and_again_when_it_is_steady() -> None:
    good = good_steps([[bad(10, 15), bad(20, 25)], []], SIZE)
    assert good.shape == (2, SECONDS * STEPS) and good[1].all()
    # The five good seconds between the two bad stretches are too few to come back for.
    assert seconds_of(leading(good)) == [0] * 10 + [1] * 15 + [0] * 35


def test_a_third_lead_stands_in_and_where_none_is_good_the_last_one_stays() -> None:
    good = good_steps([[bad(10, 50)], [bad(0, 30)], [bad(40, 60)]], SIZE)
    assert seconds_of(leading(good)) == [0] * 10 + [2] * 20 + [1] * 20 + [0] * 10
    dark = good_steps([[bad(0, 60)], [bad(0, 20), bad(40, 60)]], SIZE)
    assert seconds_of(leading(dark, before=1)) == [1] * 60 and seconds_of(leading(dark)) == [0] * 20 + [1] * 40


def test_a_lead_that_is_good_for_a_short_while_is_better_than_none() -> None:
    good = good_steps([[bad(0, 20), bad(25, 60)], [bad(0, 60)]], SIZE)
    assert not leading(good).any()


def test_leads_vote_by_log_odds_and_a_bad_one_has_no_vote() -> None:
    likely = np.array([[0.99, 0.3, 0.3, 0.6], [0.2, 0.95, 0.5, 0.2]])
    fused = fused_likelihood(likely, np.ones((2, 4), dtype=bool))
    assert (fused > 0.5).tolist() == [True, True, False, False]
    logit = np.log(likely / (1 - likely))
    expected = (1.5 * logit[0] + logit[1]) / 2.5
    assert fused == pytest.approx(1 / (1 + np.exp(-expected)), abs=1e-6)
    good = np.array([[True, False, True, True], [False, True, True, False]])
    assert fused_likelihood(likely, good) == pytest.approx([0.99, 0.95, fused[2], 0.6], abs=1e-4)


def test_a_beat_that_one_lead_misses_is_kept_and_one_that_only_one_half_sees_is_not() -> None:
    first, second = reading([1, 2, 3, 4.5]), reading([1, 2.02, 3, 4])
    first.likely[4 * STEPS], second.likely[round(4.5 * STEPS)] = 0.45, 0.05
    first.likely[round(4.5 * STEPS)] = 0.6
    good = np.ones((2, SECONDS * STEPS), dtype=bool)
    peaks = fused_peaks([first, second], good, np.zeros(SECONDS * STEPS, int))
    # At 2 s the R peak is the first lead's own; at 4 s, where it has none, the second lead's.
    assert peaks.tolist() == [360, 720, 1080, 1440]
    read_second = np.ones(SECONDS * STEPS, int)
    assert fused_peaks([first, second], good, read_second)[1] == round(2.02 * 360)
    assert fused_peaks([first], good[:1], np.zeros(SECONDS * STEPS, int)).tolist() == first.peaks.tolist()


def test_beats_go_on_across_a_switch_without_doubles() -> None:
    times = np.arange(0.5, 60, 0.8)
    first, second = reading(times.tolist()), reading((times + 0.03).tolist())
    lost = (times > 20) & (times < 40)
    kept = reading(times[~lost].tolist())
    fused = fuse([chunk(0.0, bad(20, 40)), chunk(0.0)], [kept, second])
    assert len(fused.peaks) == len(times) and fused.chunk.bad == []
    assert (np.diff(fused.peaks) / 360).max() < 0.9
    assert np.isin(fused.peaks[lost], second.peaks).all() and np.isin(fused.peaks[~lost], first.peaks).all()


def test_the_signal_is_that_of_the_lead_that_is_read_on_one_level() -> None:
    other = chunk(3.0)
    other.signal[::7] += 1.0
    fused = fuse([chunk(0.5, bad(20, 40)), other], None)
    assert np.array_equal(fused.chunk.signal[: 20 * 360 - STEP], np.full(20 * 360 - STEP, 0.5, np.float32))
    here = slice(20 * 360, 40 * 360)
    assert fused.chunk.signal[here] == pytest.approx(other.signal[here] - 2.5)
    healthy = chunk(0.5)
    assert fuse([healthy, other], None).chunk.signal is healthy.signal
