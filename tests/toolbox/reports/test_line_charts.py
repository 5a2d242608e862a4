"""toolbox.reports.line_charts: ticks, scales and what is drawn."""

from __future__ import annotations

import re

import numpy as np
import pytest

from toolbox.reports.line_charts import LEFT, RIGHT, WIDTH, Axis, Line, brief, line_chart, log_ticks, nice_ticks, pen


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.61, 0.99, [0.7, 0.8, 0.9]),
        (3, 3, [3]),
        (-0.1, 0.13, [-0.1, -0.05, 0, 0.05, 0.1]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert nice_ticks(low, high) == ticks


def test_whole_ticks_have_no_halves() -> None:
    assert nice_ticks(1, 3, whole=True) == [1, 2, 3]
    assert nice_ticks(1, 20, whole=True) == [5, 10, 15, 20]


def test_log_ticks() -> None:
    assert log_ticks(0.0001, 0.003) == pytest.approx([0.0001, 0.0002, 0.0005, 0.001, 0.002])
    assert log_ticks(1, 1e6) == [1, 10, 100, 1000, 1e4, 1e5, 1e6]


def test_the_pen_is_lifted_and_draws_no_point_twice() -> None:
    x, y = np.array([0, 0.01, 1, np.nan, 2.0]), np.array([0, 0.01, 1, 1, 2.0])
    assert pen(x, y) == "M0 0L1 1M2 2"


@pytest.mark.parametrize(("count", "text"), [(0, "0"), (999, "999"), (2310, "2.3k"), (44000, "44k")])
def test_counts_are_brief(count: int, text: str) -> None:
    assert brief(count) == text


def test_a_chart_names_its_lines_and_draws_them_at_their_places() -> None:
    x, y = np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.5, 1.0])
    lines = [Line("a <line>", x, y, "S", "7 3", "square"), Line("", x, 1 - y, "ink", mark="round", hollow=y > 0.9)]
    chart = str(line_chart("A & B", lines, Axis("epoch", whole=True), Axis("F1", 0.0, 1.0)))
    assert "a &lt;line&gt;" in chart and 'aria-label="A &amp; B"' in chart and chart.count("<li>") == 1
    points = re.findall(r'class="line" stroke-dasharray="7 3" d="M(\S+) (\S+?)L', chart)
    assert points[0][0] == str(LEFT)
    assert f"L{WIDTH - RIGHT} 10" in chart  # the last point: right and top
    assert chart.count('class="hollow"') == 1
    assert '<g class="series cS">' in chart and '<g class="series cink">' in chart


def test_equal_values_make_a_chart_as_well() -> None:
    chart = str(
        line_chart("t", [Line("a", np.array([1.0]), np.array([0.5]), mark="round")], Axis("x", whole=True), Axis("y"))
    )
    assert "nan" not in chart and chart.count("<circle") == 2  # the point, and the legend's


def test_bars_are_counts_beneath() -> None:
    line = Line("", np.array([0.5]), np.array([0.5]))
    chart = str(line_chart("t", [line], Axis("x", 0.0, 1.0), Axis("y", 0.0, 1.0), bars=np.array([0, 7, 4100])))
    assert chart.count('class="bar"') == 2 and ">7<" in chart and ">4.1k<" in chart
