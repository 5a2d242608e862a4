"""The synthetic recordings: seeded, MIT-BIH-like in rate, shape, rhythm and class shares."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from loaders.beats.table import Beats, kaggle_beats, labels_of
from loaders.io.wfdb_record import Record, read_wfdb, write_wfdb
from loaders.sources.synthetic import BEATS, FS, KINDS, SPIKE, P, R, beat_waves, shape_bank, synthesize, tachogram
from toolbox.utils import UserError
from toolbox.utils.aami import DE_CHAZAL_CLASSES

MITDB_SHARES = np.array([90631, 2781, 7236, 803, 8043]) / 109494  # all 48 records, DE_CHAZAL_CLASSES classes
BASIC = "NLR/"


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """One patient of each kind, four minutes each."""
    return list(synthesize(len(KINDS), minutes=4, seed=5))


def same(a: Record, b: Record) -> bool:
    return (
        a.name == b.name
        and np.array_equal(a.digital, b.digital)
        and np.array_equal(a.sample, b.sample)
        and np.array_equal(a.symbol, b.symbol)
    )


def windows(record: Record, symbol: str, before: int, after: int, lead: int = 0) -> np.ndarray:
    """(beats, before + after + 1) mV around the annotations of `symbol`."""
    at = record.sample[record.symbol == symbol]
    at = at[(at >= before) & (at < len(record.digital) - after)]
    return record.signal[:, lead][at[:, None] + np.arange(-before, after + 1)]


def premature(record: Record, symbols: str) -> np.ndarray:
    """(beats, 3): RR before, RR after and the sinus RR two beats earlier, in s, of single beats between basic ones."""
    rows = []
    beat, at = record.symbol[1:], record.sample[1:] / FS
    for k in range(3, len(beat) - 1):
        around = [*beat[k - 3 : k], beat[k + 1]]
        if beat[k] in symbols and all(symbol in BASIC for symbol in around):
            rows.append((at[k] - at[k - 1], at[k + 1] - at[k], at[k - 1] - at[k - 2]))
    return np.array(rows)


def half_widths(rows: np.ndarray) -> np.ndarray:
    """(beats,) samples for which the main deflection, of either sign, stays above half its height."""
    rows = rows - np.median(rows, axis=1, keepdims=True)
    centre = rows.shape[1] // 2
    widths = []
    for row in rows:
        peak = centre - 10 + int(np.abs(row[centre - 10 : centre + 11]).argmax())
        low = np.flatnonzero(row * np.sign(row[peak]) < abs(row[peak]) / 2)
        widths.append(low[low > peak].min(initial=len(row)) - low[low < peak].max(initial=0))
    return np.array(widths)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    first, again, other = (list(synthesize(4, 0.5, seed)) for seed in (3, 3, 4))
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a.digital, b.digital) for a, b in zip(first, other, strict=True))
    assert not any(np.array_equal(a.digital, b.digital) for a, b in pairwise(first))


def test_a_patient_is_the_same_however_many_are_asked_for() -> None:
    few, many = list(synthesize(2, 0.5, 9)), list(synthesize(14, 0.5, 9))
    assert same(few[0], many[0])
    assert same(few[1], many[1])
    assert not np.array_equal(many[0].digital, many[12].digital)  # of one kind, and yet two persons


def test_form(records: list[Record]) -> None:
    assert [record.name for record in records] == [f"syn{k:02d}" for k in range(12)]
    for record in records:
        assert record.patient == record.name
        assert (record.fs, record.leads) == (360.0, ["MLII", "V1"])
        assert record.digital.shape == (4 * 60 * 360, 2)
        assert record.digital.dtype == np.int16
        assert record.digital.min() >= 0
        assert record.digital.max() <= 2047
        assert record.gain.tolist() == [200, 200]
        assert record.baseline.tolist() == [1024, 1024]
        assert np.ptp(record.signal, axis=0).min() > 0.2
        assert record.sample.dtype == np.int64
        assert record.symbol.dtype == np.dtype("U1")
        assert np.diff(record.sample).min() > 0.25 * 360
        assert 0 <= record.sample[0] < record.sample[-1] < len(record.digital)
        assert record.symbol[0] == "+"
        assert set(record.symbol[1:]) <= set(BEATS) <= set(DE_CHAZAL_CLASSES)
        assert len(record.aux) == len(record.sample)
        assert not any(record.aux[1:])
        assert "synthetic" in record.comments[0]
    assert [record.aux[0] for record in records] == [kind.rhythm for kind in KINDS]


def test_heart_rates_differ_and_are_human(records: list[Record]) -> None:
    rates = np.array([60 * FS / np.median(np.diff(record.sample[1:])) for record in records])
    assert 45 < rates.min() < rates.max() < 120
    assert rates.std() > 5
    for record in records:  # no beat is missing, up to the end
        assert np.diff(np.append(record.sample, len(record.digital))).max() < 3 * FS


def test_tachogram_has_the_two_peaks_of_mcsharry() -> None:
    rr = tachogram(np.random.default_rng(0), 1000, 0.8, 0.05, 0.25)
    assert rr.mean() == pytest.approx(0.8, rel=0.01)
    frequency = np.fft.rfftfreq(1000, 0.8)
    power = np.abs(np.fft.rfft(rr - rr.mean())) ** 2
    low, high = ((np.abs(frequency - peak) < 0.04) for peak in (0.1, 0.25))
    assert power[low].sum() / power[high].sum() == pytest.approx(0.5, rel=0.1)  # LF/HF
    assert frequency[low][power[low].argmax()] == pytest.approx(0.1, abs=0.02)
    assert frequency[high][power[high].argmax()] == pytest.approx(0.25, abs=0.02)
    assert power[(low | high | (frequency < 0.03))].sum() / power.sum() > 0.99
    assert np.sqrt(2 * power[low | high].sum()) / 1000 == pytest.approx(0.05 * 0.8, rel=0.05)  # Parseval


def test_annotations_stand_at_the_r_peak(records: list[Record]) -> None:
    for record, kind in zip(records, KINDS, strict=True):
        if kind.base != "N":
            continue
        rows = windows(record, "N", 9, 9)  # 25 ms to either side
        off = rows.argmax(axis=1) - 9
        assert abs(rows.mean(axis=0).argmax() - 9) <= 2, record.name
        assert np.mean(np.abs(off) <= 4) > 0.9, record.name


def test_ventricular_beats_are_early_with_a_full_compensatory_pause(records: list[Record]) -> None:
    before, after, usual = premature(records[7], "V").T
    assert len(before) >= 15
    assert np.mean(before < 0.88 * usual) > 0.95
    assert np.mean(after > 1.1 * usual) > 0.95
    assert np.median((before + after) / (2 * usual)) == pytest.approx(1, abs=0.03)


def test_atrial_beats_are_early_with_a_pause_that_does_not_compensate(records: list[Record]) -> None:
    before, after, usual = np.concatenate([premature(records[k], "AJa") for k in (2, 10)]).T
    assert len(before) >= 15
    assert np.mean(before < 0.95 * usual) > 0.9
    assert np.mean(after > before) > 0.95
    assert 0.75 < np.median((before + after) / (2 * usual)) < 0.98


def test_fusion_beats_come_when_the_next_beat_is_due(records: list[Record]) -> None:
    before, _, usual = premature(records[1], "F").T
    assert len(before) >= 3
    assert 0.85 < np.median(before / usual) < 1.05


def test_ventricular_beats_are_broader_than_normal_ones(records: list[Record]) -> None:
    for k in (1, 7):
        normal, ventricular = (np.median(half_widths(windows(records[k], symbol, 60, 60))) for symbol in "NV")
        assert 8 < normal < 25  # 22 to 70 ms
        assert ventricular > 1.4 * normal, (k, normal, ventricular)


def test_fusion_lies_between_normal_and_ventricular() -> None:
    symbols = np.repeat(np.array(["N", "F", "V"]), 300)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        broad = beat_waves(rng, symbols, shape_bank(rng, KINDS[1]))[:, R, 1].reshape(3, 300)
        normal, fusion, ventricular = broad.mean(axis=1)
        assert normal < fusion < ventricular
        assert 0.3 < (fusion - normal) / (ventricular - normal) < 0.9


def test_p_wave_is_missing_where_the_beat_does_not_come_from_the_atria() -> None:
    rng = np.random.default_rng(0)
    symbols = np.array(list("NAVJj/"))
    p = np.abs(beat_waves(rng, np.repeat(symbols, 100), shape_bank(rng, KINDS[0]))[:, P, 2]).reshape(6, 100)
    normal, atrial, ventricular, junctional, escape, paced = p.mean(axis=1)  # mV in MLII
    assert 0.05 < normal < 0.4
    assert 0 < atrial < 0.7 * normal
    assert max(ventricular, paced) < 0.25 * normal
    assert junctional == escape == 0


def test_paced_beats_have_a_spike_before_the_qrs(records: list[Record]) -> None:
    def steepest(symbol: str) -> float:
        rows = windows(records[3], symbol, 70, -10)  # 194 to 28 ms before
        return float(np.median(np.abs(np.diff(rows, n=2)).max(axis=1)))

    assert (records[3].symbol == "/").sum() > 100
    assert steepest("/") > 2 * steepest("N")
    rng = np.random.default_rng(0)
    pulses = beat_waves(rng, np.array(list("/fNV")), shape_bank(rng, KINDS[3]))[:, SPIKE, 2]
    assert pulses[0] == pulses[1] > 0  # fusion changes the beat, not the pulse
    assert pulses[2] == pulses[3] == 0


def test_shares_are_those_of_mitdb() -> None:
    counts = np.zeros(5)
    for seed in (1, 2, 3):
        symbols = np.concatenate([record.symbol for record in synthesize(12, 3, seed)])
        labels = labels_of(symbols)
        counts += np.bincount(labels[labels >= 0], minlength=5)
    shares = counts / counts.sum()
    np.testing.assert_allclose(shares, MITDB_SHARES, rtol=0.3, atol=0.003)
    assert shares[0] == pytest.approx(MITDB_SHARES[0], abs=0.03)


def test_the_first_four_patients_have_all_classes() -> None:
    for seed in range(4):
        beats = Beats.join(kaggle_beats(record) for record in synthesize(4, 1, seed))
        assert set(beats.y) == {0, 1, 2, 3, 4}


def test_default_size_gives_rows_of_all_classes() -> None:
    beats = Beats.join(map(kaggle_beats, synthesize()))
    counts = np.bincount(beats.y, minlength=5)
    assert 15_000 < len(beats) < 22_000
    assert counts.min() >= 30
    np.testing.assert_allclose(counts / counts.sum(), MITDB_SHARES, rtol=0.3, atol=0.002)
    assert beats.x.shape == (len(beats), 187)
    assert beats.x.dtype == np.float32
    assert beats.x.min() == 0
    assert beats.x.max() == 1
    assert np.isfinite(beats.x).all()
    assert beats.length.min() > 25
    assert len(np.unique(beats.patient)) == 24


def test_wfdb_round_trip(tmp_path, records: list[Record]) -> None:
    for record in records[:4]:
        write_wfdb(record, tmp_path)
        read = read_wfdb(tmp_path / record.name)
        assert same(record, read)
        assert (read.fs, read.leads, read.patient) == (record.fs, record.leads, record.patient)
        assert read.aux == record.aux
        assert read.comments == record.comments
        np.testing.assert_array_equal(read.signal, record.signal)
        np.testing.assert_array_equal(kaggle_beats(read).x, kaggle_beats(record).x)


def test_short_recordings_and_bad_sizes() -> None:
    assert [len(record.digital) for record in synthesize(3, 0.1)] == [2160] * 3
    assert all(set(record.symbol) & set(BASIC) for record in synthesize(12, 0.1, 1))
    with pytest.raises(UserError, match="at least 1 patient"):
        synthesize(0)
    with pytest.raises(UserError, match=r"0\.1 minutes"):
        synthesize(1, 0.01)
