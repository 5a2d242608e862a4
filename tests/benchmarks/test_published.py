"""The published method's features against loops, values by hand and scipy; its decisions against scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import medfilt
from scipy.stats import kurtosis, skew
from sklearn.svm import SVC

from benchmarks.common import run_program
from benchmarks.published import NAMES, Part, decisions, learned, main, scored, votes
from benchmarks.published_features import (
    amplitudes,
    at_maximum,
    features_of,
    moments,
    rr_intervals,
    wavelet,
    without_baseline,
)
from loaders.beats.table import labels_of
from tests.made import small_record
from toolbox.metrics.patients import DE_CHAZAL, EC57_MAP
from toolbox.utils import UserError


def test_the_baseline_is_two_running_medians() -> None:
    lead = np.random.default_rng(0).integers(900, 1200, 1500)
    assert np.array_equal(without_baseline(lead), lead - medfilt(medfilt(lead.astype(float), 71), 215))


def test_annotations_move_to_the_first_maximum_near_them() -> None:
    lead = np.zeros(300, dtype=np.int64)
    lead[[90, 95, 110, 120]] = (5, 7, 7, 9)
    #                          120 is one too far, of two sevens the first; too near an end, nothing moves
    assert at_maximum(lead, np.array([15, 100, 101, 200, 290])).tolist() == [15, 95, 120, 180, 290]


def test_intervals_are_those_of_a_loop() -> None:
    at = np.random.default_rng(1).integers(80, 2000, 300).cumsum()  # 15 minutes
    found = rr_intervals(at)
    before = [at[1] - at[0], *np.diff(at)]
    for i in range(len(at)):
        recent = [before[j] for j in range(i) if at[i] - at[j] < 300 * 360] or [before[0]]
        after = at[i + 1] - at[i] if i + 1 < len(at) else at[-1] - at[-2]
        assert found[i].tolist() == pytest.approx(
            [before[i], after, np.mean(before[max(0, i - 9) : i + 1]), np.mean(recent)]
        )


def test_an_annotation_after_a_long_gap_still_has_a_mean() -> None:
    assert np.isfinite(rr_intervals(np.array([0, 300, 300_000, 300_300]))).all()


def test_the_wavelet_is_haars() -> None:
    found = wavelet(np.arange(180.0)[None])
    # A level adds pairs over the root of two; of 45 values at level 3 the last stands alone and is taken twice.
    expected = [np.arange(8 * k, 8 * k + 8).sum() / 8**0.5 for k in range(22)] + [
        2 * np.arange(176, 180).sum() / 8**0.5
    ]
    assert found[0] == pytest.approx(expected)


def test_moments_are_scipys_of_five_stretches_and_zero_where_flat() -> None:
    beats = np.random.default_rng(2).normal(size=(3, 180))
    beats[1, 45:75] = 4.0
    found = moments(beats)
    for k in range(5):
        stretch = beats[0, 15 + 30 * k : 45 + 30 * k]
        assert found[0, [k, 5 + k]] == pytest.approx([skew(stretch), kurtosis(stretch) + 3])
    assert found[1, [1, 6]].tolist() == [0, 0]


def test_amplitudes_are_distances_in_the_scaled_beat() -> None:
    beat = np.zeros(180)
    beat[[30, 80, 90, 100, 160]] = (2, -2, 8, -1, 3)
    # Time over the 130 samples from 30 to 160, amplitude over the 10 units from -2 to 8.
    expected = np.hypot(np.array([60, 10, 10, 70]) / 130, [0.6, 1.0, 0.9, 0.5])
    assert amplitudes(np.stack([beat, np.ones(180)])) == pytest.approx(np.stack([expected, np.zeros(4)]))


def test_features_are_of_scored_beats_and_intervals_of_all_annotations() -> None:
    record = small_record()
    record.symbol[3] = "Q"
    found, symbols = features_of(record)
    inside = (record.sample > 130) & (record.sample < len(record.digital) - 130)
    assert len(symbols) >= (labels_of(record.symbol)[inside] < 4).sum()
    assert "Q" not in symbols
    assert {kind: part.shape for kind, part in found.items()} == {
        kind: (len(symbols), width) for kind, width in (("RR", 8), ("wavelet", 23), ("HOS", 10), ("amplitudes", 4))
    }
    assert found["RR"][:, 4:].mean(axis=0) == pytest.approx(np.ones(4))
    assert found["RR"][3, 0] < 1.5 * found["RR"][2, 0]  # the interval from the Q beat on, not from the one before it
    record.leads = ["V5", "V1"]
    with pytest.raises(UserError, match="no lead MLII, only V5, V1"):
        features_of(record)


def four_classes(seed: int) -> Part:
    """Two hundred beats of four records whose features tell the class."""
    rng = np.random.default_rng(seed)
    symbols = rng.choice(list("NAVFe"), 200)
    labels = np.where(symbols == "e", 1, labels_of(symbols))
    kinds = {kind: rng.normal(size=(200, 3)) + 6 * labels[:, None] for kind in ("one", "other")}
    return Part(kinds, labels, symbols, rng.choice(["232", "1", "2", "3"], 200))


def test_decisions_are_scikit_learns_and_votes_their_sums() -> None:
    part = four_classes(0)
    x = part.features["one"] + np.random.default_rng(5).normal(0, 4, (200, 3))
    model = SVC(C=0.1, gamma="auto", decision_function_shape="ovo").fit(x, part.labels)
    decided = decisions(model, x[:150])
    assert decided == pytest.approx(model.decision_function(x[:150]))
    cast = votes(decided)
    assert cast.sum(axis=1) == pytest.approx(np.full(150, 6.0))
    logistic = 1 / (1 + np.exp(-decided))  # N against S, V, F, then S against V, F, then V against F
    assert cast[:, 0] == pytest.approx(logistic[:, :3].sum(axis=1))
    assert cast[:, 2] == pytest.approx(2 - logistic[:, 1] - logistic[:, 3] + logistic[:, 5])


def test_the_ensemble_learns_and_is_scored_under_both_maps() -> None:
    train, test = four_classes(1), four_classes(2)
    found = scored(test, {kind: 1.0 * learned(train, test, kind) for kind in train.features})
    assert set(found["choices"]) == {"one", "other", "one + other"}
    escapes = (test.symbols == "e").sum()
    beats = {name: one["per_class"][NAMES[1]]["beats"] for name, one in found["maps"].items()}
    assert beats[EC57_MAP] - beats[DE_CHAZAL] == escapes > 0
    ours = found["maps"][EC57_MAP]
    assert found["choices"]["one + other"]["accuracy"] == ours["accuracy"]["value"]
    assert np.sum([*ours["by_record"].values()], axis=0).tolist() == ours["confusion"]


def test_missing_records_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "RECORDS").write_text("100\n101\n")
    with pytest.raises(SystemExit) as stopped:
        run_program(lambda: main(["--records-dir", str(tmp_path)]))
    assert stopped.value.code == 2
    assert "lacks records of DS1 or DS2: 106, 108" in capsys.readouterr().err
