"""Noise in annotated recordings: marked as EC57 wants, without beats, counted; and --score honours it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb

from inference.files import AnnotateOptions, annotate_file
from loaders.io.annotations import read_pair
from loaders.io.discovery import Item
from tests.conftest import CASES, needs_cases
from tests.made import Rule
from toolbox.metrics.ec57 import OTHER, SHUT, UNREADABLE, compare
from toolbox.utils import read_json


@needs_cases
def test_the_noise_stress_test_at_6_db(tmp_path: Path) -> None:
    annotate_file(Item(CASES / "118e06.hea"), Rule(), AnnotateOptions(out=tmp_path))
    summary = read_json(tmp_path / "118e06.ecg.json")
    quality, written = summary["signal_quality"], wfdb.rdann(str(tmp_path / "118e06"), "ecg")
    noise = [(start, stop) for start, stop, why in quality["skipped"] if why == "noise"]
    # 12.4 of 30 minutes hold noise; where one lead can be read, beats are judged by it
    assert 400 < quality["noise_s"] < 760 and quality["noise_s"] == pytest.approx(sum(b - a for a, b in noise), abs=0.1)
    assert quality["usable"] == pytest.approx(1 - quality["noise_s"] / summary["seconds"], abs=2e-3)
    quality_marks = np.array(written.symbol) == "~"
    kinds = (written.subtype[quality_marks] & UNREADABLE).tolist()
    assert kinds == [UNREADABLE, 0] * len(noise)
    assert written.sample[quality_marks].reshape(-1, 2) / 360 == pytest.approx(np.array(noise), abs=0.01)
    beats = written.sample[np.isin(written.symbol, list("NSVFQ"))] / 360
    assert not any(((beats > start) & (beats < stop)).any() for start, stop in noise)

    pair = read_pair(CASES / "118e06", "atr", "ecg", str(tmp_path))
    scored = compare(pair.reference, pair.test, pair.fs, pair.length)
    hits = scored.matrix[:OTHER, :OTHER].sum()
    assert scored.shutdown == pytest.approx(quality["noise_s"], abs=2)
    assert scored.matrix[:OTHER, SHUT].sum() > 300  # not read, and not said to be there
    assert hits / (hits + scored.matrix[:OTHER, OTHER].sum()) >= 0.99
    assert hits / (hits + scored.matrix[OTHER, :OTHER].sum()) >= 0.98


@needs_cases
def test_little_noise_is_read(tmp_path: Path) -> None:
    summary = annotate_file(Item(CASES / "118e24.hea"), Rule(), AnnotateOptions(out=tmp_path))
    assert summary["signal_quality"]["usable"] > 0.98 and summary["beats"]["all"] == pytest.approx(2278, abs=5)
