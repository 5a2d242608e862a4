"""toolbox.holter.page: the page of an annotated recording."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.toolbox.holter.signals import packed, wander
from toolbox.holter.annotation import AnnotatedRecording
from toolbox.holter.page import NOTE, SCRIPTS, write_page
from toolbox.holter.page_tables import leads_table, limits, switches

RUNS = (  # the first words of a run's name, and the end of a network's
    ("synthetic", ""),
    ("synthetic_bin", " (ONNX)"),
    ("ecg", ""),
    ("/data/ecg/runs/ecg", "/model_best.pth.tar"),
    ("mine", ""),
)
NAMES = ("Normal", "Supraventricular ectopic", "Ventricular ectopic", "Fusion", "Unknown")


@pytest.fixture
def page(tmp_path: Path) -> str:
    probabilities = np.full((30, 5), 0.05, dtype=np.float32)
    probabilities[:, 0] = 0.8
    probabilities[12:15, 2] = 0.9
    sample = 200 + 300 * np.arange(30)
    begins = np.arange(30) == 0
    trace = packed(wander(360 * 30))
    annotated = AnnotatedRecording(
        sample, begins, probabilities, NAMES, 360.0, 360 * 30, [(9500, 10000, "flat")], trace
    )
    summary = {
        "recording": "<r&1>",
        "lead": "MLII",
        "fs": 360.0,
        "unit": "mV",
        **annotated.summary(),
        "warnings": ["no lead <II>"],
    }
    write_page(tmp_path / "r.ecg.html", summary, {"Model": "a <b> c"}, annotated)
    return (tmp_path / "r.ecg.html").read_text(encoding="utf-8")


def test_the_page_says_what_was_found_and_what_it_is_for(page: str) -> None:
    assert "not for diagnosis" in page
    assert "<b>10.00%</b>ventricular ectopic beats, 3" in page
    assert "95.4%" in page and "no lead &lt;II&gt;" in page and "a &lt;b&gt; c" in page
    assert "<h1>&lt;r&amp;1&gt;</h1>" in page


def test_warnings_stand_above_the_figures(page: str) -> None:
    notes = re.findall(r'<p class="note" role="note"><strong>Note:</strong> ([^<]*)</p>', page)
    assert notes == [NOTE, "no lead &lt;II&gt;"]
    assert page.index(notes[-1]) < page.index('class="cards"') and page.count(notes[-1]) == 1


def test_strips_are_printed_in_true_size(page: str) -> None:
    assert "@page { size: landscape; margin: 10mm; }" in page
    assert "figure svg { width: 250mm; border: 0; }" in page[page.index("@media print {", page.index("@page")) :]
    assert 'addEventListener("beforeprint", () => resize(`${Math.round(250 * MM)}px`, true))' in page


def test_the_page_asks_nobody_for_anything(page: str) -> None:
    assert not re.search(r'(src|href)="|url\((?!#)|@import|fetch\(|XMLHttpRequest|https?://', page)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]  # type: ignore[index]
    assert policy.startswith("default-src 'none'")
    script = page[page.rindex("<script>") + 8 : page.rindex("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    folder = Path(__file__).resolve().parents[3] / "toolbox" / "holter"
    assert script == "".join((folder / name).read_text(encoding="utf-8") for name in SCRIPTS)


def test_beats_and_signal_are_packed_into_the_page(page: str) -> None:
    def part(name: str) -> bytes:
        return base64.b64decode(re.search(f'id="{name}">([^<]*)<', page)[1])  # type: ignore[index]

    beats = zlib.decompress(part("beats"))
    assert len(beats) == 9 * 30
    assert np.frombuffer(beats, "<u4", 30).tolist() == [200, *[300] * 29]  # the recording's own samples
    assert list(beats[120:150]) == [0] * 12 + [2] * 3 + [0] * 15
    assert list(beats[180:210]) == [1] + [0] * 29
    meta = json.loads(re.search(r'id="meta">([^<]*)<', page)[1])  # type: ignore[index]
    assert meta["bad"] == [[26.389, 27.778, "flat"]] and meta["seconds"] == 30
    assert meta["leads"] == [{"name": "MLII", "rate": 360.0, "parts": 1}]
    assert (meta["recording"], meta["annotator"], meta["fs"], meta["samples"]) == ("r", "ecg", 360, 10800)
    assert meta["marks"][0] == [199, "+", "(N"]
    assert meta["edges"] == [[9500, "~", -1, ""], [10000, "~", 0, ""]]
    assert bytes(beats[240:]).decode() == "N" * 12 + "VVV" + "N" * 15
    assert part("part0-0") == packed(wander(360 * 30)).parts[0]
    episodes = json.loads(zlib.decompress(part("episodes")))
    assert episodes[:1] == [[10.556, 12.222, 12, "Ventricular run", 3, 72.0, "V"]]


def test_all_episodes_are_on_the_page(tmp_path: Path) -> None:
    sample = 100 + 200 * np.arange(6000)
    probabilities = np.full((6000, 5), 0.05, dtype=np.float32)
    probabilities[:, 0] = 0.5
    probabilities[4::6, 2] = probabilities[5::6, 2] = 0.9  # 1,000 couplets
    begins = np.arange(6000) == 0
    annotated = AnnotatedRecording(sample, begins, probabilities, NAMES, 250.0, 1_300_000, [], packed(wander(360)))
    summary = {"recording": "r", "lead": "II", "fs": 250.0, "unit": "mV", **annotated.summary(), "warnings": []}
    write_page(tmp_path / "r.ecg.html", summary, {}, annotated)
    page = (tmp_path / "r.ecg.html").read_text(encoding="utf-8")
    packed_rows = re.search('id="episodes">([^<]*)<', page)[1]  # type: ignore[index]
    rows = json.loads(zlib.decompress(base64.b64decode(packed_rows)))
    rows, silence = rows[:-1], rows[-1]
    assert (
        silence[3] == "No signal or asystole"
        and len(rows) == 1000
        and {row[3] for row in rows} == {"Ventricular couplet"}
    )
    assert [row[2] for row in rows[:3]] == [4, 10, 16]


def test_the_limits_of_the_network_are_said_at_the_top() -> None:
    said = [limits({"model": {"name": f"mlp, epoch 2 of {run}_mlp_opadam_1{end}"}}) for run, end in RUNS]
    assert [text[0].split(" (")[0].split(":")[0] if text else "" for text in said] == [
        "The network learned from synthetic recordings alone",
        "The network learned from synthetic recordings alone",
        "The network learned from records of the MIT-BIH Arrhythmia Database",
        "The network learned from records of the MIT-BIH Arrhythmia Database",
        "",
    ]
    assert limits({"model": {"name": "x", "limits": "its own words"}}) == ["its own words"] and limits({}) == []


def test_leads_and_stretches_read_elsewhere_are_listed() -> None:
    shares = {"signal": 1.0, "good": 0.9, "read": 0.25}
    assert leads_table({"leads": [{"name": "II", "signal": 0.5}]}) == [["II", "50.0%"]]
    assert leads_table({"leads": [{"name": "V\x1b", **shares}]}) == [["V\\x1b", "100.0%", "90.0%", "25.0%"]]
    rows = switches({"switches": [{"start": 61.5, "stop": 70.0, "lead": "V1"}]})
    assert rows == [{"start": 61.5, "clock": "0:01:01", "seconds": "8.5", "reason": "read from lead V1"}]
