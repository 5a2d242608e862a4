"""What a beat may know: windows and features on recordings small enough to do by hand; neighbours; no labels."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch

from args import parse_args
from loaders import FEATURES, get_loader
from loaders.beats.features.causal import LAST
from loaders.beats.features.rr import LIMIT, Recording, around, compute, group, intervals, names_of, recent_mean
from loaders.beats.table import Beats
from loaders.beats.windows import cut_windows, leads_of, positions, prepared, resampled, scaled
from loaders.datasets.build import InputSpec, rows_of
from loaders.datasets.dataset import Data, ECGLoader
from loaders.io.wfdb_record import Record
from loaders.sources.synthetic import synthesize
from toolbox.utils import UserError


@pytest.fixture(scope="module")
def record() -> Record:
    return list(synthesize(2, 2, 5))[1]  # of the kind with ventricular beats


def seen(record: Record, rate: float = 120.0) -> Recording:
    at_beats = record.sample[1:]  # the first annotation is the rhythm
    signal = prepared(record, 2, rate, 0.5)
    at = positions(at_beats, record.fs, rate, len(signal))
    return Recording(at_beats / record.fs, scaled(signal, at, rate), at, rate)


# windows


def test_a_window_has_the_r_peak_where_it_should_and_zeros_beyond_the_ends() -> None:
    signal = np.stack([np.arange(1, 11), np.arange(101, 111)], axis=1).astype(float)  # (10 samples, 2 leads)
    rows = cut_windows(signal, np.array([0, 4, 9]), 2, 3)
    assert rows[:, 0].tolist() == [[0, 0, 1, 2, 3], [3, 4, 5, 6, 7], [8, 9, 10, 0, 0]]
    assert rows[:, 1].tolist() == [[0, 0, 101, 102, 103], [103, 104, 105, 106, 107], [108, 109, 110, 0, 0]]


@pytest.mark.parametrize("samples", [1, 4, 5, 200])
def test_windows_are_those_of_a_signal_with_zeros_around_it(samples: int) -> None:
    rng = np.random.default_rng(samples)
    signal, at = rng.normal(size=(samples, 2)), rng.integers(0, samples, 50)
    padded = np.pad(signal, ((7, 9), (0, 0)))
    expected = np.stack([padded[k : k + 16].T for k in at])
    assert (cut_windows(signal, at, 7, 9) == expected).all()


@pytest.mark.parametrize("rate", [120.0, 125.0, 250.0, 360.0, 500.0])
def test_resampling_keeps_a_slow_wave_and_takes_out_what_would_alias(rate: float) -> None:
    seconds = np.arange(3600) / 360
    slow, fast = np.sin(2 * np.pi * 5 * seconds), np.sin(2 * np.pi * 150 * seconds)
    kept, lost = resampled(np.stack([slow, fast], axis=1), 360.0, rate).T
    assert len(kept) == pytest.approx(10 * rate, abs=1)
    inner = slice(int(rate), int(9 * rate))
    assert np.abs(kept - np.sin(2 * np.pi * 5 * np.arange(len(kept)) / rate))[inner].max() < 0.01
    if rate < 300:
        assert np.abs(lost[inner]).max() < 0.01


def peaks(at: list[int], samples: int = 3600) -> Record:
    """A recording of one lead with a peak of 1 mV and 30 ms at each of `at`."""
    time = np.arange(samples)[:, None] - np.array(at)
    signal = np.exp(-((time / 11) ** 2)).sum(axis=1)
    digital = np.round(200 * signal + 1024).astype(np.int16)[:, None]
    symbol = np.full(len(at), "N")
    return Record("r", "p", 360.0, ["MLII"], digital, np.full(1, 200.0), np.full(1, 1024.0), np.array(at), symbol)


@pytest.mark.parametrize("rate", [120.0, 180.0, 250.0])
def test_the_peak_of_a_window_stands_at_its_place(rate: float) -> None:
    """At another rate than the recording's, the annotated sample is the window's sample before * rate."""
    record = peaks([90, 400, 777, 1200, 1500, 2000, 3599])
    beats = rows_of(record, InputSpec("window", 0.2, 0.4, rate, 1, "none", 0))
    assert beats.x.shape == (7, 1, round(0.2 * rate) + round(0.4 * rate)) and beats.x.dtype == np.float32
    assert np.abs(beats.x[:-1, 0].argmax(axis=1) - round(0.2 * rate)).max() <= (rate == 250)  # half a sample's rounding
    assert beats.x[:-1, 0].max(axis=1) == pytest.approx(np.ones(6), abs=0.05)
    assert beats.sample.tolist() == record.sample.tolist()


def test_scales(record: Record) -> None:
    whole = rows_of(record, InputSpec("window", 0.3, 0.5, 120.0, 2, "record", 0.5)).x
    heights = np.ptp(whole[:, :, 36 - 12 : 36 + 13], axis=2)
    assert np.median(heights, axis=0) == pytest.approx([1, 1], rel=1e-5)
    own = rows_of(record, InputSpec("window", 0.3, 0.5, 120.0, 2, "window", 0.5)).x
    assert np.abs(own.mean(axis=2)).max() < 1e-5
    assert own.std(axis=2) == pytest.approx(np.ones(own.shape[:2]), rel=1e-4)
    plain = rows_of(record, InputSpec("window", 0.3, 0.5, 120.0, 2, "none", 0.5)).x
    ratio = whole[3, 0].std() / plain[3, 0].std()
    assert np.corrcoef(whole[9, 0], plain[9, 0])[0, 1] == pytest.approx(1, abs=1e-6) and ratio != pytest.approx(
        1, abs=0.01
    )


def test_the_high_pass_takes_out_the_baseline_and_leaves_the_beat() -> None:
    seconds = np.arange(36000) / 360
    sway = 2 * np.sin(2 * np.pi * 0.1 * seconds)
    digital = np.round(200 * sway + 1024).astype(np.int16)[:, None]
    one = Record(
        "r", "p", 360.0, ["MLII"], digital, np.full(1, 200.0), np.full(1, 1024.0), np.array([9]), np.array(["N"])
    )
    left = prepared(one, 1, 120.0, 0.5)[1200:-1200]
    assert np.abs(left).max() < 0.1 < np.abs(prepared(one, 1, 120.0, 0)).max()


def test_medians_take_out_a_baseline_that_steps_and_leave_the_beat() -> None:
    """A high-pass answers a step of the baseline with a swing of its own; medians follow it."""
    record = peaks([400, 800, 1200, 1600, 2000, 2400])
    record.digital[1000:] += 300  # 1.5 mV
    found = prepared(record, 1, 360.0, 0.5, "median")[:, 0]
    filtered = prepared(record, 1, 360.0, 0.5)[:, 0]
    assert found[[400, 800, 1200, 1600, 2000, 2400]] == pytest.approx(np.ones(6), abs=0.06)
    quiet = np.r_[880:960, 1060:1140]
    assert np.abs(found[quiet]).max() < 0.1 < np.abs(filtered[quiet]).max()
    fast = np.sin(2 * np.pi * 60 * np.arange(3600) / 360)
    record.digital[:, 0] = np.round(200 * fast + 1024)
    assert np.abs(prepared(record, 1, 360.0, 0, "median")[400:-400]).max() < 0.02  # mains hum is above 35 Hz


def test_mlii_comes_first_and_missing_leads_are_told(record: Record) -> None:
    assert leads_of(record, 2) == [0, 1]
    turned = Record(**{**vars(record), "leads": ["V5", "MLII"]})
    assert leads_of(turned, 1) == [1] and leads_of(turned, 2) == [1, 0]
    with pytest.raises(UserError, match=r"has 2 lead\(s\), --leads asks for 3"):
        leads_of(record, 3)


def test_rows_do_not_depend_on_labels(record: Record) -> None:
    """All beats called V: the same windows and features."""
    other = Record(**{**vars(record), "symbol": np.append("+", np.full(len(record.symbol) - 1, "V"))})
    for context in ("kaggle", "window"):
        recipe = InputSpec(context, 0.3, 0.5, 120.0, 2, features=tuple(FEATURES))
        one, two = rows_of(record, recipe), rows_of(other, recipe)
        assert np.array_equal(one.x, two.x) and one.features is not None and two.features is not None
        assert np.array_equal(one.features, two.features)
        assert set(two.y) == {2} and len(set(one.y)) > 1


# features


def test_intervals_by_hand() -> None:
    times = np.array([1.0, 1.8, 2.6, 3.0, 4.0])
    rr = intervals(times)
    assert rr == pytest.approx([0.8, 0.8, 0.8, 0.4, 1.0])
    assert recent_mean(rr, 2) == pytest.approx([0.8, 0.8, 0.8, 0.8, 0.6])
    found = compute(["rr"], Recording(times, np.zeros((600, 1)), np.zeros(5, int), 120.0))
    assert found.dtype == np.float32
    beat = dict(zip(group("rr").names(1), found[3].tolist(), strict=True))
    assert beat["RR"] == pytest.approx(np.log(0.4 / 0.8))
    assert beat["RR/recent"] == pytest.approx(np.log(0.4 / 0.8))
    assert beat["RR after"] == pytest.approx(np.log(1.0 / 0.8))
    assert beat["RR after/recent"] == pytest.approx(np.log(1.0 / 0.8))
    assert beat["RR/RR after"] == pytest.approx(np.log(0.4))
    assert np.allclose(
        found[:, :3], compute(["rr_past"], Recording(times, np.zeros((600, 1)), np.zeros(5, int), 120.0))
    )


def test_rhythm_and_pattern_tell_a_premature_beat_from_its_neighbours() -> None:
    rr = np.full(100, 0.8)
    rr[50], rr[51] = 0.5, 1.1
    times = rr.cumsum()
    found = compute(["rhythm", "pattern"], Recording(times, np.zeros((9, 1)), np.zeros(100, int), 120.0))
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
    turned = Recording(recording.times, odd, recording.at, recording.rate)
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
        recording = Recording(at / 120.0, rng.standard_normal((count * 90 + 80, 2)), at, 120.0)
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
        compute([name], Recording(each, recording.signal, recording.at, 120.0)) for each in (recording.times, times)
    )
    same = np.array_equal(found[: k + 1], changed[: k + 1])
    assert same == (name in ("rr", "rr_past", "shape", "qrs", "past", "tempo_past"))
    times = recording.times.copy()
    times[k + 1 :] += 0.2 * np.arange(1, len(times) - k)
    next_moved = compute([name], Recording(times, recording.signal, recording.at, 120.0))
    assert np.array_equal(found[: k + 1], next_moved[: k + 1]) == (name in ("rr_past", "shape", "qrs", "past"))


@pytest.mark.parametrize("name", FEATURES)
def test_groups_for_streams_see_no_more_than_the_beat_and_the_next_ones_time(name: str, record: Record) -> None:
    """What comes 0.5 s after a beat is another signal in another unit, and the beats before 20 s ago are forgotten."""
    whole, k = seen(record), 60
    end, first = whole.at[k] + 60, k - LAST - 2
    other = whole.signal.copy()
    other[end:] = np.random.default_rng(0).standard_normal(other[end:].shape)
    start = whole.at[first] - 60
    near = slice(first, k + 2)
    late = Recording(whole.times[near], 3 * other[start:] + 1, whole.at[near] - start, 120.0)
    found, again = compute([name], whole)[k], compute([name], late)[k - first]
    assert np.allclose(found, again, atol=1e-5) == group(name).live


# neighbours, and the data as a whole


def beats_of(records: list[str], features: bool = True, window: bool = True) -> Beats:
    n = len(records)
    x = (
        np.arange(n * 6, dtype=np.float32).reshape(n, 2, 3) + 1
        if window
        else np.arange(n * 3, dtype=np.float32).reshape(n, 3) + 1
    )
    numbers = np.arange(n * 2, dtype=np.float32).reshape(n, 2) + 1 if features else None
    names = np.array(records)
    return Beats(x, np.arange(n) % 4, np.full(n, 3), names, names, np.arange(n), np.full(n, "N"), numbers)


def test_neighbours_come_in_order_and_end_with_the_record() -> None:
    beats = beats_of(["a", "a", "a", "b"])
    dataset = ECGLoader(beats, np.array([0, 1, 3]), neighbours=1)
    batch = dataset.batch(torch.tensor([0, 1, 2]))
    nothing, x = np.zeros((2, 3), np.float32), beats.x
    expected = [[nothing, x[0], x[1]], [x[0], x[1], x[2]], [nothing, x[3], nothing]]
    assert np.array_equal(batch.x.numpy(), np.array(expected).reshape(3, 6, 3))
    assert batch.features is not None
    assert batch.features.tolist() == [[0, 0, 1, 2, 3, 4], [1, 2, 3, 4, 5, 6], [0, 0, 7, 8, 0, 0]]
    assert batch.ids.tolist() == [0, 1, 3] and batch.y.tolist() == [0, 1, 3]
    assert dataset.shape() == {"in_channels": 6, "length": 3, "features": 2, "beats": 3}


def test_neighbours_of_rows_of_one_lead() -> None:
    dataset = ECGLoader(beats_of(["a"] * 4, features=False, window=False), neighbours=1)
    batch = dataset.batch(torch.tensor([3]))
    assert batch.x.tolist() == [[[7, 8, 9], [10, 11, 12], [0, 0, 0]]] and batch.features is None
    assert dataset.shape() == {"in_channels": 3, "length": 3, "features": 0, "beats": 3}


FLAGS = "--prepare --dataset synthetic --synthetic-patients 4 --synthetic-minutes 1".split()


def data(root: Path, line: str) -> Data:
    return get_loader(parse_args([*FLAGS, "--root-dir", str(root), *line.split()]))


def test_a_cache_is_kept_for_each_of_the_last_recipes(tmp_path: Path) -> None:
    lines = ["--context window", "--context window --leads 2", "--features rr", "--context window --window-after 1"]
    folders = [data(tmp_path, line).cache.folder for line in lines]
    assert len(set(folders)) == 4 and all(folder.is_dir() for folder in folders)
    assert data(tmp_path, "--context window --split kfold --fold 1/2 --neighbours 2").cache.folder == folders[0]
    fifth = data(tmp_path, "--context window --highpass 0").cache.folder
    assert fifth.is_dir() and not folders[0].is_dir() and all(folder.is_dir() for folder in folders[1:])


def test_batches_bring_features_along_whatever_gathers_them(tmp_path: Path) -> None:
    from loaders.datasets.batches import Batches

    made = data(tmp_path, "--context window --features rr shape")
    whole = made.train.batch(torch.arange(len(made.train)))
    for workers in (0, 1):
        batches = list(Batches(made.train, 50, workers=workers))
        assert whole.features is not None and whole.features.shape[1] == 13
        assert torch.cat([batch.features for batch in batches]).equal(whole.features)
        assert torch.cat([batch.x for batch in batches]).equal(whole.x)
    facts = made.describe()
    assert facts["features"][0] == "rr: RR" and len(facts["features"]) == 13
    assert facts["recipe"]["before"] == 0.5


def test_prepare_says_what_a_row_knows_of_the_future(tmp_path: Path) -> None:
    lines = data(tmp_path, "--context window --features rr rhythm").lines
    assert (
        "row: 0.5 s; the high-pass filter feels about 1 s more; resampling, 0.083 s more; its scale is the whole "
        "recording's" in lines
    )
    assert "rr: the next beat's time" in lines


def test_what_beside_kaggles_rows_has_no_meaning_does_not_change_their_cache() -> None:
    args = Namespace(context="kaggle", features=["rr"], window_before=3, window_after=4, window_rate=9, leads=2)
    assert InputSpec.of(args) == InputSpec(features=("rr",))
