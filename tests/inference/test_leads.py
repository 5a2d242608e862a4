"""Beats from whatever leads are good: switching, quality of each lead, and networks of one lead."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import wfdb

from commands.runs import single_lead_run
from inference import annotate
from inference.files import AnnotateOptions, annotate_file
from inference.recording import AnnotatedLead, annotate_lead
from inference.signal_recording import signal_recording
from loaders.beats.input_spec import InputSpec
from loaders.io.discovery import Item
from loaders.io.wfdb_record import read_wfdb
from tests.conftest import RECORDS, needs_records
from tests.made import Rule, small_record, write_format
from toolbox.metrics.ec57 import compare

FS = 360
OFF = slice(30 * FS, 60 * FS)
BACK = 7 * FS  # samples after which a lead that had been off is trusted again


class Windows(Rule):
    """Names beats by windows of so many leads."""

    def __init__(self, leads: int, name: str) -> None:
        super().__init__(name)
        self.input_spec = InputSpec("window", 0.1, 0.1, 120.0, leads, "record", 0.5)  # type: ignore[assignment]
        self.name = name

    def probabilities(self, rows: np.ndarray, features: np.ndarray | None = None) -> np.ndarray:
        scores = np.exp(np.tanh(rows.reshape(len(rows), -1)[:, :5]))
        return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


TWO, ONE = Windows(2, "two"), Windows(1, "one")


@pytest.fixture(scope="module")
def digital() -> np.ndarray:
    """(samples, 2) of 90 s."""
    return small_record().digital


def annotated(digital: np.ndarray, classifier: Rule, **options) -> AnnotatedLead:
    names = ["MLII", "V1", "V5"][: digital.shape[1]]
    return annotate_lead(signal_recording(digital / 40, FS, names), 0, classifier, **options)


def off(digital: np.ndarray, lead: int, where: slice = OFF) -> np.ndarray:
    spoilt = digital.copy()
    spoilt[where, lead] = 7
    return spoilt


@pytest.mark.parametrize("classifier", [Rule(), TWO, ONE], ids=["rows", "two leads", "one lead"])
def test_beats_go_on_in_the_lead_that_is_good(digital: np.ndarray, classifier: Rule) -> None:
    plain, spoilt = annotated(digital, classifier), annotated(off(digital, 0), classifier)
    assert spoilt.beats.skipped == [] and len(spoilt.beats.sample) == len(plain.beats.sample)
    distance = np.abs(spoilt.beats.sample - plain.beats.sample)
    outside = (plain.beats.sample < OFF.start - FS) | (plain.beats.sample > OFF.stop + BACK)
    assert distance.max() <= 0.06 * FS and not distance[outside].any()
    assert spoilt.beats.begins.sum() == 1  # RR intervals go on across the switches
    assert np.mean(spoilt.beats.letters[outside] == plain.beats.letters[outside]) > 0.9
    ((start, stop, name),) = spoilt.switches
    assert (start, name) == (pytest.approx(OFF.start, abs=12), "V1") and OFF.stop - 12 <= stop <= OFF.stop + BACK
    first, second = spoilt.leads
    assert (first.name, second.name) == ("MLII", "V1") and (second.signal, second.good) == (1.0, 1.0)
    assert first.signal == pytest.approx(2 / 3, abs=1e-3) and 0.58 < first.good <= first.signal
    assert second.read == pytest.approx((stop - start) / len(digital), abs=1e-6)
    lost, read = 100 * (1 - first.good), 100 * second.read
    assert spoilt.warnings == [
        f"lead MLII cannot be read in {lost:.1f} % of the recording; "
        f"beats were taken from lead V1 in {read:.1f} % of it"
    ]
    assert plain.switches == [] and plain.warnings == [] and plain.leads[0].read == 1.0


def test_a_lead_asked_for_by_name_is_read_alone(digital: np.ndarray) -> None:
    alone = annotated(off(digital, 0), Rule(), alone=True)
    assert alone.beats.skipped[0] == (OFF.start, OFF.stop, "flat")
    assert [lead.name for lead in alone.leads] == ["MLII"] and alone.switches == []
    table = annotate(off(digital, 0) / 40, FS, Rule(), leads=["MLII", "V1"], lead="MLII")
    assert not table["sample"].between(OFF.start, OFF.stop).any()


def test_a_stretch_that_no_lead_shows_is_skipped(digital: np.ndarray) -> None:
    spoilt = off(off(digital, 0), 1, slice(OFF.start + 5 * FS, OFF.stop - 5 * FS))
    assert annotated(spoilt, Rule()).beats.skipped == [(OFF.start + 5 * FS, OFF.stop - 5 * FS, "flat")]


def test_a_third_lead_stands_in_for_two(digital: np.ndarray) -> None:
    three = np.column_stack([off(digital, 0)[:, 0], off(digital, 1)[:, 1], digital[:, 1]])
    for classifier in (Rule(), TWO):
        result = annotated(three, classifier)
        assert len(result.beats.sample) == len(annotated(digital, classifier).beats.sample)
        assert result.switches[0][2] == "V5"


def test_given_beats_stay_as_they_are(digital: np.ndarray, tmp_path: Path) -> None:
    record = small_record()
    true = record.sample[record.symbol != "+"]
    header = write_format(tmp_path, "r", off(digital, 0), "16")
    wfdb.wrann("r", "atr", record.sample, record.symbol, write_dir=str(tmp_path))
    summary = annotate_file(Item(header), Rule(), AnnotateOptions(peaks="atr"))
    assert summary["beats"]["all"] == len(true) and len(summary["switches"]) == 1


def test_switches_are_marked_in_every_file(digital: np.ndarray, tmp_path: Path) -> None:
    header = write_format(tmp_path, "r", off(digital, 0), "16")
    annotate_file(Item(header), Rule(), AnnotateOptions())
    content = wfdb.rdann(str(tmp_path / "r"), "ecg")
    notes = [
        (at, text)
        for at, symbol, text in zip(content.sample, content.symbol, content.aux_note, strict=True)
        if symbol == '"'
    ]
    assert [text.rstrip("\0") for _, text in notes] == ["lead V1", "lead MLII"]
    assert notes[0][0] == pytest.approx(OFF.start, abs=12) and OFF.stop - 12 <= notes[1][0] <= OFF.stop + BACK
    summary = json.loads((tmp_path / "r.ecg.json").read_text())
    seconds = [round(at / FS, 3) for at, _ in notes]
    assert summary["switches"] == [{"start": seconds[0], "stop": seconds[1], "lead": "V1"}]
    assert [sorted(lead) for lead in summary["leads"]] == [["good", "name", "read", "signal"]] * 2
    lines = (tmp_path / "r.ecg.csv").read_text().splitlines()
    assert lines[0] == "# leads read, with signal: MLII 66.7 %, V1 100.0 %" and "beats were taken" in lines[1]
    with pytest.warns(UserWarning, match="beats were taken from lead V1"):
        table = annotate(header, classifier=Rule())
    assert table.attrs["good"]["V1"] == 1.0 and table.attrs["switches"][0][2] == "V1"


# fewer leads than the network reads


def test_a_recording_of_one_lead_takes_the_network_of_one_lead(digital: np.ndarray) -> None:
    lone = annotated(digital[:, :1], TWO, single=ONE)
    assert (lone.network, lone.network_leads) == ("one", 1)
    assert np.array_equal(lone.beats.probabilities, annotated(digital[:, :1], ONE).beats.probabilities)
    assert lone.warnings == [
        "the network reads 2 leads, of which the recording has only 1: the beats are named by one, which reads one lead"
    ]


@pytest.mark.parametrize("silence", ["flat", "noise"])
def test_a_lead_that_shows_nothing_throughout_counts_as_missing(digital: np.ndarray, silence: str) -> None:
    spoilt = digital.copy()
    spoilt[:, 1] = 7 if silence == "flat" else np.random.default_rng(0).normal(0, 40, len(digital))
    result = annotated(spoilt, TWO, single=ONE)
    assert result.network == "one" and "of which the recording shows only 1" in result.warnings[-1]
    assert result.leads[1].good < 0.02 and result.beats.skipped == []


def test_a_lead_that_is_off_for_a_while_keeps_the_network_of_two(digital: np.ndarray) -> None:
    assert annotated(off(digital, 1), TWO, single=ONE).network == "two"


def test_without_a_network_of_one_lead_the_lead_stands_in_for_the_other(digital: np.ndarray) -> None:
    lone = annotated(digital[:, :1], TWO)
    assert lone.network == "two" and lone.warnings == [
        "the network reads 2 leads, of which the recording has only 1: a lead stands in for another, which costs "
        "accuracy; a network trained with --leads 1 does better"
    ]
    twice = annotate_lead(signal_recording(np.repeat(digital[:, :1] / 40, 2, 1), FS, ["MLII", "V1"]), 0, TWO)
    assert np.array_equal(lone.beats.probabilities, twice.beats.probabilities)


def make_run(root: Path, dataset: str, name: str, started: str, best: bool = True, **options) -> Path:
    folder = root / dataset / "runs" / f"{name}_1"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"started": started, "version": 1, "options": options}))
    if best:
        (folder / "model_best.pth.tar").touch()
    return folder


def test_the_newest_run_of_one_lead_and_the_same_data_is_taken(tmp_path: Path) -> None:
    args = Namespace(root_dir=str(tmp_path), engine="auto")
    assert single_lead_run(args, "ecg") is None
    make_run(tmp_path, "ecg", "a", "2026-01-01", context="window", leads=1)
    wanted = make_run(tmp_path, "ecg", "b", "2026-01-02", context="window", leads=1)
    make_run(tmp_path, "ecg", "two", "2026-01-03", context="window", leads=2)
    make_run(tmp_path, "ecg", "rows", "2026-01-04", context="kaggle", leads=1)
    make_run(tmp_path, "ecg", "unfinished", "2026-01-05", best=False, context="window", leads=1)
    make_run(tmp_path, "ecg", "trial", "2026-01-06", context="window", leads=1, short_run=True)
    make_run(tmp_path, "synthetic", "c", "2026-01-07", context="window", leads=1)
    run = single_lead_run(args, "ecg")
    assert run is not None and run.path == wanted


# MIT-BIH


def qrs_errors(signal: np.ndarray, name: str, alone: bool = False) -> tuple[int, int, int]:
    """The beats of record `name` behind its first five minutes, how many are missed in `signal`, and extra ones."""
    record = read_wfdb(RECORDS / name)
    result = annotate_lead(signal_recording(signal, FS, list(record.leads)), 0, Rule(), alone=alone).beats
    test = (result.sample, ["N"] * len(result.sample), np.zeros(len(result.sample), np.int64))
    reference = (record.sample, record.symbol.tolist(), np.zeros(len(record.sample), np.int64))
    matrix = compare(reference, test, FS, len(signal), 300.0, 0.15).matrix
    beats, hits = matrix[:5].sum(), matrix[:5, :5].sum()
    return int(beats), int(beats - hits), int(matrix[:, :5].sum() - hits)


@needs_records
@pytest.mark.parametrize("name", ["119", "213"])
def test_ten_minutes_without_the_first_lead_cost_no_beats(name: str) -> None:
    signal = read_wfdb(RECORDS / name).signal.astype(np.float64)
    signal[600 * FS : 1200 * FS, 0] = -1.0
    beats, missed, extra = qrs_errors(signal, name)
    assert missed <= 0.005 * beats and extra <= 0.005 * beats


@needs_records
def test_two_leads_miss_fewer_beats_than_one() -> None:
    signal = read_wfdb(RECORDS / "116").signal.astype(np.float64)
    _, missed, extra = qrs_errors(signal, "116")
    _, missed_alone, extra_alone = qrs_errors(signal, "116", alone=True)
    assert missed < 0.6 * missed_alone and extra <= extra_alone
