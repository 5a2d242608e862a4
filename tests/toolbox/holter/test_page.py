"""What people look at: the packed signal, strips, and the page of a recording."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest

from toolbox.holter.annotation import AnnotatedRecording
from toolbox.holter.episodes import Episode
from toolbox.holter.page import NOTE, SCRIPTS, write_page
from toolbox.holter.strip_figure import draw_strips
from toolbox.holter.strip_svg import draw_svg
from toolbox.holter.strips import BeatMarks, Window, clock, select_strips
from toolbox.holter.trace import INPUT_FS, PART_SECONDS, CompressedTrace


def wander(n: int, seed: int = 0) -> np.ndarray:
    """(n,) a signal in steps of 5 uV."""
    levels = np.cumsum(np.random.default_rng(seed).integers(-20, 21, n)) % 1000
    return levels * 0.005 - 2.5


def packed(signal: np.ndarray, blocks: int = 7) -> CompressedTrace:
    tracing = CompressedTrace()
    for block in np.array_split(signal, blocks):
        tracing.add(block)
    return tracing.finish()


# tracing


def test_a_short_signal_is_kept_as_it_came() -> None:
    signal = wander(INPUT_FS * (PART_SECONDS + 300))
    signal[1000:1500] = np.nan
    tracing = packed(signal)
    times, found = tracing.read(0, 1e9)
    assert np.allclose(found, signal, atol=1e-9, equal_nan=True)
    assert np.allclose(times, np.arange(len(signal)) / INPUT_FS)
    assert tracing.seconds == PART_SECONDS + 300 and tracing.rate == INPUT_FS and len(tracing.parts) == 2
    times, found = tracing.read(PART_SECONDS - 5, PART_SECONDS + 5)  # across two parts
    assert np.allclose(found, signal[(PART_SECONDS - 5) * INPUT_FS : (PART_SECONDS + 5) * INPUT_FS])
    assert times[0] == PART_SECONDS - 5


def test_a_long_signal_is_thinned() -> None:
    signal = wander(INPUT_FS * PART_SECONDS * 5 + 700)
    tracing = packed(signal, 23)
    assert tracing.rate == INPUT_FS / 3
    times, found = tracing.read(4000, 6000)
    assert np.allclose(found, signal[4000 * INPUT_FS : 6000 * INPUT_FS : 3])
    assert np.allclose(np.diff(times), 3 / INPUT_FS)
    assert len(tracing.read(0, 1e9)[1]) == -(-len(signal) // 3)


def test_what_does_not_fit_is_clipped_and_nothing_is_nothing() -> None:
    _, found = packed(np.array([1e6, -1e6, 0.0])).read(0, 1)
    assert found.tolist() == [32767 * 0.005, -32767 * 0.005, 0.0]
    times, found = CompressedTrace().finish().read(0, 10)
    assert len(times) == len(found) == 0


# strips


def marks(times: list[float], letters: str, bad: list[tuple[float, float, str]] | None = None) -> BeatMarks:
    return BeatMarks(np.array(times), np.array(list(letters)), bad or [])


def test_all_of_a_short_recording_is_shown() -> None:
    assert [(w.start, w.stop) for w in select_strips(25.0, marks([], ""), [])] == [(0, 10), (10, 20), (20, 25.0)]


def test_the_foremost_episodes_of_a_long_one_are_shown_in_order_of_time() -> None:
    found = [
        Episode("V run", 500.0, 502.0, 10, 13, 90.0),
        Episode("V run", 900.0, 904.0, 20, 29, 150.0),
        Episode("V couplet", 100.0, 100.5, 3, 4, 120.0),
        Episode("pause", 300.0, 303.0, 7, 8, None),
    ]
    windows = select_strips(1800.0, marks([50.0, 1799.0], "NF"), found)
    assert [(w.start, w.title) for w in windows] == [
        (0.0, "Start"),
        (98.0, "Ventricular couplet"),
        (298.0, "Pause"),
        (498.0, "Ventricular run"),
        (898.0, "Ventricular tachycardia"),
        (1790.0, "F beat"),
    ]
    assert all(w.stop - w.start == 10 for w in windows)


def test_svg_strips_are_in_millimetres_and_mark_what_is_not_normal() -> None:
    signal = np.zeros(INPUT_FS * 20)
    signal[INPUT_FS * 3] = 1.5
    signal[INPUT_FS * 5 : INPUT_FS * 6] = np.nan
    svg = draw_svg(packed(signal), marks([1.0, 3.0, 12.0], "NVS", [(5.0, 6.0, "gap")]), Window(0, 10, ""))
    assert 'viewBox="0 0 250 40"' in svg  # 10 s at 25 mm/s, 4 mV at 10 mm/mV
    assert svg.count("<circle") == 1 and svg.count('class="beat"') == 2
    assert '<circle cx="75.00"' in svg
    assert '<rect class="bad" x="125.0" width="25.0"' in svg and ">gap</text>" in svg
    trace = re.search(r'class="trace" d="([^"]*)"', svg)[1]  # type: ignore[index]
    assert trace.count("M") == 2
    points = np.array(re.findall(r"[ML]([\d.]+) ([\d.]+)", trace), dtype=float)
    top = points[points[:, 1].argmin()]
    assert top[0] == pytest.approx(75.0) and points[0, 1] - top[1] == pytest.approx(15.0)


def test_svg_strips_hold_a_scale_of_1_s_and_1_mv() -> None:
    svg = draw_svg(packed(np.zeros(INPUT_FS * 10)), marks([], ""), Window(0, 10, ""), "QRS height")
    assert '<path class="scale" d="M222 37H247V27"/>' in svg  # 25 mm and 10 mm
    assert ">1 s</text>" in svg and ">1 QRS height</text>" in svg


def test_strips_are_drawn_in_true_size() -> None:
    windows = [Window(0, 10, "Start"), Window(10, 20, "")]
    figure = draw_strips(
        packed(wander(INPUT_FS * 20)), marks([1.0, 13.0], "NV", [(5, 6, "flat")]), windows, "r", "note"
    )
    width = figure.get_size_inches()[0] * 25.4
    for axes in figure.axes:
        assert axes.get_position().width * width == pytest.approx(250)
        low, high = axes.get_ylim()
        assert axes.get_position().height * figure.get_size_inches()[1] * 25.4 == pytest.approx(10 * (high - low))
    assert [text.get_text() for text in figure.texts] == ["r", "note"]
    assert "V" in [text.get_text() for text in figure.axes[1].texts]
    for axes in figure.axes:
        x, y = axes.lines[-1].get_data()  # the scale: 1 s, 1 mV
        assert (np.ptp(x), np.ptp(y)) == (pytest.approx(1), pytest.approx(1))
        assert {"1 s", "1 mV"} <= {text.get_text() for text in axes.texts}


def test_the_clock() -> None:
    assert [clock(s) for s in (0, 59.99, 3600, 86399.9, 90061)] == [
        "0:00:00",
        "0:00:59",
        "1:00:00",
        "23:59:59",
        "25:01:01",
    ]


# page

NAMES = ("Normal", "Supraventricular ectopic", "Ventricular ectopic", "Fusion", "Unknown")


@pytest.fixture
def page(tmp_path: Path) -> str:
    probabilities = np.full((30, 5), 0.05, dtype=np.float32)
    probabilities[:, 0] = 0.8
    probabilities[12:15, 2] = 0.9
    sample = 200 + 300 * np.arange(30)
    begins = np.arange(30) == 0
    tracing = packed(wander(360 * 30))
    found = AnnotatedRecording(sample, begins, probabilities, NAMES, 360.0, 360 * 30, [(9500, 10000, "flat")], tracing)
    summary = {
        "recording": "<r&1>",
        "lead": "MLII",
        "fs": 360.0,
        "unit": "mV",
        **found.figures(),
        "warnings": ["no lead <II>"],
    }
    write_page(tmp_path / "r.html", summary, {"Model": "a <b> c"}, found)
    return (tmp_path / "r.html").read_text(encoding="utf-8")


def test_the_page_says_what_was_found_and_what_it_is_for(page: str) -> None:
    assert "not for diagnosis" in page
    assert "Ventricular tachycardia" not in page and "Ventricular run" in page  # 72 per minute
    assert "<b>10.00%</b>ventricular ectopic beats, 3" in page
    assert "95.4%" in page and "no lead &lt;II&gt;" in page and "a &lt;b&gt; c" in page
    assert "<h1>&lt;r&amp;1&gt;</h1>" in page


def test_warnings_stand_above_the_figures(page: str) -> None:
    notes = re.findall(r'<p class="note" role="note"><strong>Note:</strong> ([^<]*)</p>', page)
    assert notes == [NOTE, "no lead &lt;II&gt;"]
    assert page.index(notes[-1]) < page.index('class="cards"') and page.count(notes[-1]) == 1


def test_strips_are_printed_in_true_size(page: str) -> None:
    assert "@page { size: landscape; margin: 10mm; }" in page
    assert "figure svg { width: 250mm; }" in page[page.index("@media print {", page.index("@page")) :]
    assert 'addEventListener("beforeprint", () => resize(`${Math.round(250 * MM)}px`))' in page


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
    assert len(beats) == 7 * 30
    assert np.frombuffer(beats, "<u4", 30).tolist() == list(range(200, 200 + 300 * 30, 300))
    assert list(beats[120:150]) == [0] * 12 + [2] * 3 + [0] * 15
    assert list(beats[180:]) == [1] + [0] * 29
    meta = json.loads(re.search(r'id="meta">([^<]*)<', page)[1])  # type: ignore[index]
    assert meta["parts"] == 1 and meta["bad"] == [[26.389, 27.778, "flat"]] and meta["seconds"] == 30
    assert part("part0") == packed(wander(360 * 30)).parts[0]
