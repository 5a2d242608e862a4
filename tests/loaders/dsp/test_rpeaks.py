"""R peaks: found where they are, whatever the lead's direction, height, rate and gaps."""

import numpy as np
import pytest

from loaders.beats.table import labels_of
from loaders.dsp.beat_heights import BeatHeights
from loaders.dsp.rpeaks import HEIGHTS, RATE, STRIDE, WEIGHTS, condition, detect, probability
from loaders.io.wfdb_record import read_wfdb
from loaders.sources import synthetic
from tests.conftest import RECORDS, needs_records
from toolbox.metrics.ec57 import compare
from toolbox.metrics.ec57_scores import scores
from toolbox.utils import UserError

FS = 360.0


def train(times, fs=FS, seconds=60.0, height=1.0):
    """Narrow upright pulses with a low, late wave after each: a heart that beats at `times` (s)."""
    at = np.arange(round(seconds * fs)) / fs
    signal = np.zeros(len(at))
    for time in times:
        signal += height * np.exp(-0.5 * ((at - time) / 0.012) ** 2)
        signal += 0.2 * height * np.exp(-0.5 * ((at - time - 0.28) / 0.05) ** 2)
    return signal


TIMES = np.round(np.arange(1.0, 59.5, 0.8) * FS) / FS


@pytest.fixture(scope="module")
def recording():
    """Two minutes of a synthetic patient: the signal in mV and the samples of its beats."""
    record = next(iter(synthetic.synthesize(2, 2, 3)))
    return record.signal[:, 0].astype(np.float64), record.sample[labels_of(record.symbol) >= 0]


def figures(found, reference, length, fs=FS, learning=0.0):
    zeros = np.zeros(len(found), dtype=np.int64)
    one = compare(reference, (found, ["N"] * len(found), zeros), fs, length, learning)
    return scores(one.matrix)["QRS"]


def test_peaks_are_found_to_the_sample():
    assert detect(train(TIMES), FS).tolist() == np.round(TIMES * FS).astype(int).tolist()


def test_downward_peaks_are_found_to_the_sample():
    assert detect(-train(TIMES), FS).tolist() == np.round(TIMES * FS).astype(int).tolist()


@pytest.mark.parametrize("fs", [100.0, 128.0, 250.0, 257.0, 333.33, 500.0, 1000.0])
def test_any_rate(fs):
    assert detect(train(TIMES, fs), fs) == pytest.approx(TIMES * fs, abs=0.51)


def test_beats_of_a_synthetic_patient(recording):
    signal, beats = recording
    reference = (beats, ["N"] * len(beats), np.zeros(len(beats), dtype=np.int64))
    got = figures(detect(signal, FS), reference, len(signal))
    assert got["Se"] == (len(beats), len(beats)) and got["+P"][0] >= got["+P"][1] - 1


def test_the_same_peaks_upside_down(recording):
    signal, _ = recording
    assert detect(-signal, FS).tolist() == detect(signal, FS).tolist()


@pytest.mark.parametrize("factor", [0.2, 5.0])
def test_the_same_peaks_at_another_height(recording, factor):
    signal, _ = recording
    assert detect(factor * signal, FS).tolist() == detect(signal, FS).tolist()


def test_the_same_peaks_on_another_level(recording):
    signal, _ = recording
    assert detect(signal + 5, FS).tolist() == detect(signal, FS).tolist()


def test_a_step_of_the_gain_is_followed():
    signal = train(TIMES) * np.where(np.arange(60 * 360) < 30 * 360, 1.0, 0.3)
    assert len(detect(signal, FS)) == len(TIMES)


def test_pieces_give_what_the_whole_gives(recording):
    """A piece that starts at a whole second agrees from where the seconds that give it its unit are its own."""
    signal, _ = recording
    whole, start = detect(signal, FS), 40 * 360
    piece = start + detect(signal[start : start + 60 * 360], FS)
    inner = (start + (HEIGHTS + 3) * 360, start + 57 * 360)
    expected = whole[(whole > inner[0]) & (whole < inner[1])]
    assert len(expected) > 20 and piece[(piece > inner[0]) & (piece < inner[1])].tolist() == expected.tolist()


def test_no_peaks_in_gaps_and_those_around_are_kept():
    signal = train(TIMES)
    signal[20 * 360 : 25 * 360] = np.nan
    expected = [round(time * FS) for time in TIMES if not 20 <= time < 25]
    assert detect(signal, FS).tolist() == expected


@pytest.mark.parametrize("length", [0, 1, 2, 7, 50, 400])
def test_short_and_flat_signals_have_no_peaks(length):
    found = detect(np.full(length, 1.5), FS)
    assert found.dtype == np.int64 and found.tolist() == []
    assert detect(np.full(length, np.nan), FS).tolist() == []


def test_a_threshold_that_is_higher_finds_fewer(recording):
    signal, _ = recording
    noisy = signal + np.random.default_rng(0).normal(0, 0.3, len(signal))
    few, many = detect(noisy, FS, 0.95), detect(noisy, FS, 0.05)
    assert len(few) < len(many)


def test_what_is_no_lead_is_refused():
    with pytest.raises(UserError, match=r"one lead.*\(2, 100\)"):
        detect(np.zeros((2, 100)), FS)
    for fs in (0, -1, np.nan):
        with pytest.raises(UserError, match="sampling rate"):
            detect(np.zeros(100), fs)


def test_the_unit_of_the_signal_is_the_height_of_beats():
    conditioned = condition(train(TIMES, height=0.4), FS)
    assert len(conditioned) == 60 * RATE
    peaks = conditioned[np.round(TIMES[5:-5] * RATE).astype(int)]
    assert peaks == pytest.approx(1, abs=0.1)


def test_the_answers_are_those_of_the_network_that_is_trained():
    import torch

    from benchmarks.train_rpeaks import Net

    torch.manual_seed(0)
    net, x = Net(), np.random.default_rng(0).standard_normal(20_000).astype(np.float32)
    expected = torch.sigmoid(net(torch.from_numpy(x)[None, None]))[0].detach().numpy()
    got = probability(x, net.arrays())
    assert got.shape == (20_000 // STRIDE,) and got == pytest.approx(expected, abs=1e-5)
    with np.load(WEIGHTS) as stored:
        assert {name: stored[name].shape for name in stored.files} == {k: v.shape for k, v in net.arrays().items()}


@needs_records
def test_real_records_that_the_network_was_not_trained_on():
    """Of the second of the inter-patient lists; benchmarks/peaks.py measures all 44."""
    found = there = called = 0
    for name in ("100", "105", "200", "210", "213", "228", "232", "233"):
        record = read_wfdb(RECORDS / name)
        reference = (record.sample, record.symbol.tolist(), np.zeros(len(record.sample), dtype=np.int64))
        got = figures(detect(record.signal[:, 0], record.fs), reference, len(record.digital), learning=300.0)
        found, there, called = found + got["Se"][0], there + got["Se"][1], called + got["+P"][1]
    assert found / there >= 0.9975 and found / called >= 0.9971


def silence(kind, seconds):
    t = np.arange(round(seconds * FS)) / FS
    noise = np.random.default_rng(int(seconds)).standard_normal(len(t))
    wander = 0.06 * np.sin(2 * np.pi * 0.3 * t)
    made = {"noise": 0.02 * noise, "wander": wander + 0.01 * noise, "steps": np.rint(0.4 * noise) * 0.005}
    return made[kind]


@needs_records
@pytest.mark.parametrize("kind", ["noise", "wander", "steps"])
def test_nothing_is_invented_in_silence(kind):
    lead = read_wfdb(RECORDS / "100").signal[: 180 * 360, 0].astype(np.float64)
    before, at = detect(lead, FS), 100 * 360
    at = int(before[before > at][0]) + 200  # behind a T wave
    for seconds in (3, 9, 12, 40):
        gap = lead[at] + silence(kind, seconds)
        peaks = detect(np.concatenate([lead[:at], gap, lead[at:]]), FS)
        assert peaks.tolist() == np.where(before < at, before, before + len(gap)).tolist(), seconds


def test_a_lead_that_becomes_ten_times_lower_is_still_read():
    low = train(TIMES, height=0.06)
    assert len(detect(np.concatenate([train(TIMES), low]), FS)) >= 2 * len(TIMES) - 16  # the unit has to follow


def test_the_heights_of_one_part_tell_silence_in_the_next():
    heights = BeatHeights()
    assert detect(train(TIMES), FS, heights=heights).size == len(TIMES) and heights.last.size == 64
    noise = silence("wander", 40)
    assert detect(noise, FS).size > 0  # nothing says how high beats are
    assert detect(noise, FS, heights=heights).size == 0 and heights.last.size == 64
