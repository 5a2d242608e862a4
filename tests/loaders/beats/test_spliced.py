"""spliced: patients made of a record's beats, their rhythm, and that they are nobody else's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from args import parse_args
from loaders import get_loader
from loaders.beats.input_spec import InputSpec
from loaders.beats.segment_record import read_rows, rows_of
from loaders.beats.splice_rhythms import (
    BEATS,
    atrial_rhythm,
    block_rhythm,
    fibrillation_rhythm,
    symmetric_rhythm,
)
from loaders.beats.spliced import (
    EVERY,
    SPLICES,
    bursts,
    is_spliced,
    join,
    noisy,
    spliced_from,
    splices,
    without_p,
)
from loaders.datasets.build import Data
from loaders.io.wfdb_record import Record
from loaders.names import SPLICE_NAMES, parse_spliced
from tests.conftest import RECORDS, needs_records
from toolbox.utils import UserError

RATE = 360.0
KINDS = {"atrial": 2, "block": 1, "fibrillation": 1}
ALL = {**KINDS, "noisy": 2}


def source(atrial: int = 20, aux: list[str] | None = None) -> tuple[Record, np.ndarray, np.ndarray, np.ndarray]:
    """A record of 300 beats, N 1 mV and S 0.5 mV high, P waves before them; its signal, peaks, labels."""
    n = 300
    labels = np.zeros(n, dtype=np.int64)
    labels[10 : 10 + 3 * atrial : 3] = 1
    at = 500 + np.arange(n) * 288
    signal = np.zeros((at[-1] + 900, 2))
    time = np.arange(-100, 100)
    for peak, label in zip(at, labels, strict=True):
        signal[peak - 100 : peak + 100] += ((0.5 if label else 1.0) * np.exp(-((time / 5) ** 2)))[:, None]
        signal[peak - 100 : peak + 100] += (0.2 * np.exp(-(((time + 60) / 8) ** 2)))[:, None]
    digital = np.round(signal * 200 + 1024).astype(np.int16)
    symbol = np.where(labels == 1, "A", "N")
    one = Record("r", "p", RATE, ["MLII", "V1"], digital, np.full(2, 200.0), np.full(2, 1024.0), at, symbol, aux or [])
    return one, signal, at, labels


RHYTHMS = {
    "atrial": atrial_rhythm,
    "symmetric": symmetric_rhythm,
    "block": block_rhythm,
    "fibrillation": fibrillation_rhythm,
}


@pytest.mark.parametrize("kind", RHYTHMS)
def test_beats_stand_where_the_rhythm_puts_them_and_look_as_their_class_does(kind: str) -> None:
    _, signal, at, labels = source()
    rhythm = RHYTHMS[kind](np.random.default_rng(1))
    made, peaks, classes = join(signal, at, labels, rhythm, RATE, np.random.default_rng(2))
    assert len(rhythm) == len(peaks) == len(classes) == BEATS
    assert classes.tolist() == [label for label, _ in rhythm]
    asked = np.array([rr for _, rr in rhythm])[1:] * RATE
    assert np.abs(np.diff(peaks) - asked).max() < 2  # samples
    assert made[peaks, 0] == pytest.approx(np.where(classes == 1, 0.5, 1.0), abs=0.02)
    assert np.abs(np.diff(made, axis=0)).max() < 1.2 * np.abs(np.diff(signal, axis=0)).max()  # no steps at the joints


def test_what_each_rhythm_is() -> None:
    drawn = [atrial_rhythm(np.random.default_rng(seed)) for seed in range(40)]
    share = [np.mean([label for label, _ in rhythm]) for rhythm in drawn]
    assert np.mean(np.array(share) > 0.5) > 0.8  # S is the majority
    for rhythm in drawn:
        rr = {label: np.median([rr for each, rr in rhythm if each == label]) for label in (0, 1)}
        assert rr[1] < rr[0]
    even = [np.array([label for label, _ in symmetric_rhythm(np.random.default_rng(seed))]) for seed in range(200)]
    share = np.array([labels.mean() for labels in even])
    assert share.mean() == pytest.approx(0.5, abs=0.06) and share.std() > 0.2  # neither class is the usual one
    runs = [np.diff(np.flatnonzero(np.diff(labels, prepend=-1, append=-1))).mean() for labels in even]
    assert min(runs) < 2 and max(runs) > 25
    block = [block_rhythm(np.random.default_rng(seed)) for seed in range(20)]
    ratio = [np.quantile(rr, 0.98) / np.median(rr) for rr in ([rr for _, rr in rhythm] for rhythm in block)]
    assert all(label == 0 for rhythm in block for label, _ in rhythm) and np.median(ratio) > 1.6
    irregular = np.array([rr for _, rr in fibrillation_rhythm(np.random.default_rng(0))])
    assert 0.1 < np.log(irregular).std() < 0.35
    assert abs(np.corrcoef(irregular[:-1], irregular[1:])[0, 1]) < 0.2


def test_fibrillation_has_no_p_waves() -> None:
    _, signal, at, _ = source()
    found = without_p(signal, at, RATE, np.random.default_rng(4))
    waves = [np.corrcoef(part[peak - 85 : peak - 35, 0], signal[at[5] - 85 : at[5] - 35, 0])[0, 1]
             for part in (signal, found) for peak in at[1:]]  # fmt: skip
    assert np.median(waves[: len(at) - 1]) > 0.99 and abs(np.median(waves[len(at) - 1 :])) < 0.5
    assert found[at, 0] == pytest.approx(signal[at, 0], abs=0.25)


def test_noise_comes_in_bursts_and_leaves_the_beats_where_they_are() -> None:
    _, signal, at, labels = source()
    for seed in range(5):
        made, peaks, classes = noisy(signal, at, labels, RATE, np.random.default_rng(seed))
        assert len(peaks) == len(classes) == len(at) < BEATS
        clean = signal[at[0] - peaks[0] :][: len(made)]
        added = np.abs(made - clean)
        assert added.max() > 0.05 and (added.max(axis=1) < 1e-6).mean() > 0.1  # quiet between the bursts
        assert np.array_equal(classes, labels)
    envelope = bursts(np.random.default_rng(0), 36000, RATE)
    assert envelope.min() >= 0 and envelope.max() <= 1.6 and 0 < (envelope > 0.3).mean() < 0.9


def test_every_kind_is_made_of_a_record_that_has_what_it_takes() -> None:
    kinds = {one.name for one in splices(*source(), RATE, dict.fromkeys(SPLICES, 1), 2)}
    assert kinds == {f"r+{kind}0" for kind in SPLICES}
    assert tuple(SPLICES) == SPLICE_NAMES


def test_the_same_record_gives_the_same_patients_and_those_of_a_kind_differ() -> None:
    one, two = (list(splices(*source(), RATE, ALL, 2)) for _ in range(2))
    names = ["r+atrial0", "r+atrial1", "r+block0", "r+fibrillation0", "r+noisy0", "r+noisy1"]
    assert [made.name for made in one] == names
    assert all(np.array_equal(a.signal, b.signal) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(one[0].at, one[1].at)


def test_records_that_lack_what_a_kind_needs_give_none() -> None:
    assert {made.name for made in splices(*source(atrial=4), RATE, KINDS, 2)} == {"r+block0", "r+fibrillation0"}
    assert {made.name for made in splices(*source(aux=["(AFIB"]), RATE, KINDS, 2)} == {"r+block0"}
    record, signal, at, labels = source()
    assert not list(splices(record, signal, at, np.full_like(labels, 2), RATE, KINDS, 2))


def test_rows_of_spliced_patients_come_behind_the_records_own() -> None:
    record, *_ = source()
    recipe = InputSpec("window", 0.1, 0.1, RATE, 2, features=("tempo",), spliced=tuple(KINDS.items()))
    beats = rows_of(record, recipe)
    made = is_spliced(beats.record)
    assert made.tolist() == [False] * 300 + [True] * (4 * BEATS // EVERY)
    assert set(beats.patient.tolist()) == {"p"} and set(spliced_from(beats.record).tolist()) == {"r"}
    assert np.array_equal(beats.symbol[made] == "A", beats.y[made] == 1) and 0.3 < (beats.y[made] == 1).mean() < 0.6
    plain = rows_of(record, InputSpec("window", 0.1, 0.1, RATE, 2, features=("tempo",)))
    assert np.array_equal(plain.x, beats.x[~made]) and np.array_equal(plain.features, beats.features[~made])


def test_names_of_kinds() -> None:
    assert parse_spliced("none") == {} and parse_spliced("atrial:10+block:2") == {"atrial": 10, "block": 2}
    for text in ("", "atrial", "atrial:0", "atrial:101", "atrial:x", "flutter:2", "block:1+block:2", "block:1+"):
        with pytest.raises(UserError, match="expected"):
            parse_spliced(text)


FLAGS = "--prepare --dataset synthetic --synthetic-patients 6 --synthetic-minutes 4 --context window --spliced block:2"


def data(root: Path, line: str) -> Data:
    return get_loader(parse_args([*FLAGS.split(), "--root-dir", str(root), *line.split()]))


def test_spliced_patients_learn_only_and_only_where_their_record_learns(tmp_path: Path) -> None:
    for fold in (1, 2, 3):
        made = data(tmp_path, f"--split kfold --fold {fold}/3")
        for part in (made.val, made.test):
            assert not is_spliced(part.beats.record[part.rows.numpy()]).any()
        names = made.train.beats.record[made.train.rows.numpy()]
        learning = made.facts["records"]["train"]
        assert sorted(set(spliced_from(names).tolist())) == learning
        assert set(spliced_from(names[is_spliced(names)]).tolist()) <= set(learning) and is_spliced(names).any()
    assert any(line.startswith("spliced patients, in train only: ") for line in made.lines)


def test_nothing_held_out(tmp_path: Path) -> None:
    held = data(tmp_path, "--split kfold --fold 1/3")
    whole = data(tmp_path, "--split kfold --fold 1/3 --validate-on train --monitor last")
    records = held.facts["records"]
    assert whole.facts["records"]["train"] == whole.facts["records"]["val"] == sorted(records["train"] + records["val"])
    assert whole.facts["records"]["test"] == records["test"]
    assert not is_spliced(whole.val.beats.record[whole.val.rows.numpy()]).any()
    assert any("nothing is held out" in warning for warning in whole.warnings)


def test_the_sampler_lets_every_patient_count_alike_within_a_class(tmp_path: Path) -> None:
    made = data(tmp_path, "--split kfold --fold 1/3")
    weights = made.train.sample_weights("patients").numpy()
    labels, rows = made.train.labels().numpy(), made.train.rows.numpy()
    counts = np.bincount(labels, minlength=4)
    assert np.bincount(labels, weights, minlength=4) == pytest.approx(counts, rel=1e-4)  # classes keep their shares
    whose = np.char.add(made.train.beats.patient[rows], is_spliced(made.train.beats.record[rows]).astype("U1"))
    mass = {who: weights[(whose == who) & (labels == 0)].sum() for who in set(whose.tolist())}
    assert len(mass) > 4 and max(mass.values()) == pytest.approx(min(mass.values()), rel=1e-4)
    few = data(tmp_path, "--split kfold --fold 1/3").train
    few.rows = few.rows[np.r_[:5, 300:360]]  # a patient with few rows of a class counts less in it
    assert few.sample_weights("patients").numpy()[0] * 5 < few.sample_weights("patients").numpy()[5:].sum()


@needs_records
def test_records_of_mitdb_give_the_patients_that_the_readme_tells(tmp_path: Path) -> None:
    recipe = InputSpec("window", 0.1, 0.1, RATE, 2, highpass=0.0, baseline="median", spliced=tuple(KINDS.items()))
    names = {name: set(read_rows(RECORDS / name, recipe).record.tolist()) - {name} for name in ("118", "201", "123")}
    assert names == {
        "118": {"118+atrial0", "118+atrial1", "118+block0", "118+fibrillation0"},
        "201": {"201+block0"},  # it fibrillates
        "123": {"123+block0", "123+fibrillation0"},
    }
