"""Rhythm strips: which are chosen, as SVG and as a matplotlib figure."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.toolbox.holter.signals import marks, packed, wander
from toolbox.holter.episodes import Episode
from toolbox.holter.strip_figure import draw_strips
from toolbox.holter.strip_svg import draw_svg
from toolbox.holter.strips import Window, clock, select_strips
from toolbox.holter.trace import INPUT_FS


def test_all_of_a_short_recording_is_shown() -> None:
    assert [(w.start, w.stop) for w in select_strips(25.0, marks([], ""), [])] == [(0, 10), (10, 20), (20, 25.0)]


def test_the_foremost_episodes_of_a_long_one_are_shown_in_order_of_time() -> None:
    episodes = [
        Episode("V run", 500.0, 502.0, 10, 13, 90.0),
        Episode("V run", 900.0, 904.0, 20, 29, 150.0),
        Episode("V couplet", 100.0, 100.5, 3, 4, 120.0),
        Episode("pause", 300.0, 303.0, 7, 8, None),
    ]
    windows = select_strips(1800.0, marks([50.0, 1799.0], "NF"), episodes)
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
    assert svg.count("<circle") == 0 and svg.count('height="4.4"') == 1  # V is a square: colour is not needed
    assert svg.count('class="beat"') == 2
    assert '<rect x="72.80" y="1"' in svg
    assert '<rect class="bad" x="125.0" width="25.0"' in svg and ">gap</text>" in svg
    trace = re.search(r'class="trace" d="([^"]*)"', svg)[1]  # type: ignore[index]
    assert trace.count("M") == 2
    points = np.array(re.findall(r"[ML]([\d.]+) ([\d.]+)", trace), dtype=float)
    top = points[points[:, 1].argmin()]
    assert top[0] == pytest.approx(75.0) and points[0, 1] - top[1] == pytest.approx(15.0)


def test_svg_strips_hold_a_scale_of_1_s_and_1_mv() -> None:
    svg = draw_svg(packed(np.zeros(INPUT_FS * 10)), marks([], ""), Window(0, 10, ""), "QRS height")
    assert '<path class="scale" d="M222 37v-10h5v10H247"/>' in svg  # 10 mm high, 5 mm wide; 25 mm
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
