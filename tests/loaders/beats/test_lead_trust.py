"""lead_trust: a lead that is always doubted is read alone where it was right before, and no further."""

from __future__ import annotations

import numpy as np
import pytest

from inference.signal_recording import signal_recording
from loaders.beats.lead_trust import LEAST, LeadTrust, trust
from loaders.beats.leads_segmenter import LeadsSegmenter
from loaders.dsp.chunks import Chunk
from loaders.dsp.noise import NOISY, LeadReading, noise_of
from loaders.dsp.quality import BadInterval
from loaders.io.annotations import BEATS as BEAT_SYMBOLS
from loaders.io.wfdb_record import read_wfdb
from tests.conftest import RECORDS, needs_records
from toolbox.utils.aami import MATCH_WINDOW

FS, SECONDS = 360, 100
SIZE = SECONDS * FS
OFF = BadInterval(60 * FS, 90 * FS, "flat")


def lead(doubt: np.ndarray, peaks: np.ndarray, *bad: BadInterval) -> tuple[Chunk, LeadReading]:
    """A chunk with a doubt of each second, and these R peaks in samples."""
    noise = noise_of(doubt, 0, SIZE)
    likely = np.zeros(0, np.float32)
    chunk = Chunk(np.zeros(SIZE, np.float32), 0, SIZE, sorted([*bad, *noise]), 0, 1.0, SIZE)
    return chunk, LeadReading(peaks, likely, doubt, noise, doubt, 0)


BEATS = np.arange(FS // 2, SIZE, FS)  # one in the middle of each second
SURE, DOUBTED = np.zeros(SECONDS), np.full(SECONDS, 0.3)


def trusted(second: tuple[Chunk, LeadReading], learned: LeadTrust | None = None) -> list[Chunk]:
    first = lead(SURE, np.delete(BEATS, np.arange(60, 90)), OFF)
    return trust([first[0], second[0]], [first[1], second[1]], [LeadTrust(), learned or LeadTrust()])


def test_a_doubted_lead_that_was_right_is_read_where_the_other_is_off() -> None:
    chunks = trusted(lead(DOUBTED, BEATS))
    assert chunks[0].bad == [OFF]
    assert chunks[1].bad == [BadInterval(0, OFF.start, "noise"), BadInterval(OFF.stop, SIZE, "noise")]


@pytest.mark.parametrize("wrong", ["missed", "extra"])
def test_one_that_was_wrong_stays_shut_down(wrong: str) -> None:
    spoilt = np.arange(0, 60, 8)  # every eighth second
    peaks = np.delete(BEATS, spoilt) if wrong == "missed" else np.sort(np.append(BEATS, BEATS[spoilt] + 150))
    assert trusted(lead(DOUBTED, peaks))[1].bad == [BadInterval(0, SIZE, "noise")]
    few = np.arange(0, 60, 12)  # one beat in twelve is as good as it gets
    peaks = np.delete(BEATS, few) if wrong == "missed" else np.sort(np.append(BEATS, BEATS[few] + 150))
    assert len(trusted(lead(DOUBTED, peaks))[1].bad) == 2


def test_more_doubt_than_was_ever_seen_is_noise() -> None:
    doubt = DOUBTED.copy()
    doubt[60:75] = 0.5
    bad = trusted(lead(doubt, BEATS))[1].bad
    assert bad == [BadInterval(0, 75 * FS, "noise"), BadInterval(90 * FS, SIZE, "noise")]


def test_a_lead_that_was_never_doubted_before_teaches_nothing() -> None:
    doubt = SURE.copy()
    doubt[60:90] = 0.3
    assert trusted(lead(doubt, BEATS))[1].bad == [BadInterval(60 * FS, 90 * FS, "noise")]


def test_what_was_learned_stays_for_the_chunks_to_come() -> None:
    doubt, learned = SURE.copy(), LeadTrust()
    doubt[60:90] = 0.3
    learned.learn(np.full(LEAST - 1, 0.35), np.ones(LEAST - 1), np.zeros(LEAST - 1))
    assert learned.limit == NOISY
    learned.learn(np.full(1, 0.35), np.ones(1), np.zeros(1))
    assert learned.limit == pytest.approx(0.36)
    assert trusted(lead(doubt, BEATS), learned)[1].bad == []


def test_the_limit_is_the_greatest_doubt_with_few_errors_up_to_it() -> None:
    learned = LeadTrust()
    learned.learn(np.full(50, 0.2), np.ones(50), np.zeros(50))
    learned.learn(np.full(50, 0.5), np.ones(50), np.arange(50) % 2)  # a quarter of all so far are wrong
    assert learned.limit == pytest.approx(0.21)
    learned.learn(np.full(50, 99.0), np.ones(50) * 6, np.zeros(50))
    assert learned.limit == pytest.approx(3.0)


def test_noise_in_the_other_lead_is_to_be_expected_in_this_one() -> None:
    noisy = SURE.copy()
    noisy[60:90] = 1.0
    first, second = lead(noisy, BEATS), lead(DOUBTED, BEATS)
    chunks = trust([first[0], second[0]], [first[1], second[1]], [LeadTrust(), LeadTrust()])
    assert chunks[0].bad == [BadInterval(60 * FS, 90 * FS, "noise")]
    assert chunks[1].bad == [BadInterval(0, SIZE, "noise")]


def test_gaps_and_flat_stretches_are_nothing_to_trust() -> None:
    both = BadInterval(70 * FS, 80 * FS, "gap")
    chunk, reading = lead(DOUBTED, np.delete(BEATS, np.arange(70, 80)))
    rest = [BadInterval(0, both.start, "noise"), both, BadInterval(both.stop, SIZE, "noise")]
    chunk = Chunk(chunk.signal, 0, SIZE, rest, 0, 1.0, SIZE)
    bad = trusted((chunk, reading))[1].bad
    assert bad == [BadInterval(0, 60 * FS, "noise"), both, BadInterval(90 * FS, SIZE, "noise")]


def test_one_lead_alone_is_as_it_was() -> None:
    chunk, reading = lead(DOUBTED, BEATS)
    assert trust([chunk], [reading], [LeadTrust()]) == [chunk]


@needs_records
def test_the_second_lead_of_101_is_read_while_the_first_is_off() -> None:
    record = read_wfdb(RECORDS / "101")
    signal = record.signal[: 1200 * FS].astype(np.float64)
    signal[600 * FS :, 0] = -1.0
    reading = LeadsSegmenter(signal_recording(signal, FS, ["MLII", "V1"]), [0, 1], "detect", "auto", voters=2)
    beats = np.concatenate([chunk.sample for chunk in reading])
    reference = record.sample[np.isin(record.symbol, list(BEAT_SYMBOLS))]
    expected = reference[(reference >= 600 * FS) & (reference < 1200 * FS)]
    nearest = beats[np.abs(beats[:, None] - expected).argmin(axis=0)]
    assert (np.abs(nearest - expected) <= MATCH_WINDOW * FS).mean() > 0.94  # 0.06 where a doubted lead is shut down
    assert 0.94 * len(expected) < (beats >= 600 * FS).sum() < 1.0 * len(expected)
