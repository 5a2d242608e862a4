"""Stretches without beats in annotated recordings, from the signal to the episodes, the page and the terminal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.files import AnnotateOptions
from inference.many import annotate_files
from inference.recording import annotate_lead
from inference.signal_recording import signal_recording
from loaders.io.discovery import Item
from loaders.io.recording import CsvFormat
from loaders.io.wfdb_record import read_wfdb
from tests.conftest import RECORDS, needs_records
from tests.made import Rule
from toolbox.utils import read_json

NOISE = "noise, not judged"
FLUTTER = "ventricular flutter or fibrillation"


def silent(kind: str, seconds: float) -> tuple[np.ndarray, int]:
    """Record 100, two minutes, with a stretch put in behind a T wave; and the sample of the beat before it."""
    record = read_wfdb(RECORDS / "100")
    lead, beat = record.signal[: 120 * 360, 0], int(record.sample[record.sample > 60 * 360][0])
    at = beat + 200
    noise = np.random.default_rng(3).standard_normal(round(seconds * 360))
    gap = {
        "quiet": 0.06 * np.sin(2 * np.pi * 0.3 * np.arange(len(noise)) / 360) + 0.01 * noise,
        "steps": np.rint(0.4 * noise) * 0.005,
    }[kind]
    return np.concatenate([lead[:at], lead[at] + gap, lead[at:]]).astype(np.float32), beat


@needs_records
@pytest.mark.parametrize(("kind", "said"), [("quiet", "pause"), ("steps", "no signal or asystole")])
@pytest.mark.parametrize("seconds", [4, 12, 40])
def test_silence_is_one_episode_of_its_length(kind: str, said: str, seconds: int) -> None:
    signal, beat = silent(kind, seconds)
    summary = annotate_lead(signal_recording(signal, 360, None), 0, Rule()).beats.summary()
    (longest,) = [e for e in summary["episodes"] if e["rate"] is None]
    assert longest["kind"] == said and longest["start"] == pytest.approx(beat / 360, abs=0.02)
    assert seconds + 0.6 < longest["stop"] - longest["start"] < seconds + 1.0
    assert summary["without_beats"]["longest"]["seconds"] == pytest.approx(longest["stop"] - longest["start"], abs=2e-3)
    assert summary["pauses"]["count"] == (said == "pause")


@needs_records
def test_flutter_is_no_pause_and_no_couplet_crosses_it() -> None:
    lead = read_wfdb(RECORDS / "207").signal[1500 * 360 : 1680 * 360, 0].astype(np.float32)
    episodes = annotate_lead(signal_recording(lead, 360, None), 0, Rule()).beats.episodes
    flutter = [e for e in episodes if e.rate is None and 38 < e.start < 138]  # `[` at 40.8 s, `]` at 138.7 s
    assert {e.kind for e in flutter} <= {FLUTTER, NOISE}
    flutter = [e for e in flutter if e.kind == FLUTTER]
    assert sum(e.seconds for e in flutter) > 90 and max(e.seconds for e in flutter) > 80
    assert flutter[0].start == pytest.approx(40.8, abs=1.5) and flutter[-1].stop == pytest.approx(138.7, abs=1.5)
    assert all(np.diff([e.start, e.stop]) / (e.beats - 1) < 2 for e in episodes if e.kind.endswith("couplet"))


@needs_records
def test_the_longest_is_on_the_page_and_in_the_terminals_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savetxt(tmp_path / "a.csv", silent("quiet", 12)[0], fmt="%.4f", header="ecg", comments="")
    options = AnnotateOptions(csv=CsvFormat(360.0))
    annotate_files([Item(tmp_path / "a.csv")], {}, Rule(), options, 0)
    longest = read_json(tmp_path / "a.ecg.json")["without_beats"]["longest"]
    assert longest["kind"] == "pause" and 12.6 < longest["seconds"] < 13
    assert f"longest without a beat {longest['seconds']:.1f} s (pause)" in capsys.readouterr().out
    page = (tmp_path / "a.ecg.html").read_text(encoding="utf-8")
    assert f"<b>{longest['seconds']:.1f} s</b>longest without a beat, at 0:01:00: pause" in page
