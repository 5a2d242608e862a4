"""toolbox.holter.annotation: the beats of a recording and their summary."""

from __future__ import annotations

import numpy as np

from toolbox.holter.annotation import AnnotatedRecording
from toolbox.holter.trace import CompressedTrace


def annotated(letters: str, names: tuple[str, ...], skipped: list[tuple[int, int, str]]) -> AnnotatedRecording:
    order = {name[0]: k for k, name in enumerate(names)}
    probabilities = np.full((len(letters), len(names)), 0.1, dtype=np.float32)
    for k, letter in enumerate(letters):
        probabilities[k, order[letter]] = 0.45 if letter == "N" else 0.9
    sample = 100 + 200 * np.arange(len(letters))
    begins = np.arange(len(letters)) == 0
    return AnnotatedRecording(sample, begins, probabilities, names, 250.0, 10000, skipped, CompressedTrace().finish())


def test_summary_of_a_recording_with_skipped_stretches() -> None:
    names = ("Normal", "Supraventricular ectopic", "Ventricular ectopic")
    beats = annotated("NNVN", names, [(2500, 5000, "gap"), (6000, 6500, "flat")])
    summary = beats.summary()
    assert summary["signal_quality"] == {
        "usable": 0.7, "gap_s": 10.0, "flat_s": 2.0, "saturated_s": 0.0, "noise_s": 0.0, "uncertain_beats": 3,
        "skipped": [(10.0, 20.0, "gap"), (24.0, 26.0, "flat")],
    }  # fmt: skip
    assert summary["beats"] == {"all": 4, "N": 3, "S": 0, "V": 1}
    assert np.allclose(beats.times, [0.4, 1.2, 2.0, 2.8])
    assert np.allclose(beats.rr, [np.nan, 0.8, 0.8, 0.8], equal_nan=True)


def test_abnormal_beats_get_the_code_that_wfdb_has_for_them() -> None:
    beats = annotated("NAN", ("Normal", "Abnormal"), [])
    assert beats.letters.tolist() == ["N", "A", "N"] and beats.symbols.tolist() == ["N", "Q", "N"]
    assert beats.summary()["burden"] == {"A": round(1 / 3, 6)}
    assert beats.summary()["runs"] == {}
