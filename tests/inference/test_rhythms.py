"""Rhythms of real recordings: recognized where they are marked, and nowhere else."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import wfdb

from inference.files import AnnotateOptions, annotate_file
from inference.many import annotate_files
from inference.recording import AnnotatedLead, annotate_lead
from loaders.io.discovery import Item
from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat
from tests.conftest import CASES, RECORDS, needs_cases, needs_records
from tests.made import Rule
from toolbox.holter.annotation import AnnotatedRecording
from toolbox.holter.episodes import ATRIAL_FIBRILLATION, FIBRILLATION, PACED, RHYTHMS
from toolbox.holter.rhythm import IN_ARRHYTHMIA, with_rhythms

SVDB = RECORDS.parent / "svdb"


EARLY = np.array([0.1, 0.8, 0.04, 0.03, 0.03], np.float32)  # an S


class AllNormal(Rule):
    """Calls every beat N."""

    def probabilities(self, rows: np.ndarray, features: np.ndarray | None = None) -> np.ndarray:
        """(n, 5)."""
        return np.tile(np.array([0.9, 0.025, 0.025, 0.025, 0.025], np.float32), (len(rows), 1))


@cache
def annotated(path: Path) -> AnnotatedLead:
    return annotate_lead(open_recording(path.with_suffix(".hea"), CsvFormat()), 0, AllNormal())


def with_early_beats(path: Path) -> AnnotatedRecording:
    """The recording, with beats called S that come after less than 0.8 of the median interval, as networks do."""
    beats = annotated(path).beats
    plain = replace(beats, rhythms=(), called=None, reasons={})
    early = plain.rr < 0.8 * np.nanmedian(plain.rr)
    return with_rhythms(replace(plain, probabilities=np.where(early[:, None], EARLY, plain.probabilities)))


def spans(path: Path, kind: str) -> list[tuple[float, float]]:
    return [(e.start, e.stop) for e in annotated(path).beats.rhythms if e.kind == kind]


@needs_cases
def test_fibrillation_of_the_ventricles_is_one_episode_to_the_end() -> None:
    beats = annotated(CASES / "cu01").beats
    ((start, stop),) = spans(CASES / "cu01", FIBRILLATION)
    assert start == pytest.approx(214.2, abs=1.5) and stop == pytest.approx(508.9, abs=0.1)
    assert beats.times.max() < start and len(beats.sample) > 190
    assert beats.summary()["without_beats"]["longest"]["kind"] == FIBRILLATION
    assert not [e for e in beats.episodes if e.kind == "pause"]
    assert not [s for s in beats.skipped if s[1] / beats.fs > start + 1]  # it is no noise


@needs_records
def test_flutter_is_recognized_where_it_is_marked() -> None:
    recognized = spans(RECORDS / "207", FIBRILLATION)
    marked = [(40.7, 51.0), (54.8, 60.4), (242.1, 246.4), (247.9, 261.4), (269.5, 280.9), (1540.8, 1638.7)]
    for start, stop in marked:
        assert any(a < stop and b > start for a, b in recognized)
    assert all(any(a < stop and b > start for start, stop in marked) for a, b in recognized)
    assert 135 < sum(b - a for a, b in recognized) < 160


@needs_cases
def test_a_paroxysm_of_atrial_fibrillation(name: str = "data_92_19") -> None:
    content = wfdb.rdann(str(CASES / name), "atr")
    changes = [(at / 200, text.rstrip("\0")) for at, text in zip(content.sample, content.aux_note, strict=True) if text]
    ends = [at for at, _ in changes[1:]] + [np.inf]
    marked = [(at, end) for (at, text), end in zip(changes, ends, strict=True) if text == "(AFIB"]
    beats = with_early_beats(CASES / name)
    recognized = [(e.start, e.stop) for e in beats.rhythms if e.kind == ATRIAL_FIBRILLATION]
    inside = [(beats.times >= a) & (beats.times <= b) for a, b in recognized]
    assert all((beats.likeliest[k] == "S").any() and not (beats.letters[k] == "S").any() for k in inside)
    runs = [(e.start, e.stop) for e in beats.episodes if e.kind == "S run"]
    assert not any(a < stop and b > start for start, stop in recognized for a, b in runs)
    longest = max(marked, key=lambda span: span[1] - span[0])
    assert any(min(b, longest[1]) - max(a, longest[0]) > 15 for a, b in recognized)
    assert all(any(a < stop and b > start for start, stop in marked) for a, b in recognized)


@needs_records
@pytest.mark.parametrize(("name", "share"), [("203", 0.95), ("115", 0.0), ("220", 0.0), ("209", 0.0)])
def test_atrial_fibrillation_of_half_an_hour_or_none(name: str, share: float) -> None:
    beats = with_early_beats(RECORDS / name)
    recognized = sum(e.seconds for e in beats.rhythms if e.kind == ATRIAL_FIBRILLATION) / 1805
    assert recognized >= share if share else recognized == 0


@needs_cases
def test_sinus_arrhythmia_has_hardly_an_s() -> None:
    beats = annotated(CASES / "sel16539").beats
    wrong = np.random.default_rng(0).random(len(beats.sample)) < 0.25  # as many as a network called S
    after = with_rhythms(replace(beats, probabilities=np.where(wrong[:, None], EARLY, beats.probabilities)))
    assert (after.likeliest == "S").mean() > 0.2 and (after.letters == "S").mean() < 0.02
    assert set(after.reasons) == {IN_ARRHYTHMIA}
    assert not [e for e in after.rhythms if e.kind == ATRIAL_FIBRILLATION]


@needs_records
@pytest.mark.parametrize("name", ["102", "104", "107", "217"])
def test_paced_rhythm_is_said(name: str, tmp_path: Path) -> None:
    options = AnnotateOptions(out=tmp_path)
    summary = annotate_file(Item(RECORDS / f"{name}.hea"), AllNormal(), options)
    assert any(text.startswith("a pacemaker leads") for text in summary["warnings"])
    assert summary["rhythms"][PACED]["seconds"] > 1300
    content = wfdb.rdann(str(tmp_path / name), "ecg")
    texts = [text.rstrip("\0") for text in content.aux_note]
    assert "(P" in texts and content.symbol.count("/") > 1300
    reference = wfdb.rdann(str(RECORDS / name), "atr")
    paced = np.array(reference.sample)[np.array(reference.symbol) == "/"]
    named = np.array(content.sample)[np.array(content.symbol) == "/"]
    nearest = named[np.clip(np.searchsorted(named, paced - 54), 0, len(named) - 1)]
    assert (np.abs(nearest - paced) <= 54).mean() > 0.9
    lines = (tmp_path / f"{name}.ecg.episodes.csv").read_text().splitlines()
    assert lines[0] == "kind,start,stop,first,last,beats,rate" and any(line.startswith(PACED) for line in lines)
    remark = "beats called Q: paced, whatever their p_"
    assert any(line.endswith(remark) for line in (tmp_path / f"{name}.ecg.csv").read_text().splitlines()[:9])


@needs_records
@pytest.mark.parametrize("path", [RECORDS / "122", SVDB / "856", SVDB / "820"], ids=lambda path: path.name)
def test_regular_hearts_have_no_false_alarm(path: Path) -> None:
    kinds = {e.kind for e in annotated(path).beats.rhythms}
    assert not kinds & {ATRIAL_FIBRILLATION, FIBRILLATION, PACED} and kinds <= set(RHYTHMS)


@needs_cases
def test_the_terminals_line_says_how_long_it_fibrillates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    annotate_files([Item(CASES / "data_92_19.hea")], {}, AllNormal(), AnnotateOptions(out=tmp_path), 0)
    assert re.search(r"atrial fibrillation or flutter 0\.\d min", capsys.readouterr().out)
